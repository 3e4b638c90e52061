"""Tools: calls kept once, summaries by rule, names matched exactly, and many writers at once."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.access import Role
from app.domain.conversation import ToolCall
from app.domain.memory import Memory, MemoryDraft, MemoryKind, MemoryPatch
from app.domain.query import MemoryFilter
from app.errors import Forbidden, InvalidRequest, NotFound, VersionConflict
from app.service.items import write_item
from app.service.tool_calls import CALLS, KEPT_BYTES, KEPT_CALLS, TEXT_CHARACTERS, merge, read_calls, record
from app.service.tool_summaries import SUMMARY_CHARACTERS, summarise
from app.service.tools import Tools
from tests.app.service.conftest import Bench, make_bench, principal

WORKSPACE = "u1"
ANA = principal(Role.ADMIN)


def _call(tool_name: str = "search", number: int = 0, **fields: Any) -> ToolCall:
    given: dict[str, Any] = {"input": {"query": f"q{number}"}, "output": f"result {number}", "success": True}
    return ToolCall(tool_name=tool_name, **{**given, **fields})


class Shed:
    """Tools over a bench, with short ways to use them."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.tools = Tools(memories=bench.memories, retrieval=bench.retrieval)

    def record(self, *calls: ToolCall) -> Any:
        return self.tools.record_calls(ANA, WORKSPACE, calls)

    def summarise(self, *names: str) -> Any:
        return self.tools.summarise(ANA, WORKSPACE, names)

    def get(self, name: str) -> Memory:
        (memory,) = self.tools.retrieve(ANA, WORKSPACE, [name])
        return memory

    def rows(self) -> list[Memory]:
        return list(self.bench.memories.scan(ANA, WORKSPACE, MemoryFilter(), limit=1000, superseded=True).items)


@pytest.fixture
def shed(benches: Callable[[], Bench]) -> Shed:
    return Shed(benches())


def test_a_first_call_makes_the_tool_known(shed: Shed) -> None:
    recorded = shed.record(
        _call(create_time="2026-11-22 11:52:21", token_cost=120, time_cost_s=0.4, metadata={"model": "m"})
    )
    assert (recorded.total_input, recorded.valid, recorded.filtered) == (1, 1, 0)
    assert (recorded.deduplicated, recorded.added, recorded.created, recorded.updated) == (0, 1, 1, 0)
    (memory,) = recorded.memories
    assert memory.kind is MemoryKind.TOOL
    assert memory.when_to_use == "search"
    assert memory.metadata["tool_name"] == "search"
    assert memory.score == 1.0
    item = json.loads(json.dumps(write_item(memory)))
    (call,) = item["tool_call_results"]
    assert set(call) == {
        "create_time", "tool_name", "input", "output", "token_cost", "success", "time_cost",
        "summary", "evaluation", "score", "is_summarized", "call_hash", "metadata",
    }  # fmt: skip
    assert call["create_time"] == "2026-11-22 11:52:21"
    assert call["input"] == {"query": "q0"}
    assert (call["token_cost"], call["time_cost"], call["success"]) == (120, 0.4, True)
    assert (call["score"], call["is_summarized"], call["metadata"]) == (1.0, False, {"model": "m"})
    assert len(call["call_hash"]) == 64


def test_more_calls_join_those_that_are_there(shed: Shed) -> None:
    shed.record(_call(number=1), _call("fetch", 1))
    recorded = shed.record(_call(number=1), _call(number=2), _call(number=2), _call("fetch", 1), _call("mail", 1))
    assert [
        (tool.tool_name, tool.received, tool.deduplicated, tool.added, tool.created) for tool in recorded.tools
    ] == [
        ("search", 3, 2, 1, False),
        ("fetch", 1, 1, 0, False),
        ("mail", 1, 0, 1, True),
    ]
    assert (recorded.created, recorded.updated) == (1, 1)
    assert [call["output"] for call in read_calls(shed.get("search").details)] == ["result 1", "result 2"]
    assert len(shed.rows()) == 3


def test_time_and_cost_make_no_other_call_but_success_does(shed: Shed) -> None:
    shed.record(_call())
    again = shed.record(_call(create_time="2026-01-01 00:00:00", token_cost=9, time_cost_s=3.0, metadata={"a": 1}))
    assert (again.deduplicated, again.added) == (1, 0)
    assert shed.record(_call(success=False)).added == 1
    assert shed.record(_call(output="other")).added == 1
    assert shed.record(_call(input={"query": "q0", "limit": 1})).added == 1
    assert shed.record(_call(input='{"limit": 1, "query": "q0"}')).added == 0


