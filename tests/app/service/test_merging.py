"""Merging: what a model says that the new ends or repeats, and what it may not say."""

from collections.abc import Callable
from typing import Any

import pytest

from app.backends.extractors.model import ModelExtractor
from app.backends.extractors.rule import RuleExtractor
from app.domain.conversation import Message, Trajectory
from app.domain.fencing import read_day
from app.domain.language import Prompt
from app.domain.memory import Layer, Memory, MemoryKind
from app.domain.query import MemoryFilter, SearchQuery
from app.errors import MalformedAnswer, ModelError, ModelUnavailable, SpendCapReached
from app.service.conversations import Conversations, Remembered
from app.service.merging import REPLACED_BY, REPLACES, IndexedMemories, Merger
from app.service.quarantine import GuardedIndex
from tests.app.scripted_model import ScriptedModel, fact, is_merging, read_data
from tests.app.service.conftest import Bench, draft, principal

ANA = principal()
DAY_MS = 86_400_000


def _day(text: str) -> int:
    moment = read_day(text)
    assert moment is not None
    return moment


class Home:
    """Conversations over a model that says in turn what a test scripts."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.facts: list[dict[str, Any]] = []
        self.decide: Callable[[Any], Any] = lambda data: []
        self.model = ScriptedModel(self._answer)
        index = GuardedIndex(bench.store.index)
        self.conversations = Conversations(
            memories=bench.memories,
            extractor=ModelExtractor(self.model, rules=RuleExtractor()),
            merger=Merger(model=self.model, related=IndexedMemories(index=index, embedder=bench.embedder)),
        )

    def _answer(self, prompt: Prompt) -> Any:
        if not is_merging(prompt):
            return {"memories": self.facts}
        decided = self.decide(read_data(prompt))
        return decided if isinstance(decided, ModelError) else {"decisions": decided}

    def say(self, said: str, *facts: dict[str, Any], day: str = "", user_id: str = "ana") -> Remembered:
        self.bench.clock.step(DAY_MS)
        self.facts = list(facts)
        message = Message(role="user", content=said, created_ms=_day(day) if day else None)
        return self.conversations.remember_personal(ANA, "w", [Trajectory(messages=(message,))], user_id=user_id)

    def all(self, *, superseded: bool = True) -> dict[str, Memory]:
        wanted = MemoryFilter(layers=(Layer.DISTILLED,))
        page = self.bench.memories.scan(ANA, "w", wanted, limit=1000, superseded=superseded)
        return {memory.content: memory for memory in page.items}

    def find(self, text: str, *, day: str = "") -> list[str]:
        query = SearchQuery(
            text=text, filter=MemoryFilter(layers=(Layer.DISTILLED,)), as_of_ms=_day(day) if day else None
        )
        return [hit.memory.content for hit in self.bench.retrieval.search(ANA, "w", query).hits]


def _decide(decision: str, number: int = 1, valid_from: str = "", known: str = "") -> Callable[[Any], Any]:
    """A decision about a new statement and the known one that holds some words, else the first."""

    def decide(data: Any) -> Any:
        name = next((each["id"] for each in data["known"] if known in each["text"]), "none")
        return [{"number": number, "decision": decision, "id": name, "valid_from": valid_from}]

    return decide


@pytest.fixture
def home(benches: Callable[[], Bench]) -> Home:
    return Home(benches())


BERLIN, OSLO = "The user lives in Berlin.", "The user has lived in Oslo since May 2026."


@pytest.mark.parametrize(("old_slot", "new_slot"), [("home", "home"), ("home", ""), ("", "home"), ("", "")])
def test_who_moved_is_found_where_he_lived_at_each_time(home: Home, old_slot: str, new_slot: str) -> None:
    home.say("I live in Berlin", fact(BERLIN, slot=old_slot), day="2024-01-10")
    home.decide = _decide("contradicts", valid_from="2026-05", known="Berlin")
    moved = home.say("I moved from Berlin to Oslo in May", fact(OSLO, slot=new_slot), day="2026-06-01")
    assert home.find("Where does the user live") == [OSLO]
    assert home.find("Where does the user live", day="2025-06-01") == [BERLIN]
    assert home.find("Where does the user live", day="2026-05-20") == [OSLO]
    berlin, oslo = home.all()[BERLIN], home.all()[OSLO]
    assert (berlin.superseded, berlin.valid_to_ms) == (True, _day("2026-05"))
    assert moved.superseded_ids == (berlin.id,)
    assert (oslo.details[REPLACES], berlin.details[REPLACED_BY]) == ([berlin.id], oslo.id)
    assert berlin.source_ids != oslo.source_ids
    assert len(berlin.source_ids) == len(oslo.source_ids) == 1, "each keeps where it came from"


def test_said_later_counts_whatever_day_it_names(home: Home) -> None:
    """A conversation without times: the second statement holds from before the first was said."""
    home.say("I live in Berlin", fact(BERLIN, slot="home"))
    home.decide = _decide("contradicts", valid_from="2020", known="Berlin")
    home.say("I live in Oslo since 2020", fact(OSLO, slot="home", valid_from="2020"))
    assert home.find("Where does the user live") == [OSLO]


def test_an_older_conversation_that_comes_later_is_history(home: Home) -> None:
    home.say("I live in Oslo", fact(OSLO), day="2026-06-01")
    home.decide = _decide("contradicts", known="Oslo")
    home.say("I live in Berlin", fact(BERLIN), day="2024-01-10")
    assert home.find("Where does the user live") == [OSLO]
    assert home.find("Where does the user live", day="2025-01-01") == [BERLIN]


def test_what_is_the_same_joins_its_sources(home: Home) -> None:
    home.say("I like tea", fact("The user likes tea."))
    home.decide = _decide("same")
    again = home.say("Tea is what I like", fact("Tea is the user's drink."))
    assert list(home.all()) == ["The user likes tea."]
    (memory,) = home.all().values()
    assert len(memory.source_ids) == 2
    assert again.memories == (memory,)
    assert again.inserted == 0


def test_what_says_more_takes_the_place_of_less(home: Home) -> None:
    home.say("I have a dog", fact("The user has a dog."))
    home.decide = _decide("updates")
    home.say("My dog is called Rex", fact("The user has a dog called Rex."))
    assert home.find("dog") == ["The user has a dog called Rex."]
    assert home.all()["The user has a dog."].superseded


def test_one_may_end_several(home: Home) -> None:
    home.say("x", fact("The user eats meat."), fact("The user loves steak."), fact("The user plays chess."))
    home.decide = lambda data: [
        {"number": 1, "decision": "contradicts", "id": each["id"], "valid_from": ""}
        for each in data["known"]
        if "chess" not in each["text"]
    ]
    home.say("I am a vegan now", fact("The user is a vegan.", slot="diet"))
    assert sorted(home.all(superseded=False)) == ["The user is a vegan.", "The user plays chess."]


def test_a_model_is_not_asked_where_nothing_is_known_or_all_of_it_is(home: Home) -> None:
    home.say("I like tea", fact("The user likes tea."))
    home.say("I do like tea", fact("The user likes TEA."))
    assert not any(is_merging(prompt) for prompt in home.model.prompts)
    assert len(home.all()) == 1


def test_ids_that_were_not_shown_are_ignored(home: Home) -> None:
    others = home.bench.memories.add(
        ANA, "w", [draft("Bob lives in Berlin.", user_id="bob", slot="home"), draft("A task.", kind=MemoryKind.TASK)]
    )
    foreign = home.bench.memories.add(ANA, "v", [draft("The user lives in Paris.", user_id="ana")])
    home.say("I live in Berlin", fact(BERLIN))
    real = [outcome.memory_id for outcome in (*others.outcomes, *foreign.outcomes)]
    shown: list[str] = []

    def decide(data: Any) -> Any:
        shown.extend(each["text"] for each in data["known"])
        names = [*real, home.all()[BERLIN].id, "m2", "m0", "m1 ", ""]
        return [
            {"number": number, "decision": "contradicts", "id": name, "valid_from": ""}
            for name in names
            for number in (1, 0, 99)
        ]

    home.decide = decide
    home.say("I live in Oslo", fact(OSLO))
    assert shown == [BERLIN], "nothing of other users, kinds or workspaces"
    assert not any(memory.superseded for memory in home.all().values())
    assert not home.bench.memories.get(ANA, "v", real[-1]).superseded


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        {"decisions": 5},
        {"decisions": [{"number": True, "decision": "forget", "id": "m1"}]},
        {"decisions": [{"number": 1, "decision": "contradicts", "id": "m1", "valid_from": "9999-99"}, 7]},
    ],
)
def test_a_strange_answer_breaks_nothing(home: Home, wrong: Any) -> None:
    home.say("I live in Berlin", fact(BERLIN))
    home.model.answer = lambda prompt: wrong if is_merging(prompt) else {"memories": [fact(OSLO)]}
    home.say("I live in Oslo")
    assert OSLO in home.all(superseded=False)


@pytest.mark.parametrize("failure", [ModelUnavailable(), MalformedAnswer(), SpendCapReached()])
def test_where_merging_fails_the_rules_of_the_store_stand(home: Home, failure: ModelError) -> None:
    home.say("I live in Berlin", fact(BERLIN, slot="home"))
    home.decide = lambda data: failure
    remembered = home.say("I live in Oslo", fact(OSLO, slot="home"))
    assert remembered.skipped
    assert home.find("Where does the user live") == [OSLO]
    assert home.all()[BERLIN].superseded


def test_a_chinese_statement_ends_another(home: Home) -> None:
    home.say("我住在北京", fact("用户住在北京。", slot="home"), day="2025-01-01")
    home.decide = _decide("contradicts", valid_from="2026-03", known="北京")
    home.say("我三月搬到了杭州", fact("用户 2026 年 3 月搬到杭州。", slot="home"), day="2026-04-01")
    assert home.find("用户住在哪里") == ["用户 2026 年 3 月搬到杭州。"]
    assert home.find("用户住在哪里", day="2025-06-01") == ["用户住在北京。"]


def test_whoever_asks_pays(home: Home) -> None:
    home.say("I live in Berlin", fact(BERLIN))
    home.say("I live in Oslo", fact(OSLO))
    assert {(payer.tenant_id, payer.workspace_id, payer.key_id, payer.operation) for payer in home.model.payers} == {
        ("acme", "w", "k1", "extract")
    }
    assert len(home.model.payers) == 3
