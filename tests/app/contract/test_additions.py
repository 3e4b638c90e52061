"""Adding: what a memory comes back as, imports, and exact duplicates."""

from itertools import pairwise

import pytest

from app.backends.clock import SteppingClock
from app.domain.change import Add, ChangeState, Delete, RecordUse, Restore
from app.domain.identifiers import MEMORY_ID, hlc_ms
from app.domain.memory import JsonObject, Layer, MemoryKind, Origin
from app.errors import AlreadyExists
from app.service.limits import SOURCES
from tests.app.contract.backends import Backend
from tests.app.contract.samples import (
    FOREIGN,
    HERE,
    THERE,
    add,
    adding,
    change,
    changed,
    commit,
    draft,
    read,
    scan_all,
    texts,
    updating,
)

METADATA: JsonObject = {
    "topic": "tea",
    "stars": 4,
    "share": 0.5,
    "known": True,
    "none": None,
    "deep": {"list": [1, "二"]},
}


def test_a_memory_comes_back_as_it_was_given(backend: Backend, clock: SteppingClock) -> None:
    given = draft(
        "She drinks oolong 乌龙茶",
        when_to_use="when offering a drink",
        layer=Layer.RAW,
        user_id="ann",
        author="bot",
        tags=("tea", "茶"),
        metadata=METADATA,
        details={"target": "Ann"},
        score=0.75,
        frequency=3,
        utility=1.5,
        origin=Origin(path="talk.md", source="chat", start_line=3, end_line=9),
        source_ids=("a" * 32,),
        slot="drink",
    )
    memory = changed(backend, Add(draft=given, vector=None))
    for field in ("kind", "layer", "content", "when_to_use", "user_id", "author", "tags", "metadata", "details"):
        assert getattr(memory, field) == getattr(given, field), field
    for field in ("score", "frequency", "utility", "origin", "source_ids", "slot"):
        assert getattr(memory, field) == getattr(given, field), field
    now_ms = clock.now_ms()
    assert (memory.created_ms, memory.updated_ms, memory.valid_from_ms) == (now_ms, now_ms, now_ms)
    assert (memory.valid_to_ms, memory.deleted_ms, memory.superseded, memory.revision_of) == (None, None, False, "")
    assert (memory.version, memory.scope) == (1, HERE)
    assert memory.node_id
    assert read(backend, memory.id) == memory
    assert scan_all(backend) == [memory]


def test_an_id_tells_the_time_of_its_creation(backend: Backend, clock: SteppingClock) -> None:
    memory = add(backend, "one")
    assert MEMORY_ID.fullmatch(memory.id)
    assert int(memory.id[:12], 16) == clock.now_ms()
    assert memory.id[12] == "7"


def test_every_write_has_a_greater_seq_and_hlc_even_when_the_clock_runs_back(
    backend: Backend, clock: SteppingClock
) -> None:
    one = add(backend, "one")
    clock.step(-60_000)
    two = add(backend, "two")
    clock.step(120_000)
    written = [
        one,
        two,
        add(backend, "three", scope=FOREIGN),
        changed(backend, updating(one, author="me")),
        changed(backend, RecordUse(memory_id=two.id)),
    ]
    for earlier, later in pairwise(written):
        assert later.seq > earlier.seq
        assert later.hlc > earlier.hlc
    assert hlc_ms(written[-1].hlc) == clock.now_ms()
    assert len({memory.node_id for memory in written}) == 1


def test_what_a_caller_does_to_a_memory_changes_nothing_in_the_store(backend: Backend) -> None:
    metadata = {"list": [1]}
    memory = add(backend, "one", metadata=metadata)
    metadata["list"].append(2)
    held = memory.metadata["list"]
    assert isinstance(held, list)
    held.append(3)
    assert read(backend, memory.id).metadata == {"list": [1]}


def test_an_import_brings_its_id_and_times(backend: Backend) -> None:
    given = draft("old", id="c" * 32, created_ms=1000, updated_ms=2000)
    memory = changed(backend, Add(draft=given, vector=None))
    assert (memory.id, memory.created_ms, memory.updated_ms, memory.valid_from_ms) == ("c" * 32, 1000, 2000, 1000)
    dated = add(backend, "older", created_ms=1000, valid_from_ms=500)
    assert (dated.created_ms, dated.valid_from_ms) == (1000, 500)


