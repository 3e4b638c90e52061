"""Notes for an index on several nodes: each is claimed by one, and none is lost, whoever dies."""

import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from time import monotonic, sleep
from typing import NoReturn

import psycopg
import pytest

from app.backends.clock import SteppingClock
from app.backends.postgres import PostgresStore
from app.domain.change import ChangeBatch, Delete, RecordUse, Restore
from app.domain.indexing import IndexEntry
from app.domain.memory import Memory
from tests.app.contract.samples import HERE, THERE, add, adding, change, changed, commit, scan_all, updating
from tests.app.postgres.operations.conftest import Nodes, OpenNode
from tests.app.postgres.operations.others import PROCESSES, die, open_other, run_and_kill, run_in_processes
from tests.servers.waiting import PATIENCE_S, wait_until

pytestmark = pytest.mark.xdist_group("postgres")

LEASE_MS = 30_000
MEMORIES = 120


@pytest.fixture
def nodes(open_node: OpenNode) -> Nodes:
    """Two nodes of one database, whose feed is attached."""
    one, other = open_node(), open_node()
    assert one.feed.attach("mark") == 0
    return one, other


def claim(node: PostgresStore, limit: int = 1000) -> Sequence[IndexEntry]:
    return node.feed.claim(limit, lease_ms=LEASE_MS)


