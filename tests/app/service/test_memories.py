"""Memories from the first write to the last erasure."""

from collections.abc import Sequence

import pytest

from app.domain.access import Role
from app.domain.change import ChangeBatch, ChangeState, Committed, Receipt, Update
from app.domain.embedding import Vector
from app.domain.memory import Memory, MemoryKind, MemoryPatch, Scope
from app.domain.query import MemoryFilter, SearchMode, SearchQuery
from app.errors import AlreadyExists, Forbidden, IdempotencyConflict, InvalidRequest, NotFound, VersionConflict
from app.service.memories import ATTEMPTS, Memories
from tests.app.service.conftest import Bench, draft, principal

ADMIN = principal()
MISSING = "f" * 32


def add(bench: Bench, content: str = "likes green tea", **fields: object) -> Memory:
    memory = bench.memories.add(ADMIN, "w", [draft(content, **fields)]).outcomes[0].memory
    assert memory is not None
    return memory


def similarity(bench: Bench, text: str) -> float:
    """The cosine between a text and the memory that is closest to it."""
    hits = bench.retrieval.search(ADMIN, "w", SearchQuery(text=text, mode=SearchMode.EXACT)).hits
    return hits[0].similarity or 0.0


def test_what_is_added_is_there(bench: Bench) -> None:
    memory = add(bench, "likes green tea", tags=("drinks",), metadata={"city": "Kyoto"}, user_id="u1")
    assert bench.memories.get(ADMIN, "w", memory.id) == memory
    assert (memory.content, memory.tags, memory.metadata) == ("likes green tea", ("drinks",), {"city": "Kyoto"})
    assert memory.scope == Scope(tenant_id="acme", workspace_id="w")


def test_when_to_use_is_what_is_compared(bench: Bench) -> None:
    add(bench, "boil for three minutes", when_to_use="cooking eggs")
    assert similarity(bench, "cooking eggs") == pytest.approx(1.0)


def test_a_batch_is_embedded_at_once_before_it_is_written(bench: Bench) -> None:
    asked: list[int] = []

    class Watching:
        identity = bench.embedder.identity
        embed_query = bench.embedder.embed_query
        embed_queries = bench.embedder.embed_queries

        def embed(self, texts: Sequence[str]) -> Vector:
            asked.append(len(texts))
            assert bench.store.memories.contents(Scope(tenant_id="acme", workspace_id="w")).memories == 0
            return bench.embedder.embed(texts)

    memories = Memories(store=bench.store.memories, embedder=Watching(), clock=bench.clock, meter=bench.store.meter)
    committed = memories.add(ADMIN, "w", [draft("a"), draft("b"), draft("a")])
    assert asked == [3]
    assert committed.states == {ChangeState.CREATED: 2, ChangeState.DUPLICATE: 1}


def test_one_bad_draft_stops_the_batch(bench: Bench) -> None:
    with pytest.raises(InvalidRequest, match="memory 2 of 2"):
        bench.memories.add(ADMIN, "w", [draft("a"), draft("b\x00")])
    assert not bench.memories.scan(ADMIN, "w", MemoryFilter()).items
    assert not bench.store.meter.read("acme")


def test_a_receipt_replays_the_first_outcome(bench: Bench) -> None:
    receipt = Receipt(key="once", request_sha256="1" * 64)
    first = bench.memories.add(ADMIN, "w", [draft("a")], receipt=receipt)
    again = bench.memories.add(ADMIN, "w", [draft("a")], receipt=receipt)
    assert (first.replayed, again.replayed) == (False, True)
    assert again.outcomes[0].memory_id == first.outcomes[0].memory_id
    assert again.outcomes[0].state is ChangeState.CREATED
    with pytest.raises(IdempotencyConflict):
        bench.memories.add(ADMIN, "w", [draft("b")], receipt=Receipt(key="once", request_sha256="2" * 64))
    assert used(bench, "add") == (1, 1)


def used(bench: Bench, operation: str) -> tuple[int, int]:
    """Calls and items of an operation."""
    records = [record for record in bench.store.meter.read("acme") if record.operation == operation]
    return sum(record.calls for record in records), sum(record.items for record in records)


def test_pages_follow_each_other(bench: Bench) -> None:
    ids = [add(bench, f"number {number}").id for number in range(7)]
    found: list[str] = []
    cursor = ""
    for size in (3, 3, 1):
        page = bench.memories.scan(ADMIN, "w", MemoryFilter(), limit=3, cursor=cursor)
        assert len(page.items) == size
        found += [memory.id for memory in page.items]
        cursor = page.next_cursor
    assert cursor == ""
    assert found == sorted(ids)


