"""Several nodes over one database: what one process guarantees, all of them do together."""

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

import pytest

from app.backends.clock import SystemClock
from app.backends.postgres import PostgresStore, open_store
from app.domain.change import ChangeState, Delete, Receipt, RecordUse
from app.domain.embedding import EmbeddingIdentity
from app.domain.identifiers import hlc_ms
from app.domain.memory import Memory, Scope
from app.errors import AlreadyExists, EmbeddingMismatch, NotFound
from tests.app.contract.samples import (
    ALL,
    HERE,
    IDENTITY,
    THERE,
    add,
    adding,
    commit,
    read,
    scan_all,
    texts,
    updating,
    vector_of,
)
from tests.app.postgres.database.conftest import OpenNode, administer

T = TypeVar("T")

NODES, TURNS = 4, 10
PROCESSES, STEPS = 3, 40


def together(work: Callable[[int], T], count: int) -> list[T]:
    """Run `work(number)` in threads that start at the same moment."""
    start = Barrier(count)

    def run(number: int) -> T:
        start.wait()
        return work(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


@pytest.fixture
def nodes(open_node: OpenNode) -> list[PostgresStore]:
    """Stores over one database, each with connections of its own."""
    return [open_node(max_pool_size=3) for _ in range(NODES)]


def test_what_one_node_writes_the_others_see(nodes: Sequence[PostgresStore]) -> None:
    first, second, *_ = nodes
    memory = add(first, "tea", slot="drink")
    assert read(second, memory.id) == memory
    newer = add(second, "coffee", slot="drink")
    assert [each.superseded for each in scan_all(first, superseded=True)] == [True, False]
    assert commit(first, adding("coffee")).outcomes[0].memory_id == newer.id
    assert memory.node_id == newer.node_id, "the store is one, whoever writes to it"


def test_the_same_text_is_added_once_and_its_workspace_made_once(nodes: Sequence[PostgresStore]) -> None:
    def add_same(number: int) -> list[ChangeState]:
        changes = [adding(f"text {turn}", tags=(f"from-{number}",)) for turn in range(TURNS)]
        return [commit(nodes[number], change).outcomes[0].state for change in changes]

    states = [state for some in together(add_same, NODES) for state in some]
    assert states.count(ChangeState.CREATED) == TURNS
    for memory in scan_all(nodes[0]):
        assert set(memory.tags) == {f"from-{number}" for number in range(NODES)}
    assert [each.scope for each in nodes[0].workspaces.list_workspaces("acme", limit=9).items] == [HERE]


def test_one_statement_of_a_slot_stands(nodes: Sequence[PostgresStore]) -> None:
    together(lambda number: [add(nodes[number], f"in {number}-{turn}", slot="home") for turn in range(TURNS)], NODES)
    assert len(scan_all(nodes[0])) == 1
    assert len(scan_all(nodes[0], superseded=True)) == NODES * TURNS


def test_an_id_is_taken_once(nodes: Sequence[PostgresStore]) -> None:
    def take(number: int) -> bool:
        try:
            add(nodes[number], f"text of {number}", id="0" * 32)
        except AlreadyExists:
            return False
        return True

    assert together(take, NODES).count(True) == 1


@pytest.mark.parametrize("in_a_workspace", [True, False])
def test_a_receipt_lets_one_batch_through(nodes: Sequence[PostgresStore], in_a_workspace: bool) -> None:
    receipt = Receipt(key="k", request_sha256="1")
    changes = (adding("tea"), adding("milk")) if in_a_workspace else (Delete(memory_id="0" * 32),)
    committed = together(lambda number: commit(nodes[number], *changes, receipt=receipt, skip_missing=True), NODES)
    assert sorted(one.replayed for one in committed) == [False] + [True] * (NODES - 1)
    assert len({tuple(outcome.memory_id for outcome in one.outcomes) for one in committed}) == 1


def test_batches_that_name_the_same_memories_in_any_order(nodes: Sequence[PostgresStore]) -> None:
    ids = [add(nodes[0], f"text {number}").id for number in range(8)]

    def use_all(number: int) -> None:
        for turn in range(TURNS):
            order = ids[turn % 8 :] + ids[: turn % 8]
            commit(nodes[number], *(RecordUse(memory_id=each) for each in (order if number % 2 else order[::-1])))

    together(use_all, NODES)
    assert {memory.frequency for memory in scan_all(nodes[0])} == {NODES * TURNS}


def test_the_first_vector_stamps_the_store_once(dsn: str, open_node: OpenNode) -> None:
    """Processes with different embeddings that write the first vectors at once: one embedding wins."""
    other = EmbeddingIdentity(model="other-8", dimensions=8)
    nodes = [
        open_store(dsn, identity=identity, clock=SystemClock(), min_pool_size=1, max_pool_size=2)
        for identity in (IDENTITY, other) * 2
    ]

    def write(number: int) -> bool:
        try:
            commit(nodes[number], adding(f"text {number}"), scope=(HERE, THERE)[number // 2])
        except EmbeddingMismatch:
            return False
        return True

    try:
        written = together(write, 4)
        stamped = nodes[0].spaces.identity()
        assert written == [identity == stamped for identity in (IDENTITY, other) * 2]
    finally:
        for node in nodes:
            node.close()


def test_a_workspace_that_is_deleted_while_others_write_to_it_is_whole_or_gone(nodes: Sequence[PostgresStore]) -> None:
    def work(number: int) -> int:
        done = 0
        for turn in range(TURNS):
            if number == 0:
                try:
                    done += nodes[0].workspaces.delete_workspace(HERE)
                except NotFound:
                    continue
            elif number == 1:
                nodes[1].jobs.enqueue(HERE, "embed", {"n": turn})
            else:
                add(nodes[number], f"text {number}-{turn}")
                done += 1
        return done

    deleted, _, *added = together(work, NODES)
    left = scan_all(nodes[0])
    assert deleted + len(left) == sum(added)
    assert nodes[0].memories.contents(HERE).memories == len(left)


def run_steps(dsn: str, number: int) -> list[str]:
    """What a process of its own does: additions of its own and shared texts, slots, updates, uses and deletions.

    Returns the ids of the memories that it made and left as they were.
    """
    store = open_store(dsn, identity=IDENTITY, clock=SystemClock(), min_pool_size=1, max_pool_size=2)
    scopes, kept = (HERE, THERE), []
    try:
        for step in range(STEPS):
            scope = scopes[step % 2]
            outcomes = commit(
                store,
                adding(f"own {number} {step}"),
                adding(f"shared {step}", tags=(f"p{number}",)),
                adding(f"home {number} {step}", slot="home", user_id="ann"),
                scope=scope,
                receipt=Receipt(key=f"{number}-{step}", request_sha256="x"),
            ).outcomes
            own = outcomes[0].memory
            assert own is not None
            if step % 4 == 0:
                commit(store, Delete(memory_id=own.id), scope=scope)
                continue
            if step % 4 == 1:
                commit(store, updating(own, content=f"changed {number} {step}"), scope=scope)
            commit(
                store, *(RecordUse(memory_id=each.memory_id) for each in outcomes[:2]), scope=scope, skip_missing=True
            )
            kept.append(own.id)
        return kept
    finally:
        store.close()


@pytest.mark.slow
def test_processes_keep_every_invariant(dsn: str, open_node: OpenNode) -> None:
    context = multiprocessing.get_context("spawn")
    with context.Pool(PROCESSES) as pool:
        kept = pool.starmap_async(run_steps, [(dsn, number) for number in range(PROCESSES)]).get(180)
    node = open_node()
    every = {scope: scan_all(node, scope, superseded=True) for scope in (HERE, THERE)}
    check_clock([memory for memories in every.values() for memory in memories])
    for scope, memories in every.items():
        check_workspace(node, scope, memories)
    ids = {memory.id for memories in every.values() for memory in memories}
    assert ids >= {memory_id for some in kept for memory_id in some}
    shared = [memory for memories in every.values() for memory in memories if memory.content.startswith("shared")]
    assert len(shared) == STEPS
    assert all(set(memory.tags) == {f"p{number}" for number in range(PROCESSES)} for memory in shared)
    assert administer(dsn, "SELECT count(*) FROM receipts") == [(PROCESSES * STEPS,)]
    assert administer(dsn, "SELECT count(*) FROM commit_marks WHERE NOT committed") == [(0,)]


def check_clock(memories: list[Memory]) -> None:
    """`seq` and `hlc` grow together over all workspaces, and no two writes have the same."""
    by_seq = sorted(memories, key=lambda memory: memory.seq)
    assert len({memory.seq for memory in by_seq}) == len(by_seq)
    assert [memory.hlc for memory in by_seq] == sorted({memory.hlc for memory in by_seq})
    assert all(hlc_ms(memory.hlc) >= memory.created_ms for memory in by_seq)


def check_workspace(node: PostgresStore, scope: Scope, memories: list[Memory]) -> None:
    """Ids are unique, texts that stand are too, one statement of the slot stands, and the counts are right."""
    assert len({memory.id for memory in memories}) == len(memories)
    standing = texts([memory for memory in memories if not memory.superseded])
    assert len(set(standing)) == len(standing)
    assert len([text for text in standing if text.startswith("home")]) == 1
    contents = node.memories.contents(scope)
    whole = [memory for memory in memories if not memory.revision_of]
    assert contents.memories == len(whole)
    assert contents.text_bytes == sum(len(memory.content.encode()) for memory in whole)
    found = node.index.nearest(scope, vector_of("tea"), ALL, limit=10_000, exact=True)
    assert len(found) == len(standing)
