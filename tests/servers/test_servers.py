"""Every server that tests may use: it starts, answers, and keeps what it was given when it is killed and paused."""

from collections.abc import Callable, Iterator
from contextlib import closing
from threading import Thread
from typing import Any, NamedTuple

import httpx
import pytest
from elasticsearch import Elasticsearch

from tests.servers.chroma import ChromaServer
from tests.servers.elasticsearch import ElasticsearchServer
from tests.servers.fixtures import run_server
from tests.servers.ministack import MinistackServer
from tests.servers.postgres import PostgresServer
from tests.servers.seaweed import SeaweedServer
from tests.servers.server import Server, ServerFailed
from tests.servers.valkey import ValkeyServer

_STILL_S = 0.5
_PATIENCE_S = 60


class Use(NamedTuple):
    """How a server is made, given something to keep, and asked for it; whether it stops and starts in seconds."""

    make: Callable[[], Server]
    keep: Callable[[Any], object]
    recall: Callable[[Any], str]
    is_quick: bool = True


def keep_in_postgres(server: PostgresServer) -> None:
    server.execute("CREATE EXTENSION vector")
    server.execute("CREATE TABLE kept AS SELECT '[1,2]'::vector AS v, 'kept' AS word")


def keep_in_elasticsearch(server: ElasticsearchServer) -> None:
    with closing(Elasticsearch(server.url, request_timeout=_PATIENCE_S)) as client:
        client.index(index="words", id="1", document={"word": "kept"}, refresh=True)


def recall_from_elasticsearch(server: ElasticsearchServer) -> str:
    with closing(Elasticsearch(server.url, request_timeout=_PATIENCE_S)) as client:
        return str(client.get(index="words", id="1")["_source"]["word"])


def ask_chroma(server: ChromaServer, path: str, body: dict[str, Any]) -> dict[str, Any]:
    address = f"http://{server.host}:{server.port}/api/v2/tenants/default_tenant/databases/default_database/collections"
    answer = httpx.post(f"{address}{path}", json=body, timeout=_PATIENCE_S, trust_env=False)
    found: dict[str, Any] = answer.raise_for_status().json()
    return found


def keep_in_chroma(server: ChromaServer) -> None:
    made = ask_chroma(server, "", {"name": "words"})["id"]
    ask_chroma(server, f"/{made}/add", {"ids": ["1"], "embeddings": [[1.0, 2.0]], "documents": ["kept"]})


def recall_from_chroma(server: ChromaServer) -> str:
    made = ask_chroma(server, "", {"name": "words", "get_or_create": True})["id"]
    found = ask_chroma(server, f"/{made}/query", {"query_embeddings": [[1.0, 2.0]], "n_results": 1})
    return str(found["documents"][0][0])


def keep_object(server: SeaweedServer | MinistackServer) -> None:
    name = server.new_bucket(versioning=True)
    server.client.put_object(Bucket=name, Key="word", Body=b"kept")


def recall_object(server: SeaweedServer | MinistackServer) -> str:
    (bucket,) = server.client.list_buckets()["Buckets"]
    return str(server.client.get_object(Bucket=bucket["Name"], Key="word")["Body"].read().decode())


def lists(rows: list[tuple[object, ...]]) -> str:
    return str(rows[0][0])


USES = {
    "postgres": Use(
        lambda: PostgresServer(fsync=True),
        keep_in_postgres,
        lambda server: lists(server.execute("SELECT word FROM kept ORDER BY v <-> '[1,1]'")),
    ),
    "elasticsearch": Use(ElasticsearchServer, keep_in_elasticsearch, recall_from_elasticsearch, is_quick=False),
    "chroma": Use(ChromaServer, keep_in_chroma, recall_from_chroma),
    "valkey": Use(
        ValkeyServer, lambda server: server.ask("SET", "word", "kept"), lambda server: str(server.ask("GET", "word"))
    ),
    "seaweed": Use(SeaweedServer, keep_object, recall_object, is_quick=False),
    "ministack": Use(MinistackServer, keep_object, recall_object),
}


@pytest.fixture(
    params=[
        pytest.param(name, marks=[pytest.mark.xdist_group(name)] if name == "elasticsearch" else []) for name in USES
    ]
)
def use(request: pytest.FixtureRequest) -> Use:
    """Each server's use in turn."""
    return USES[str(request.param)]


@pytest.fixture
def server(use: Use) -> Iterator[Server]:
    """A server of its own, running."""
    with run_server(use.make) as running:
        yield running


@pytest.mark.slow
def test_it_keeps_what_it_was_given(use: Use, server: Server) -> None:
    address = (server.host, server.port)
    use.keep(server)
    assert use.recall(server) == "kept"

    tree = server.processes()
    server.kill()
    assert not any(each.runs() for each in tree)
    assert not server.runs() and not server.answers()
    server.start()
    assert (server.host, server.port) == address
    assert use.recall(server) == "kept"

    said: list[str] = []
    asking = Thread(target=lambda: said.append(use.recall(server)))
    server.pause()
    asking.start()
    asking.join(_STILL_S)
    assert not said and server.runs()
    server.resume()
    asking.join()
    assert said == ["kept"]

    if use.is_quick:
        server.restart()
        assert use.recall(server) == "kept"

    folder = server.folder
    server.close()
    assert not server.runs() and not folder.exists()


@pytest.mark.slow
def test_a_server_that_does_not_start_shows_its_log() -> None:
    with (
        pytest.raises(ServerFailed, match=r"(?s)valkey ended with status 1; .*maxmemory"),
        run_server(lambda: ValkeyServer(maxmemory="nonsense")),
    ):
        pass
