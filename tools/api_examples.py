"""The requests that the reference of the HTTP API shows, and what the service answers to them.

Every one is sent to a service in memory, in this order. What differs from run to run (ids, times, durations, keys) is
replaced by one value each, so that a page changes only when the product does.
"""

import json
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.testclient import TestClient

from app.main import create_app
from app.settings import LogSettings, Settings
from app.telemetry.logs import configure_logs
from tools.steady_text import ID, lay_out, steady, steady_value

WORKSPACE = "demo"
LOG = "reme.log"
ADDRESS = "http://127.0.0.1:8002"
NDJSON = "application/x-ndjson"
JOB_S = 180.0
"""How long the job of an example may take; it takes some milliseconds, longer on a busy machine."""
V1 = "/v1/workspaces/{workspace_id}"
SEARCHED = {"workspace_id": WORKSPACE, "query": "coffee without sugar", "top_k": 1}
SAID = [{"role": "user", "content": "My name is Ada. I like coffee without sugar."}]
RUN = {
    "messages": [
        {"role": "user", "content": "Deploy the web service"},
        {"role": "assistant", "content": "I drain the node, then deploy. Deployed without an error."},
    ],
    "score": 1.0,
}
CALL = {
    "tool_name": "web_search",
    "input": {"query": "weather"},
    "output": "sunny",
    "success": True,
    "create_time": "2026-11-22 11:52:21",
    "token_cost": 120,
    "time_cost": 0.4,
}
LOGS = [
    {"role": "user", "content": "What does the log say?"},
    {
        "role": "assistant",
        "content": "",
        "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "read_log", "arguments": "{}"}}],
    },
    {
        "role": "tool",
        "tool_call_id": "c1",
        "content": "".join(f"line {number}: all is well\n" for number in range(1, 31)),
    },
    {"role": "assistant", "content": "Nothing unusual."},
]
TOO_LONG = {"max_total_tokens": 150, "max_tool_message_tokens": 50, "keep_recent_count": 1}
LINE = '{"memory_type": "task", "when_to_use": "deploy", "content": "Drain the node first"}\n'
CONDITIONS = {"priority": {"gte": 3}}
QUIET = frozenset({"/", "/docs", "/openapi.json", "/metrics"})
"""Pages and long texts: their answers are not shown."""


