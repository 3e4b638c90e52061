"""`reme mcp` as clients start it: a process that speaks the protocol on its standard output, and nothing else."""

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from click.testing import CliRunner
from mcp import Client, StdioServerParameters, stdio_client

from app.commands.main import cli
from app.domain.access import Role
from app.errors import MemoryServiceError
from tests.app.mcp.serving import serving, text_of
from tests.servers.waiting import PATIENCE_S

ROOT = Path(__file__).parents[3]
COMMAND = (sys.executable, "-m", "app", "mcp")
ENVIRONMENT = {"REME_EMBEDDING__BACKEND": "hashing", "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "default"}


@asynccontextmanager
async def started(place: Path, *arguments: str, mode: str = "auto", **environment: str) -> AsyncIterator[Client]:
    """The official client of a process in a folder; what it says on standard error is in log.txt."""
    parameters = StdioServerParameters(
        command=COMMAND[0], args=[*COMMAND[1:], *arguments], cwd=place, env={**ENVIRONMENT, **environment}
    )
    with (place / "log.txt").open("w") as log:
        async with Client(stdio_client(parameters, errlog=log), mode=mode) as client:
            yield client


pytestmark = pytest.mark.slow


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_a_client_keeps_and_finds_in_the_store_of_a_folder(place: Path, mode: str) -> None:
    async def run() -> None:
        async with started(place, "--workspace", "notes", mode=mode) as client:
            added = await client.call_tool("add_memory", {"content": "Ada likes tea"})
            assert not added.is_error, text_of(added)
            elsewhere = await client.call_tool("search_memory", {"query": "tea", "workspace_id": "other"})
            assert elsewhere.structured_content == {"hits": []}
        # What one process kept, the next one finds.
        async with started(place, "--workspace", "notes", "--compat", mode=mode) as client:
            found = await client.call_tool("search_memory", {"query": "tea"})
            assert [hit["memory"]["content"] for hit in found.structured_content["hits"]] == ["Ada likes tea"]
            old = await client.call_tool("retrieve_personal_memory", {"query": "tea"})
            assert text_of(old) == "Ada likes tea"
            listed = await client.call_tool("list_workspaces", {})
            assert [item["id"] for item in listed.structured_content["items"]] == ["notes"]

    anyio.run(run)
    log = (place / "log.txt").read_text()
    assert "Ada" not in log
    assert "Traceback" not in log


def test_a_key_in_the_store_does_not_shut_its_owner_out(place: Path) -> None:
    async def run() -> None:
        async with started(place) as client:
            assert not (await client.call_tool("add_memory", {"content": "Ada likes tea"})).is_error

    subprocess.run(
        [sys.executable, "-m", "app", "keys", "issue", "laptop"],
        cwd=place,
        env=ENVIRONMENT,
        check=True,
        capture_output=True,
    )
    anyio.run(run)


def test_a_running_service_is_asked_with_the_rights_of_a_key(place: Path) -> None:
    with serving(place) as served:
        reader = served.issue(Role.READER, "acme:own")
        user = served.issue(Role.USER, "acme:own")

        async def run() -> None:
            options = ("--url", served.url, "--key-env", "SOME_KEY", "--workspace", "acme:own")
            async with started(place, *options, SOME_KEY=user) as client:
                assert not (await client.call_tool("add_memory", {"content": "Ada likes tea"})).is_error
                other = await client.call_tool("search_memory", {"query": "tea", "workspace_id": "acme:other"})
                assert text_of(other).startswith("not-found: ")
            async with started(place, *options, SOME_KEY=reader) as client:
                found = await client.call_tool("search_memory", {"query": "tea"})
                assert [hit["memory"]["content"] for hit in found.structured_content["hits"]] == ["Ada likes tea"]
                refused = await client.call_tool("add_memory", {"content": "x"})
                assert text_of(refused).startswith("forbidden: ")
            async with started(place, "--url", served.url) as client:
                refused = await client.call_tool("search_memory", {"query": "tea"})
                assert text_of(refused).startswith("unauthenticated: ")

        anyio.run(run)
    assert not (place / ".reme" / "memory.db").exists()


def test_a_service_that_is_not_there_is_told(place: Path) -> None:
    async def run() -> None:
        async with started(place, "--url", "http://127.0.0.1:9") as client:
            assert len((await client.list_tools()).tools) > 10
            result = await client.call_tool("search_memory", {"query": "tea"})
            assert text_of(result).startswith("unavailable: ")

    anyio.run(run)


def test_a_call_that_is_given_up_leaves_the_others_alone(place: Path) -> None:
    turns = [{"role": "user", "content": f"I like dish number {number}"} for number in range(400)]

    async def run() -> None:
        async with started(place) as client:
            with anyio.move_on_after(0.05):
                await client.call_tool("remember_conversation", {"messages": turns})
            with anyio.fail_after(PATIENCE_S):
                assert not (await client.call_tool("add_memory", {"content": "Ada likes tea"})).is_error

    anyio.run(run)


def test_standard_output_holds_the_protocol_and_nothing_else(place: Path) -> None:
    hello = {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    }
    messages: list[Any] = [
        {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        "this is no message",
        {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "search_memory", "arguments": {}}},
        {"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": {"name": 5}},
        {"jsonrpc": "2.0", "id": 4, "method": "tools/list"},
    ]
    process = subprocess.Popen(
        COMMAND,
        cwd=place,
        env=ENVIRONMENT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    for each in messages:
        process.stdin.write((each if isinstance(each, str) else json.dumps(each)) + "\n")
    process.stdin.flush()
    answers: list[Any] = []
    while {answer.get("id") for answer in answers} < {1, 2, 3, 4}:
        answers.append(json.loads(process.stdout.readline()))
    rest, complaints = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, rest) == (0, ""), complaints
    assert all(answer["jsonrpc"] == "2.0" for answer in answers)
    [failed] = [answer for answer in answers if answer.get("id") == 3]
    assert "error" in failed
    assert "Traceback" not in complaints


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--key-env", "SOME_KEY"], "--url"),
        (["--url", "ftp://x"], "http://host:8002"),
        (["--url", "http://x", "--key-env", "REME_NO_SUCH_KEY"], "REME_NO_SUCH_KEY"),
        (["--workspace", "../x"], "workspace id '../x' is not allowed"),
        (["--tenant", "../x"], "is not allowed"),
    ],
)
def test_options_that_make_no_sense_are_refused(place: Path, arguments: list[str], words: str) -> None:
    outcome = CliRunner().invoke(cli, ["mcp", *arguments])
    assert isinstance(outcome.exception, MemoryServiceError)
    assert words in outcome.exception.message
    assert not (place / ".reme").exists()