def test_calls_without_a_name_are_counted_and_left_out(shed: Shed) -> None:
    recorded = shed.record(_call(""), _call("  "), _call("x" * 257), _call("a\nb"), _call(" search "))
    assert (recorded.total_input, recorded.valid, recorded.filtered) == (5, 1, 4)
    assert [memory.when_to_use for memory in recorded.memories] == ["search"]
    nothing = shed.record(_call(""))
    assert (nothing.memories, nothing.filtered, nothing.added) == ((), 1, 0)
    assert shed.record().total_input == 0


def test_the_newest_hundred_are_kept(shed: Shed) -> None:
    for start in range(0, 260, 65):
        shed.record(*(_call(number=number) for number in range(start, start + 65)))
    memory = shed.get("search")
    calls = read_calls(memory.details)
    assert [call["output"] for call in calls] == [f"result {number}" for number in range(260 - KEPT_CALLS, 260)]
    statistics = memory.details["statistics"]
    assert isinstance(statistics, dict)
    assert (statistics["total_calls"], statistics["calls"]) == (260, KEPT_CALLS)


def test_large_calls_are_cut_and_the_oldest_make_room(shed: Shed) -> None:
    shed.record(*(_call(number=number, input="入" * 9000, output=f"{number} " + "出" * 9000) for number in range(100)))
    memory = shed.get("search")
    calls = read_calls(memory.details)
    assert 40 < len(calls) < 100
    assert len(json.dumps(calls, ensure_ascii=False).encode()) <= KEPT_BYTES + 1000
    assert str(calls[-1]["output"]).startswith("99 ")
    assert all(len(str(call["output"])) <= TEXT_CHARACTERS for call in calls)


@pytest.mark.parametrize(
    "given",
    [
        {"deep": [[[[[[[[[[[[1]]]]]]]]]]]]},
        {"nan": float("nan")},
        {"huge": 2**70},
        {"": "an empty key"},
        {"k" * 2000: 1},
        {"long": "x" * 5000},
        {"text": "NUL \x00 and half a pair \ud83d"},
    ],
    ids=lambda given: next(iter(given))[:5] or "empty",
)
def test_an_input_that_cannot_be_kept_as_it_is_is_kept_as_text(shed: Shed, given: dict[str, Any]) -> None:
    shed.record(_call(input=given, output="NUL \x00, \ud83d", metadata=given))
    (call,) = read_calls(shed.get("search").details)
    for name in ("input", "metadata"):
        text = call[name]
        assert isinstance(text, str)
        assert 2 <= len(text) <= TEXT_CHARACTERS
    assert call["output"] == "NUL \ufffd, ?"


def test_names_are_matched_exactly(shed: Shed) -> None:
    shed.record(_call("web_search"), _call("web"), _call("search"), _call("Web_Search"))
    assert [
        memory.when_to_use for memory in shed.tools.retrieve(ANA, WORKSPACE, ["web", "web_search", "web", " web "])
    ] == [
        "web",
        "web_search",
    ]
    assert shed.tools.retrieve(ANA, WORKSPACE, ["sea", "web search", ""]) == ()
    assert shed.tools.retrieve(ANA, WORKSPACE, []) == ()


def test_a_summary_tells_what_the_calls_show(shed: Shed) -> None:
    good = [_call(number=n, input={"query": f"q{n}", "limit": n}, time_cost_s=0.4, token_cost=100) for n in range(8)]
    bad = [
        _call(number=n, input={"query": f"q{n}", "limit": "many", "debug": True}, success=False, output=error)
        for n, error in enumerate(["Timeout after 31 s", "Timeout after 29 s", "limit must be a number"])
    ]
    shed.record(*good, *bad, _call(input={}, success=False, output=""))
    result = shed.summarise("search", "unknown")
    assert (result.summarised, result.skipped, result.missing) == (("search",), (), ("unknown",))
    (memory,) = result.memories
    assert memory.content.splitlines() == [
        "search: about 7 of 10 calls succeed, seen in 10 or more calls.",
        "A call takes about 0.3 s and about 70 tokens.",
        "Commonest errors: Timeout after 29 s; limit must be a number; no output.",
        (
            "Parameters: successes give limit, query; only failures give debug; "
            "limit is a number in successes, a text in failures."
        ),
        'Example that worked: {"limit": 0, "query": "q0"}',
        'Example that failed: {"debug": true, "limit": "many", "query": "q0"}',
        "Advice: Check every result, and be ready to call again. Give the parameters that successes give.",
    ]
    assert memory.details["statistics"] == {
        "total_calls": 12,
        "calls": 12,
        "successes": 8,
        "success_rate": 0.6667,
        "average_time_cost": 0.2667,
        "average_token_cost": 66.67,
        "errors": [
            {"message": "Timeout after 29 s", "count": 2},
            {"message": "limit must be a number", "count": 1},
            {"message": "no output", "count": 1},
        ],
    }
    assert memory.score == pytest.approx(8 / 12)
    assert all(call["is_summarized"] for call in read_calls(memory.details))
    assert [call["summary"] for call in read_calls(memory.details)][-4:] == [
        "Timeout after 31 s",
        "Timeout after 29 s",
        "limit must be a number",
        "no output",
    ]


