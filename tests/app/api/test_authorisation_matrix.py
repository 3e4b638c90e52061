"""Every route x every caller x the own and a foreign workspace. A route without an entry fails."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from app.domain.access import PERMISSIONS, Permission, Role
from app.domain.working import WorkingLimits
from tests.app.api.world import CANARY, FOREIGN, OWN, World

PUBLIC, ANY_KEY = "public", "any key"
READ, WRITE, DELETE = Permission.MEMORY_READ, Permission.MEMORY_WRITE, Permission.MEMORY_DELETE
ADMIN = Permission.ADMINISTER
KEYLESS = ("nobody", "expired", "revoked")
WS = "/v1/workspaces/{ws}"
PROFILE = f"{WS}/users/ada/profile"
OFFLOADED = "working_memory/{offload}.txt"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What a route needs, and a request that it grants. `ws`, `memory`, `job`, `offload` and `key` are filled in.

    `elsewhere` names routes that work on no single workspace, so that there is no foreign one.
    """

    needs: Permission | str
    path: str = ""
    json: Any = None
    content: str = ""
    media_type: str = ""
    granted: tuple[int, ...] = (200,)
    elsewhere: bool = False


def compat(needs: Permission, **body: Any) -> Entry:
    return Entry(needs=needs, json={"workspace_id": "{ws}", **body})


TRAJECTORIES = [{"messages": [{"role": "user", "content": "I like coffee"}]}]
MEMORY = {"type": "personal", "content": "Likes tea"}
LINE = '{"memory_type":"task","content":"Drain first","when_to_use":"deploy"}\n'
CALL = {
    "tool_name": "search",
    "input": {"q": "x"},
    "output": "y",
    "success": True,
    "create_time": "2026-11-22 10:00:00",
}

