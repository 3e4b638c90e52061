"""Offloads on several nodes: no object is left without somebody who removes it."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.backends.clock import SteppingClock
from app.backends.postgres import PostgresStore
from app.domain.memory import Scope
from app.domain.working import Offload, OffloadKind, Tier, identify, name_folder
from app.errors import NotFound
from tests.app.contract.samples import FOREIGN, HERE
from tests.app.postgres.operations.conftest import Nodes

pytestmark = pytest.mark.xdist_group("postgres")


def make(text: str, number: int = 0, *, scope: Scope = HERE, at_ms: int = 1000) -> Offload:
    """The offload of a text in an object of its own."""
    offload_id = identify(scope, OffloadKind.TOOL_OUTPUT, text)
    return Offload(
        id=offload_id,
        scope=scope,
        kind=OffloadKind.TOOL_OUTPUT,
        chat_id="",
        name="search",
        bytes=3,
        lines=1,
        sha256=text,
        object_name=f"{name_folder(scope)}{offload_id[:24]}{number:08x}",
        created_ms=at_ms,
        last_read_ms=at_ms,
    )


def test_of_offloads_of_one_text_at_once_all_but_one_are_returned_as_replaced(nodes: Nodes) -> None:
    made = [[make("tea", number), make("milk", number)] for number in range(24)]

    def put(number: int) -> tuple[Offload, ...]:
        return nodes[number % 2].working.put_offloads(made[number][:: 1 if number % 3 else -1])

    with ThreadPoolExecutor(12) as threads:
        replaced = [offload for part in threads.map(put, range(24)) for offload in part]
    kept = nodes[0].working.list_offloads(HERE, limit=9).items
    assert len(kept) == 2
    assert Counter(each.object_name for each in (*replaced, *kept)) == Counter(
        each.object_name for pair in made for each in pair
    )


def test_each_old_offload_expires_on_one_node(nodes: Nodes) -> None:
    old = [make(f"text {number}", scope=(HERE, FOREIGN)[number % 2]) for number in range(60)]
    nodes[0].working.put_offloads(old)
    nodes[0].working.put_offloads([make("young", at_ms=2000)])

    def expire(node: PostgresStore) -> list[str]:
        found: list[str] = []
        while gone := node.working.expire_offloads(created_before_ms=2000, limit=3):
            found += [each.object_name for each in gone]
        return found

    with ThreadPoolExecutor(6) as threads:
        gone = [name for part in threads.map(expire, nodes * 3) for name in part]
    assert sorted(gone) == sorted(each.object_name for each in old)
    assert len(nodes[1].working.list_offloads(HERE, limit=9).items) == 1


def test_an_offload_is_moved_or_removed_by_one(nodes: Nodes) -> None:
    for number in range(20):
        offload = make(f"text {number}")
        nodes[0].working.put_offloads([offload])

        def move(node: PostgresStore, name: str, offload: Offload = offload) -> bool:
            return node.working.move_offload(offload, tier=Tier.ARCHIVE, object_name=f"{offload.object_name}.{name}")

        with ThreadPoolExecutor(3) as threads:
            moved = [threads.submit(move, node, name) for node, name in zip(nodes, ("a", "b"), strict=True)]
            removed = threads.submit(nodes[1].working.delete_offload, HERE, offload.id).result()
        names = [f"{offload.object_name}.{name}" for name, one in zip("ab", moved, strict=True) if one.result()]
        assert len(names) <= 1
        assert removed.object_name == (names[0] if names else offload.object_name)


def test_what_one_node_offloads_the_other_reads(nodes: Nodes, clock: SteppingClock) -> None:
    offload = make("tea")
    nodes[0].working.put_offloads([offload])
    now_ms = clock.now_ms()
    nodes[1].working.mark_read(HERE, offload.id)
    assert nodes[0].working.get_offload(HERE, offload.id).last_read_ms == now_ms
    nodes[1].working.forget_offloads(HERE)
    try:
        found: Offload | None = nodes[0].working.get_offload(HERE, offload.id)
    except NotFound:
        found = None
    assert found is None
