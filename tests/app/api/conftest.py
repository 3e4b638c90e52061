"""A service in memory, and callers of every role."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from tests.app.api.world import World, make_app, make_client

MakeClient = Callable[..., TestClient]


@pytest.fixture
def open_client(tmp_path: Path) -> Iterator[Callable[..., TestClient]]:
    """Starts services with the settings given and ends them after the test; callers are local."""
    running: list[TestClient] = []

    def start(**settings: object) -> TestClient:
        client = make_client(make_app(tmp_path, **settings))
        client.__enter__()
        running.append(client)
        return client

    yield start
    for client in running:
        client.__exit__()


@pytest.fixture
def client(open_client: MakeClient) -> TestClient:
    """A local caller of a service without keys."""
    return open_client()


@pytest.fixture
def app(client: TestClient) -> FastAPI:
    """The application behind `client`."""
    assert isinstance(client.app, FastAPI)
    return client.app


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A service with keys of every role in two tenants."""
    with make_client(make_app(tmp_path_factory.mktemp("world"))) as running:
        yield World(running)