def test_a_tool_without_new_calls_is_skipped(shed: Shed) -> None:
    shed.record(_call())
    first = shed.summarise("search")
    again = shed.summarise("search")
    assert (again.summarised, again.skipped) == ((), ("search",))
    assert again.memories == first.memories
    shed.record(_call())
    assert shed.summarise("search").skipped == ("search",)
    shed.record(_call(number=1))
    assert shed.summarise("search").summarised == ("search",)


def test_recording_makes_no_revision_and_summarising_only_when_the_words_change(shed: Shed) -> None:
    for number in range(30):
        shed.record(_call(number=number, time_cost_s=0.4 + number / 1000))
    assert len(shed.rows()) == 1
    shed.summarise("search")
    assert len(shed.rows()) == 2
    for number in range(30, 49):
        shed.record(_call(number=number, time_cost_s=0.4 - number / 10_000))
        assert shed.summarise("search").summarised == ("search",)
    assert len(shed.rows()) == 2
    shed.record(*(_call(number=number, success=False, output="Denied") for number in range(40)))
    shed.summarise("search")
    assert len(shed.rows()) == 3
    assert "Commonest errors: Denied." in shed.get("search").content


def test_a_tool_that_was_deleted_begins_anew(shed: Shed) -> None:
    memory = shed.record(_call()).memories[0]
    shed.bench.memories.delete(ANA, WORKSPACE, [memory.id])
    assert shed.tools.retrieve(ANA, WORKSPACE, ["search"]) == ()
    recorded = shed.record(_call(number=1))
    assert recorded.created == 1
    assert [call["output"] for call in read_calls(shed.get("search").details)] == ["result 1"]


def test_an_imported_memory_is_found_by_its_use_and_goes_on(shed: Shed) -> None:
    imported = MemoryDraft(
        kind=MemoryKind.TOOL,
        content="Searches the web.",
        when_to_use="web_search",
        details={CALLS: [{"tool_name": "web_search", "output": "x"}, "no record"]},
    )
    shed.bench.memories.add(ANA, WORKSPACE, [imported])
    assert shed.get("web_search").content == "Searches the web."
    recorded = shed.record(_call("web_search"))
    assert (recorded.created, recorded.updated) == (0, 1)
    memory = shed.get("web_search")
    assert memory.metadata["tool_name"] == "web_search"
    assert len(read_calls(memory.details)) == 2
    assert shed.summarise("web_search").summarised == ("web_search",)
    assert len([row for row in shed.rows() if not row.superseded]) == 1


def test_many_writers_lose_no_call(benches: Callable[[], Bench]) -> None:
    shed = Shed(benches())
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda number: shed.record(_call(number=number)), range(40)))
    assert sum(result.created for result in results) == 1
    assert sum(result.added for result in results) == 40
    outputs = {call["output"] for call in read_calls(shed.get("search").details)}
    assert outputs == {f"result {number}" for number in range(40)}
    assert len([row for row in shed.rows() if not row.superseded]) == 1


def test_several_processes_lose_no_call(benches: Callable[[], Bench]) -> None:
    """Each of its own `Tools`, so that only the versions keep them apart."""
    bench = benches()
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda number: Shed(bench).record(_call(number=number)), range(24)))
    outputs = {call["output"] for call in read_calls(Shed(bench).get("search").details)}
    assert outputs == {f"result {number}" for number in range(24)}


def test_writers_and_summaries_at_once_lose_no_call(benches: Callable[[], Bench]) -> None:
    shed = Shed(benches())

    def work(number: int) -> None:
        shed.record(_call(number=number))
        shed.summarise("search")

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(30)))
    standing = [row for row in shed.rows() if not row.superseded]
    assert len(standing) == 1
    assert {call["output"] for call in read_calls(standing[0].details)} == {f"result {number}" for number in range(30)}
    shed.summarise("search")
    assert all(call["is_summarized"] for call in read_calls(shed.get("search").details))


