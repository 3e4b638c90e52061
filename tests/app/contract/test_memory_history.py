"""What held when: slots, revisions and `as_of`."""

import pytest

from app.backends.clock import SteppingClock
from app.domain.change import ChangeState, Delete, Restore
from app.domain.memory import MemoryKind
from app.domain.query import MemoryFilter
from app.errors import AlreadyExists, InvalidRequest
from tests.app.contract.backends import Backend, searched
from tests.app.contract.samples import (
    FOREIGN,
    HERE,
    THERE,
    add,
    adding,
    change,
    changed,
    match,
    near,
    read,
    scan_all,
    texts,
    updating,
)

pytestmark = searched


def held(backend: Backend, text: str, as_of_ms: int | None, wanted: MemoryFilter | None = None) -> set[str]:
    """What both legs of the search find as of a moment, which must be the same."""
    wanted = wanted or MemoryFilter()
    found = set(match(backend, text, as_of_ms=as_of_ms, wanted=wanted))
    assert set(near(backend, text, as_of_ms=as_of_ms, wanted=wanted)) == found
    return found


def test_a_newer_statement_of_a_slot_supersedes_the_older(backend: Backend, clock: SteppingClock) -> None:
    paris = add(backend, "lives in Paris", slot="home", user_id="ann")
    now_ms = clock.step(10)
    outcome = change(backend, adding("lives in Rome", slot="home", user_id="ann"))
    assert (outcome.state, outcome.superseded_ids) == (ChangeState.CREATED, (paris.id,))
    older = read(backend, paris.id)
    assert (older.superseded, older.valid_to_ms, older.version) == (True, now_ms, 2)
    assert older.content == "lives in Paris"
    assert texts(scan_all(backend)) == ["lives in Rome"]
    assert texts(scan_all(backend, superseded=True)) == ["lives in Paris", "lives in Rome"]
    assert held(backend, "lives", None) == {"lives in Rome"}
    assert held(backend, "lives", now_ms - 1) == {"lives in Paris"}
    assert held(backend, "lives", now_ms) == {"lives in Rome"}
    assert held(backend, "lives", paris.created_ms - 1) == set()


@pytest.mark.parametrize("other", [{"user_id": "bob"}, {"kind": MemoryKind.TASK}, {"slot": "work"}, {"slot": ""}])
def test_another_slot_is_left_alone(backend: Backend, clock: SteppingClock, other: dict[str, object]) -> None:
    add(backend, "lives in Paris", slot="home", user_id="ann")
    clock.step()
    outcome = change(backend, adding("lives in Rome", **{"slot": "home", "user_id": "ann", **other}))
    assert outcome.superseded_ids == ()
    assert len(scan_all(backend)) == 2


def test_slots_of_other_scopes_are_left_alone(backend: Backend, clock: SteppingClock) -> None:
    for scope in (HERE, THERE, FOREIGN):
        add(backend, f"lives in {scope.tenant_id} {scope.workspace_id}", slot="home", scope=scope)
        clock.step()
    assert [len(scan_all(backend, scope)) for scope in (HERE, THERE, FOREIGN)] == [1, 1, 1]


def test_the_same_statement_again_supersedes_nothing(backend: Backend, clock: SteppingClock) -> None:
    paris = add(backend, "lives in Paris", slot="home")
    clock.step()
    outcome = change(backend, adding("Lives in paris", slot="home"))
    assert (outcome.state, outcome.superseded_ids) == (ChangeState.DUPLICATE, ())
    assert not read(backend, paris.id).superseded


def test_who_moves_back_lives_there_again(backend: Backend, clock: SteppingClock) -> None:
    moments = []
    for city in ("Paris", "Rome", "Paris"):
        moments.append(clock.step(10))
        assert change(backend, adding(f"lives in {city}", slot="home")).state is ChangeState.CREATED
    assert texts(scan_all(backend)) == ["lives in Paris"]
    assert [held(backend, "lives", moment) for moment in moments] == [
        {"lives in Paris"},
        {"lives in Rome"},
        {"lives in Paris"},
    ]


