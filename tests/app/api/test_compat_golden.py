"""The 0.2 API word for word: requests and answers as files, the Java client's pair first.

What differs from run to run is replaced by a rule: an id of 32 hexadecimal digits becomes "id-1", "id-2" … in the
order in which a scenario first shows it (ids of requests among them), a time becomes "YYYY-MM-DD HH:MM:SS", and a
number with more decimals is rounded to four. The service's version becomes "version".
"""

import json
import re
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import pytest
from fastapi.testclient import TestClient

Golden = Callable[[str, str], None]
Step = tuple[str, str, dict[str, Any]]

ID = re.compile(r"\b[0-9a-f]{32}\b")
TIME = re.compile(r"\b\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}\b")
PLACEHOLDER = re.compile(r"<([\w-]+)\.(\w+)>")


def said(*texts: str, **trajectory: Any) -> dict[str, Any]:
    roles = ("user", "assistant")
    messages = [{"role": roles[turn % 2], "content": text} for turn, text in enumerate(texts)]
    return {"trajectories": [{"messages": messages, **trajectory}]}


CALLS = [
    {
        "create_time": f"2026-11-22 10:00:0{number}",
        "tool_name": "web_search",
        "input": {"query": f"weather {number}"},
        "output": "sunny" if number else "timeout",
        "token_cost": 100 + number,
        "success": bool(number),
        "time_cost": 0.5 * number,
    }
    for number in range(3)
]
TASK = {"content": "Drain the node first", "when_to_use": "deploying to production", "score": 0.8, "author": "ops"}
U1 = {"workspace_id": "u1"}

SCENARIOS: dict[str, list[Step]] = {
    "personal": [
        ("summary", "/summary_personal_memory", {**U1, **said("I like coffee")}),
        ("retrieve", "/retrieve_personal_memory", {**U1, "query": "coffee", "top_k": 5}),
        ("summary-again", "/summary_personal_memory", {**U1, **said("I like coffee")}),
        ("retrieve-nothing", "/retrieve_personal_memory", {"workspace_id": "u2", "query": "coffee", "top_k": 5}),
        ("retrieve-without-query", "/retrieve_personal_memory", U1),
        ("retrieve-outside", "/retrieve_personal_memory", {"workspace_id": "../evil", "query": "coffee"}),
        ("summary-of-nothing", "/summary_personal_memory", U1),
        ("no-leak-into-tasks", "/retrieve_task_memory", {**U1, "query": "coffee"}),
    ],
    "task": [
        ("add", "/add_task_memory", {"memory_list": [TASK]}),
        ("retrieve", "/retrieve_task_memory", {"query": "deploying to production", "top_k": 1}),
        ("retrieve-simple", "/retrieve_task_memory_simple", {"query": "deploying to production", "top_k": 1}),
        (
            "record",
            "/record_task_memory",
            {
                "workspace_id": "default",
                "memory_dicts": [{"memory_id": "<retrieve.memory_id>"}],
                "update_utility": False,
            },
        ),
        (
            "delete-nothing",
            "/delete_task_memory",
            {"workspace_id": "default", "freq_threshold": 2, "utility_threshold": 0.5},
        ),
        ("delete", "/delete_task_memory", {"workspace_id": "default", "freq_threshold": 1, "utility_threshold": 0.5}),
        ("retrieve-nothing", "/retrieve_task_memory", {"query": "deploying to production"}),
        ("retrieve-simple-nothing", "/retrieve_task_memory_simple", {"query": "deploying to production"}),
        ("record-without-ids", "/record_task_memory", {**U1, "memory_dicts": [{}], "update_utility": True}),
        ("add-of-another-type", "/add_task_memory", {"memory_list": [{**TASK, "memory_type": "tool"}]}),
        ("add-malformed", "/add_task_memory", {"memory_list": [{"memory_type": "task"}]}),
        (
            "summary",
            "/summary_task_memory",
            said("Fix the failing build", "I ran make clean, then make. All tests passed.", score=1.0),
        ),
    ],
    "tool": [
        ("add", "/add_tool_call_result", {**U1, "tool_call_results": CALLS}),
        ("add-again", "/add_tool_call_result", {**U1, "tool_call_results": CALLS[:1]}),
        ("summary", "/summary_tool_memory", {**U1, "tool_names": "web_search, calculator"}),
        ("retrieve", "/retrieve_tool_memory", {**U1, "tool_names": "web_search"}),
        ("retrieve-nothing", "/retrieve_tool_memory", {**U1, "tool_names": "calculator"}),
    ],
    "vector-store": [
        ("add", "/add_task_memory", {**U1, "memory_list": [TASK]}),
        ("list", "/vector_store", {**U1, "action": "list"}),
        ("copy", "/vector_store", {"workspace_id": "u2", "action": "copy", "src_workspace_id": "u1"}),
        ("dump", "/vector_store", {**U1, "action": "dump", "path": "./"}),
        ("delete-ids", "/vector_store", {**U1, "action": "delete_ids", "memory_ids": ["<list.memory_id>"]}),
        ("delete", "/vector_store", {**U1, "action": "delete"}),
        ("load", "/vector_store", {**U1, "action": "load", "path": "./"}),
        ("load-missing", "/vector_store", {"workspace_id": "u9", "action": "load", "path": "./"}),
        ("dump-outside", "/vector_store", {**U1, "action": "dump", "path": "../.."}),
        ("unknown-action", "/vector_store", {**U1, "action": "explode"}),
        ("delete-missing", "/vector_store", {"workspace_id": "u9", "action": "delete"}),
    ],
    "jobs-of-0.4": [
        ("auto-memory", "/auto_memory", {"messages": [{"role": "user", "content": "I like coffee", "name": "ada"}]}),
        ("search", "/search", {"query": "coffee", "limit": 3}),
        ("search-nothing", "/search", {"query": "coffee", "end_date": "2001-01-01"}),
        ("search-on-no-day", "/search", {"query": "coffee", "start_date": "soon"}),
        ("health-check", "/health_check", {}),
        ("version", "/version", {}),
        ("status", "/status", {}),
    ],
}


