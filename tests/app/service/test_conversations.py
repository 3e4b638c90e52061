"""Conversations: both layers, their links, and that sending again adds nothing and brings nothing back."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.backends.extractors.rule import RuleExtractor
from app.domain.access import Role
from app.domain.change import Committed, Receipt
from app.domain.conversation import Extraction, Message, Trajectory
from app.domain.identifiers import MEMORY_ID
from app.domain.memory import Layer, Memory, MemoryDraft, MemoryKind, Origin
from app.domain.query import MemoryFilter, SearchQuery
from app.errors import Forbidden, IdempotencyConflict, InvalidRequest, NotFound, StoreBusy
from app.service.conversations import Conversations, Remembered
from app.service.memories import Memories
from app.service.turns import PIECE_CHARACTERS, cut
from tests.app.service.conftest import Bench, make_bench, principal

WORKSPACE = "u1"
ANA = principal(Role.ADMIN)
Said = str | tuple[str, str]


def _trajectory(*said: Said, **fields: Any) -> Trajectory:
    """Messages of a user, or of the role that is given."""
    messages = tuple(
        Message(role="user", content=one) if isinstance(one, str) else Message(role=one[0], content=one[1])
        for one in said
    )
    return Trajectory(messages=messages, **fields)


class Room:
    """Conversations over a bench, with short ways to speak and to look."""

    def __init__(self, bench: Bench, memories: Memories | None = None) -> None:
        self.bench = bench
        self.conversations = Conversations(memories=memories or bench.memories, extractor=RuleExtractor())

    def say(self, *said: Said, user_id: str = "", receipt: Receipt | None = None, **fields: Any) -> Remembered:
        return self.conversations.remember_personal(
            ANA, WORKSPACE, [_trajectory(*said, **fields)], user_id=user_id, receipt=receipt
        )

    def run(self, *said: Said, **fields: Any) -> Remembered:
        return self.conversations.remember_tasks(ANA, WORKSPACE, [_trajectory(*said, **fields)])

    def all(self, layer: Layer, *, superseded: bool = False) -> list[Memory]:
        page = self.bench.memories.scan(
            ANA, WORKSPACE, MemoryFilter(layers=(layer,)), limit=1000, superseded=superseded
        )
        return sorted(page.items, key=_place)

    def texts(self, layer: Layer, *, superseded: bool = False) -> list[str]:
        return [memory.content for memory in self.all(layer, superseded=superseded)]


def _place(memory: Memory) -> tuple[int, str, int, str, int]:
    """The order of what was said; ids of one millisecond have none."""
    piece = memory.metadata.get("piece", 0)
    assert isinstance(piece, int)
    return memory.origin.start_line, memory.origin.path, piece, memory.content, memory.seq


@pytest.fixture
def room(benches: Callable[[], Bench]) -> Room:
    return Room(benches())


def _contents(remembered: Remembered) -> list[str]:
    return [memory.content for memory in remembered.memories]


def test_the_pair_of_the_java_client(room: Room) -> None:
    remembered = room.say("I like coffee")
    assert _contents(remembered) == ["I like coffee"]
    assert remembered.inserted == 1
    assert remembered.superseded_ids == ()
    assert remembered.extractor == "rule"
    found = room.bench.retrieval.search(ANA, WORKSPACE, SearchQuery(text="coffee", top_k=5))
    assert [hit.memory.content for hit in found.hits] == ["I like coffee"]


def test_both_layers_are_kept_and_linked(room: Room) -> None:
    remembered = room.say(
        "Hi! I'm Ana. I live in Rome.", ("assistant", "Nice to meet you."), "What a day.", user_id="ana"
    )
    raw = room.all(Layer.RAW)
    assert [(memory.content, memory.author, memory.origin.start_line) for memory in raw] == [
        ("Hi! I'm Ana. I live in Rome.", "user", 1),
        ("Nice to meet you.", "assistant", 2),
        ("What a day.", "user", 3),
    ]
    assert remembered.raw_ids == tuple(memory.id for memory in raw)
    assert {memory.kind for memory in raw} == {MemoryKind.PERSONAL}
    assert {memory.user_id for memory in raw} == {"ana"}
    assert all(memory.origin.source == "conversation" for memory in raw)
    assert all(memory.origin.end_line == memory.origin.start_line for memory in raw)
    assert _contents(remembered) == ["Hi! I'm Ana", "I live in Rome"]
    for memory in remembered.memories:
        assert memory.layer is Layer.DISTILLED
        assert memory.source_ids == (raw[0].id,)
        assert memory.origin == raw[0].origin
        assert memory.user_id == "ana"
        assert memory.details == {
            "target": "ana",
            "reflection_subject": memory.details["reflection_subject"],
            "trust": "user",
        }
        assert MEMORY_ID.fullmatch(memory.id)
        assert memory.id[:12] == raw[0].id[:12]
    assert [memory.slot for memory in remembered.memories] == ["name", "home"]


def test_sending_again_adds_nothing_and_tells_the_same(room: Room) -> None:
    said = ("I like tea.", ("assistant", "Noted."), "I live in Rome, and I work as a nurse.")
    first = room.say(*said)
    before = room.all(Layer.RAW, superseded=True) + room.all(Layer.DISTILLED, superseded=True)
    for _ in range(3):
        again = room.say(*said)
        assert again.inserted == 0
        assert again.superseded_ids == ()
        assert again.memories == first.memories
        assert again.raw_ids == first.raw_ids
        assert again.extractor == "rule"
    assert room.all(Layer.RAW, superseded=True) + room.all(Layer.DISTILLED, superseded=True) == before


def test_a_conversation_that_grows_is_kept_once(room: Room) -> None:
    """Clients send the whole conversation with each new turn."""
    said: list[Said] = []
    for turn in [
        "I live in Paris.",
        "Anything new?",
        "I like tea.",
        "Yes, I live in Paris.",
        "I moved to Berlin.",
        "Bye.",
    ]:
        said += [turn, ("assistant", f"You said: {turn}")]
        remembered = room.say(*said)
    assert len(room.all(Layer.RAW, superseded=True)) == 12
    assert sorted(room.texts(Layer.DISTILLED)) == ["I like tea", "I moved to Berlin"]
    assert sorted(room.texts(Layer.DISTILLED, superseded=True)) == [
        "I like tea",
        "I live in Paris",
        "I moved to Berlin",
    ]
    assert sorted(_contents(remembered)) == ["I like tea", "I moved to Berlin"]


def test_going_back_and_forth_ends_where_it_ended(room: Room) -> None:
    said: list[str] = []
    for city in ["Paris", "Berlin", "Paris", "Rome", "Paris"]:
        said.append(f"I live in {city}")
        room.say(*said)
        room.say(*said)
        assert room.texts(Layer.DISTILLED) == [f"I live in {city}"]
    assert len(room.all(Layer.DISTILLED, superseded=True)) == 5


def test_an_old_conversation_sent_again_does_not_undo_a_newer_one(room: Room) -> None:
    room.say("Good morning", "I live in Paris")
    room.say("Hello", "I live in Paris")
    moved = room.say("News!", "I live in Berlin")
    assert len(moved.superseded_ids) == 1
    for said in (
        ("Good morning", "I live in Paris"),
        ("Hello", "I live in Paris"),
        ("Hello", "I live in Paris", "Well?"),
    ):
        again = room.say(*said)
        assert (again.inserted, again.superseded_ids, again.memories) == (0, (), ())
        assert room.texts(Layer.DISTILLED) == ["I live in Berlin"]


def test_the_same_said_in_a_new_conversation_counts_again_after_a_change(room: Room) -> None:
    room.say("I live in Paris")
    room.say("Hi", "I live in Berlin")
    back = room.say("Good news", "I live in Paris")
    assert back.inserted == 1
    assert room.texts(Layer.DISTILLED) == ["I live in Paris"]


def test_the_same_said_in_another_conversation_is_one_distilled_memory(room: Room) -> None:
    first = room.say("I like tea")
    second = room.say("Hello", "I like tea!")
    assert second.inserted == 0
    assert [memory.id for memory in second.memories] == [memory.id for memory in first.memories]
    assert len(room.all(Layer.RAW)) == 3


def test_what_was_deleted_does_not_come_back_when_the_conversation_is_sent_again(room: Room) -> None:
    said = ["I like tea", "I live in Rome"]
    tea = room.say(*said).memories[0]
    room.bench.memories.delete(ANA, WORKSPACE, [tea.id])
    for more in ([], ["Nice weather."], ["Nice weather.", "I have two dogs"]):
        remembered = room.say(*said, *more)
        assert "I like tea" not in _contents(remembered)
        assert "I like tea" not in room.texts(Layer.DISTILLED)
    assert sorted(room.texts(Layer.DISTILLED)) == ["I have two dogs", "I live in Rome"]


@pytest.mark.parametrize("metadata", [{}, {"session_id": "s-1"}])
@pytest.mark.parametrize("deleted", [0, 1, 2])
def test_a_turn_that_was_deleted_does_not_come_back_when_the_conversation_is_sent_again(
    room: Room, deleted: int, metadata: dict[str, str]
) -> None:
    said = ["I like tea", "I live in Rome", "I have two dogs"]
    first = room.say(*said, metadata=metadata)
    gone = (first.raw_ids[deleted], first.memories[deleted].id)
    room.bench.memories.delete(ANA, WORKSPACE, gone)
    kept = [text for text in said if text != said[deleted]]
    for more in ([], ["Nice weather."], ["Nice weather.", "I play the piano"]):
        remembered = room.say(*said, *more, metadata=metadata)
        assert room.texts(Layer.RAW) == [*kept, *more]
        assert remembered.raw_ids == tuple(memory.id for memory in room.all(Layer.RAW))
        assert said[deleted] not in room.texts(Layer.DISTILLED, superseded=True)
    assert sorted(room.texts(Layer.DISTILLED)) == sorted([*kept, "I play the piano"])
    room.bench.memories.restore(ANA, WORKSPACE, gone[0])
    assert room.say(*said, metadata=metadata).raw_ids == first.raw_ids


def test_a_deleted_turn_of_a_run_is_not_distilled_again(room: Room) -> None:
    first = room.run(*RUN, score=1.0)
    room.bench.memories.delete(ANA, WORKSPACE, [first.raw_ids[2], *(memory.id for memory in first.memories)])
    again = room.run(*RUN, ("user", "Thanks"), score=1.0)
    assert "ERROR: disk full" not in room.texts(Layer.RAW)
    assert len(again.raw_ids) == len(RUN)
    assert all("disk full" not in f"{memory.when_to_use} {memory.content}" for memory in again.memories)


@pytest.mark.parametrize("purged", [False, True])
def test_a_receipt_answers_after_a_deletion_too(room: Room, purged: bool) -> None:
    said = ("I like tea", "I live in Rome")
    room.say(*said)
    receipt = Receipt(key="k1", request_sha256="a" * 64)
    first = room.say(*said, "I have two dogs", receipt=receipt)
    gone = [first.raw_ids[1], first.raw_ids[2], first.memories[0].id]
    room.bench.memories.delete(ANA, WORKSPACE, gone)
    if purged:
        room.bench.memories.purge(ANA, WORKSPACE, deleted_before_ms=room.bench.clock.step())
    again = room.say(*said, "I have two dogs", receipt=receipt)
    assert again.raw_ids == first.raw_ids
    assert "I like tea" not in _contents(again)
    assert room.texts(Layer.RAW) == ["I like tea"]
    assert sorted(room.texts(Layer.DISTILLED)) == ["I have two dogs", "I live in Rome"]


def test_two_users_have_their_own(room: Room) -> None:
    room.say("I live in Rome", user_id="ana")
    remembered = room.say("I live in Rome", user_id="bob")
    assert remembered.inserted == 1
    assert sorted((memory.user_id, memory.content) for memory in room.all(Layer.DISTILLED)) == [
        ("ana", "I live in Rome"),
        ("bob", "I live in Rome"),
    ]
    room.say("Hi", "I live in Oslo", user_id="bob")
    assert sorted((memory.user_id, memory.content) for memory in room.all(Layer.DISTILLED)) == [
        ("ana", "I live in Rome"),
        ("bob", "I live in Oslo"),
    ]


def test_instructions_and_tools_are_not_kept_of_personal_conversations(room: Room) -> None:
    room.say(("system", "The time is 12:01."), "I like tea", ("tool", "{}"), ("assistant", " "))
    assert room.texts(Layer.RAW) == ["I like tea"]
    assert room.all(Layer.RAW)[0].origin.start_line == 2
    again = room.say(("system", "The time is 12:02."), "I like tea", ("tool", "[]"), ("assistant", " "))
    assert again.inserted == 0
    assert len(room.all(Layer.RAW)) == 1


def test_a_named_conversation_has_its_name_as_path(room: Room) -> None:
    room.say("I like tea", metadata={"session_id": "s-1"})
    room.say("I like tea", "I live in Rome", metadata={"session_id": "s-1"})
    assert [(memory.origin.path, memory.origin.start_line) for memory in room.all(Layer.RAW)] == [
        ("conversations/s-1", 1),
        ("conversations/s-1", 2),
    ]
    assert room.texts(Layer.DISTILLED) == ["I like tea", "I live in Rome"]


def test_an_edited_turn_of_a_named_conversation_is_distilled(room: Room) -> None:
    named: dict[str, Any] = {"metadata": {"conversation_id": 7}}
    room.say("Hi", "I like tea", "ok", **named)
    remembered = room.say("Hi", "I live in Rome", "ok", **named)
    assert remembered.inserted == 1
    assert sorted(room.texts(Layer.DISTILLED)) == ["I like tea", "I live in Rome"]


@pytest.mark.parametrize("name", ["x" * 3000, "a\nb", "näme", " "])
def test_any_name_of_a_conversation_will_do(room: Room, name: str) -> None:
    room.say("I like tea", metadata={"session_id": name})
    room.say("I like tea", metadata={"session_id": name})
    assert len(room.all(Layer.RAW)) == 1


def test_conversations_that_begin_alike_stay_apart(room: Room) -> None:
    room.say("Hi", ("assistant", "Hello!"), "I like tea", "ok")
    remembered = room.say("Hi", ("assistant", "Hello!"), "I live in Rome", "ok")
    assert _contents(remembered) == ["I live in Rome"]
    assert len(room.all(Layer.RAW)) == 6


def test_the_time_of_a_message_is_when_its_statement_holds_from(room: Room) -> None:
    said = Message(role="user", content="I live in Rome", created_ms=1_600_000_000_000)
    room.conversations.remember_personal(ANA, WORKSPACE, [Trajectory(messages=(said,))])
    assert {memory.valid_from_ms for memory in room.all(Layer.DISTILLED) + room.all(Layer.RAW)} == {1_600_000_000_000}
    older = replace(said, content="I live in Oslo", created_ms=1_500_000_000_000)
    room.conversations.remember_personal(ANA, WORKSPACE, [Trajectory(messages=(older,))])
    assert room.texts(Layer.DISTILLED) == ["I live in Rome"]


def test_a_long_turn_is_kept_in_pieces(room: Room) -> None:
    text = " ".join(f"This is sentence number {number} of a long report." for number in range(200))
    remembered = room.say("Read this:", text)
    pieces = room.all(Layer.RAW)[1:]
    assert len(pieces) > 4
    assert all(len(piece.content) <= PIECE_CHARACTERS for piece in pieces)
    assert all(piece.content.endswith("report.") for piece in pieces)
    assert {(piece.origin.start_line, piece.origin.end_line) for piece in pieces} == {(2, 2)}
    assert " ".join(piece.content for piece in pieces) == text
    assert len(remembered.raw_ids) == len(pieces) + 1
    assert room.say("Read this:", text).raw_ids == remembered.raw_ids


@pytest.mark.slow
def test_more_turns_than_a_batch_holds(bench: Bench) -> None:
    room = Room(bench)
    said = [f"Turn {number}. I have {number} dogs." for number in range(1, 1205)]
    remembered = room.say(*said, receipt=Receipt(key="k", request_sha256="0" * 64))
    assert len(remembered.raw_ids) == 1204
    assert remembered.inserted == 1204
    assert room.say(*said).inserted == 0


def test_several_conversations_at_once(room: Room) -> None:
    remembered = room.conversations.remember_personal(
        ANA, WORKSPACE, [_trajectory("I like tea"), _trajectory(), _trajectory("Hello", "I live in Rome")]
    )
    assert _contents(remembered) == ["I like tea", "I live in Rome"]
    assert len(remembered.raw_ids) == 3


@pytest.mark.parametrize("trajectories", [[], [_trajectory()], [_trajectory(" ", ("system", "x"))]])
def test_where_nothing_was_said_nothing_is_kept(room: Room, trajectories: list[Trajectory]) -> None:
    empty = Remembered(memories=(), raw_ids=(), inserted=0, superseded_ids=(), extractor="rule")
    assert room.conversations.remember_personal(ANA, WORKSPACE, trajectories) == empty
    assert room.conversations.remember_tasks(ANA, WORKSPACE, trajectories) == empty


RUN: tuple[Said, ...] = (
    "Deploy the service",
    ("assistant", "I build it."),
    ("tool", "ERROR: disk full"),
    ("assistant", "I free some space and build again."),
    ("tool", "built"),
    ("assistant", "Deployed."),
)


def test_a_run_is_kept_with_its_tools_and_its_lessons(room: Room) -> None:
    remembered = room.run(*RUN, score=1.0, task_id="t1")
    run, error = remembered.memories
    assert run.kind is MemoryKind.TASK
    assert run.when_to_use == "Deploy the service"
    assert run.content.startswith("What worked (1.00):")
    assert run.source_ids == remembered.raw_ids
    assert (run.origin.start_line, run.origin.end_line) == (1, 6)
    assert run.details == {"task_id": "t1", "trust": "tool"}
    assert error.when_to_use == "ERROR: disk full"
    assert error.source_ids == remembered.raw_ids[2:5]
    assert room.texts(Layer.RAW) == [said if isinstance(said, str) else said[1] for said in RUN]
    assert room.run(*RUN, score=1.0, task_id="t1") == replace(remembered, inserted=0)


def test_a_run_with_another_score_or_more_turns_is_distilled_again(room: Room) -> None:
    room.run(*RUN, score=1.0)
    assert room.run(*RUN, score=0.1).inserted == 1
    assert room.run(*RUN, score=0.1).inserted == 0
    assert room.run(*RUN, ("user", "Thanks"), ("assistant", "Welcome."), score=1.0).inserted == 1
    assert len(room.all(Layer.RAW)) == 8


class Breaking(Memories):
    """Fails at a call, as a process that dies would."""

    def __init__(self, bench: Bench, *, at: int, of: str) -> None:
        super().__init__(
            store=bench.store.memories, embedder=bench.embedder, clock=bench.clock, meter=bench.store.meter
        )
        self.left = at
        self.of = of

    def _break(self, name: str) -> None:
        if name == self.of:
            self.left -= 1
            if self.left == 0:
                raise StoreBusy

    def add(self, *given: Any, **named: Any) -> Committed:
        self._break("add")
        return super().add(*given, **named)

    def update(self, *given: Any, **named: Any) -> Memory:
        self._break("update")
        return super().update(*given, **named)


@pytest.mark.parametrize(("at", "of"), [(1, "add"), (2, "add"), (1, "update")])
def test_what_broke_off_is_completed_by_the_next(benches: Callable[[], Bench], at: int, of: str) -> None:
    said = ("I live in Paris", "I like tea", "I live in Rome", "I live in Paris")
    whole = Room(benches())
    expected = whole.say(*said)
    bench = benches()
    with pytest.raises(StoreBusy):
        Room(bench, Breaking(bench, at=at, of=of)).say(*said)
    room = Room(bench)
    remembered = room.say(*said)
    assert sorted(_contents(remembered)) == sorted(_contents(expected))
    for layer in Layer:
        for superseded in (False, True):
            assert room.texts(layer, superseded=superseded) == whole.texts(layer, superseded=superseded)
    assert room.say(*said).inserted == 0


def test_what_was_deleted_after_a_break_stays_deleted_and_the_rest_is_completed(benches: Callable[[], Bench]) -> None:
    bench = benches()
    said = ("I like tea", "I live in Rome", "I have two dogs")
    with pytest.raises(StoreBusy):
        Room(bench, Breaking(bench, at=1, of="update")).say(*said)
    room = Room(bench)
    (rome,) = [memory for memory in room.all(Layer.DISTILLED) if memory.content == "I live in Rome"]
    room.bench.memories.delete(ANA, WORKSPACE, [rome.id])
    remembered = room.say(*said)
    assert _contents(remembered) == ["I like tea", "I have two dogs"]
    assert room.texts(Layer.DISTILLED) == ["I like tea", "I have two dogs"]


def test_a_receipt_gives_the_first_outcome_again(room: Room) -> None:
    receipt = Receipt(key="k1", request_sha256="a" * 64)
    first = room.say("I like tea", "I live in Rome", receipt=receipt)
    again = room.say("I like tea", "I live in Rome", receipt=receipt)
    assert again.inserted == first.inserted == 2
    assert [memory.id for memory in again.memories] == [memory.id for memory in first.memories]
    assert len(room.all(Layer.RAW)) == 2
    with pytest.raises(IdempotencyConflict):
        room.say("Something else", receipt=replace(receipt, request_sha256="b" * 64))


class Whole:
    """An extractor that names no turns, as one that asks a model might be."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def extract_personal(self, trajectories: Sequence[Trajectory], *, user_id: str) -> Extraction:
        told = [message.content for trajectory in trajectories for message in trajectory.messages]
        self.asked.append(told)
        draft = MemoryDraft(kind=MemoryKind.PERSONAL, content=f"Told {told}", user_id=user_id)
        return Extraction(drafts=(draft,) if told else (), extractor="model-1")

    def extract_tasks(self, trajectories: Sequence[Trajectory]) -> Extraction:
        drafts = tuple(
            MemoryDraft(kind=MemoryKind.TASK, content="A lesson", origin=Origin(start_line=90, end_line=95))
            for _ in trajectories
        )
        return Extraction(drafts=drafts, extractor="model-1")