@pytest.mark.parametrize("limit", [0, -1, 1_001])
def test_a_page_has_bounds(bench: Bench, limit: int) -> None:
    with pytest.raises(InvalidRequest, match=f"a page of {limit} is not allowed: ask for 1 to 1,000"):
        bench.memories.scan(ADMIN, "w", MemoryFilter(), limit=limit)


def test_a_change_of_text_is_found_by_its_new_text(bench: Bench) -> None:
    memory = add(bench, "likes green tea")
    changed = bench.memories.update(ADMIN, "w", memory.id, MemoryPatch(content="plays the cello"))
    assert (changed.id, changed.content) == (memory.id, "plays the cello")
    assert changed.version > memory.version
    assert similarity(bench, "plays the cello") == pytest.approx(1.0)
    assert similarity(bench, "likes green tea") < 0.9


def test_a_change_that_leaves_the_compared_text_embeds_nothing(bench: Bench) -> None:
    memory = add(bench, "boil for three minutes", when_to_use="cooking eggs")
    before = used(bench, "embed")
    changed = bench.memories.update(ADMIN, "w", memory.id, MemoryPatch(content="boil for four minutes"))
    assert changed.content == "boil for four minutes"
    bench.memories.update(ADMIN, "w", memory.id, MemoryPatch(tags=("kitchen",)))
    assert used(bench, "embed") == before
    assert similarity(bench, "cooking eggs") == pytest.approx(1.0)


def test_an_emptied_when_to_use_lets_the_content_be_compared(bench: Bench) -> None:
    memory = add(bench, "boil for three minutes", when_to_use="cooking eggs")
    bench.memories.update(ADMIN, "w", memory.id, MemoryPatch(when_to_use=""))
    assert similarity(bench, "boil for three minutes") == pytest.approx(1.0)


@pytest.mark.parametrize("patch", [MemoryPatch(content="b"), MemoryPatch(author="b")])
def test_a_version_that_is_not_current_conflicts(bench: Bench, patch: MemoryPatch) -> None:
    memory = add(bench, "a")
    bench.memories.update(ADMIN, "w", memory.id, MemoryPatch(author="someone"), expected_version=memory.version)
    with pytest.raises(VersionConflict):
        bench.memories.update(ADMIN, "w", memory.id, patch, expected_version=memory.version)


class Racing:
    """A store in which another change comes in just before some commits."""

    def __init__(self, bench: Bench, times: int) -> None:
        self._store = bench.store.memories
        self.times = times

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    def commit(self, batch: ChangeBatch) -> Committed:
        change = batch.changes[0]
        if self.times and isinstance(change, Update):
            self.times -= 1
            patch = MemoryPatch(when_to_use=f"race {self.times}")
            other = Update(memory_id=change.memory_id, patch=patch)
            self._store.commit(ChangeBatch(scope=batch.scope, changes=(other,)))
        return self._store.commit(batch)


def racing(bench: Bench, times: int) -> Memories:
    store = Racing(bench, times)
    return Memories(
        store=store,  # type: ignore[arg-type]
        embedder=bench.embedder,
        clock=bench.clock,
        meter=bench.store.meter,
    )


def test_a_change_in_between_does_not_leave_a_vector_of_another_text(bench: Bench) -> None:
    memory = add(bench, "likes green tea")
    changed = racing(bench, 1).update(ADMIN, "w", memory.id, MemoryPatch(content="plays the cello"))
    assert (changed.content, changed.when_to_use) == ("plays the cello", "race 0")
    bench.memories.update(ADMIN, "w", memory.id, MemoryPatch(when_to_use=""))
    assert similarity(bench, "plays the cello") == pytest.approx(1.0)


def test_endless_changes_in_between_end_in_a_conflict(bench: Bench) -> None:
    memory = add(bench, "likes green tea")
    with pytest.raises(VersionConflict):
        racing(bench, ATTEMPTS).update(ADMIN, "w", memory.id, MemoryPatch(content="plays the cello"))
    with pytest.raises(VersionConflict):
        racing(bench, 1).update(
            ADMIN, "w", memory.id, MemoryPatch(content="x"), expected_version=memory.version + ATTEMPTS
        )


