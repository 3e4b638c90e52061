"""Who is let in: open only for callers on this machine while no key exists; keys in headers and, if allowed, in paths."""

from collections.abc import Callable
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from app.api.authentication import Doorkeeper, is_loopback, secret_of, split_path
from app.domain.access import LOCAL_ADMIN, Role
from app.errors import SettingsError
from app.settings import Settings
from tests.app.api.world import make_app, make_client, services_of

Start = Callable[..., TestClient]
PUBLIC_BIND = "0.0.0.0"  # noqa: S104


def issue(client: TestClient, role: Role = Role.USER, workspaces: tuple[str, ...] = ("*",)) -> str:
    return services_of(client).keys.issue(LOCAL_ADMIN, name="k", role=role, workspaces=workspaces)[1]


def test_a_local_caller_needs_no_key_until_one_exists(client: TestClient) -> None:
    assert client.get("/v1/workspaces").status_code == 200
    secret = issue(client)
    doorkeeper = client.app.state.api.doorkeeper  # type: ignore[attr-defined]
    doorkeeper._keys_exist = (False, -10.0)  # a second has passed
    assert client.get("/v1/workspaces").status_code == 401
    assert client.get("/v1/workspaces", headers={"X-API-Key": secret}).status_code == 200
    assert client.get("/v1/workspaces", headers={"Authorization": f"Bearer {secret}"}).status_code == 200
    assert client.get("/v1/workspaces", headers={"Authorization": f"bearer  {secret}"}).status_code == 200
    assert client.get("/v1/workspaces", headers={"Authorization": f"Basic {secret}"}).status_code == 401


def test_the_first_key_closes_the_door_within_a_second(client: TestClient) -> None:
    now = [0.0]
    doorkeeper = Doorkeeper(services_of(client).keys, Settings(), seconds=lambda: now[0])
    assert doorkeeper.open
    issue(client)
    now[0] = 0.9
    assert doorkeeper.open
    now[0] = 1.0
    assert not doorkeeper.open


def test_revoking_the_last_key_opens_nothing(client: TestClient) -> None:
    keys = services_of(client).keys
    key, secret = keys.issue(LOCAL_ADMIN, name="k", role=Role.ADMIN, workspaces=("*",))
    keys.revoke(LOCAL_ADMIN, key.id)
    assert client.get("/v1/workspaces", headers={"X-API-Key": secret}).status_code == 401
    assert client.get("/v1/workspaces").status_code == 401


@pytest.mark.parametrize("path", ["/", "/health", "/livez", "/readyz"])
def test_probes_never_need_a_key(client: TestClient, path: str) -> None:
    issue(client)
    assert client.get(path).status_code == 200
    assert client.get(path, headers={"X-API-Key": "rk_wrong"}).status_code == 200


def test_a_key_that_opens_nothing_is_refused_even_while_the_door_is_open(client: TestClient) -> None:
    answer = client.get("/v1/workspaces", headers={"X-API-Key": "rk_" + "0" * 32})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_access_mode_required_is_never_open(open_client: Start) -> None:
    client = open_client(access={"mode": "required"})
    assert client.get("/v1/workspaces").status_code == 401
    assert client.get("/health").status_code == 200


@pytest.mark.parametrize("address", ["192.0.2.1", "10.0.0.9", "::2", "", "testclient"])
def test_a_caller_elsewhere_needs_a_key(client: TestClient, address: str) -> None:
    """A proxy on this machine passes the caller's address on."""
    assert make_client(client.app, (address, 1)).get("/v1/workspaces").status_code == 401  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8002", "127.0.0.1.evil.example", "", "localhost.evil", "[::1", "[x]", "127.0.0.1]"],
)
def test_a_web_page_cannot_rebind_its_name_to_this_machine(client: TestClient, host: str) -> None:
    assert client.get("/v1/workspaces", headers={"Host": host}).status_code == 401


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8002", "127.0.0.1:1", "127.1.2.3", "[::1]:8002"])
def test_names_of_this_machine_are_let_in(client: TestClient, host: str) -> None:
    assert client.get("/v1/workspaces", headers={"Host": host}).status_code == 200


def test_a_web_page_of_another_origin_needs_a_key(open_client: Start) -> None:
    client = open_client()
    assert client.get("/v1/workspaces", headers={"Origin": "https://evil.example"}).status_code == 401
    assert client.get("/v1/workspaces", headers={"Origin": "null"}).status_code == 401
    assert client.get("/v1/workspaces", headers={"Origin": "http://[127.0.0.1:8002"}).status_code == 401
    assert client.get("/v1/workspaces", headers={"Origin": "http://127.0.0.1:8002"}).status_code == 200
    client = open_client(http={"cors_origins": ("https://app.example", "*")})
    assert client.get("/v1/workspaces", headers={"Origin": "https://app.example"}).status_code == 200
    assert client.get("/v1/workspaces", headers={"Origin": "https://evil.example"}).status_code == 401


def test_the_service_does_not_start_open_to_a_network(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="reme keys issue"):
        make_app(tmp_path, http={"host": PUBLIC_BIND})
    assert make_app(tmp_path, http={"host": PUBLIC_BIND, "allow_open": True})