@dataclass(frozen=True, kw_only=True)
class Example:
    """A request. `path` and `query` may hold names in braces, which `run_examples` fills in."""

    method: str
    path: str
    query: str = ""
    body: Any = None
    lines: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    workspace: str = WORKSPACE


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A request as a curl command, and the status and body of its answer; the body is empty where it is not shown."""

    command: str
    status: int
    answer: str


def _post(path: str, body: Any, *headers: tuple[str, str]) -> Example:
    return Example(method="POST", path=path, body=body, headers=headers)


EXAMPLES: tuple[Example, ...] = (
    _post("/summary_personal_memory", {"workspace_id": WORKSPACE, "trajectories": [{"messages": SAID}]}),
    _post("/retrieve_personal_memory", SEARCHED),
    _post("/summary_task_memory", {"workspace_id": WORKSPACE, "trajectories": [RUN]}),
    _post("/summary_task_memory_simple", {"workspace_id": WORKSPACE, "trajectories": [RUN]}),
    _post(
        "/add_task_memory",
        {
            "workspace_id": WORKSPACE,
            "memory_list": [{"when_to_use": "a build runs out of memory", "content": "Lower the number of workers"}],
        },
    ),
    _post("/retrieve_task_memory", {**SEARCHED, "query": "the build ran out of memory"}),
    _post("/retrieve_task_memory_simple", {**SEARCHED, "query": "the build ran out of memory"}),
    _post(
        "/record_task_memory",
        {"workspace_id": WORKSPACE, "memory_dicts": [{"memory_id": "{task_id}"}], "update_utility": True},
    ),
    _post("/delete_task_memory", {"workspace_id": WORKSPACE, "freq_threshold": 5, "utility_threshold": 0.5}),
    _post("/add_tool_call_result", {"workspace_id": WORKSPACE, "tool_call_results": [CALL]}),
    _post("/summary_tool_memory", {"workspace_id": WORKSPACE, "tool_names": "web_search"}),
    _post("/retrieve_tool_memory", {"workspace_id": WORKSPACE, "tool_names": "web_search"}),
    *(
        _post(f"/summary_working_memory{name}", {"workspace_id": WORKSPACE, "messages": LOGS, **TOO_LONG})
        for name in ("", "_for_as")
    ),
    _post("/grep_working_memory", {"workspace_id": WORKSPACE, "file_path": "{file_path}", "pattern": "line 2[12]"}),
    _post("/read_working_memory", {"workspace_id": WORKSPACE, "file_path": "{file_path}", "offset": 20, "limit": 2}),
    _post("/vector_store", {"workspace_id": "copied", "action": "copy", "src_workspace_id": WORKSPACE}),
    _post("/search", {"workspace_id": WORKSPACE, "query": "coffee without sugar", "limit": 1}),
    _post("/auto_memory", {"workspace_id": WORKSPACE, "messages": [{"role": "user", "content": "I live in Lisbon"}]}),
    _post("/health_check", {}),
    _post("/version", {}),
    _post("/status", {"workspace_id": WORKSPACE}),
    _post("/v1/workspaces", {"id": "team:atlas", "name": "Atlas"}),
    Example(method="GET", path="/v1/workspaces", query="limit=1"),
    _post(
        V1 + "/memories",
        {
            "type": "personal",
            "content": "Prefers tea in the evening",
            "user_id": "ada",
            "tags": ["drinks"],
            "metadata": {"priority": 3},
        },
        ("Idempotency-Key", "evening-tea"),
    ),
    Example(method="GET", path=V1 + "/memories", query="type=personal&tag=drinks&limit=1"),
    Example(method="GET", path=V1 + "/memories/{memory_id}"),
    Example(
        method="PATCH",
        path=V1 + "/memories/{memory_id}",
        body={"content": "Prefers tea"},
        headers=(("If-Match", '"1"'),),
    ),
    _post(V1 + "/memories:batch", {"memories": [{"type": "task", "content": "Drain first", "when_to_use": "deploy"}]}),
    _post(V1 + "/memories:record-use", {"ids": ["{memory_id}"], "utility": 1.0}),
    _post(V1 + "/memories:delete-unused", {"frequency_threshold": 5, "utility_threshold": 0.5}),
    _post(
        V1 + "/search",
        {
            "query": "tea",
            "top_k": 1,
            "filter": {"types": ["personal"], "tags": ["drinks"], "metadata": CONDITIONS},
            "explain": True,
        },
    ),
    _post(V1 + "/conversations", {"kind": "personal", "user_id": "bob", "messages": [{**SAID[0], "name": "Bob"}]}),
    Example(method="GET", path=V1 + "/jobs/{job_id}"),
    Example(method="DELETE", path=V1 + "/memories/{memory_id}"),
    _post(V1 + "/memories/{memory_id}/restore", None),
    Example(method="GET", path=V1 + "/export"),
    Example(method="POST", path=V1 + "/import", lines=LINE),
    Example(method="GET", path=V1),
    Example(method="PATCH", path=V1, body={"name": "Demonstration"}),
    _post(V1 + "/working:compact", {"messages": LOGS, "chat_id": "chat-1", **TOO_LONG}),
    Example(method="GET", path=V1 + "/offloads", query="limit=1"),
    Example(method="GET", path=V1 + "/offloads/{offload_id}"),
    Example(method="GET", path=V1 + "/offloads/{offload_id}/text", query="offset=20&limit=2"),
    _post(V1 + "/offloads/{offload_id}/search", {"pattern": "line 2[12]", "ignore_case": False}),
    Example(method="DELETE", path=V1 + "/offloads/{offload_id}"),
    _post(V1 + "/users", {"id": "ada", "name": "Ada"}),
    Example(method="GET", path=V1 + "/users", query="limit=1"),
    Example(method="PUT", path=V1 + "/users/{user_id}", body={"name": "Ada", "metadata": {"team": "atlas"}}),
    Example(method="PATCH", path=V1 + "/users/{user_id}", body={"name": "Ada L."}),
    Example(method="GET", path=V1 + "/users/{user_id}"),
    Example(
        method="PUT",
        path=V1 + "/users/{user_id}/profile",
        body={"preferences": {"language": "zh", "units": {"length": "metric"}}},
    ),
    Example(
        method="PATCH",
        path=V1 + "/users/{user_id}/profile",
        body={"preferences": {"language": "en", "units": None}},
        headers=(("If-Match", '"1"'),),
    ),
    Example(method="GET", path=V1 + "/users/{user_id}/profile"),
    Example(method="DELETE", path=V1 + "/users/{user_id}/profile"),
    Example(method="DELETE", path=V1 + "/users/{user_id}"),
    _post(V1 + "/purge", {"user_id": "bob"}),
    Example(method="GET", path="/v1/usage", query="workspace=copied"),
    Example(method="PUT", path=V1 + "/spending", body={"daily_usd": 0.5, "monthly_usd": 10}),
    Example(method="GET", path=V1 + "/spending"),
    Example(method="GET", path=V1 + "/ledger", query="limit=1"),
    Example(method="DELETE", path=V1 + "/memories", query="purge=true"),
    Example(method="DELETE", path=V1, workspace="copied"),
    _post("/v1/admin/keys", {"name": "batch loader", "role": "service_account", "workspaces": ["team:*"]}),
    Example(method="GET", path="/v1/admin/keys"),
    _post("/v1/admin/keys/{key_id}/rotate", None),
    Example(method="DELETE", path="/v1/admin/keys/{key_id}"),
    *(Example(method="GET", path=path) for path in ("/health", "/livez", "/readyz", *sorted(QUIET))),
)


def make_app(folder: Path) -> FastAPI:
    """The service in memory, with the embedder that needs no weights."""
    return create_app(
        Settings.model_validate(
            {
                "working_dir": folder,
                "store": {"backend": "memory"},
                "embedding": {"backend": "hashing"},
                "log": {"file": folder / LOG},
            }
        )
    )


@contextmanager
def run_service() -> Iterator[tuple[TestClient, Path]]:
    """A caller on this machine of a service that runs, and the file of its log; log lines go to stderr afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        app = make_app(Path(folder))
        try:
            with TestClient(app, base_url=ADDRESS, client=("127.0.0.1", 50_000)) as client:
                yield client, Path(folder) / LOG
        finally:
            configure_logs(LogSettings())