ROUTES: Mapping[tuple[str, str], Entry] = {
    ("GET", "/"): Entry(needs=PUBLIC),
    ("GET", "/health"): Entry(needs=PUBLIC),
    ("GET", "/livez"): Entry(needs=PUBLIC),
    ("GET", "/readyz"): Entry(needs=PUBLIC),
    # The world's service is bound to 127.0.0.1, where metrics need no key; see test_authentication for elsewhere.
    ("GET", "/metrics"): Entry(needs="metrics"),
    ("GET", "/docs"): Entry(needs=ANY_KEY),
    ("GET", "/openapi.json"): Entry(needs=ANY_KEY),
    ("POST", "/health_check"): Entry(needs=ANY_KEY, json={}),
    ("POST", "/version"): Entry(needs=ANY_KEY, json={}),
    ("POST", "/mcp"): Entry(needs=ANY_KEY, json={"jsonrpc": "2.0", "id": 1, "method": "tools/list"}),
    ("POST", "/status"): compat(READ),
    ("POST", "/search"): compat(READ, query=CANARY),
    ("POST", "/auto_memory"): compat(WRITE, messages=TRAJECTORIES[0]["messages"]),
    ("POST", "/retrieve_task_memory"): compat(READ, query=CANARY),
    ("POST", "/retrieve_task_memory_simple"): compat(READ, query=CANARY),
    ("POST", "/retrieve_personal_memory"): compat(READ, query=CANARY),
    ("POST", "/retrieve_tool_memory"): compat(READ, tool_names="search"),
    ("POST", "/summary_task_memory"): compat(WRITE, trajectories=TRAJECTORIES),
    ("POST", "/summary_task_memory_simple"): compat(WRITE, trajectories=TRAJECTORIES),
    ("POST", "/summary_personal_memory"): compat(WRITE, trajectories=TRAJECTORIES),
    ("POST", "/summary_tool_memory"): compat(WRITE, tool_names="search"),
    ("POST", "/add_tool_call_result"): compat(WRITE, tool_call_results=[CALL]),
    ("POST", "/add_task_memory"): compat(WRITE, memory_list=[{"content": "Drain first", "when_to_use": "deploy"}]),
    ("POST", "/record_task_memory"): compat(WRITE, memory_dicts=[{"memory_id": "{memory}"}], update_utility=True),
    ("POST", "/delete_task_memory"): compat(DELETE, freq_threshold=1, utility_threshold=0.5),
    ("POST", "/summary_working_memory"): compat(WRITE, messages=TRAJECTORIES[0]["messages"]),
    ("POST", "/summary_working_memory_for_as"): compat(WRITE, messages=TRAJECTORIES[0]["messages"]),
    ("POST", "/grep_working_memory"): compat(READ, file_path=OFFLOADED, pattern="canary"),
    ("POST", "/read_working_memory"): compat(READ, file_path=OFFLOADED, offset=0, limit=5),
    ("POST", "/vector_store"): compat(READ, action="list"),
    ("GET", "/v1/workspaces"): Entry(needs=READ, elsewhere=True),
    ("POST", "/v1/workspaces"): Entry(needs=WRITE, json={"id": "{ws}"}, granted=(201, 409)),
    ("GET", "/v1/workspaces/{workspace_id}"): Entry(needs=READ, path=WS),
    ("PATCH", "/v1/workspaces/{workspace_id}"): Entry(needs=WRITE, path=WS, json={"name": "n"}),
    ("DELETE", "/v1/workspaces/{workspace_id}"): Entry(needs=ADMIN, path=WS),
    ("GET", "/v1/workspaces/{workspace_id}/users"): Entry(needs=READ, path=f"{WS}/users"),
    ("POST", "/v1/workspaces/{workspace_id}/users"): Entry(needs=WRITE, path=f"{WS}/users", json={"id": "bob"}),
    ("GET", "/v1/workspaces/{workspace_id}/users/{user_id}"): Entry(needs=READ, path=f"{WS}/users/ada"),
    ("PUT", "/v1/workspaces/{workspace_id}/users/{user_id}"): Entry(needs=WRITE, path=f"{WS}/users/ada", json={}),
    ("PATCH", "/v1/workspaces/{workspace_id}/users/{user_id}"): Entry(
        needs=WRITE, path=f"{WS}/users/ada", json={"name": "Ada"}
    ),
    ("DELETE", "/v1/workspaces/{workspace_id}/users/{user_id}"): Entry(needs=DELETE, path=f"{WS}/users/ada"),
    ("GET", "/v1/workspaces/{workspace_id}/users/{user_id}/profile"): Entry(needs=READ, path=PROFILE),
    ("PUT", "/v1/workspaces/{workspace_id}/users/{user_id}/profile"): Entry(
        needs=WRITE, path=PROFILE, json={"preferences": {"language": "zh"}}
    ),
    ("PATCH", "/v1/workspaces/{workspace_id}/users/{user_id}/profile"): Entry(
        needs=WRITE, path=PROFILE, json={"preferences": {"language": None}}
    ),
    ("DELETE", "/v1/workspaces/{workspace_id}/users/{user_id}/profile"): Entry(
        needs=DELETE, path=PROFILE, granted=(204,)
    ),
    ("GET", "/v1/workspaces/{workspace_id}/memories"): Entry(needs=READ, path=f"{WS}/memories"),
    ("POST", "/v1/workspaces/{workspace_id}/memories"): Entry(
        needs=WRITE, path=f"{WS}/memories", json=MEMORY, granted=(200, 201)
    ),
    ("DELETE", "/v1/workspaces/{workspace_id}/memories"): Entry(needs=ADMIN, path=f"{WS}/memories?purge=true"),
    ("POST", "/v1/workspaces/{workspace_id}/memories:batch"): Entry(
        needs=WRITE, path=f"{WS}/memories:batch", json={"memories": [MEMORY]}
    ),
    ("POST", "/v1/workspaces/{workspace_id}/memories:record-use"): Entry(
        needs=WRITE, path=f"{WS}/memories:record-use", json={"ids": ["{memory}"]}
    ),
    ("POST", "/v1/workspaces/{workspace_id}/memories:delete-unused"): Entry(
        needs=DELETE,
        path=f"{WS}/memories:delete-unused",
        json={"frequency_threshold": 1, "utility_threshold": 0.5},
    ),
    ("GET", "/v1/workspaces/{workspace_id}/memories/{memory_id}"): Entry(needs=READ, path=f"{WS}/memories/{{memory}}"),
    ("PATCH", "/v1/workspaces/{workspace_id}/memories/{memory_id}"): Entry(
        needs=WRITE, path=f"{WS}/memories/{{memory}}", json={"score": 0.5}
    ),
    ("DELETE", "/v1/workspaces/{workspace_id}/memories/{memory_id}"): Entry(
        needs=DELETE, path=f"{WS}/memories/{{memory}}", granted=(204,)
    ),
    ("POST", "/v1/workspaces/{workspace_id}/memories/{memory_id}/restore"): Entry(
        needs=DELETE, path=f"{WS}/memories/{{memory}}/restore"
    ),
    ("POST", "/v1/workspaces/{workspace_id}/purge"): Entry(needs=DELETE, path=f"{WS}/purge", json={"user_id": "ada"}),
    ("POST", "/v1/workspaces/{workspace_id}/search"): Entry(needs=READ, path=f"{WS}/search", json={"query": CANARY}),
    ("POST", "/v1/workspaces/{workspace_id}/conversations"): Entry(
        needs=WRITE, path=f"{WS}/conversations", json={"kind": "personal", **TRAJECTORIES[0]}
    ),
    ("GET", "/v1/workspaces/{workspace_id}/export"): Entry(needs=READ, path=f"{WS}/export"),
    ("POST", "/v1/workspaces/{workspace_id}/import"): Entry(
        needs=WRITE, path=f"{WS}/import", content=LINE, media_type="application/x-ndjson"
    ),
    ("GET", "/v1/workspaces/{workspace_id}/jobs/{job_id}"): Entry(needs=READ, path=f"{WS}/jobs/{{job}}"),
    ("GET", "/v1/workspaces/{workspace_id}/spending"): Entry(needs=READ, path=f"{WS}/spending"),
    ("PUT", "/v1/workspaces/{workspace_id}/spending"): Entry(needs=ADMIN, path=f"{WS}/spending", json={"daily_usd": 1}),
    ("GET", "/v1/workspaces/{workspace_id}/ledger"): Entry(needs=READ, path=f"{WS}/ledger"),
    ("POST", "/v1/workspaces/{workspace_id}/working:compact"): Entry(
        needs=WRITE, path=f"{WS}/working:compact", json={"messages": TRAJECTORIES[0]["messages"]}
    ),
    ("GET", "/v1/workspaces/{workspace_id}/offloads"): Entry(needs=READ, path=f"{WS}/offloads"),
    ("GET", "/v1/workspaces/{workspace_id}/offloads/{offload_id}"): Entry(
        needs=READ, path=f"{WS}/offloads/{{offload}}"
    ),
    ("GET", "/v1/workspaces/{workspace_id}/offloads/{offload_id}/text"): Entry(
        needs=READ, path=f"{WS}/offloads/{{offload}}/text"
    ),
    ("POST", "/v1/workspaces/{workspace_id}/offloads/{offload_id}/search"): Entry(
        needs=READ, path=f"{WS}/offloads/{{offload}}/search", json={"pattern": "canary"}
    ),
    ("DELETE", "/v1/workspaces/{workspace_id}/offloads/{offload_id}"): Entry(
        needs=DELETE, path=f"{WS}/offloads/{{offload}}", granted=(204,)
    ),
    ("GET", "/v1/usage"): Entry(needs=READ, path="/v1/usage?workspace={ws}"),
    ("GET", "/v1/admin/keys"): Entry(needs=ADMIN, elsewhere=True),
    ("POST", "/v1/admin/keys"): Entry(
        needs=ADMIN, json={"name": "k", "role": "reader", "workspaces": [OWN]}, granted=(201,), elsewhere=True
    ),
    ("POST", "/v1/admin/keys/{key_id}/rotate"): Entry(
        needs=ADMIN, path="/v1/admin/keys/{key}/rotate", granted=(201,), elsewhere=True
    ),
    ("DELETE", "/v1/admin/keys/{key_id}"): Entry(needs=ADMIN, path="/v1/admin/keys/{key}", elsewhere=True),
}

