"""Keys: what one node issues, rotates or revokes, the other knows with its next request."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from fastapi.testclient import TestClient

from app.domain.access import LOCAL_ADMIN, Role
from app.errors import InvalidRequest, Unauthenticated
from app.service.suite import Services
from tests.app.api.world import services_of
from tests.app.nodes.conftest import Nodes
from tests.servers.waiting import wait_until

pytestmark = pytest.mark.xdist_group("postgres")


def issue(client: TestClient, secret: str = "", role: str = "admin") -> tuple[str, str]:
    """The id and the secret of a new key."""
    body = {"name": "k", "role": role, "workspaces": ["*"]}
    answer = client.post("/v1/admin/keys", json=body, headers=headers(secret))
    assert answer.status_code == 201, answer.text
    return answer.json()["id"], answer.json()["secret"]


def headers(secret: str) -> dict[str, str]:
    return {"X-API-Key": secret} if secret else {}


def knock(client: TestClient, secret: str = "") -> int:
    """The status of a request with a key, or without."""
    return client.get("/v1/workspaces", headers=headers(secret)).status_code


def test_the_first_key_closes_every_node(nodes: Nodes) -> None:
    one, other = nodes
    assert (knock(one), knock(other)) == (200, 200)
    _, secret = issue(one)
    # Each node asks the store every second whether there is a key.
    wait_until(lambda: (knock(one), knock(other)) == (401, 401), "both nodes to ask for a key")
    assert (knock(one, secret), knock(other, secret)) == (200, 200)


def test_a_key_revoked_on_one_node_is_refused_on_the_other_at_once(nodes: Nodes) -> None:
    one, other = nodes
    _, admin = issue(one)
    for _ in range(5):
        key_id, secret = issue(other, admin, "reader")
        assert (knock(one, secret), knock(other, secret)) == (200, 200)
        assert one.delete(f"/v1/admin/keys/{key_id}", headers=headers(admin)).status_code == 200
        assert (knock(other, secret), knock(one, secret)) == (401, 401)


def test_a_key_rotated_on_one_node_is_replaced_on_the_other(nodes: Nodes) -> None:
    one, other = nodes
    _, admin = issue(one)
    key_id, old = issue(one, admin, "reader")
    rotated = other.post(f"/v1/admin/keys/{key_id}/rotate", headers=headers(admin))
    assert rotated.status_code == 201
    assert [knock(one, secret) for secret in (old, rotated.json()["secret"])] == [200, 200]
    again = one.post(f"/v1/admin/keys/{key_id}/rotate", headers=headers(admin))
    assert again.status_code == 400
    assert f"was replaced by {rotated.json()['id']}" in again.json()["detail"]


def test_a_key_that_is_rotated_and_revoked_at_once_stays_revoked(nodes: Nodes) -> None:
    one, other = map(services_of, nodes)

    def rotate(services: Services, key_id: str) -> str:
        try:
            return services.keys.rotate(LOCAL_ADMIN, key_id)[1]
        except InvalidRequest:
            return ""

    for _ in range(10):
        key, secret = one.keys.issue(LOCAL_ADMIN, name="k", role=Role.READER, workspaces=("*",))
        with ThreadPoolExecutor(3) as threads:
            rotated = [threads.submit(rotate, services, key.id) for services in (one, other)]
            revoked = threads.submit(other.keys.revoke, LOCAL_ADMIN, key.id).result()
        assert revoked.revoked_ms is not None
        for services in (one, other):
            with pytest.raises(Unauthenticated):
                services.keys.authenticate(secret)
        handed_out = [each.result() for each in rotated if each.result()]
        assert len(handed_out) <= 1, "of two rotations one is refused"
        usable = [key.id for key in one.keys.list(LOCAL_ADMIN) if key.revoked_ms is None]
        assert len(usable) == len(handed_out), "no key is left that nobody was given"
        for new in handed_out:
            one.keys.revoke(LOCAL_ADMIN, one.keys.authenticate(new).key_id)