def fill(node: PostgresStore, count: int = MEMORIES) -> None:
    """Add memories to two workspaces."""
    for scope in (HERE, THERE):
        changes = tuple(adding(f"note {number}") for number in range(count // 2))
        node.memories.commit(ChangeBatch(scope=scope, changes=changes))


def tell_all(node: PostgresStore) -> list[int]:
    """Claim and settle a few at a time until nothing is left to claim; returns the numbers."""
    told: list[int] = []
    while entries := claim(node, 7):
        node.feed.settle(entries)
        told += [entry.number for entry in entries]
    return told


def tell_all_there(dsn: str) -> list[int]:
    node = open_other(dsn)
    try:
        return tell_all(node)
    finally:
        node.close()


def test_each_note_is_claimed_by_one_thread_of_one_node(nodes: Nodes) -> None:
    fill(nodes[0])
    waiting = nodes[1].feed.waiting(limit=1000)
    with ThreadPoolExecutor(8) as threads:
        told = [number for part in threads.map(tell_all, nodes * 4) for number in part]
    assert sorted(told) == sorted(waiting)
    assert len(told) == MEMORIES
    assert not nodes[0].feed.waiting(limit=1)


@pytest.mark.slow
def test_each_note_is_claimed_by_one_process(nodes: Nodes, dsn: str) -> None:
    fill(nodes[0])
    told = run_in_processes(tell_all_there, [(dsn,)] * PROCESSES)
    assert sorted(number for part in told for number in part) == sorted({number for part in told for number in part})
    assert sum(map(len, told)) == MEMORIES
    assert not nodes[0].feed.waiting(limit=1)


def claim_and_die(dsn: str) -> NoReturn:
    assert len(claim(open_other(dsn))) == MEMORIES
    die()


@pytest.mark.slow
def test_notes_of_a_node_that_dies_between_claim_and_settling_are_not_lost(
    nodes: Nodes, dsn: str, clock: SteppingClock
) -> None:
    fill(nodes[0])
    run_and_kill(claim_and_die, dsn)
    assert len(nodes[0].feed.waiting(limit=1000)) == MEMORIES
    clock.step(LEASE_MS - 1)
    assert not claim(nodes[0])
    clock.step(1)
    entries = claim(nodes[1])
    assert len(entries) == MEMORIES
    assert all(entry.is_held for entry in entries)


def test_a_memory_that_another_node_changes_between_claim_and_settling_stays_noted(nodes: Nodes) -> None:
    one, other = nodes
    memory, same = add(one, "tea"), add(one, "milk")
    entries = claim(one)
    memory = changed(other, updating(memory, tags=("a",)))
    one.feed.settle(entries)
    (entry,) = claim(other)
    assert entry.memory == memory
    assert entry.claim > max(each.claim for each in entries)
    assert same.id != memory.id


def test_settling_waits_for_no_change_and_no_change_for_settling(nodes: Nodes, dsn: str, clock: SteppingClock) -> None:
    """A note that a transaction is writing anew is left alone: it stays until its lease ends."""
    one, other = nodes
    for text in ("tea", "milk"):
        add(one, text)
    entries = claim(one)
    with psycopg.connect(dsn) as connection:
        connection.execute("UPDATE chunks_default SET author = 'ann' WHERE text = 'tea'")
        begun = monotonic()
        one.feed.settle(entries)
        one.feed.release(entries)
        assert monotonic() - begun < PATIENCE_S / 3  # waiting for the row would end with half of it
        connection.rollback()
    (left,) = other.feed.waiting(limit=9)
    clock.step(LEASE_MS)
    (entry,) = claim(other)
    assert (entry.number, entry.memory is not None and entry.memory.author) == (left, "")


def test_what_is_written_while_an_index_is_attached_is_noted(open_node: OpenNode, dsn: str) -> None:
    writers = (open_node(), open_node())
    attaching = open_node()
    finished = Event()
    written: list[int] = []

    def write(thread: int) -> None:
        number = 0
        while not finished.is_set():
            add(writers[thread % 2], f"text {thread} {number}", scope=(HERE, THERE)[thread % 2])
            written.append(thread)
            number += 1

    def advance() -> None:
        """Wait until each thread has begun and ended a writing."""
        goal = {thread: written.count(thread) + 2 for thread in range(4)}
        wait_until(
            lambda: finishes_early() or all(written.count(thread) >= goal[thread] for thread in goal), "more writing"
        )

    def finishes_early() -> bool:
        return any(each.done() for each in writing)

    with ThreadPoolExecutor(4) as threads:
        writing = [threads.submit(write, thread) for thread in range(4)]
        try:
            advance()
            noted = attaching.feed.attach("mark")
            advance()
        finally:
            finished.set()
        for each in writing:
            each.result()
    assert 0 < noted < len(written)
    with psycopg.connect(dsn) as connection:
        numbers = [number for (number,) in connection.execute("SELECT number FROM chunks_default").fetchall()]
    assert sorted(attaching.feed.waiting(limit=10**6)) == sorted(numbers)


def test_nothing_is_noted_behind_a_detaching(nodes: Nodes) -> None:
    one, other = nodes
    finished = Event()

    def write(thread: int) -> None:
        number = 0
        while not finished.is_set():
            add(one, f"text {thread} {number}")
            number += 1

    with ThreadPoolExecutor(3) as threads:
        writing = [threads.submit(write, thread) for thread in range(3)]
        sleep(0.2)
        other.feed.detach()
        assert not other.feed.waiting(limit=1)
        sleep(0.2)
        finished.set()
        for each in writing:
            each.result()
    assert not one.feed.waiting(limit=1)
    assert one.feed.attached() == ""


def test_nodes_that_attach_at_once_note_everything_once(open_node: OpenNode) -> None:
    nodes = [open_node() for _ in range(3)]
    fill(nodes[0])
    with ThreadPoolExecutor(3) as threads:
        noted = list(threads.map(lambda node: node.feed.attach("mark"), nodes))
    assert sorted(noted) == [0, 0, MEMORIES]
    assert len(nodes[0].feed.waiting(limit=1000)) == MEMORIES


class Copy:
    """An index as a dict: what was told last of each number."""

    def __init__(self) -> None:
        self.held: dict[int, Memory] = {}

    def follow(self, node: PostgresStore, seed: int, finished: Event) -> None:
        """Tell what is noted, slowly, and now and then fail before it, or die after it."""
        chance = random.Random(seed)  # noqa: S311 - repeatable, not secret
        while True:
            last = finished.is_set()
            entries = claim(node, chance.randint(1, 12))
            if not entries and last:
                return
            sleep(chance.uniform(0, 0.03))
            fate = chance.random()
            if fate < 0.1:
                node.feed.release(entries)
                continue
            for entry in entries:
                if entry.memory is not None and entry.is_held:
                    self.held[entry.number] = entry.memory
                else:
                    self.held.pop(entry.number, None)
            if fate > 0.9:
                continue  # as if it had died: the notes come back when their lease has ended
            node.feed.settle(entries)


def change_at_random(node: PostgresStore, seed: int) -> None:
    """Add, change, use, delete and restore memories of a workspace of its own, several in a batch."""
    chance = random.Random(seed)  # noqa: S311 - repeatable, not secret
    scope = (HERE, THERE)[seed % 2]
    memories = [add(node, f"text {seed} {number}", scope=scope) for number in range(10)]
    for turn in range(40):
        place = chance.randrange(len(memories))
        memory = memories[place]
        match chance.randrange(5):
            case 0:
                memories.append(add(node, f"more {seed} {turn}", scope=scope))
            case 1:
                memories[place] = changed(node, updating(memory, tags=(f"t{turn}",)), scope=scope)
            case 2:
                memories[place] = changed(node, updating(memory, content=f"new {seed} {turn}"), scope=scope)
            case 3:
                change(node, Delete(memory_id=memory.id), scope=scope)
                memories[place] = changed(node, Restore(memory_id=memory.id), scope=scope)
            case _:
                several = chance.sample(memories, min(5, len(memories)))
                uses = [RecordUse(memory_id=each.id, utility=1.0) for each in several]
                patches = [updating(each, author=f"a{turn}") for each in several]
                commit(node, *uses, *patches, scope=scope)


@pytest.mark.slow
def test_whoever_follows_the_notes_holds_what_the_store_holds(nodes: Nodes, dsn: str, clock: SteppingClock) -> None:
    """Four writers and four followers on two nodes, some of which fail or die."""
    copy, finished = Copy(), Event()
    with ThreadPoolExecutor(8) as threads:
        following = [threads.submit(copy.follow, nodes[n % 2], n, finished) for n in range(4)]
        writing = [threads.submit(change_at_random, nodes[n % 2], n) for n in range(4)]
        for each in writing:
            each.result()
        finished.set()
        for each in following:
            each.result()
    clock.step(LEASE_MS)
    copy.follow(nodes[0], 1, finished)
    while nodes[0].feed.waiting(limit=1):
        clock.step(LEASE_MS)
        copy.follow(nodes[0], 2, finished)
    stored = [memory for scope in (HERE, THERE) for memory in scan_all(nodes[1], scope, superseded=True)]
    assert len(stored) > 40
    assert {(memory.id, memory.content, memory.tags, memory.author) for memory in copy.held.values()} == {
        (memory.id, memory.content, memory.tags, memory.author) for memory in stored
    }
    assert len(copy.held) == len(stored)
