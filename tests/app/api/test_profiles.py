"""Users' profiles under /v1."""

from collections.abc import Callable
from pathlib import Path
from time import time

from fastapi.testclient import TestClient

from tests.app.api.world import services_of

WS = "/v1/workspaces/team:one"
PATH = f"{WS}/users/ada@example.com/profile"


def test_a_profile_from_beginning_to_end(client: TestClient) -> None:
    assert client.get(PATH).status_code == 404
    made = client.put(PATH, json={"preferences": {"language": "zh", "units": {"length": "metric"}}})
    assert (made.status_code, made.headers["ETag"], made.json()["user_id"]) == (200, '"1"', "ada@example.com")
    read = client.get(PATH)
    assert (read.json(), read.headers["ETag"]) == (made.json(), '"1"')
    patch = {"preferences": {"units": None, "tone": "short"}}
    changed = client.patch(
        PATH, json=patch, headers={"If-Match": '"1"', "Content-Type": "application/merge-patch+json"}
    )
    assert changed.json()["preferences"] == {"language": "zh", "tone": "short"}
    assert changed.headers["ETag"] == '"2"'
    late = client.put(PATH, json={"preferences": {}}, headers={"If-Match": '"1"'})
    assert (late.status_code, late.json()["type"].rpartition("#")[2]) == (409, "problem-version-conflict")
    assert client.delete(PATH, headers={"If-Match": '"1"'}).status_code == 409
    assert client.delete(PATH).status_code == 204
    assert client.delete(PATH).status_code == 404
    assert client.get(f"{WS}/users/ada@example.com").status_code == 200


def test_what_is_no_profile_is_refused(client: TestClient) -> None:
    bodies: tuple[object, ...] = ({}, {"preferences": []}, {"preferences": {}, "version": 2}, [], None)
    for body in bodies:
        assert client.put(PATH, json=body).status_code == 422
    assert client.put(PATH, json={"preferences": {"a": "x" * 70_000}}).status_code == 413
    assert client.put(PATH, json={"preferences": {"a": 2**80}}).status_code == 400
    assert client.put(PATH, json={"preferences": {}}, headers={"If-Match": "x"}).status_code == 400
    assert client.get(PATH).status_code == 404


def test_a_profile_goes_when_the_user_is_erased(client: TestClient) -> None:
    erasures: tuple[Callable[[], object], ...] = (
        lambda: client.delete(f"{WS}/users/ada@example.com"),
        lambda: client.post(f"{WS}/purge", json={"user_id": "ada@example.com"}),
        lambda: client.delete(f"{WS}/memories", params={"purge": True}),
        lambda: client.delete(WS),
    )
    for erase in erasures:
        client.put(PATH, json={"preferences": {"language": "zh"}})
        client.put("/v1/workspaces/other/users/ada@example.com/profile", json={"preferences": {"a": 1}})
        erase()
        assert client.get(PATH).status_code == 404
        assert client.get("/v1/workspaces/other/users/ada@example.com/profile").status_code == 200


def test_old_offloads_are_cleared_up_and_profiles_stay(client: TestClient) -> None:
    client.put(PATH, json={"preferences": {"language": "zh"}})
    services_of(client).working.maintain(int(time() * 1000) + 366 * 86_400_000)
    assert client.get(PATH).json()["preferences"] == {"language": "zh"}


def test_no_preference_reaches_a_log(open_client: Callable[..., TestClient], tmp_path: Path) -> None:
    log = tmp_path / "reme.log"
    client = open_client(log={"file": str(log), "level": "DEBUG"})
    for body in ({"preferences": {"a": "canary-1"}}, {"preferences": {"canary-2": float(2**80)}}, {"canary-3": 1}):
        client.put(PATH, json=body)
        client.patch(PATH, json=body, headers={"If-Match": '"9"'})
    client.put(PATH, json={"preferences": {"a": "canary-4" * 20_000}})
    text = log.read_text()
    assert "replace_profile" in text
    assert "canary" not in text
