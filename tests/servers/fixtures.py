"""Servers as fixtures: started at the first use in a session, or those that the environment names.

A fixture `*_server` is shared by the tests of a session, which use names of their own and leave it running; an `own_*`,
and what consists of several servers, belongs to one test, which may kill it, pause it and restart it.
Named by the environment: REME_TEST_POSTGRES (an address of a superuser), REME_TEST_ELASTICSEARCH (an address),
REME_TEST_CHROMA and REME_TEST_VALKEY (host:port), REME_TEST_S3 (endpoint|key|secret).
"""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TypeVar

import pytest

from tests.servers.buckets import Buckets
from tests.servers.chroma import ChromaServer
from tests.servers.elasticsearch import ElasticsearchServer
from tests.servers.installation import ServerMissing
from tests.servers.ministack import MinistackServer
from tests.servers.postgres import Databases, PostgresPair, PostgresServer
from tests.servers.seaweed import SeaweedServer
from tests.servers.valkey import ValkeyCluster, ValkeySentinels, ValkeyServer

Made = TypeVar("Made")


@dataclass(frozen=True, kw_only=True)
class Address:
    """Where a server is that the environment names, with the attributes of our own ones."""

    host: str = ""
    port: int = 0
    url: str = ""


@contextmanager
def run_server(make: Callable[[], AbstractContextManager[Made]]) -> Iterator[Made]:
    """A started server, removed at the end; the test is skipped by name where the server cannot be had."""
    try:
        server = make()
    except ServerMissing as missing:
        pytest.skip(str(missing))
    with server as started:
        yield started


def read_address(named: str, *, scheme: str) -> Address:
    """The address that host:port names."""
    host, _, port = named.rpartition(":")
    return Address(host=host, port=int(port), url=f"{scheme}://{named}")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Databases]:
    """PostgreSQL with pgvector: `new_database()` and `drop_database(dsn)`."""
    if named := os.environ.get("REME_TEST_POSTGRES"):
        databases = Databases(named)
        yield databases
        databases.drop_all()
        return
    with run_server(PostgresServer) as server:
        yield server


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL of this test's own, with fsync."""
    with run_server(lambda: PostgresServer(fsync=True)) as server:
        yield server


@pytest.fixture
def postgres_pair() -> Iterator[PostgresPair]:
    """A primary and its synchronous replica, of this test's own."""
    with run_server(PostgresPair) as pair:
        yield pair


@pytest.fixture(scope="session")
def elasticsearch_server() -> Iterator[ElasticsearchServer | Address]:
    """Elasticsearch: `url`. Mark its tests with `xdist_group("elasticsearch")`, so that one worker starts it."""
    if named := os.environ.get("REME_TEST_ELASTICSEARCH"):
        yield Address(url=named.rstrip("/"))
        return
    with run_server(ElasticsearchServer) as server:
        yield server


@pytest.fixture
def own_elasticsearch() -> Iterator[ElasticsearchServer]:
    """An Elasticsearch of this test's own."""
    with run_server(ElasticsearchServer) as server:
        yield server


@pytest.fixture(scope="session")
def chroma_server() -> Iterator[ChromaServer | Address]:
    """Chroma: `host` and `port`."""
    if named := os.environ.get("REME_TEST_CHROMA"):
        yield read_address(named, scheme="http")
        return
    with run_server(ChromaServer) as server:
        yield server


@pytest.fixture
def own_chroma() -> Iterator[ChromaServer]:
    """A Chroma of this test's own."""
    with run_server(ChromaServer) as server:
        yield server


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[ValkeyServer | Address]:
    """Valkey: `host`, `port` and `url`."""
    if named := os.environ.get("REME_TEST_VALKEY"):
        yield read_address(named, scheme="redis")
        return
    with run_server(ValkeyServer) as server:
        yield server


@pytest.fixture
def own_valkey() -> Iterator[ValkeyServer]:
    """A Valkey of this test's own."""
    with run_server(ValkeyServer) as server:
        yield server


@pytest.fixture
def valkey_sentinels() -> Iterator[ValkeySentinels]:
    """Three Sentinels over a primary and its replica, of this test's own."""
    with run_server(ValkeySentinels) as sentinels:
        yield sentinels


@pytest.fixture
def valkey_cluster() -> Iterator[ValkeyCluster]:
    """A cluster of three nodes, of this test's own."""
    with run_server(ValkeyCluster) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def seaweed_server() -> Iterator[Buckets]:
    """SeaweedFS: `endpoint`, `access_key`, `secret_key`, `region` and `new_bucket()`."""
    if named := os.environ.get("REME_TEST_S3"):
        buckets = Buckets(*named.split("|"))
        yield buckets
        buckets.drop_all()
        buckets.disconnect()
        return
    with run_server(SeaweedServer) as server:
        yield server


@pytest.fixture
def own_seaweed() -> Iterator[SeaweedServer]:
    """A SeaweedFS of this test's own."""
    with run_server(SeaweedServer) as server:
        yield server


@pytest.fixture(scope="session")
def ministack_server() -> Iterator[MinistackServer]:
    """An emulator of AWS: `endpoint`, `access_key`, `secret_key`, `region` and `new_bucket()`."""
    with run_server(MinistackServer) as server:
        yield server