def test_a_memory_made_in_between_is_taken_over(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process makes and summarises the tool's memory after this one has looked for it."""
    shed, other = Shed(bench), Shed(bench)
    find = Tools._find
    looked: list[str] = []

    def look(self: Tools, *given: Any) -> Memory | None:
        found = find(self, *given)
        if not looked:
            looked.append("once")
            other.record(_call(number=1))
            other.summarise("search")
        return found

    monkeypatch.setattr(Tools, "_find", look)
    recorded = shed.record(_call(number=2))
    assert recorded.created == 0
    assert [call["output"] for call in read_calls(shed.get("search").details)] == ["result 1", "result 2"]
    assert len([row for row in shed.rows() if not row.superseded]) == 1


def test_endless_conflicts_are_told(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    shed = Shed(bench)
    shed.record(_call())

    def conflict(*given: Any, **named: Any) -> Memory:
        raise VersionConflict

    monkeypatch.setattr(type(bench.memories), "update", conflict)
    with pytest.raises(VersionConflict):
        shed.record(_call(number=1))


def test_who_may(shed: Shed) -> None:
    reader, stranger = principal(Role.READER), principal(Role.ADMIN, "other")
    with pytest.raises(Forbidden):
        shed.tools.record_calls(reader, WORKSPACE, [])
    with pytest.raises(Forbidden):
        shed.tools.summarise(reader, WORKSPACE, [])
    shed.record(_call())
    assert len(shed.tools.retrieve(reader, WORKSPACE, ["search"])) == 1
    with pytest.raises(NotFound):
        shed.tools.record_calls(stranger, WORKSPACE, [_call()])
    with pytest.raises(NotFound):
        shed.tools.summarise(stranger, WORKSPACE, ["search"])
    with pytest.raises(NotFound):
        shed.tools.retrieve(stranger, WORKSPACE, ["search"])
    assert shed.tools.retrieve(ANA, "u2", ["search"]) == ()
    assert shed.tools.record_calls(principal(Role.SERVICE_ACCOUNT), WORKSPACE, [_call(number=1)]).added == 1


def test_limits(shed: Shed) -> None:
    with pytest.raises(InvalidRequest, match="1,001 calls are too many"):
        shed.record(*[_call()] * 1001)
    with pytest.raises(InvalidRequest, match="101 tools are too many"):
        shed.summarise(*(f"t{number}" for number in range(101)))


def test_a_changed_memory_keeps_what_others_noted_in_it(shed: Shed) -> None:
    memory = shed.record(_call()).memories[0]
    patch = MemoryPatch(metadata={**memory.metadata, "team": "a"}, details={**memory.details, "note": "mine"})
    shed.bench.memories.update(ANA, WORKSPACE, memory.id, patch)
    shed.record(_call(number=1))
    shed.summarise("search")
    changed = shed.get("search")
    assert (changed.metadata["team"], changed.details["note"]) == ("a", "mine")


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
OBJECTS = st.dictionaries(
    st.text(max_size=8), st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3)), max_size=4
)
TOOL_CALLS = st.builds(
    ToolCall,
    tool_name=st.sampled_from(["a", "b"]),
    input=OBJECTS | st.text(max_size=50),
    output=st.text(max_size=200),
    success=st.booleans(),
    token_cost=st.integers(0, 10**6),
    time_cost_s=st.floats(0, 1e4),
    metadata=OBJECTS,
)


@settings(max_examples=80)
@given(st.lists(TOOL_CALLS, max_size=12))
def test_any_calls_are_kept_and_summarised(calls: list[ToolCall]) -> None:
    shed = Shed(make_bench())
    recorded = shed.record(*calls)
    assert recorded.added + recorded.deduplicated == len(calls) == recorded.valid
    assert shed.record(*calls).added == 0
    result = shed.summarise("a", "b")
    for memory in result.memories:
        assert 0 < len(memory.content) <= SUMMARY_CHARACTERS
        assert memory.content == summarise(memory.when_to_use, read_calls(memory.details)).strip()


@given(st.lists(st.integers(0, 30), max_size=60), st.lists(st.integers(0, 30), max_size=60))
def test_merging_keeps_each_once_and_the_newest_last(old: list[int], new: list[int]) -> None:
    kept, _ = merge((), [record(_call(number=number)) for number in old])
    merged, added = merge(kept, [record(_call(number=number)) for number in new])
    hashes = [call["call_hash"] for call in merged]
    assert len(hashes) == len(set(hashes)) == len(set(old) | set(new))
    assert added == len(set(new) - set(old))
    assert merged[: len(kept)] == kept