VECTOR_STORE: Mapping[str, Entry] = {
    "copy": Entry(
        needs=WRITE,
        json={"workspace_id": "{ws}", "action": "copy", "src_workspace_id": OWN},
        granted=(200, 400),  # 400: a workspace cannot be copied into itself, which is looked at after the rights
    ),
    "delete": compat(ADMIN, action="delete"),
    "delete_ids": compat(DELETE, action="delete_ids", memory_ids=["{memory}"]),
    "dump": compat(WRITE, action="dump", path="matrix"),
    "list": compat(READ, action="list"),
}
"""The actions of one route need different rights."""


def served(app: FastAPI) -> Iterator[tuple[str, str]]:
    """Every method and path of an application's route table, whether documented or not."""
    for route in iter_route_contexts(app.routes):
        for method in route.methods or ():
            yield method, str(route.path)


def test_every_route_has_an_entry(world: World) -> None:
    assert isinstance(world.client.app, FastAPI)
    found = set(served(world.client.app))
    assert found == set(ROUTES), f"without an entry: {found - set(ROUTES)}; gone: {set(ROUTES) - found}"


def offload(world: World, workspace: str) -> str:
    """Take a text out of a conversation; the same each time."""
    messages = [{"role": "tool", "content": f"{CANARY} in {workspace}. " * 300}]
    limits = WorkingLimits(max_total_tokens=500, max_tool_message_tokens=500, keep_recent_count=0)
    (kept,) = world.services.working.shorten(world.admin, workspace, messages, limits=limits).offloads
    return kept.id


