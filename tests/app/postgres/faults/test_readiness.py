"""The whole service over a server that fails: its readiness tells the truth, and it recovers without a restart."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from tests.app.api.world import make_app, make_client
from tests.servers.postgres import PostgresServer
from tests.servers.waiting import wait_until

pytestmark = pytest.mark.slow

_MEMORY = {"type": "personal", "content": "the train leaves at nine"}


@pytest.fixture
def client(tmp_path: Path, dsn: str) -> Iterator[TestClient]:
    """A caller of the service."""
    postgres = {"connection_string": dsn, "connect_timeout_s": 2, "statement_timeout_s": 3}
    app = make_app(tmp_path, store={"backend": "postgres"}, postgres=postgres)
    with make_client(app, raise_server_exceptions=False) as running:
        yield running


def examine(client: TestClient) -> tuple[int, str]:
    """The status of /readyz and what it says of the store."""
    answer = client.get("/readyz")
    return answer.status_code, answer.json()["checks"]["store"]


def add(client: TestClient) -> int:
    """The status of a request that writes."""
    return client.post("/v1/workspaces/w/memories", json=_MEMORY).status_code


def is_well(client: TestClient) -> bool:
    """Whether it says that it is ready, and writes; the second time the memory is there already."""
    return examine(client) == (200, "ok") and add(client) in (200, 201)


FAULTS: dict[str, tuple[Callable[[PostgresServer], object], Callable[[PostgresServer], object]]] = {
    "killed": (PostgresServer.kill, PostgresServer.start),
    "paused": (PostgresServer.pause, PostgresServer.resume),
}


@pytest.mark.parametrize("fault", list(FAULTS))
def test_readiness_follows_the_server(own_postgres: PostgresServer, client: TestClient, fault: str) -> None:
    begin, end = FAULTS[fault]
    wait_until(lambda: is_well(client), "the service to be ready")
    begin(own_postgres)
    wait_until(lambda: examine(client)[0] == 503, "the service to say that it is not ready")
    status, reason = examine(client)
    assert status == 503 and reason.startswith("store-unavailable: ")
    assert f"{own_postgres.host}:{own_postgres.port}" in reason and "postgres@" not in reason
    refused = client.post("/v1/workspaces/w/memories", json=_MEMORY)
    assert refused.status_code == 503 and refused.json()["type"].endswith("store-unavailable")
    assert client.get("/livez").status_code == 200
    end(own_postgres)
    wait_until(lambda: is_well(client), "the service to be ready again")