def test_the_service_starts_on_a_network_once_a_key_exists(tmp_path: Path) -> None:
    store = {"backend": "sqlite"}
    with make_client(make_app(tmp_path, store=store)) as client:
        secret = issue(client, Role.READER)
    app = make_app(tmp_path, store=store, http={"host": PUBLIC_BIND})
    with make_client(app, ("192.0.2.1", 1)) as client:
        assert client.get("/v1/workspaces").status_code == 401
        assert client.get("/v1/workspaces", headers={"X-API-Key": secret}).status_code == 200


def test_allow_open_lets_everyone_in_while_no_key_exists(open_client: Start) -> None:
    client = open_client(http={"host": PUBLIC_BIND, "allow_open": True})
    elsewhere = make_client(client.app, ("192.0.2.1", 1))  # type: ignore[arg-type]
    assert elsewhere.get("/v1/workspaces", headers={"Host": "memory.example"}).status_code == 200
    issue(client)
    client.app.state.api.doorkeeper._keys_exist = (False, -10.0)  # type: ignore[attr-defined]
    assert elsewhere.get("/v1/workspaces").status_code == 401


def test_metrics_on_a_network_need_a_key_that_reads_everything(tmp_path: Path) -> None:
    store = {"backend": "sqlite"}
    with make_client(make_app(tmp_path, store=store)) as client:
        assert client.get("/metrics").status_code == 200
        everything, one = issue(client, Role.READER), issue(client, Role.ADMIN, ("ws",))
        assert client.get("/metrics").status_code == 200, "at a local address"
    with make_client(make_app(tmp_path, store=store, http={"host": PUBLIC_BIND})) as client:
        assert client.get("/metrics").status_code == 401
        assert client.get("/metrics", headers={"X-API-Key": one}).status_code == 403
        assert client.get("/metrics", headers={"Authorization": f"Bearer {everything}"}).status_code == 200


class TestKeyInPath:
    """The prefix for clients that cannot send headers: off by default, never for admins."""

    def test_off_by_default(self, client: TestClient) -> None:
        assert client.get(f"/k/{issue(client)}/v1/workspaces").status_code in (401, 404)

    def test_the_java_client_works_with_it(self, open_client: Start) -> None:
        client = open_client(http={"key_in_path": True})
        base = f"/k/{issue(client, Role.USER, ('u1',))}"
        said = {"workspace_id": "u1", "trajectories": [{"messages": [{"role": "user", "content": "I like coffee"}]}]}
        assert client.post(f"{base}/summary_personal_memory", json=said).status_code == 200
        asked = {"workspace_id": "u1", "query": "coffee", "top_k": 5}
        assert client.post(f"{base}/retrieve_personal_memory", json=asked).json()["answer"] == "I like coffee"
        assert client.post(f"{base}/retrieve_personal_memory", json={"query": "coffee"}).json()["answer"], (
            "one workspace"
        )

    @pytest.mark.parametrize("role", [Role.USER, Role.READER, Role.SERVICE_ACCOUNT])
    def test_roles(self, open_client: Start, role: Role) -> None:
        client = open_client(http={"key_in_path": True})
        assert client.get(f"/k/{issue(client, role)}/v1/workspaces").status_code == 200

    def test_an_admins_key_must_not_stand_in_an_address(self, open_client: Start) -> None:
        client = open_client(http={"key_in_path": True})
        secret = issue(client, Role.ADMIN)
        answer = client.get(f"/k/{secret}/v1/workspaces")
        assert answer.status_code == 403
        assert secret not in answer.text
        assert client.get("/v1/workspaces", headers={"X-API-Key": secret}).status_code == 200

    def test_a_wrong_key_is_refused_in_the_form_of_the_routes_family(self, open_client: Start) -> None:
        client = open_client(http={"key_in_path": True})
        answer = client.get("/k/nonsense/v1/workspaces")
        assert (answer.status_code, answer.headers["Content-Type"]) == (401, "application/problem+json")
        answer = client.post("/k/nonsense/search", json={"query": "x"})
        assert (answer.status_code, answer.json()["success"]) == (401, False)
        assert client.get("/k/nonsense/health").json() == {"status": "healthy"}


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        ("/k/rk_1/health", ("rk_1", "/health")),
        ("/k/rk_1", ("rk_1", "/")),
        ("/k/rk_1/", ("rk_1", "/")),
        ("/k//x", ("", "/x")),
        ("/k/", ("", "/")),
        ("/kk/x", ("", "/kk/x")),
        ("/v1/k/x", ("", "/v1/k/x")),
    ],
)
def test_the_path_is_split_at_the_key(path: str, parts: tuple[str, str]) -> None:
    assert split_path(path) == parts


def test_the_header_of_our_own_wins() -> None:
    assert secret_of(b" a ", b"Bearer b") == "a"
    assert secret_of(b"", b"Bearer b") == "b"
    assert secret_of(b"", b"") == ""
    assert secret_of(b"\xff", b"") == "\xff"


def test_loopback() -> None:
    assert all(is_loopback(host) for host in ("127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost", "LocalHost"))
    assert not any(is_loopback(host) for host in (PUBLIC_BIND, "::", "192.168.0.1", "example.com", ""))