def ask(world: World, caller: str, method: str, path: str, entry: Entry, workspace: str) -> tuple[int, str]:
    def fill(value: Any) -> Any:
        if isinstance(value, str):
            return (
                value.replace("{ws}", workspace)
                .replace("{memory}", world.memory_ids[workspace])
                .replace("{job}", world.job_ids[workspace])
                .replace("{offload}", offload_id)
                .replace("{key}", world.key_id)
            )
        if isinstance(value, dict):
            return {name: fill(inner) for name, inner in value.items()}
        return [fill(inner) for inner in value] if isinstance(value, list) else value

    world.seed()
    offload_id = offload(world, workspace)
    world.services.profiles.replace(world.admin, workspace, "ada", {"canary": CANARY})
    arguments: dict[str, Any] = {"headers": world.headers(caller)}
    if entry.json is not None:
        arguments["json"] = fill(entry.json)
    if entry.content:
        arguments |= {"content": entry.content, "headers": {**world.headers(caller), "Content-Type": entry.media_type}}
    answer = world.client.request(method, fill(entry.path or path), **arguments)
    return answer.status_code, answer.text


def check(world: World, method: str, path: str, entry: Entry) -> None:
    def answers(caller: str, workspace: str = OWN) -> tuple[int, str]:
        return ask(world, caller, method, path, entry, workspace)

    for caller in KEYLESS:
        status, body = answers(caller)
        assert status == (200 if (entry.needs == "metrics" and caller == "nobody") or entry.needs == PUBLIC else 401)
        assert CANARY not in body
    for role in Role:
        allowed = entry.needs in (PUBLIC, ANY_KEY) or (
            isinstance(entry.needs, Permission) and entry.needs in PERMISSIONS[role]
        )
        if entry.needs == "metrics":
            allowed = role is Role.ADMIN
        status, body = answers(role.value)
        assert status in entry.granted if allowed else status == 403, f"{role} got {status}: {body[:300]}"
    if not isinstance(entry.needs, Permission) or entry.elsewhere:
        return
    for caller in ("user", "reader", "service_account", "narrow admin"):
        status, body = answers(caller, FOREIGN)
        assert status == 404, f"{caller} got {status} for a foreign workspace: {body[:300]}"
        assert CANARY not in body
    assert answers("admin", FOREIGN)[0] in entry.granted
    status, body = answers("other tenant")
    assert status in (*entry.granted, 404), f"another tenant got {status}: {body[:300]}"
    assert CANARY not in body.replace(f'"query":"{CANARY}"', "")


@pytest.mark.parametrize(("method", "path"), sorted(ROUTES))
def test_route(world: World, method: str, path: str) -> None:
    check(world, method, path, ROUTES[method, path])


@pytest.mark.parametrize("action", sorted(VECTOR_STORE))
def test_vector_store_action(world: World, action: str) -> None:
    check(world, "POST", "/vector_store", VECTOR_STORE[action])


def test_copying_needs_both_workspaces(world: World) -> None:
    entry = compat(WRITE, action="copy", src_workspace_id=FOREIGN)
    status, body = ask(world, "user", "POST", "/vector_store", entry, OWN)
    assert status == 404
    assert CANARY not in body


def test_listings_show_nothing_foreign(world: World) -> None:
    world.seed()
    cases: Mapping[str, Callable[[Any], list[str]]] = {
        "/v1/workspaces": lambda body: [item["id"] for item in body["items"]],
        "/v1/usage": lambda body: [day["workspace_id"] for day in body["days"]],
    }
    for path, read in cases.items():
        body = world.client.get(path, headers=world.headers("reader")).json()
        assert set(read(body)) == {OWN}, path
        body = world.client.get(path, headers=world.headers("other tenant")).json()
        assert FOREIGN not in read(body), path


def test_a_narrow_admin_administers_only_what_it_covers(world: World) -> None:
    world.seed()
    headers = world.headers("narrow admin")
    listed = world.client.get("/v1/admin/keys", headers=headers).json()["items"]
    assert listed
    assert all(key["workspaces"] == [OWN] for key in listed)
    wider = {"name": "k", "role": "reader", "workspaces": ["*"]}
    assert world.client.post("/v1/admin/keys", headers=headers, json=wider).status_code == 403
    other = {"name": "k", "role": "reader", "workspaces": [OWN], "tenant": "umbrella"}
    assert world.client.post("/v1/admin/keys", headers=headers, json=other).status_code == 403