def test_a_deleted_memory_is_gone_and_comes_back_whole(bench: Bench) -> None:
    memory = add(bench, "likes green tea")
    committed = bench.memories.delete(ADMIN, "w", [memory.id])
    assert committed.states == {ChangeState.DELETED: 1}
    with pytest.raises(NotFound):
        bench.memories.get(ADMIN, "w", memory.id)
    assert not bench.retrieval.search(ADMIN, "w", SearchQuery(text="green tea")).hits
    restored = bench.memories.restore(ADMIN, "w", memory.id)
    assert (restored.id, restored.content, restored.deleted_ms) == (memory.id, memory.content, None)
    assert similarity(bench, "likes green tea") == pytest.approx(1.0)


def test_restoring_a_live_memory_changes_nothing(bench: Bench) -> None:
    memory = add(bench)
    assert bench.memories.restore(ADMIN, "w", memory.id) == memory


def test_what_was_never_there_cannot_be_changed(bench: Bench) -> None:
    add(bench)
    for action in (
        lambda: bench.memories.get(ADMIN, "w", MISSING),
        lambda: bench.memories.update(ADMIN, "w", MISSING, MemoryPatch(content="x")),
        lambda: bench.memories.update(ADMIN, "w", MISSING, MemoryPatch(author="x")),
        lambda: bench.memories.delete(ADMIN, "w", [MISSING]),
        lambda: bench.memories.restore(ADMIN, "w", MISSING),
    ):
        with pytest.raises(NotFound):
            action()


def test_several_deletions_can_be_repeated(bench: Bench) -> None:
    memory = add(bench)
    for state in (ChangeState.DELETED, ChangeState.MISSING):
        committed = bench.memories.delete(ADMIN, "w", [memory.id, MISSING, memory.id])
        assert [outcome.state for outcome in committed.outcomes] == [state, ChangeState.MISSING]


def test_a_version_goes_with_one_deletion(bench: Bench) -> None:
    memory = add(bench)
    with pytest.raises(VersionConflict):
        bench.memories.delete(ADMIN, "w", [memory.id], expected_version=memory.version + 1)
    with pytest.raises(InvalidRequest, match="cannot hold for 2 memories"):
        bench.memories.delete(ADMIN, "w", [memory.id, MISSING], expected_version=1)


@pytest.mark.parametrize("ids", [[], ["x"], [f"{number:032x}" for number in range(1_001)]])
def test_lists_of_ids_have_bounds(bench: Bench, ids: list[str]) -> None:
    for action in (bench.memories.delete, bench.memories.record_use):
        with pytest.raises(InvalidRequest):
            action(ADMIN, "w", ids)


def test_uses_are_counted_and_missing_memories_skipped(bench: Bench) -> None:
    memory = add(bench)
    bench.memories.record_use(ADMIN, "w", [memory.id], utility=0.5)
    counted = bench.memories.record_use(ADMIN, "w", [memory.id, MISSING], utility=0.25)
    assert [(one.id, one.frequency, one.utility) for one in counted] == [(memory.id, 2, 0.75)]
    with pytest.raises(InvalidRequest, match="utility is nan"):
        bench.memories.record_use(ADMIN, "w", [memory.id], utility=float("nan"))


def test_what_was_used_in_vain_is_deleted(bench: Bench) -> None:
    task = {"kind": MemoryKind.TASK}
    poor = add(bench, "poor", frequency=4, utility=1.0, **task)
    good = add(bench, "good", frequency=4, utility=3.0, **task)
    rare = add(bench, "rare", frequency=1, utility=0.0, **task)
    unused = add(bench, "unused", **task)
    personal = add(bench, "personal", frequency=9)
    deleted = bench.memories.delete_unused(
        ADMIN, "w", kinds=(MemoryKind.TASK,), frequency_threshold=2, utility_threshold=0.5
    )
    assert deleted == (poor.id,)
    left = {memory.id for memory in bench.memories.scan(ADMIN, "w", MemoryFilter()).items}
    assert left == {good.id, rare.id, unused.id, personal.id}
    assert bench.memories.delete_unused(
        ADMIN, "w", kinds=(MemoryKind.TASK,), frequency_threshold=0, utility_threshold=0.5
    ) == (rare.id,)
    for frequency, utility in ((-1, 0.5), (1, float("nan"))):
        with pytest.raises(InvalidRequest):
            bench.memories.delete_unused(ADMIN, "w", kinds=(), frequency_threshold=frequency, utility_threshold=utility)


def test_erasing_one_user_leaves_the_others(bench: Bench) -> None:
    gone, stays = add(bench, "a", user_id="u1"), add(bench, "b", user_id="u2")
    assert bench.memories.purge(principal(Role.USER), "w", user_id="u1") == 1
    with pytest.raises(NotFound):
        bench.memories.restore(ADMIN, "w", gone.id)
    assert bench.memories.get(ADMIN, "w", stays.id) == stays