def test_a_statement_that_held_earlier_but_comes_later_does_not_stand(backend: Backend, clock: SteppingClock) -> None:
    rome = add(backend, "lives in Rome", slot="home", valid_from_ms=2000)
    clock.step()
    outcome = change(backend, adding("lives in Paris", slot="home", valid_from_ms=1000))
    paris = read(backend, outcome.memory_id)
    assert (outcome.state, outcome.superseded_ids) == (ChangeState.CREATED, ())
    assert (paris.superseded, paris.valid_to_ms) == (True, 2000)
    assert read(backend, rome.id) == rome
    assert held(backend, "lives", None) == {"lives in Rome"}
    assert held(backend, "lives", 1999) == {"lives in Paris"}


def test_a_wall_clock_that_runs_back_does_not_make_a_statement_old(backend: Backend, clock: SteppingClock) -> None:
    paris = add(backend, "lives in Paris", slot="home")
    clock.step(-1000)
    assert change(backend, adding("lives in Rome", slot="home")).superseded_ids == (paris.id,)
    assert texts(scan_all(backend)) == ["lives in Rome"]


def test_one_statement_of_a_slot_stands_after_a_restoring_too(backend: Backend, clock: SteppingClock) -> None:
    paris = add(backend, "lives in Paris", slot="home")
    change(backend, Delete(memory_id=paris.id))
    clock.step()
    rome = add(backend, "lives in Rome", slot="home")
    change(backend, Restore(memory_id=paris.id))
    assert held(backend, "lives", None) == {"lives in Rome"}
    assert read(backend, paris.id).valid_to_ms == rome.valid_from_ms
    clock.step()
    outcome = change(backend, adding("lives in Oslo", slot="home"))
    assert outcome.superseded_ids == (rome.id,)
    assert texts(scan_all(backend)) == ["lives in Oslo"]


def test_a_statement_that_has_ended_counts_as_superseded(backend: Backend, clock: SteppingClock) -> None:
    now_ms = clock.now_ms()
    rome = add(backend, "lives in Rome", slot="home")
    ended = add(backend, "lives in Paris", slot="home", valid_from_ms=1000, valid_to_ms=2000)
    coming = add(backend, "lives near the sea", valid_to_ms=now_ms + 1)
    assert (ended.superseded, ended.valid_to_ms) == (True, 2000)
    assert (coming.superseded, coming.valid_to_ms) == (False, now_ms + 1)
    assert not read(backend, rome.id).superseded
    assert held(backend, "lives", 1999) == {"lives in Paris"}
    assert held(backend, "lives", 2000) == set()
    now_ms = clock.step()
    assert not changed(backend, updating(coming, valid_to_ms=now_ms + 1)).superseded
    assert changed(backend, updating(rome, valid_to_ms=now_ms)).superseded
    assert held(backend, "lives", None) == {"lives near the sea"}


def test_a_statement_cannot_end_before_it_begins(backend: Backend, clock: SteppingClock) -> None:
    rome = add(backend, "lives in Rome", valid_from_ms=2000)
    for valid_to_ms in (1000, 2000):
        with pytest.raises(InvalidRequest, match=rf"{valid_to_ms} is not after valid_from_ms 2000"):
            change(backend, updating(rome, valid_to_ms=valid_to_ms))
    with pytest.raises(InvalidRequest):  # the new text holds from now on
        change(backend, updating(rome, content="lives in Oslo", valid_to_ms=clock.now_ms()))
    assert read(backend, rome.id) == rome
    assert changed(backend, updating(rome, valid_to_ms=2001)).valid_to_ms == 2001


def test_an_end_can_be_taken_away(backend: Backend, clock: SteppingClock) -> None:
    sea = add(backend, "lives near the sea", valid_to_ms=clock.now_ms() + 10)
    ended = changed(backend, updating(sea, valid_to_ms=clock.step() + 1))
    clock.step(20)
    assert held(backend, "lives", None) == set()
    again = changed(backend, updating(ended, clears_valid_to=True))
    assert (again.valid_to_ms, again.superseded, again.version) == (None, False, 3)
    assert held(backend, "lives", None) == {"lives near the sea"}