def test_an_import_of_an_id_that_is_there(backend: Backend) -> None:
    memory = add(backend, "here first", tags=("a",))
    again = change(backend, adding("here  FIRST", id=memory.id, tags=("b",)))
    assert (again.state, again.memory_id) == (ChangeState.DUPLICATE, memory.id)
    assert set(read(backend, memory.id).tags) == {"a", "b"}
    with pytest.raises(AlreadyExists):
        change(backend, adding("something else", id=memory.id))
    assert texts(scan_all(backend)) == ["here first"]


@pytest.mark.parametrize("content", ["here first", "something else"])
def test_an_import_does_not_vanish_behind_a_tombstone(backend: Backend, content: str) -> None:
    memory = add(backend, "here first")
    change(backend, Delete(memory_id=memory.id))
    with pytest.raises(AlreadyExists):
        change(backend, adding(content, id=memory.id))


def test_the_same_id_may_live_in_several_workspaces(backend: Backend) -> None:
    memory = add(backend, "exported")
    for scope in (THERE, FOREIGN):
        copy = add(backend, "changed since", scope=scope, id=memory.id)
        assert (copy.id, copy.scope) == (memory.id, scope)
        change(backend, Delete(memory_id=memory.id), scope=scope)
    assert read(backend, memory.id) == memory


def test_a_duplicate_joins_what_is_there(backend: Backend) -> None:
    memory = add(backend, "Ann likes tea", tags=("a", "b"), metadata={"x": 1, "y": 1})
    joined = change(backend, adding(" ann LIKES\u3000tea ", tags=("c", "b"), metadata={"y": 2, "z": 2}))
    assert (joined.state, joined.memory_id) == (ChangeState.DUPLICATE, memory.id)
    now = read(backend, memory.id)
    assert joined.memory == now
    assert set(now.tags) == {"a", "b", "c"}
    assert now.metadata == {"x": 1, "y": 1, "z": 2}
    assert now.content == "Ann likes tea"
    assert now.version == memory.version + 1
    assert now.seq > memory.seq
    assert texts(scan_all(backend, superseded=True)) == ["Ann likes tea"]


def test_a_duplicate_that_brings_nothing_new_is_no_change(backend: Backend) -> None:
    memory = add(backend, "tea", tags=("a",), metadata={"x": 1})
    assert change(backend, adding("tea", tags=("a",), metadata={"x": 2})).state is ChangeState.DUPLICATE
    assert read(backend, memory.id) == memory


def test_a_duplicate_joins_its_sources(backend: Backend) -> None:
    ids = [f"{number:032x}" for number in range(SOURCES + 1)]
    memory = add(backend, "tea", source_ids=(ids[0],))
    joined = changed(backend, adding("tea", source_ids=(ids[1], ids[0])))
    assert (joined.source_ids, joined.version) == ((ids[0], ids[1]), memory.version + 1)
    assert joined.seq > memory.seq
    full = changed(backend, adding("tea", source_ids=tuple(ids[1:])))
    assert full.source_ids == tuple(ids[:SOURCES])
    assert changed(backend, adding("tea", source_ids=(ids[-1],))) == read(backend, memory.id) == full


def test_a_duplicate_brings_a_slot_that_no_other_memory_has(backend: Backend) -> None:
    memory = add(backend, "drinks tea", user_id="ann")
    joined = changed(backend, adding("drinks tea", user_id="ann", slot="drink"))
    assert (joined.id, joined.slot, joined.version) == (memory.id, "drink", memory.version + 1)
    assert change(backend, adding("drinks milk", user_id="ann", slot="drink")).superseded_ids == (memory.id,)
    other = add(backend, "drinks water", user_id="ann")
    assert changed(backend, adding("drinks water", user_id="ann", slot="drink")) == read(backend, other.id) == other
    assert changed(backend, adding("drinks water", user_id="ann", slot="noon")).slot == "noon"
    assert changed(backend, adding("drinks water", user_id="ann", slot="night")).slot == "noon"


@pytest.mark.parametrize(
    "other", [{"user_id": "bob"}, {"kind": MemoryKind.TASK}, {"layer": Layer.RAW}, {"when_to_use": "at noon"}]
)
def test_a_text_about_something_else_is_no_duplicate(backend: Backend, other: dict[str, object]) -> None:
    add(backend, "tea")
    assert change(backend, adding("tea", **other)).state is ChangeState.CREATED


