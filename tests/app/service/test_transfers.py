"""Exports that lose nothing, imports that survive bad lines, copies that can be repeated."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from app.domain.access import Role
from app.domain.memory import Layer, Memory, MemoryKind, MemoryPatch, Origin
from app.domain.query import MemoryFilter, SearchQuery
from app.errors import AlreadyExists, Forbidden, InvalidRequest, NotFound
from app.service.conversations import MARK
from app.service.transfers import LINE_CHARACTERS, PORTION, ImportReport
from tests.app.service.conftest import Bench, draft, principal
from tests.app.service.test_items import UPSTREAM

ADMIN = principal()


@pytest.fixture
def bench(benches: Callable[[], Bench]) -> Bench:
    """Each backend in turn: what an import keeps is up to it as well."""
    return benches()


def everything(bench: Bench, workspace_id: str = "w") -> list[Memory]:
    found: list[Memory] = []
    cursor = ""
    while True:
        page = bench.memories.scan(ADMIN, workspace_id, MemoryFilter(), limit=1_000, cursor=cursor, superseded=True)
        found += page.items
        cursor = page.next_cursor
        if not cursor:
            return found


def fill(bench: Bench) -> None:
    """Memories of all kinds, one superseded by a newer statement, one revised, one deleted."""
    raw = bench.memories.add(
        ADMIN,
        "w",
        [draft("我喜欢绿茶。", layer=Layer.RAW, origin=Origin(path="chat-1", start_line=3, end_line=3), user_id="u1")],
    ).outcomes[0]
    bench.clock.step(10_007)
    bench.memories.add(
        ADMIN,
        "w",
        [
            draft(
                "likes green tea", user_id="u1", tags=("drinks",), source_ids=(raw.memory_id,), metadata={"freq": "x"}
            ),
            draft("lives in Oslo", user_id="u1", slot="home", details={"target": "u1", "own": [1]}),
            draft("read the first error", kind=MemoryKind.TASK, when_to_use="a build fails", score=0.8, frequency=3),
            draft("answers in a second", kind=MemoryKind.TOOL, details={"tool_call_results": [{"tool_name": "t"}]}),
            draft("gone", kind=MemoryKind.WORKING),
        ],
    )
    bench.clock.step(10_007)
    bench.memories.add(ADMIN, "w", [draft("lives in Bergen", user_id="u1", slot="home")])
    task = next(memory for memory in everything(bench) if memory.kind is MemoryKind.TASK)
    bench.clock.step(10_007)
    bench.memories.update(ADMIN, "w", task.id, MemoryPatch(content="read the very first error"))
    gone = next(memory for memory in everything(bench) if memory.content == "gone")
    bench.memories.delete(ADMIN, "w", [gone.id])
    bench.clock.step(10_007)


def lines(bench: Bench) -> list[str]:
    return [json.dumps(line) for line in bench.transfers.export(ADMIN, "w")]


def travelled(memory: Memory) -> Memory:
    """A memory without what belongs to the store that holds it."""
    return replace(memory, seq=0, hlc=0, node_id="", version=0, revision_of="")


def test_an_export_reads_back_the_same_elsewhere(bench: Bench, benches: Callable[[], Bench]) -> None:
    fill(bench)
    there = benches()
    there.clock.set(bench.clock.now_ms() + 60_000)
    exported = lines(bench)
    assert len(exported) == 7, "the superseded statement and the earlier revision too, the deleted one not"
    report = there.transfers.import_lines(ADMIN, "w", exported)
    assert report == ImportReport(read=7, created=7, duplicates=0)
    assert [travelled(memory) for memory in everything(there)] == [travelled(memory) for memory in everything(bench)]
    for text in ("green tea", "home Bergen", "build error"):
        queries = SearchQuery(text=text), SearchQuery(text=text, as_of_ms=bench.clock.now_ms() - 25_000)
        for query in queries:
            here_ids, there_ids = (
                [hit.memory.id for hit in each.retrieval.search(ADMIN, "w", query).hits] for each in (bench, there)
            )
            assert here_ids
            assert here_ids == there_ids


def test_a_second_import_makes_only_duplicates(bench: Bench, benches: Callable[[], Bench]) -> None:
    fill(bench)
    exported = lines(bench)
    before = everything(bench)
    assert bench.transfers.import_lines(ADMIN, "w", exported) == ImportReport(read=7, created=0, duplicates=7)
    assert everything(bench) == before
    there = benches()
    there.clock.set(bench.clock.now_ms())
    there.transfers.import_lines(ADMIN, "w", exported)
    assert there.transfers.import_lines(ADMIN, "w", exported) == ImportReport(read=7, created=0, duplicates=7)


def test_a_dump_of_the_old_api_is_read(bench: Bench) -> None:
    dump = [json.dumps(UPSTREAM[kind]) for kind in ("task", "personal")]
    assert bench.transfers.import_lines(ADMIN, "w", dump) == ImportReport(read=2, created=2, duplicates=0)
    task = bench.memories.get(ADMIN, "w", str(UPSTREAM["task"]["memory_id"]))
    assert (task.frequency, task.utility, task.created_ms) == (3, 2.0, 1_770_885_000_000)
    assert task.scope.workspace_id == "w"
    assert bench.transfers.import_lines(ADMIN, "w", dump).duplicates == 2
    with_short_id = json.dumps({**UPSTREAM["task"], "memory_id": "0123456789abcdef", "content": "other"})
    for state in ((1, 0), (0, 1)):
        report = bench.transfers.import_lines(ADMIN, "w", [with_short_id])
        assert (report.created, report.duplicates) == state


def test_bad_lines_are_named_and_the_others_go_on(bench: Bench) -> None:
    good = json.dumps(UPSTREAM["task"])
    report = bench.transfers.import_lines(
        ADMIN,
        "w",
        [
            "\n",
            good,
            "{",
            json.dumps(UPSTREAM["tool"]),
            json.dumps({**UPSTREAM["task"], "memory_id": "1" * 32, "content": "x" * 32_769}),
            json.dumps({**UPSTREAM["personal"], "content": "kept"}),
            "x" * (LINE_CHARACTERS + 1),
            json.dumps({**UPSTREAM["personal"], "memory_id": UPSTREAM["task"]["memory_id"]}),
            "   ",
            '{"memory_type": "task", "content": "\\ud800"}',
        ],
    )
    assert (report.read, report.created, report.duplicates) == (8, 2, 0)
    numbers = [number for number, _ in report.rejected]
    assert numbers == [3, 4, 5, 7, 8, 10]
    reasons = dict(report.rejected)
    assert "no JSON" in reasons[3]
    assert "content is empty" in reasons[4]
    assert "32,769 characters" in reasons[5]
    assert "4,000,001 characters" in reasons[7]
    assert "with another text" in reasons[8]
    assert "surrogate" in reasons[10]
    assert sorted(memory.content for memory in everything(bench)) == ["kept", "read the first error"]


def test_many_lines_go_in_portions_and_one_conflict_stops_none(bench: Bench) -> None:
    count = 2 * PORTION + 7
    made = [
        json.dumps({"memory_type": "task", "memory_id": f"{number:032x}", "content": f"step {number}"})
        for number in range(count)
    ]
    made[PORTION + 3] = json.dumps({"memory_type": "task", "memory_id": f"{1:032x}", "content": "another step"})
    taken: list[int] = []

    def walk() -> Iterator[str]:
        for number, line in enumerate(made):
            taken.append(len(everything(bench)) if number % PORTION == 5 else -1)
            yield line

    report = bench.transfers.import_lines(ADMIN, "w", walk())
    assert (report.created, report.duplicates) == (count - 1, 0)
    assert [number for number, _ in report.rejected] == [PORTION + 4]
    assert [size for size in taken if size >= 0] == [0, PORTION, 2 * PORTION - 1]


def test_an_export_holds_one_portion(bench: Bench) -> None:
    bench.memories.add(ADMIN, "w", [draft(f"number {number}") for number in range(PORTION + 1)])
    export = bench.transfers.export(ADMIN, "w")
    next(export)
    bench.memories.purge(ADMIN, "w")
    assert len(list(export)) == PORTION - 1


def test_rights_are_checked_before_an_export_is_read(bench: Bench) -> None:
    with pytest.raises(NotFound):
        bench.transfers.export(principal(Role.READER, "w1"), "w")
    with pytest.raises(Forbidden):
        bench.transfers.import_lines(principal(Role.READER), "w", [])
    assert list(bench.transfers.export(principal(Role.READER), "w")) == []


def test_a_copy_has_new_ids_and_keeps_what_names_what(bench: Bench) -> None:
    fill(bench)
    assert bench.transfers.copy(ADMIN, "w", "v") == 7
    here, there = everything(bench), everything(bench, "v")
    assert sorted(memory.content for memory in there) == sorted(memory.content for memory in here)
    assert not {memory.id for memory in here} & {memory.id for memory in there}
    child = next(memory for memory in there if memory.content == "likes green tea")
    raw = next(memory for memory in there if memory.layer is Layer.RAW)
    assert child.source_ids == (raw.id,)
    assert child.created_ms == next(memory for memory in here if memory.content == child.content).created_ms
    assert {memory.id[:12] for memory in there} == {memory.id[:12] for memory in here}
    bench.memories.add(ADMIN, "w", [draft("new")])
    assert bench.transfers.copy(ADMIN, "w", "v") == 1
    assert len(everything(bench, "v")) == 8


def test_a_copied_conversation_names_what_was_made_of_it(bench: Bench) -> None:
    made = bench.memories.add(ADMIN, "w", [draft("likes tea")]).outcomes[0].memory_id
    mark = {"extractor": "rule", "score": None, "memory_ids": [made]}
    hashed = {"call_hash": made}
    bench.memories.add(ADMIN, "w", [draft("I like tea.", layer=Layer.RAW, details={MARK: mark, "kept": hashed})])
    bench.transfers.copy(ADMIN, "w", "v")
    raw = next(memory for memory in everything(bench, "v") if memory.layer is Layer.RAW)
    child = next(memory for memory in everything(bench, "v") if memory.layer is Layer.DISTILLED)
    assert child.id != made
    assert raw.details == {MARK: {**mark, "memory_ids": [child.id]}, "kept": hashed}


def test_a_copy_says_what_it_could_not_copy(bench: Bench) -> None:
    bench.memories.add(ADMIN, "w", [draft("a"), draft("b")])
    bench.transfers.copy(ADMIN, "w", "v")
    changed = next(memory for memory in everything(bench, "v") if memory.content == "a")
    bench.memories.update(ADMIN, "v", changed.id, MemoryPatch(content="changed"))
    with pytest.raises(AlreadyExists, match="1 memories were not copied, 0 were; the first: "):
        bench.transfers.copy(ADMIN, "w", "v")


def test_a_copy_needs_both_workspaces(bench: Bench) -> None:
    bench.memories.add(ADMIN, "w", [draft("a")])
    with pytest.raises(InvalidRequest, match="into itself"):
        bench.transfers.copy(ADMIN, "w", "w")
    with pytest.raises(NotFound):
        bench.transfers.copy(principal(Role.USER, "v"), "w", "v")
    with pytest.raises(NotFound):
        bench.transfers.copy(principal(Role.USER, "w"), "w", "v")
    with pytest.raises(Forbidden):
        bench.transfers.copy(principal(Role.READER, "w", "v"), "w", "v")
    assert everything(bench, "v") == []


@pytest.mark.parametrize("first", ["\ufeff", "\ufeff\n", ""])
def test_a_byte_order_mark_before_the_first_line_is_left_out(bench: Bench, first: str) -> None:
    line = json.dumps({"memory_type": "task", "content": "tea"})
    report = bench.transfers.import_lines(ADMIN, "w", f"{first}{line}\n".splitlines(keepends=True))
    assert (report.read, report.created, report.rejected) == (1, 1, ())
    report = bench.transfers.import_lines(ADMIN, "w", [line, f"\ufeff{line}"])
    assert [number for number, _ in report.rejected] == [2]


def test_the_version_of_our_line_is_kept_where_the_memory_is_new(bench: Bench) -> None:
    fill(bench)
    bench.transfers.import_lines(ADMIN, "copy", lines(bench))
    versions = {memory.id: memory.version for memory in everything(bench)}
    assert max(versions.values()) > 1
    assert {memory.id: memory.version for memory in everything(bench, "copy")} == versions
    bench.transfers.import_lines(ADMIN, "w", lines(bench))
    assert {memory.id: memory.version for memory in everything(bench)} == versions
    line = {"memory_type": "task", "content": "tea", "reme": {"version": 0}}
    assert bench.transfers.import_lines(ADMIN, "w", [json.dumps(line)]).rejected[0][1].startswith("reme.version")