def test_an_extractor_is_asked_for_new_turns_only(bench: Bench) -> None:
    whole = Whole()
    conversations = Conversations(memories=bench.memories, extractor=whole)
    said = ["One", "Two"]
    first = conversations.remember_personal(ANA, WORKSPACE, [_trajectory(*said)])
    assert first.memories[0].source_ids == first.raw_ids
    assert (first.memories[0].origin.start_line, first.memories[0].origin.end_line) == (1, 2)
    again = conversations.remember_personal(ANA, WORKSPACE, [_trajectory(*said)])
    assert again.extractor == "model-1"
    more = conversations.remember_personal(ANA, WORKSPACE, [_trajectory(*said, ("system", "x"), "Three")])
    assert whole.asked == [["One", "Two"], ["x", "Three"]]
    assert more.memories[-1].source_ids == more.raw_ids[2:]


def test_a_place_beyond_the_end_is_the_end(bench: Bench) -> None:
    conversations = Conversations(memories=bench.memories, extractor=Whole())
    remembered = conversations.remember_tasks(ANA, WORKSPACE, [_trajectory("One", "Two")])
    assert remembered.memories[0].source_ids == remembered.raw_ids[1:]


def test_many_at_once_are_kept_once(benches: Callable[[], Bench]) -> None:
    room = Room(benches())
    said = ("I like tea", "I live in Rome", "I live in Oslo")
    with ThreadPoolExecutor(6) as pool:
        results = list(pool.map(lambda _: room.say(*said), range(12)))
    assert sum(result.inserted for result in results) == 3
    assert room.texts(Layer.RAW) == list(said)
    assert sorted(room.texts(Layer.DISTILLED)) == ["I like tea", "I live in Oslo"]


