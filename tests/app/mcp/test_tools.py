"""Every tool does what its name says, through the official client, in both generations of the protocol."""

import re
from collections.abc import Mapping
from typing import Any

import anyio
import jsonschema
import pytest
from fastapi.routing import iter_route_contexts
from mcp import Client, MCPError

from app.mcp.tools import COMPATIBLE, TOOLS, choose_tools
from tests.app.mcp.serving import Served, connected, text_of

MODES = pytest.mark.parametrize("mode", ["auto", "legacy"])


async def call(client: Client, tool: str, **arguments: Any) -> Mapping[str, Any]:
    """The structured result of a call that must succeed."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, text_of(result)
    assert isinstance(result.structured_content, dict)
    return result.structured_content


@MODES
def test_a_memory_from_its_first_to_its_last_day(served: Served, mode: str) -> None:
    async def run() -> None:
        async with connected(served.url, mode=mode) as client:
            ws = f"life-{mode}"
            added = await call(client, "add_memory", workspace_id=ws, content="Ada likes tea", user_id="ada")
            assert added["state"] == "created"
            again = await call(client, "add_memory", workspace_id=ws, content="Ada likes tea", user_id="ada")
            assert again["state"] == "duplicate"
            memory_id = added["memory"]["id"]
            hits = (await call(client, "search_memory", workspace_id=ws, query="tea", user_ids=["ada"]))["hits"]
            assert [hit["memory"]["id"] for hit in hits] == [memory_id]
            assert (await call(client, "search_memory", workspace_id=ws, query="tea", user_ids=["bob"])) == {"hits": []}
            changed = await call(
                client, "update_memory", workspace_id=ws, memory_id=memory_id, content="Ada likes coffee", version=1
            )
            assert (changed["content"], changed["version"]) == ("Ada likes coffee", 2)
            used = await call(client, "record_use", workspace_id=ws, memory_ids=[memory_id])
            assert [memory["id"] for memory in used["memories"]] == [memory_id]
            whole = await call(client, "get_memory", workspace_id=ws, memory_id=memory_id)
            assert (whole["frequency"], whole["utility"], whole["workspace_id"]) == (1, 1.0, ws)
            listed = await call(client, "list_memories", workspace_id=ws)
            assert [memory["id"] for memory in listed["items"]] == [memory_id]
            assert ws in [each["id"] for each in (await call(client, "list_workspaces", limit=1000))["items"]]
            assert await call(client, "delete_memory", workspace_id=ws, memory_id=memory_id) == {}
            gone = await client.call_tool("get_memory", {"workspace_id": ws, "memory_id": memory_id})
            assert gone.is_error
            assert text_of(gone).startswith("not-found: ")
            usage = await call(client, "get_usage", only_workspace_id=ws)
            assert {line["operation"] for line in usage["lines"]} >= {"add", "update", "delete", "retrieve"}

    anyio.run(run)


@MODES
def test_conversations_and_tools_are_learned_from(served: Served, mode: str) -> None:
    async def run() -> None:
        async with connected(served.url, mode=mode) as client:
            ws = f"learn-{mode}"
            turns = [{"role": "user", "content": "I like coffee"}]
            remembered = await call(client, "remember_conversation", workspace_id=ws, messages=turns, user_id="ada")
            assert [memory["content"] for memory in remembered["memories"]] == ["I like coffee"]
            assert (await call(client, "remember_conversation", workspace_id=ws, messages=turns))["inserted"] == 1
            calls = [{"tool_name": "web_search", "input": {"q": "x"}, "output": "timed out", "success": False}]
            recorded = await call(client, "record_tool_calls", workspace_id=ws, calls=calls)
            assert recorded == {"received": 1, "filtered": 0, "deduplicated": 0, "added": 1}
            assert await call(client, "get_tool_guidelines", workspace_id=ws, tool_names=["none"]) == {"tools": []}
            summed = await call(client, "summarise_tools", workspace_id=ws, tool_names=["web_search"])
            assert summed["tools"][0]["tool_name"] == "web_search"
            assert "timed out" in summed["tools"][0]["guideline"]
            assert await call(client, "get_tool_guidelines", workspace_id=ws, tool_names=["web_search"]) == summed

    anyio.run(run)


def test_filters_reach_the_search(served: Served) -> None:
    async def run() -> None:
        async with connected(served.url) as client:
            ws = "filters"
            for priority in (1, 5):
                await call(
                    client,
                    "add_memory",
                    workspace_id=ws,
                    content=f"deploy step {priority}",
                    type="task",
                    tags=["deploy"],
                    metadata={"priority": priority},
                )
            wanted = {"query": "deploy", "types": ["task"], "tags": ["deploy"], "metadata": {"priority": {"gte": 3}}}
            hits = (await call(client, "search_memory", workspace_id=ws, **wanted))["hits"]
            assert [hit["memory"]["content"] for hit in hits] == ["deploy step 5"]
            later = {"query": "deploy", "since": "2999-01-01T00:00:00Z"}
            assert (await call(client, "search_memory", workspace_id=ws, **later))["hits"] == []
            bad = await client.call_tool("search_memory", {"query": "x", "metadata": {"priority": {"above": 3}}})
            assert bad.is_error
            assert "above" in text_of(bad)

    anyio.run(run)


def test_a_conversation_is_shortened_and_read_again(served: Served) -> None:
    output = "\n".join(f"{number:04}: {'the disk is slow' if number % 50 == 0 else 'ok'}" for number in range(2000))
    messages = [
        {"role": "user", "content": "what does the log say?"},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "read_log", "arguments": "{}"}}],
        },
        {"role": "tool", "tool_call_id": "c1", "content": output},
        *({"role": "user", "content": f"and then? {number}"} for number in range(12)),
    ]

    async def run() -> None:
        async with connected(served.url) as client:
            done = await call(
                client, "shorten_conversation", workspace_id="short", messages=messages, max_total_tokens=3000
            )
            assert done["tokens_after"] < done["tokens_before"]
            note = next(message["content"] for message in done["messages"] if message["role"] == "tool")
            path = re.search(r'file_path="([^"]+)"', note)
            assert path is not None
            place = {"workspace_id": "short", "file_path": path[1]}
            lines = await call(client, "read_working_memory", **place, offset=50, limit=2)
            assert lines["text"] == "0050: the disk is slow\n0051: ok"
            found = await call(client, "grep_working_memory", **place, pattern="disk", limit=3)
            assert [match["line"] for match in found["matches"]] == [1, 51, 101]
            foreign = await client.call_tool("read_working_memory", {**place, "workspace_id": "other"})
            assert foreign.is_error

    anyio.run(run)


def test_tools_are_described_for_models(served: Served) -> None:
    async def run() -> None:
        async with connected(served.url) as client:
            listed = {tool.name: tool for tool in (await client.list_tools()).tools}
            assert list(listed) == list(choose_tools(compatible=True))
            for tool in listed.values():
                jsonschema.Draft202012Validator.check_schema(tool.input_schema)
                assert tool.input_schema["type"] == "object"
                assert tool.description
                assert tool.annotations is not None
                assert tool.annotations.open_world_hint is False
            for own in TOOLS:
                schema = listed[own.name].output_schema
                assert schema is not None
                jsonschema.Draft202012Validator.check_schema(schema)
            reading = {name for name, tool in listed.items() if tool.annotations and tool.annotations.read_only_hint}
            assert {"search_memory", "get_memory", "list_memories", "get_usage"} <= reading
            destructive = {
                name for name, tool in listed.items() if tool.annotations and tool.annotations.destructive_hint
            }
            assert destructive == {"update_memory", "delete_memory", "delete_task_memory", "vector_store"}
            assert client.instructions is not None
            assert "workspace" in client.instructions

    anyio.run(run)


def test_every_compatible_tool_is_an_endpoint(served: Served) -> None:
    paths = {str(route.path) for route in iter_route_contexts(served.app.routes)}
    assert {f"/{tool.name}" for tool in COMPATIBLE} <= paths
    assert not {tool.name for tool in COMPATIBLE} & set(choose_tools(compatible=False))


def test_a_compatible_tool_returns_only_the_answer(served: Served) -> None:
    async def run() -> None:
        async with connected(served.url) as client:
            turns = [{"messages": [{"role": "user", "content": "I like coffee"}]}]
            done = await client.call_tool("summary_personal_memory", {"workspace_id": "u1", "trajectories": turns})
            assert (done.is_error, text_of(done)) == (False, "")
            found = await client.call_tool("retrieve_personal_memory", {"workspace_id": "u1", "query": "coffee"})
            assert text_of(found) == "I like coffee"
            assert found.structured_content is None
            for wrong, words in (
                ({"workspace_id": "u1"}, "body.query: Field required"),
                ({"workspace_id": 5, "query": "coffee"}, "workspace_id is no text"),
                ({"workspace_id": "../x", "query": "coffee"}, "is not allowed"),
            ):
                refused = await client.call_tool("retrieve_personal_memory", wrong)
                assert refused.is_error
                assert words in text_of(refused)

    anyio.run(run)


@MODES
@pytest.mark.parametrize(
    ("tool", "arguments", "words"),
    [
        ("search_memory", {}, "query: Field required"),
        ("search_memory", {"query": ""}, "query: "),
        ("search_memory", {"query": "x", "top_k": 0}, "top_k: "),
        ("search_memory", {"query": "x", "querry": "x"}, "querry: Extra inputs"),
        ("search_memory", {"query": "x", "since": "yesterday"}, "give a date and time"),
        ("search_memory", {"query": "x", "workspace_id": "../x"}, "workspace_id: "),
        ("search_memory", {"query": 5}, "query: "),
        ("add_memory", {"content": "x", "type": "dream"}, "type: "),
        ("add_memory", {"content": "x" * 40_000}, "content: "),
        ("get_memory", {"memory_id": "1"}, "memory_id: "),
        ("update_memory", {"memory_id": "0" * 32}, "invalid-request: the patch changes nothing"),
        ("remember_conversation", {"messages": []}, "messages: "),
        ("get_tool_guidelines", {"tool_names": ["a,b"]}, "tool_names.0: "),
        ("get_usage", {"from_day": "today"}, "from_day: "),
        ("list_memories", {"cursor": "nonsense"}, "invalid-request: "),
        ("list_memories", {"since": "9999-12-31T23:59:59-12:00"}, "since: give a moment of the years 1 to 9999"),
    ],
)
def test_wrong_arguments_are_told_to_the_model(
    served: Served, mode: str, tool: str, arguments: dict[str, Any], words: str
) -> None:
    async def run() -> None:
        async with connected(served.url, mode=mode) as client:
            result = await client.call_tool(tool, arguments)
            assert result.is_error
            assert words in text_of(result)
            assert "Traceback" not in text_of(result)
            assert "x" * 1000 not in text_of(result)

    anyio.run(run)


def test_a_tool_that_does_not_exist_is_an_error_of_the_protocol(served: Served) -> None:
    async def run() -> None:
        async with connected(served.url) as client:
            with pytest.raises(MCPError, match="there is no tool 'forget_all'"):
                await client.call_tool("forget_all", {})

    anyio.run(run)


def test_a_key_among_the_arguments_is_not_repeated(served: Served) -> None:
    secret = "rk_" + "0" * 32

    async def run() -> None:
        async with connected(served.url) as client:
            for arguments in ({"query": "x", secret: "y"}, {"query": "x", "cursor": secret}):
                result = await client.call_tool("search_memory", arguments)
                assert result.is_error
                assert secret not in text_of(result)

    anyio.run(run)