def run_examples() -> dict[tuple[str, str], Shown]:
    """Send every example and return what is shown of it, by method and path."""
    shown: dict[tuple[str, str], Shown] = {}
    with run_service() as (client, _):
        names = {"user_id": "ada"}
        secret = ""
        for example in EXAMPLES:
            names["workspace_id"] = example.workspace
            headers = dict(example.headers) | ({"X-API-Key": secret} if secret else {})
            content = example.lines or (None if example.body is None else _fill(json.dumps(example.body), names))
            if content is not None:
                headers["Content-Type"] = NDJSON if example.lines else "application/json"
            address = _fill(example.path, names) + (f"?{example.query}" if example.query else "")
            answer = client.request(example.method, address, content=content, headers=headers)
            if answer.status_code >= 400:
                raise AssertionError(f"{example.method} {address}: {answer.status_code} {answer.text}")
            secret = _learn(client, example, answer, names) or secret
            shown[example.method, example.path] = Shown(
                command=_write_curl(example, _fill(example.path, names)),
                status=answer.status_code,
                answer="" if example.path in QUIET else _write_answer(answer.text),
            )
    return shown


def _learn(client: TestClient, example: Example, answer: Any, names: dict[str, str]) -> str:
    """Keep the ids that later examples need; returns the secret of the admin's key once there is one."""
    place = (example.method, example.path)
    if place == ("POST", "/add_task_memory"):
        names["task_id"] = answer.json()["metadata"]["memory_list"][0]["memory_id"]
    elif place == ("POST", "/summary_working_memory"):
        (names["file_path"],) = answer.json()["metadata"]["write_file_dict"]
    elif place == ("POST", V1 + "/working:compact"):
        names["offload_id"] = answer.json()["offloads"][0]["id"]
    elif place == ("POST", V1 + "/memories"):
        names["memory_id"] = answer.json()["memory"]["id"]
        names["job_id"] = _finish_job(client)
    elif place == ("POST", "/v1/admin/keys"):
        names["key_id"] = answer.json()["id"]
        # The first key closes the door, so the examples that follow need one.
        services = client.app.state.api.services  # type: ignore[attr-defined]
        from app.domain.access import LOCAL_ADMIN, Role  # noqa: PLC0415

        return str(services.keys.issue(LOCAL_ADMIN, name="admin", role=Role.ADMIN, workspaces=("*",))[1])
    return ""