def test_an_end_that_is_taken_away_brings_no_superseded_statement_back(backend: Backend, clock: SteppingClock) -> None:
    paris = add(backend, "lives in Paris", slot="home")
    clock.step()
    rome = add(backend, "lives in Rome", slot="home")
    assert changed(backend, updating(paris, clears_valid_to=True)).valid_to_ms == rome.valid_from_ms
    assert held(backend, "lives", None) == {"lives in Rome"}
    ended = add(backend, "drinks tea", valid_from_ms=1000, valid_to_ms=2000)
    twin = add(backend, "drinks tea")
    with pytest.raises(AlreadyExists, match=twin.id):
        change(backend, updating(ended, clears_valid_to=True))


def test_an_update_of_the_text_keeps_the_earlier_one(backend: Backend, clock: SteppingClock) -> None:
    memory = add(backend, "drinks tea", user_id="ann", tags=("a",), metadata={"x": 1}, slot="drink")
    now_ms = clock.step(10)
    now = changed(backend, updating(memory, content="drinks coffee", metadata={"x": 2}))
    assert (now.id, now.content, now.version, now.superseded) == (memory.id, "drinks coffee", 2, False)
    assert (now.valid_from_ms, now.created_ms, now.updated_ms) == (now_ms, memory.created_ms, now_ms)
    (earlier,) = [found for found in scan_all(backend, superseded=True) if found.id != memory.id]
    assert (earlier.content, earlier.revision_of, earlier.superseded) == ("drinks tea", memory.id, True)
    assert (earlier.valid_from_ms, earlier.valid_to_ms) == (memory.valid_from_ms, now_ms)
    assert (earlier.tags, earlier.metadata, earlier.user_id) == (("a",), {"x": 1}, "ann")
    assert (earlier.version, earlier.created_ms) == (memory.version, memory.created_ms)
    assert earlier.seq not in (memory.seq, now.seq)
    assert scan_all(backend) == [now]
    assert held(backend, "drinks", None) == {"drinks coffee"}
    assert held(backend, "drinks", now_ms - 1) == {"drinks tea"}
    assert held(backend, "drinks", now_ms) == {"drinks coffee"}
    assert held(backend, "drinks", now_ms - 1, MemoryFilter(tags=("a",), user_ids=("ann",))) == {"drinks tea"}
    assert held(backend, "drinks", now_ms - 1, MemoryFilter(tags=("b",))) == set()


def test_when_to_use_is_text_as_well(backend: Backend, clock: SteppingClock) -> None:
    memory = add(backend, "press the button", kind=MemoryKind.TASK, when_to_use="starting")
    now_ms = clock.step()
    change(backend, updating(memory, when_to_use="stopping"))
    assert match(backend, "stopping") == ["press the button"]
    assert match(backend, "starting") == []
    assert match(backend, "starting", as_of_ms=now_ms - 1) == ["press the button"]
    assert len(scan_all(backend, superseded=True)) == 2


def test_many_updates_keep_many_texts(backend: Backend, clock: SteppingClock) -> None:
    memory = add(backend, "drink number 0")
    moments = [clock.now_ms()]
    for number in range(1, 6):
        moments.append(clock.step(10))
        change(backend, updating(memory, content=f"drink number {number}"))
    for number, moment in enumerate(moments):
        assert held(backend, "drink", moment) == {f"drink number {number}"}
        assert held(backend, "drink", moment + 9) == {f"drink number {number}"}
    assert len(scan_all(backend, superseded=True)) == 6
    assert read(backend, memory.id).version == 6


def test_two_updates_in_the_same_millisecond(backend: Backend) -> None:
    memory = add(backend, "drinks tea")
    for text in ("drinks milk", "drinks coffee"):
        memory = changed(backend, updating(memory, content=text))
    assert memory.version == 3
    assert held(backend, "drinks", None) == {"drinks coffee"}
    assert held(backend, "drinks", memory.valid_from_ms) == {"drinks coffee"}


def test_the_same_text_again_makes_no_revision(backend: Backend, clock: SteppingClock) -> None:
    memory = add(backend, "drinks tea")
    clock.step()
    now = changed(backend, updating(memory, content="drinks tea", author="me"))
    assert (now.author, now.valid_from_ms) == ("me", memory.valid_from_ms)
    assert scan_all(backend, superseded=True) == [now]
    assert near(backend, "drinks tea") == ["drinks tea"]