def test_who_may(room: Room) -> None:
    for remember in (room.conversations.remember_personal, room.conversations.remember_tasks):
        with pytest.raises(Forbidden):
            remember(principal(Role.READER), WORKSPACE, [])
        with pytest.raises(NotFound):
            remember(principal(Role.USER, "other"), WORKSPACE, [_trajectory("I like tea")])
        assert remember(principal(Role.SERVICE_ACCOUNT), WORKSPACE, [_trajectory("Hm")]).raw_ids
    with pytest.raises(InvalidRequest):
        room.say("I like tea", user_id="x" * 200)
    with pytest.raises(InvalidRequest):
        room.say("NUL \x00 here")


STATEMENTS = ["I live in Rome", "I live in Oslo", "I like tea", "I hate tea", "Hello", "我住在杭州", "我喜欢喝茶", "ok"]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(st.sampled_from(STATEMENTS), min_size=1, max_size=8), st.lists(st.integers(1, 8), max_size=6))
def test_however_a_conversation_is_cut_and_repeated_it_ends_alike(said: list[str], stops: list[int]) -> None:
    """Sent as it grows, with repetitions of what was sent so far, or all at once: the same stands at the end."""
    at_once, in_parts = Room(make_bench()), Room(make_bench())
    at_once.say(*said)
    for stop in [*sorted(min(stop, len(said)) for stop in stops), len(said)]:
        in_parts.say(*said[:stop])
    assert sorted(in_parts.texts(Layer.DISTILLED)) == sorted(at_once.texts(Layer.DISTILLED))
    assert in_parts.texts(Layer.RAW) == at_once.texts(Layer.RAW)


@given(st.text(max_size=400), st.integers(5, 60))
def test_a_text_that_is_cut_is_whole(text: str, limit: int) -> None:
    pieces = cut(text, limit)
    assert all(0 < len(piece) <= limit for piece in pieces)
    assert "".join("".join(pieces).split()) == "".join(text.split())