def _finish_job(client: TestClient) -> str:
    """The id of a job that is done."""
    body = {"memories": [{"type": "task", "content": "Look at the log first", "when_to_use": "a job fails"}]}
    path = f"/v1/workspaces/{WORKSPACE}"
    job_id = str(client.post(f"{path}/memories:batch", json=body, headers={"Prefer": "respond-async"}).json()["id"])
    deadline = time.monotonic() + JOB_S
    while client.get(f"{path}/jobs/{job_id}").json()["state"] != "done":
        if time.monotonic() > deadline:
            raise AssertionError("the job of the example is not done")
        time.sleep(0.02)
    return job_id


def _fill(text: str, names: Mapping[str, str]) -> str:
    for name, value in names.items():
        text = text.replace(f"{{{name}}}", value)
    return text


def _write_curl(example: Example, path: str) -> str:
    """The request as a command line; a key stands in a variable."""
    words = ["curl -s"] if example.method in ("GET", "POST") else [f"curl -s -X {example.method}"]
    address = ADDRESS + path + (f"?{example.query}" if example.query else "")
    words.append(f"'{address}'" if example.query else address)
    if example.method == "POST" and example.body is None and not example.lines:
        words.insert(1, "-X POST")
    words += [f"-H '{name}: {value}'" for name, value in example.headers]
    if example.lines:
        words += [f"-H 'Content-Type: {NDJSON}'", "--data-binary @memories.jsonl"]
    elif example.body is not None:
        words += ["-H 'Content-Type: application/json'", f"-d '{_fill(json.dumps(example.body), _Ids())}'"]
    if example.path.startswith("/v1/admin"):
        words.append('-H "X-API-Key: $ADMIN"')
    return steady(" \\\n  ".join([" ".join(words[:2]), *words[2:]]))


class _Ids(dict[str, str]):
    """Every name of an id as the one id that is shown."""

    def __init__(self) -> None:
        super().__init__(dict.fromkeys(("task_id", "memory_id", "job_id", "key_id", "offload_id"), ID))
        self["file_path"] = f"working_memory/{ID}.txt"


def _write_answer(text: str) -> str:
    """A body as it is read: JSON laid out; of several lines one."""
    if not text:
        return ""
    try:
        documents = [json.loads(line) for line in text.splitlines()]
    except ValueError:
        return steady(text)
    if len(documents) > 1:
        # Memories of one millisecond have no order of their own.
        shown = min(documents, key=lambda document: (document["reme"]["layer"], document["content"]))
        return steady(json.dumps(steady_value("", shown), ensure_ascii=False)) + "\n…"
    return steady(lay_out(steady_value("", documents[0])))