def test_erasing_more_needs_an_admin(bench: Bench) -> None:
    add(bench, "a")
    for deleted_before_ms in (None, 5):
        with pytest.raises(Forbidden):
            bench.memories.purge(principal(Role.USER), "w", deleted_before_ms=deleted_before_ms)
    with pytest.raises(Forbidden):
        bench.memories.purge(principal(Role.SERVICE_ACCOUNT), "w", user_id="u1")
    assert bench.memories.purge(ADMIN, "w") == 1


def test_erasing_nobody_does_not_erase_what_is_about_nobody(bench: Bench) -> None:
    add(bench, "a")
    with pytest.raises(InvalidRequest, match="user_id is empty"):
        bench.memories.purge(ADMIN, "w", user_id=" ")
    with pytest.raises(InvalidRequest, match="not both"):
        bench.memories.purge(ADMIN, "w", user_id="u", deleted_before_ms=5)


def test_old_tombstones_are_erased_and_young_ones_kept(bench: Bench) -> None:
    old = add(bench, "a")
    bench.memories.delete(ADMIN, "w", [old.id])
    bench.clock.step(1_000)
    young = add(bench, "b")
    bench.memories.delete(ADMIN, "w", [young.id])
    assert bench.memories.purge(ADMIN, "w", deleted_before_ms=bench.clock.now_ms()) == 1
    assert bench.memories.restore(ADMIN, "w", young.id).content == "b"


def test_use_is_metered(bench: Bench) -> None:
    memory = add(bench, "a")
    bench.memories.add(ADMIN, "w", [draft("b"), draft("c")])
    bench.memories.update(ADMIN, "w", memory.id, MemoryPatch(content="d"))
    bench.memories.record_use(ADMIN, "w", [memory.id])
    bench.memories.delete(ADMIN, "w", [memory.id])
    bench.memories.restore(ADMIN, "w", memory.id)
    bench.memories.purge(ADMIN, "w")
    assert used(bench, "add") == (2, 3)
    assert used(bench, "update") == (3, 3)
    assert used(bench, "delete") == (2, 4)
    assert used(bench, "embed") == (4, 5)
    assert {record.model for record in bench.store.meter.read("acme") if record.operation == "embed"} == {
        bench.embedder.identity.model
    }


def test_what_a_memory_once_said_is_not_rewritten(bench: Bench) -> None:
    memory = add(bench, "likes green tea")
    bench.memories.update(ADMIN, "w", memory.id, MemoryPatch(content="likes coffee"))
    listed = bench.memories.scan(ADMIN, "w", MemoryFilter(), superseded=True).items
    (earlier,) = [each for each in listed if each.revision_of]
    with pytest.raises(InvalidRequest, match=f"what memory {memory.id} once said"):
        bench.memories.update(ADMIN, "w", earlier.id, MemoryPatch(content="never liked tea"))
    assert bench.memories.update(ADMIN, "w", earlier.id, MemoryPatch(tags=("old",))).tags == ("old",)
    assert bench.memories.get(ADMIN, "w", earlier.id).content == "likes green tea"


def test_uses_are_counted_once_for_a_receipt(bench: Bench) -> None:
    memory = bench.memories.add(ADMIN, "w", [draft("tea")]).outcomes[0].memory_id
    receipt = Receipt(key="k", request_sha256="a" * 64)
    for _ in range(2):
        (used,) = bench.memories.record_use(ADMIN, "w", [memory], utility=0.5, receipt=receipt)
        assert (used.frequency, used.utility) == (1, 0.5)
    with pytest.raises(IdempotencyConflict):
        bench.memories.record_use(ADMIN, "w", [memory], receipt=Receipt(key="k", request_sha256="b" * 64))


def test_a_change_of_the_text_into_another_memory_is_refused(bench: Bench) -> None:
    tea, milk = (bench.memories.add(ADMIN, "w", [draft(text)]).outcomes[0].memory_id for text in ("tea", "milk"))
    with pytest.raises(AlreadyExists, match=tea):
        bench.memories.update(ADMIN, "w", milk, MemoryPatch(content="Tea"))
    bench.memories.delete(ADMIN, "w", [tea])
    bench.memories.update(ADMIN, "w", milk, MemoryPatch(content="Tea"))
    with pytest.raises(AlreadyExists, match=milk):
        bench.memories.restore(ADMIN, "w", tea)
