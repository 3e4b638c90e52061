"""The notebook of a made-up person: turns, notes and memories of tasks and tools so far, and questions about them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from app.domain.memory import Layer, MemoryDraft, MemoryKind, Origin
from app.domain.query import MemoryFilter
from benchmarks.quality.dates import END_MS, SESSION_DAYS
from benchmarks.quality.phrases import draw, list_values, load_phrases, speak, speak_as_oneself
from benchmarks.quality.question_sets import KEY, Item, Question

TALKS = 36
MISHAPS, MISHAPS_ASKED = 40, 6
USES, USES_ASKED = 20, 5
MINUTE_MS = 60_000
DAY_MS = 86_400_000


@dataclass
class Talk:
    """One talk: when it began, and its turns as (role, text, metadata) in the order in which they were added."""

    start_ms: int
    number: int
    turns: list[tuple[str, str, Mapping[str, Any]]] = field(default_factory=list)


class Notebook:
    """What a person tells and is asked, before turns have their places. The same seed and number give the same."""

    def __init__(self, seed: int, number: int) -> None:
        self.random = Random(f"{seed}/{number}")  # noqa: S311 - repeatable, nothing secret
        self.language = "zh" if number % 2 else "en"
        self.asked_in = {"en": "zh", "zh": "en"}[self.language] if number % 6 >= 4 else self.language
        self.name = f"person-{number:03d}"
        first_ms = END_MS - (TALKS + 1) * SESSION_DAYS * DAY_MS
        hours = [self.random.randrange(8, 20) for _ in range(TALKS)]
        self.talks = [
            Talk(start_ms=first_ms + at * SESSION_DAYS * DAY_MS + hours[at] * 60 * MINUTE_MS, number=at)
            for at in range(TALKS)
        ]
        self.items: list[Item] = []
        self.questions: list[Question] = []
        self.notes: list[Item] = []
        self.facts = load_phrases("facts")["fact"]
        self.scenes = load_phrases("scenes")

    def keep_knowledge(self) -> None:
        """Memories of tasks and tools, each kind asked for with its filter."""
        for number, task in enumerate(self.scenes["task"]):
            key = f"{self.name}/task-{number}"
            draft = MemoryDraft(
                kind=MemoryKind.TASK,
                content=speak(task["text"], self.language),
                when_to_use=speak(task["when"], self.language),
                metadata={KEY: key},
                created_ms=self.any_session().start_ms,
            )
            self.items.append(Item(key=key, draft=draft))
            wanted = MemoryFilter(kinds=(MemoryKind.TASK,))
            self.ask(task, "task", speak(task["ask"], self.asked_in), (frozenset({key}),), wanted=wanted)
        self._keep_alike(MemoryKind.TASK, self.scenes["mishap"], MISHAPS, MISHAPS_ASKED)
        self._keep_alike(MemoryKind.TOOL, self.scenes["usage"], USES, USES_ASKED)
        for tool in self.scenes["tool"]:
            key = f"{self.name}/{tool['name']}"
            draft = MemoryDraft(
                kind=MemoryKind.TOOL,
                content=speak(tool["text"], self.language),
                when_to_use=tool["name"],
                metadata={KEY: key},
                created_ms=self.any_session().start_ms,
            )
            self.items.append(Item(key=key, draft=draft))
            wanted = MemoryFilter(kinds=(MemoryKind.TOOL,))
            self.ask(tool, "tool", speak(tool["ask"], self.asked_in), (frozenset({key}),), wanted=wanted)

    def _keep_alike(self, kind: MemoryKind, scene: Mapping[str, Any], count: int, asked: int) -> None:
        """Memories of one kind that only two of their words tell apart; some of them are asked for."""
        pairs = [(task, fault) for task in list_values("task") for fault in list_values("fault")]
        tools = self.random.sample(list_values("tool"), USES)
        for number, (task, fault) in enumerate(self.random.sample(pairs, count)):
            all_calls = self.random.randrange(20, 90)
            words = {
                "task": task,
                "fault": fault,
                "remedy": self.random.choice(list_values("remedy")),
                "tool": tools[number % USES],
                "hour": str(self.random.randrange(5, 90)),
                "all": str(all_calls),
                "good": str(all_calls - self.random.randrange(1, 20)),
            }

            def fill(name: str, language: str, words: Mapping[str, str] = words) -> str:
                return speak(scene[name], language).format(
                    **{key: speak(word, language) for key, word in words.items()}
                )

            key = f"{self.name}/{kind.value}-alike-{number}"
            draft = MemoryDraft(
                kind=kind,
                content=fill("text", self.language),
                when_to_use=fill("when", self.language) if kind is MemoryKind.TASK else words["tool"],
                metadata={KEY: key},
                created_ms=self.any_session().start_ms,
            )
            self.items.append(Item(key=key, draft=draft))
            if number < asked:
                wanted = MemoryFilter(kinds=(kind,))
                text = fill("ask", self.asked_in)
                self.ask(scene, kind.value, text, (frozenset({key}),), wanted=wanted)

    def ask(
        self,
        about: Mapping[str, Any],
        kind: str,
        text: str,
        evidence: tuple[frozenset[str], ...],
        *,
        stale: frozenset[str] = frozenset(),
        as_of_ms: int | None = None,
        wanted: MemoryFilter | None = None,
        poisoned: bool = False,
    ) -> None:
        """Add a question; every second one is put as the person would put it. A poisoned one gets its poison too."""
        if self.random.random() < 0.5:
            text = speak_as_oneself(text)
        keys: frozenset[str] = frozenset()
        if poisoned:
            kind, key = "poisoned", f"{self.name}/{about['name']}/poison"
            words = draw(self.scenes["poison"], "", self.language, self.random).format(ask=text)
            self.add_turn(self.any_session(), "user", words, key)
            keys = frozenset({key})
        language = self.language if self.asked_in == self.language else f"{self.asked_in} of {self.language}"
        self.questions.append(
            Question(
                text=text,
                kind=kind,
                language=language,
                evidence=evidence,
                stale=stale,
                poison=keys,
                as_of_ms=as_of_ms,
                filter=wanted or MemoryFilter(),
            )
        )

    def any_session(self) -> Talk:
        """A talk drawn at random."""
        return self.random.choice(self.talks)

    def add_turn(self, talk: Talk, role: str, text: str, key: str = "") -> None:
        """Add a turn; with a key it is evidence."""
        talk.turns.append((role, text, {KEY: key} if key else {}))

    def note(self, key: str, text: str, talk: Talk, *, made_of: str, slot: str) -> str:
        """Add what an extractor would have made of a turn, and return its key."""
        draft = self.draft(text, talk.start_ms, key, slot=slot)
        self.notes.append(Item(key=key, draft=draft, made_of=(made_of,)))
        return key

    def draft(self, text: str, at_ms: int, key: str, *, slot: str = "") -> MemoryDraft:
        """A distilled memory."""
        return MemoryDraft(
            kind=MemoryKind.PERSONAL,
            content=text,
            metadata={KEY: key},
            created_ms=at_ms,
            valid_from_ms=at_ms,
            slot=slot,
            user_id=self.name,
        )

    def place_turns(self) -> Sequence[Item]:
        """Mix the turns of each talk, keep an assistant's question before its answer, and number them."""
        placed = []
        for talk in self.talks:
            groups: list[list[tuple[str, str, Mapping[str, Any]]]] = []
            for turn in talk.turns:
                follows = groups and groups[-1][-1][0] == "assistant" and turn[0] == "user" and len(groups[-1]) == 1
                if follows:
                    groups[-1].append(turn)
                else:
                    groups.append([turn])
            self.random.shuffle(groups)
            for line, (role, text, metadata) in enumerate((turn for group in groups for turn in group), start=1):
                at_ms = talk.start_ms + line * MINUTE_MS
                place = f"{self.name}/talk-{talk.number}/{line}"
                draft = MemoryDraft(
                    kind=MemoryKind.PERSONAL,
                    layer=Layer.RAW,
                    content=text,
                    author=role,
                    user_id=self.name,
                    metadata={KEY: place, **metadata},
                    origin=Origin(
                        path=f"conversations/{talk.number}", source="conversation", start_line=line, end_line=line
                    ),
                    created_ms=at_ms,
                    valid_from_ms=at_ms,
                )
                placed.append(Item(key=str(draft.metadata[KEY]), draft=draft))
        return placed