def test_a_deleted_memory_takes_its_revisions_along(backend: Backend, clock: SteppingClock) -> None:
    memory = add(backend, "drinks tea")
    before_ms = clock.now_ms()
    clock.step()
    change(backend, updating(memory, content="drinks coffee"))
    (earlier,) = [found for found in scan_all(backend, superseded=True) if found.id != memory.id]
    clock.step()
    change(backend, Delete(memory_id=memory.id))
    assert held(backend, "drinks tea coffee", before_ms) == set()
    assert scan_all(backend, superseded=True) == []
    assert backend.memories.get(HERE, [earlier.id]) == ()
    assert backend.memories.contents(HERE).tombstones == 1


def test_a_restored_memory_brings_its_revisions_along(backend: Backend, clock: SteppingClock) -> None:
    memory = add(backend, "drinks tea")
    before_ms = clock.now_ms()
    clock.step()
    change(backend, updating(memory, content="drinks coffee"))
    clock.step()
    change(backend, Delete(memory_id=memory.id))
    clock.step()
    change(backend, Restore(memory_id=memory.id, vector=adding("drinks coffee").vector))
    assert match(backend, "drinks") == ["drinks coffee"]
    assert match(backend, "drinks", as_of_ms=before_ms) == ["drinks tea"]
    assert set(texts(scan_all(backend, superseded=True))) == {"drinks tea", "drinks coffee"}


def test_a_revision_is_restored_with_its_memory_and_alone_only_beside_it(
    backend: Backend, clock: SteppingClock
) -> None:
    memory = add(backend, "drinks tea")
    before_ms = clock.now_ms()
    clock.step()
    change(backend, updating(memory, content="drinks coffee"))
    (earlier,) = [found for found in scan_all(backend, superseded=True) if found.id != memory.id]
    change(backend, Delete(memory_id=earlier.id))
    assert changed(backend, Restore(memory_id=earlier.id)).superseded
    assert held(backend, "drinks tea", before_ms) == {"drinks tea"}
    change(backend, Delete(memory_id=memory.id))
    with pytest.raises(InvalidRequest, match=memory.id):
        change(backend, Restore(memory_id=earlier.id))
    assert held(backend, "drinks tea", before_ms) == set()
    change(backend, Restore(memory_id=memory.id))
    assert held(backend, "drinks tea", before_ms) == {"drinks tea"}


def test_purging_a_memory_erases_its_revisions(backend: Backend, clock: SteppingClock) -> None:
    memory = add(backend, "drinks tea")
    before_ms = clock.now_ms()
    clock.step()
    change(backend, updating(memory, content="drinks coffee"))
    (earlier,) = [found for found in scan_all(backend, superseded=True) if found.id != memory.id]
    change(backend, Delete(memory_id=memory.id))
    assert backend.memories.purge(HERE, deleted_before_ms=clock.step()) == 1
    assert backend.memories.get(HERE, [memory.id, earlier.id], deleted=True) == ()
    assert held(backend, "drinks tea coffee", before_ms) == set()


def test_an_imported_revision_goes_with_its_memory(backend: Backend, clock: SteppingClock) -> None:
    memory = add(backend, "drinks tea", slot="drink", valid_from_ms=2000)
    past = add(
        backend,
        "drinks tea",
        slot="drink",
        id="0" * 31 + "1",
        revision_of=memory.id,
        valid_from_ms=1000,
        valid_to_ms=2000,
    )
    assert (past.revision_of, past.superseded) == (memory.id, True)
    assert read(backend, memory.id) == memory
    assert backend.memories.contents(HERE).memories == 1
    again = change(backend, adding("drinks tea", slot="drink", id=past.id, revision_of=memory.id, valid_to_ms=2000))
    assert (again.state, again.memory_id) == (ChangeState.DUPLICATE, past.id)
    assert held(backend, "tea", 1500) == {"drinks tea"}
    change(backend, Delete(memory_id=memory.id))
    assert held(backend, "tea", 1500) == set()
    assert backend.memories.get(HERE, [past.id]) == ()


