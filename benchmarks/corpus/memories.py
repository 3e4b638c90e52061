"""Generates memories: English and Chinese statements about made-up people and projects, and questions about them.

The stream is endless and the same for everyone: memory number n is always the same one, so a
smaller size is the beginning of a larger one. Words are used by Zipf's law, topics cluster by
workspace, and no text occurs twice.
"""

import tomllib
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import numpy as np

SEED = 20_260_212
BLOCK = 10_000
"""Memories that are generated, embedded and stored in one file."""

WORKSPACES = 64
SHORTEST = 40
LONGEST = 200
CHINESE_SHARE = 0.4
CROSS_LANGUAGE_SHARE = 0.1
"""Questions that are asked in the other language than the memory's."""

FIRST_MS = 1_700_000_000_000
SPREAD_MS = 1000 * 86_400_000
"""Memories were made over 1,000 days."""

_DRAWS = 96
"""Random numbers at hand for one memory; the longest text takes about 70."""
_WORD_EXPONENT = 0.8
_NAME_EXPONENT = 0.5
_WORKSPACE_EXPONENT = 1.0
_FAVOURITES = 5
_FOLDER = Path(__file__).parent

Pair = tuple[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Generated:
    """A memory, and a question that it answers. `created_ms` is in milliseconds since 1970 in UTC."""

    number: int
    text: str
    question: str
    kind: str
    topic: int
    workspace: str
    author: str
    tags: tuple[str, ...]
    channel: str
    created_ms: int


class Draws:
    """The random numbers of one memory, taken in turn."""

    def __init__(self, values: Sequence[float]) -> None:
        self._values = values
        self._next = 0

    def take(self) -> float:
        """A number in 0..1; when all are used they start again."""
        value = self._values[self._next % len(self._values)]
        self._next += 1
        return value

    def below(self, limit: int) -> int:
        """A whole number from 0 to limit - 1."""
        return min(int(self.take() * limit), limit - 1)


class Choice:
    """Picks entries of a list by weight."""

    def __init__(self, weights: Sequence[float]) -> None:
        self._cumulative = list(accumulate(weights))

    @classmethod
    def by_rank(cls, count: int, exponent: float) -> "Choice":
        """Zipf's law: the entry of rank r with weight 1 / r ** exponent."""
        return cls([1 / rank**exponent for rank in range(1, count + 1)])

    def pick(self, draws: Draws) -> int:
        """The index of an entry."""
        return min(
            bisect_right(self._cumulative, draws.take() * self._cumulative[-1]),
            len(self._cumulative) - 1,
        )


def _split(entry: str) -> Pair:
    english, _, chinese = entry.partition("|")
    return english, chinese or english


class Lexicon:
    """The words, and the statements and questions that are made of them."""

    def __init__(self) -> None:
        words = tomllib.loads((_FOLDER / "words.toml").read_text(encoding="utf-8"))
        topics = tomllib.loads((_FOLDER / "topics.toml").read_text(encoding="utf-8"))
        self.details: Mapping[str, Sequence[str]] = topics["details"]
        self.topics: Sequence[Mapping[str, Sequence[str]]] = topics["topic"]
        self.kinds = [name for name, _ in words["shares"]["kind"]]
        self.kind_choice = Choice([share for _, share in words["shares"]["kind"]])
        self.topics_of_kind = {
            kind: [index for index, topic in enumerate(topics["topic"]) if topic["kind"] == kind] for kind in self.kinds
        }
        self.topic_choices = {
            kind: Choice([topics["topic"][index]["weight"] for index in indexes])
            for kind, indexes in self.topics_of_kind.items()
        }
        self.shares = {
            name: ([value for value, _ in rows], Choice([share for _, share in rows]))
            for name, rows in words["shares"].items()
        }
        self._slots = {
            name: ([_split(entry) for entry in entries], Choice.by_rank(len(entries), _WORD_EXPONENT))
            for name, entries in words["slots"].items()
        }
        self._names = {
            key: (parts, Choice.by_rank(len(parts), _NAME_EXPONENT)) for key, parts in words["names"].items()
        }
        self._projects = words["projects"]
        self._project_choice = Choice.by_rank(len(self._projects["en_first"]), _NAME_EXPONENT)

    def person(self, draws: Draws, language: str) -> Pair:
        """A name, the same in both languages."""
        first = self._part(draws, f"{language}_first")
        last = self._part(draws, f"{language}_last")
        name = f"{first} {last}" if language == "en" else f"{last}{first}"
        return name, name

    def _part(self, draws: Draws, key: str) -> str:
        parts, choice = self._names[key]
        return str(parts[choice.pick(draws)])

    def word(self, draws: Draws, slot: str, language: str) -> Pair:
        """What stands for a slot, in English and in Chinese."""
        if slot in self._slots:
            entries, choice = self._slots[slot]
            return entries[choice.pick(draws)]
        if slot in ("person", "other"):
            return self.person(draws, language)
        if slot == "project":
            first, last = self._project_choice.pick(draws), self._project_choice.pick(draws)
            names = self._projects
            return (
                f"{names['en_first'][first]} {names['en_last'][last]}",
                f"{names['zh_first'][first]}{names['zh_last'][last]}",
            )
        if slot == "version":
            value = f"{1 + draws.below(9)}.{draws.below(30)}.{draws.below(10)}"
            return value, value
        lowest, count = {"year": (2012, 15), "day": (1, 28), "number": (2, 97), "price": (100, 9900), "hour": (6, 16)}[
            slot
        ]
        value = str(lowest + draws.below(count))
        return value, value


class _Filling(dict[str, str]):
    """Fills slots as a template asks for them, and remembers what it chose for both languages."""

    def __init__(self, lexicon: Lexicon, draws: Draws, language: str) -> None:
        super().__init__()
        self._lexicon, self._draws, self._language = lexicon, draws, language
        self._chosen: dict[str, Pair] = {}
        self.output = language

    def __missing__(self, slot: str) -> str:
        pair = self._chosen.get(slot)
        if pair is None:
            pair = self._chosen[slot] = self._lexicon.word(self._draws, slot, self._language)
        return pair[self.output == "zh"]

    def forget(self, *slots: str) -> None:
        """Choose these anew the next time."""
        for slot in slots:
            self._chosen.pop(slot, None)


def _state(lexicon: Lexicon, topic: int, draws: Draws, language: str, seen: set[int]) -> tuple[str, str]:
    """Return a statement that was not made before, and a question about it."""
    filling = _Filling(lexicon, draws, language)
    templates = lexicon.topics[topic]
    text = templates[language][draws.below(len(templates[language]))].format_map(filling)
    other = {"en": "zh", "zh": "en"}[language]
    asked = other if draws.take() < CROSS_LANGUAGE_SHARE else language
    filling.output = asked
    question = templates[f"ask_{asked}"][draws.below(len(templates[f"ask_{asked}"]))].format_map(filling)
    filling.output = language
    joint, details = (", " if language == "en" else "，"), lexicon.details[language]
    wanted = draws.below(3)
    while wanted > 0 or len(text) < SHORTEST or hash_text(text) in seen:
        wanted -= 1
        filling.forget("other", "city", "month", "day", "year", "number", "price", "hour", "weekday", "reason")
        addition = joint + details[draws.below(len(details))].format_map(filling)
        # A text that is full and still not new changes its last part instead of growing.
        text = text + addition if len(text) + len(addition) <= LONGEST else text.rpartition(joint)[0] + addition
    return text, question


def hash_text(text: str) -> int:
    """A number by which equal texts are known within a process."""
    return hash(text)


def generate_block(lexicon: Lexicon, block: int, seen: set[int]) -> Iterator[Generated]:
    """Yield memories block * BLOCK .. (block + 1) * BLOCK - 1; `seen` holds the hashes of all earlier texts."""
    generator = np.random.default_rng((SEED, block))
    table = generator.random((BLOCK, _DRAWS))
    workspace_choice = Choice.by_rank(WORKSPACES, _WORKSPACE_EXPONENT)
    for row in range(BLOCK):
        number = block * BLOCK + row
        draws = Draws(table[row].tolist())
        workspace = workspace_choice.pick(draws)
        kind = lexicon.kinds[lexicon.kind_choice.pick(draws)]
        topics = lexicon.topics_of_kind[kind]
        if draws.take() < 0.5:
            # Half of what a workspace remembers is about the few topics that it cares for.
            topic = topics[(workspace * 7 + draws.below(_FAVOURITES)) % len(topics)]
        else:
            topic = topics[lexicon.topic_choices[kind].pick(draws)]
        attributes = {}
        for name in ("author", "tag", "channel"):
            values, choice = lexicon.shares[name]
            attributes[name] = values[choice.pick(draws)]
        created_ms = FIRST_MS + int(draws.take() * SPREAD_MS)
        language = "zh" if draws.take() < CHINESE_SHARE else "en"
        text, question = _state(lexicon, topic, draws, language, seen)
        seen.add(hash_text(text))
        yield Generated(
            number=number,
            text=text,
            question=question,
            kind=kind,
            topic=topic,
            workspace=f"team-{workspace:02d}",
            author=attributes["author"],
            tags=(attributes["tag"],),
            channel=attributes["channel"],
            created_ms=created_ms,
        )