def test_a_raw_text_is_a_duplicate_only_at_its_place(backend: Backend) -> None:
    places = [Origin(path="talk", start_line=line, end_line=line) for line in (1, 2, 1)]
    states = [change(backend, adding("yes", layer=Layer.RAW, origin=place)).state for place in places]
    assert states == [ChangeState.CREATED, ChangeState.CREATED, ChangeState.DUPLICATE]


def test_a_deleted_text_can_be_added_anew(backend: Backend) -> None:
    memory = add(backend, "tea")
    change(backend, Delete(memory_id=memory.id))
    anew = change(backend, adding("tea"))
    assert anew.state is ChangeState.CREATED
    assert anew.memory_id != memory.id


def test_a_text_that_was_changed_is_known_by_its_new_form(backend: Backend) -> None:
    memory = add(backend, "tea")
    change(backend, updating(memory, content="coffee"))
    assert change(backend, adding("coffee")).memory_id == memory.id
    assert change(backend, adding("tea")).state is ChangeState.CREATED


def test_a_text_cannot_be_changed_into_that_of_another_memory(backend: Backend) -> None:
    tea = add(backend, "tea")
    coffee = add(backend, "coffee")
    with pytest.raises(AlreadyExists, match=tea.id):
        change(backend, updating(coffee, content=" TEA "))
    assert sorted(scan_all(backend, superseded=True), key=lambda memory: memory.seq) == [tea, coffee]
    assert changed(backend, updating(tea, content="Tea")).content == "Tea"
    change(backend, Delete(memory_id=tea.id))
    assert changed(backend, updating(coffee, content="tea")).content == "tea"


def test_a_memory_cannot_be_restored_beside_one_that_says_the_same(backend: Backend) -> None:
    memory = add(backend, "tea")
    change(backend, Delete(memory_id=memory.id))
    anew = add(backend, "tea")
    with pytest.raises(AlreadyExists, match=anew.id):
        change(backend, Restore(memory_id=memory.id))
    assert scan_all(backend, superseded=True) == [anew]
    change(backend, Delete(memory_id=anew.id))
    assert change(backend, Restore(memory_id=memory.id)).state is ChangeState.RESTORED


def test_a_raw_text_that_was_deleted_from_its_place_is_left_out_where_missing_ones_are(backend: Backend) -> None:
    said = [adding(text, layer=Layer.RAW, origin=Origin(path="talk", start_line=1)) for text in ("yes", "no")]
    yes = changed(backend, said[0])
    change(backend, Delete(memory_id=yes.id))
    outcomes = commit(backend, *said, skip_missing=True).outcomes
    assert [outcome.state for outcome in outcomes] == [ChangeState.MISSING, ChangeState.CREATED]
    assert outcomes[0].memory_id == yes.id
    assert texts(scan_all(backend)) == ["no"]
    elsewhere = adding("yes", layer=Layer.RAW, origin=Origin(path="talk", start_line=2))
    assert commit(backend, elsewhere, skip_missing=True).outcomes[0].state is ChangeState.CREATED
    assert change(backend, said[0]).state is ChangeState.CREATED
    assert commit(backend, said[0], skip_missing=True).outcomes[0].state is ChangeState.DUPLICATE


def test_an_id_that_was_deleted_or_changed_is_left_out_where_missing_ones_are(backend: Backend) -> None:
    ids = ("a" * 32, "b" * 32)
    tea, milk = (add(backend, text, id=memory_id) for text, memory_id in zip(("tea", "milk"), ids, strict=True))
    change(backend, Delete(memory_id=tea.id))
    change(backend, updating(milk, content="oat milk"))
    drafts = (adding("tea", id=tea.id), adding("milk", id=milk.id), adding("coffee"))
    outcomes = commit(backend, *drafts, skip_missing=True).outcomes
    assert [outcome.state for outcome in outcomes] == [ChangeState.MISSING, ChangeState.MISSING, ChangeState.CREATED]
    assert tuple(outcome.memory_id for outcome in outcomes[:2]) == ids
    assert set(texts(scan_all(backend))) == {"oat milk", "coffee"}