def test_a_revision_that_is_changed_still_goes_with_its_memory(backend: Backend, clock: SteppingClock) -> None:
    memory = add(backend, "drinks tea")
    before_ms = clock.now_ms()
    clock.step()
    change(backend, updating(memory, content="drinks coffee"))
    (earlier,) = [found for found in scan_all(backend, superseded=True) if found.id != memory.id]
    clock.step()
    change(backend, updating(earlier, content="drinks milk"))
    assert {found.revision_of for found in scan_all(backend, superseded=True)} == {"", memory.id}
    change(backend, Delete(memory_id=memory.id))
    assert scan_all(backend, superseded=True) == []
    assert held(backend, "drinks tea", before_ms) == set()


def test_a_revision_that_was_deleted_before_its_memory_stays_deleted(backend: Backend, clock: SteppingClock) -> None:
    memory = add(backend, "drinks tea")
    before_ms = clock.now_ms()
    for text in ("drinks coffee", "drinks milk"):
        clock.step()
        change(backend, updating(memory, content=text))
    oldest = next(found for found in scan_all(backend, superseded=True) if found.content == "drinks tea")
    clock.step()
    change(backend, Delete(memory_id=oldest.id))
    clock.step()
    backend.memories.purge(HERE, deleted_before_ms=clock.now_ms())
    change(backend, Delete(memory_id=memory.id))
    clock.step()
    change(backend, Restore(memory_id=memory.id, vector=adding("drinks milk").vector))
    assert set(texts(scan_all(backend, superseded=True))) == {"drinks coffee", "drinks milk"}
    assert held(backend, "drinks tea", before_ms) == set()


def test_what_has_ended_can_be_stated_again(backend: Backend, clock: SteppingClock) -> None:
    ended = add(backend, "lives near the sea", valid_to_ms=clock.now_ms() + 10)
    end_ms = clock.step(10)
    assert held(backend, "lives", None) == set()
    again = change(backend, adding("lives near the sea"))
    assert (again.state, again.memory_id == ended.id) == (ChangeState.CREATED, False)
    assert held(backend, "lives", None) == held(backend, "lives", end_ms) == {"lives near the sea"}


def test_a_newer_statement_does_not_lengthen_one_that_has_ended(backend: Backend, clock: SteppingClock) -> None:
    start_ms = clock.now_ms()
    paris = add(backend, "lives in Paris", slot="home", valid_to_ms=start_ms + 10)
    clock.step(20)
    change(backend, adding("lives in Rome", slot="home"))
    assert read(backend, paris.id).valid_to_ms == start_ms + 10
    assert held(backend, "lives", start_ms + 15) == set()


def test_a_later_statement_does_not_lengthen_one_that_ends_before_it(backend: Backend, clock: SteppingClock) -> None:
    now_ms = clock.now_ms()
    add(backend, "lives in Rome", slot="home", valid_from_ms=now_ms + 100)
    paris = add(backend, "lives in Paris", slot="home", valid_from_ms=now_ms, valid_to_ms=now_ms + 50)
    assert (paris.superseded, paris.valid_to_ms) == (False, now_ms + 50)
    assert held(backend, "lives", now_ms + 60) == set()


def test_a_planned_statement_waits_for_its_time(backend: Backend, clock: SteppingClock) -> None:
    oslo = add(backend, "lives in Oslo", slot="home")
    moves_ms = clock.now_ms() + 1000
    planned = change(backend, adding("lives in Rome", slot="home", valid_from_ms=moves_ms))
    assert planned.superseded_ids == ()
    assert held(backend, "lives", None) == {"lives in Oslo"}
    assert held(backend, "lives", moves_ms) == {"lives in Rome"}
    clock.step(10)
    kiel = change(backend, adding("lives in Kiel", slot="home"))
    assert kiel.superseded_ids == (oslo.id,)
    assert held(backend, "lives", None) == {"lives in Kiel"}
    clock.step(1000)
    assert held(backend, "lives", None) == {"lives in Rome"}
    assert held(backend, "lives", moves_ms - 1) == {"lives in Kiel"}
