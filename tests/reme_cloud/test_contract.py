"""What a memory does, wherever it is kept and however it is called."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import pytest

from reme_cloud import (
    AsyncMemory,
    IdempotencyConflict,
    InvalidRequest,
    Message,
    NewMemory,
    NotFound,
    Origin,
    ToolCall,
    VersionConflict,
)
from tests.reme_cloud.conftest import Use

MISSING = "0" * 32


def test_a_memory_is_kept_with_all_that_was_said_of_it(use: Use) -> None:
    new = NewMemory(
        content="Drain the node first",
        type="task",
        when_to_use="deploy",
        author="ops",
        tags=("deploy", "node"),
        metadata=MappingProxyType({"priority": 3}),
        details={"steps": ["drain", "deploy"]},
        score=0.5,
        slot="deploy",
        origin=Origin(path="runbook.md", source="wiki", start_line=3, end_line=9),
        valid_from=datetime(2026, 1, 2, tzinfo=UTC),
        valid_to=datetime(2999, 1, 1, 12, tzinfo=UTC),
    )

    async def steps(memory: AsyncMemory) -> None:
        added = await memory.add(new)
        assert (added.state, added.replayed, added.superseded_ids) == ("created", False, ())
        kept = await memory.get(added.memory.id)
        assert kept == added.memory
        names = ("content", "type", "when_to_use", "author", "tags", "details", "score", "slot", "origin")
        assert all(getattr(kept, name) == getattr(new, name) for name in names)
        assert (kept.valid_from, kept.valid_to) == (new.valid_from, new.valid_to)
        assert (kept.metadata, kept.layer, kept.version) == ({"priority": 3}, "distilled", 1)
        assert abs(kept.created_at - datetime.now(UTC)) < timedelta(minutes=5)

    use(steps)


def test_the_same_again_is_a_duplicate(use: Use) -> None:
    async def steps(memory: AsyncMemory) -> None:
        first = await memory.add("Ada likes tea", user_id="ada", tags=["drinks"], metadata={"sure": True})
        assert (first.memory.user_id, first.memory.tags) == ("ada", ("drinks",))
        again = await memory.add("Ada likes tea", user_id="ada")
        assert (again.state, again.memory.id) == ("duplicate", first.memory.id)
        outcomes = await memory.add_many(
            [NewMemory(content="Ada likes tea", user_id="ada"), NewMemory(content="Bob likes rum", user_id="bob")]
        )
        assert [outcome.state for outcome in outcomes] == ["duplicate", "created"]
        assert outcomes[0].id == first.memory.id

    use(steps)


def test_a_newer_statement_supersedes_an_older(use: Use) -> None:
    async def steps(memory: AsyncMemory) -> None:
        old = await memory.add("Lives in Paris", user_id="ada", slot="home")
        new = await memory.add("Lives in Rome", user_id="ada", slot="home")
        assert new.superseded_ids == (old.memory.id,)
        assert [each.content async for each in memory.list()] == ["Lives in Rome"]
        assert {each.content async for each in memory.list(superseded=True)} == {"Lives in Paris", "Lives in Rome"}

    use(steps)


def test_a_request_with_a_key_of_its_own_is_done_once(use: Use) -> None:
    async def steps(memory: AsyncMemory) -> None:
        first = await memory.add("one", idempotency_key="k1")
        again = await memory.add("one", idempotency_key="k1")
        assert (again.memory.id, again.replayed) == (first.memory.id, True)
        with pytest.raises(IdempotencyConflict):
            await memory.add("two", idempotency_key="k1")
        assert [each.content async for each in memory.list()] == ["one"]

    use(steps)


def test_a_search_finds_and_filters(use: Use) -> None:
    async def steps(memory: AsyncMemory) -> None:
        await memory.add_many(
            [
                NewMemory(content="Ada drinks coffee", user_id="ada", tags=("a", "b"), metadata={"priority": 1}),
                NewMemory(content="Bob drinks coffee", user_id="bob", tags=("a",), metadata={"priority": 5}),
                NewMemory(content="Grind coffee last", type="task", when_to_use="making coffee"),
            ]
        )

        async def found(**filters: Any) -> set[str]:
            result = await memory.search("coffee", **filters)
            assert result.took_ms > 0
            assert all(0 <= hit.score <= 1 for hit in result.hits)
            return {hit.memory.content for hit in result.hits}

        assert await found() == {"Ada drinks coffee", "Bob drinks coffee", "Grind coffee last"}
        assert await found(users=["ada"]) == {"Ada drinks coffee"}
        assert await found(tags=["a", "b"]) == {"Ada drinks coffee"}
        assert await found(types=["task"]) == {"Grind coffee last"}
        assert await found(metadata={"priority": {"gte": 3}}) == {"Bob drinks coffee"}
        assert await found(metadata={"priority": 1}) == {"Ada drinks coffee"}
        assert await found(since=datetime.now(UTC) + timedelta(days=1)) == set()
        assert await found(until=datetime(2020, 1, 1)) == set()  # noqa: DTZ001 - a time without a zone is UTC
        assert await found(as_of=datetime(2020, 1, 1, tzinfo=UTC)) == set()
        assert len((await memory.search("coffee", top_k=1)).hits) == 1
        assert (await memory.search("coffee", mode="keyword", mmr_lambda=0.5, half_life_days=30)).hits
        assert {each.content async for each in memory.list(types=["task"])} == {"Grind coffee last"}
        assert {each.content async for each in memory.list(users=["ada"], tags=["a"])} == {"Ada drinks coffee"}

    use(steps)


def test_a_listing_has_as_many_pages_as_it_needs(use: Use) -> None:
    async def steps(memory: AsyncMemory) -> None:
        await memory.add_many([NewMemory(content=f"note {number}") for number in range(450)])
        seen = [each.content async for each in memory.list()]
        assert seen == [f"note {number}" for number in range(450)]
        some = []
        async for each in memory.list():
            some.append(each.content)
            if len(some) == 3:
                break
        assert some == seen[:3]

    use(steps)


def test_a_memory_is_changed_and_deleted(use: Use) -> None:
    async def steps(memory: AsyncMemory) -> None:
        kept = (await memory.add("Ada likes tea", tags=["drinks"])).memory
        changed = await memory.update(kept.id, content="Ada likes coffee", tags=[], metadata={"n": 1}, version=1)
        assert (changed.content, changed.tags, changed.metadata) == ("Ada likes coffee", (), {"n": 1})
        assert changed.version == 2
        with pytest.raises(VersionConflict):
            await memory.update(kept.id, content="Ada likes milk", version=1)
        with pytest.raises(VersionConflict):
            await memory.delete(kept.id, version=1)
        await memory.delete(kept.id, version=2)
        for call in (memory.get(kept.id), memory.delete(kept.id), memory.update(kept.id, content="x")):
            with pytest.raises(NotFound, match=kept.id):
                await call

    use(steps)


def test_a_conversation_is_remembered(use: Use) -> None:
    async def steps(memory: AsyncMemory) -> None:
        turns: list[Any] = [
            Message(role="user", content="I like coffee", created_at=datetime(2026, 1, 2, tzinfo=UTC)),
            {"role": "assistant", "content": "Noted."},
            {"role": "user", "content": [{"type": "text", "text": "I live in Rome"}]},
        ]
        first = await memory.remember(turns, user_id="ada")
        assert {each.content for each in first.memories} == {"I like coffee", "I live in Rome"}
        assert (first.inserted, first.extractor) == (2, "rule")
        again = await memory.remember(turns, user_id="ada")
        assert (again.inserted, again.raw_ids) == (0, first.raw_ids)
        raw = await memory.get(first.raw_ids[0])
        assert (raw.layer, raw.content) == ("raw", "I like coffee")
        run = await memory.remember(
            [{"role": "user", "content": "Deploy the service"}, {"role": "assistant", "content": "Done: drain first."}],
            kind="task",
            score=1.0,
            task_id="t1",
        )
        assert run.raw_ids

    use(steps)


def test_uses_are_counted(use: Use) -> None:
    async def steps(memory: AsyncMemory) -> None:
        kept = (await memory.add("Ada likes tea")).memory
        [used] = await memory.record_use([kept.id, MISSING], utility=0.5)
        assert (used.id, used.frequency, used.utility) == (kept.id, 1, 0.5)

    use(steps)


def test_tools_are_learned_from(use: Use) -> None:
    call = ToolCall(tool_name="web_search", input={"q": "x"}, output="timed out", success=False, time_cost_s=2.5)

    async def steps(memory: AsyncMemory) -> None:
        recorded = await memory.record_tool_calls([call, call, ToolCall(tool_name="")])
        assert (recorded.received, recorded.filtered, recorded.deduplicated, recorded.added) == (3, 1, 1, 1)
        assert await memory.tool_guidelines(["none"]) == ()
        [guideline] = await memory.tool_guidelines(["web_search"], summarise=True)
        assert guideline.tool_name == "web_search"
        assert "timed out" in guideline.text
        assert await memory.tool_guidelines(["web_search", "none"]) == (guideline,)
        with pytest.raises(InvalidRequest, match="name"):
            await memory.record_tool_calls([ToolCall(tool_name="")])
        with pytest.raises(InvalidRequest, match="comma"):
            await memory.tool_guidelines(["a,b"])

    use(steps)


def test_a_workspace_moves_with_its_history(use: Use) -> None:
    async def steps(memory: AsyncMemory) -> None:
        kept = (await memory.add("Ada likes tea")).memory
        await memory.update(kept.id, content="Ada likes coffee")
        lines = [line async for line in memory.export()]
        assert len(lines) == 2
        copy = f"copy-of-{kept.workspace_id}"

        async def following() -> Any:
            for line in lines:
                yield line

        report = await memory.import_lines(following(), workspace=copy)
        assert (report.read, report.created, report.rejected) == (2, 2, ())
        assert (await memory.get(kept.id, workspace=copy)).content == "Ada likes coffee"
        report = await memory.import_lines([*lines, "nonsense"], workspace=copy)
        assert (report.created, report.duplicates) == (0, 2)
        [(line, reason)] = report.rejected
        assert line == 3
        assert reason

    use(steps)


def test_an_export_keeps_every_end_of_line_of_unicode(use: Use) -> None:
    text = "one\u2028two\u2029three\x85four\x0bfive"

    async def steps(memory: AsyncMemory) -> None:
        await memory.add(text, metadata={"note": text})
        [line] = [line async for line in memory.export()]
        assert (line["content"], line["metadata"]["note"]) == (text, text)

    use(steps)


def test_use_and_workspaces_are_told(use: Use) -> None:
    async def steps(memory: AsyncMemory) -> None:
        kept = (await memory.add("Ada likes tea")).memory
        assert kept.workspace_id in [each.id async for each in memory.workspaces()]
        usage = await memory.usage(workspace=kept.workspace_id)
        [added] = [line for line in usage.lines if line.operation == "add"]
        assert (added.calls, added.items, usage.cost_usd) == (1, 1, Decimal(0))
        assert (await memory.usage(from_day="2000-01-01", to_day="2000-01-02")).lines == ()

    use(steps)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("add", {"memory": ""}, "content"),
        ("add", {"memory": "x", "type": "dream"}, "type"),
        ("add", {"memory": "x", "metadata": {"n": float("nan")}}, "metadata|JSON"),
        ("add", {"memory": NewMemory(content="x"), "user_id": "ada"}, "brings its own"),
        ("add", {"memory": "x", "workspace": "../x"}, "workspace"),
        ("add", {"memory": "x", "idempotency_key": ""}, "Idempotency-Key"),
        ("add", {"memory": "x", "idempotency_key": "a\nb"}, "Idempotency-Key"),
        ("import_lines", {"lines": ['{"content": "\ud800"}']}, "surrogate"),
        ("add_many", {"memories": []}, "memories"),
        ("search", {"query": ""}, "query"),
        ("search", {"query": "x", "top_k": 0}, "top_k"),
        ("search", {"query": "x", "mode": "magic"}, "mode"),
        ("search", {"query": "x", "metadata": {"n": {"above": 3}}}, "above"),
        ("get", {"memory_id": "1"}, "memory"),
        ("get", {"memory_id": "../../x"}, "memory"),
        ("update", {"memory_id": MISSING}, "changes nothing"),
        ("remember", {"messages": []}, "messages"),
        ("remember", {"messages": [{"role": "user"}]}, "content"),
        ("record_use", {"memory_ids": ["1"]}, "ids"),
        ("record_use", {"memory_ids": [MISSING], "utility": float("inf")}, "utility|JSON"),
        ("usage", {"from_day": "today"}, "from"),
    ],
)
def test_what_contradicts_a_rule_is_refused(use: Use, name: str, arguments: dict[str, Any], words: str) -> None:
    async def steps(memory: AsyncMemory) -> None:
        with pytest.raises(InvalidRequest, match=words):
            await getattr(memory, name)(**arguments)
        assert [each async for each in memory.list()] == []

    use(steps)


def test_an_id_that_is_taken_is_told_in_the_report(use: Use) -> None:
    async def steps(memory: AsyncMemory) -> None:
        kept = (await memory.add("Ada likes tea")).memory
        [line] = [line async for line in memory.export()]
        report = await memory.import_lines([{**line, "content": "Ada likes rum"}])
        assert report.created == 0
        assert len(report.rejected) == 1
        assert (await memory.get(kept.id)).content == "Ada likes tea"

    use(steps)