class Rules:
    """Replaces what differs from run to run."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def name(self, found: re.Match[str]) -> str:
        return self._names.setdefault(found[0], f"id-{len(self._names) + 1}")

    def apply(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {name: self.apply(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [self.apply(inner) for inner in value]
        if isinstance(value, str):
            text = TIME.sub("YYYY-MM-DD HH:MM:SS", ID.sub(self.name, value))
            return "version" if text == version("reme-cloud") else text
        return round(value, 4) if isinstance(value, float) else value


def find(value: Any, field: str) -> Any:
    """The first value of a field, however deep."""
    if isinstance(value, dict):
        if field in value:
            return value[field]
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            found = find(inner, field)
            if found is not None:
                return found
    return None


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_scenario(client: TestClient, golden: Golden, scenario: str) -> None:
    rules, pairs = Rules(), []
    answers: dict[str, Any] = {}
    for name, path, body in SCENARIOS[scenario]:
        text = PLACEHOLDER.sub(lambda found: str(find(answers[found[1]], found[2])), json.dumps(body))
        answer = client.post(path, content=text, headers={"Content-Type": "application/json"})
        answers[name] = answer.json()
        pairs.append(
            {
                "name": name,
                "request": {"method": "POST", "path": path, "body": rules.apply(json.loads(text))},
                "status": answer.status_code,
                "response": rules.apply(answer.json()),
            }
        )
    golden(f"compat/{scenario}.json", json.dumps(pairs, ensure_ascii=False, indent=2) + "\n")


def test_health_is_upstreams_byte_for_byte(client: TestClient) -> None:
    answer = client.get("/health")
    assert answer.content == b'{"status":"healthy"}'
    assert answer.headers["Content-Type"] == "application/json"
