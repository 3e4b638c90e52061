"""A key is a canary: wherever it is sent, it never reaches a log line, a metric, an answer or a repr."""

from collections.abc import Callable, Iterator

import pytest
from fastapi.testclient import TestClient

from app.domain.access import LOCAL_ADMIN, Role
from tests.app.api.world import services_of

Start = Callable[..., TestClient]
Send = Callable[[TestClient, str], object]

WAYS: dict[str, Send] = {
    "header": lambda client, key: client.get("/v1/workspaces", headers={"X-API-Key": key}),
    "bearer": lambda client, key: client.get("/v1/workspaces", headers={"Authorization": f"Bearer {key}"}),
    "wrong scheme": lambda client, key: client.get("/v1/workspaces", headers={"Authorization": key}),
    "query": lambda client, key: client.get(f"/v1/workspaces?api_key={key}&cursor={key}"),
    "prefix": lambda client, key: client.get(f"/k/{key}/v1/workspaces"),
    "prefix twice": lambda client, key: client.get(f"/k/{key}/k/{key}/v1/workspaces"),
    "unknown path": lambda client, key: client.get(f"/v1/{key}/{key}"),
    "unknown method": lambda client, key: client.put(f"/v1/workspaces/{key}/memories"),
    "workspace id": lambda client, key: client.get(f"/v1/workspaces/{key}", headers={"X-API-Key": key}),
    "user id": lambda client, key: client.get(f"/v1/workspaces/ws/users/{key}", headers={"X-API-Key": key}),
    "memory id": lambda client, key: client.get(f"/v1/workspaces/ws/memories/{key}", headers={"X-API-Key": key}),
    "request id": lambda client, key: client.get("/health", headers={"X-Request-Id": key}),
    "user agent": lambda client, key: client.get("/health", headers={"User-Agent": key, "Cookie": key}),
    "if-match": lambda client, key: client.patch(
        f"/v1/workspaces/ws/memories/{'0' * 32}", headers={"X-API-Key": key, "If-Match": key}, json={"score": 1}
    ),
    "idempotency key": lambda client, key: client.post(
        "/v1/workspaces/ws/memories", headers={"X-API-Key": key, "Idempotency-Key": key}, json={"type": key}
    ),
    "body, refused": lambda client, key: client.post(
        "/v1/workspaces/ws/search", headers={"X-API-Key": key}, json={"api_key": key, "query": "x", "mode": key}
    ),
    "body of 0.2, refused": lambda client, key: client.post(
        "/retrieve_task_memory", headers={"X-API-Key": key}, json={"api_key": key, "workspace_id": key, key: key}
    ),
    "body that is no JSON": lambda client, key: client.post(
        "/search", headers={"X-API-Key": key, "Content-Type": "application/json"}, content=f"{{{key}"
    ),
    "action": lambda client, key: client.post(
        "/vector_store", headers={"X-API-Key": key}, json={"workspace_id": "ws", "action": key, "path": f"/{key}"}
    ),
    "import": lambda client, key: client.post(
        "/v1/workspaces/ws/import",
        headers={"X-API-Key": key, "Content-Type": "application/x-ndjson"},
        content=f'{{"memory_type":"{key}","content":"x"}}\n{key}\n',
    ),
    "day": lambda client, key: client.post(
        "/search", headers={"X-API-Key": key}, json={"workspace_id": "ws", "query": "x", "start_date": key}
    ),
}


@pytest.fixture(params=[True, False], ids=["key in path", "no key in path"])
def guarded(open_client: Start, request: pytest.FixtureRequest) -> Iterator[tuple[TestClient, str]]:
    client = open_client(http={"key_in_path": request.param})
    _, secret = services_of(client).keys.issue(LOCAL_ADMIN, name="k", role=Role.USER, workspaces=("*",))
    yield client, secret


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_a_key_is_never_repeated(guarded: tuple[TestClient, str], way: str, capsys: pytest.CaptureFixture[str]) -> None:
    client, secret = guarded
    answer = WAYS[way](client, secret)
    digits = secret.removeprefix("rk_")
    shown = {
        "the body": answer.text,  # type: ignore[attr-defined]
        "a header": str(answer.headers),  # type: ignore[attr-defined]
        "the log": "".join(capsys.readouterr()),
        "the metrics": client.get("/metrics").text,
    }
    for place, text in shown.items():
        assert digits not in text, f"{place} shows the key"


def test_a_key_stands_in_no_repr(guarded: tuple[TestClient, str]) -> None:
    client, secret = guarded
    services = services_of(client)
    key = services.keys.list(LOCAL_ADMIN)[0]
    for shown in (repr(key), repr(services), repr(client.app.state.api), repr(key.principal)):  # type: ignore[attr-defined]
        assert secret not in shown
        assert key.secret_sha256 not in shown


def test_a_new_key_is_shown_once_and_not_logged(client: TestClient, capsys: pytest.CaptureFixture[str]) -> None:
    body = {"name": "k", "role": "admin", "workspaces": ["*"]}
    issued = client.post("/v1/admin/keys", json=body)
    secret = issued.json()["secret"]
    assert issued.headers["Cache-Control"] == "no-store"
    listed = client.get("/v1/admin/keys", headers={"X-API-Key": secret})
    assert secret not in listed.text
    assert "sha256" not in listed.text
    assert secret not in capsys.readouterr().err
