"""Opens indices on a real Elasticsearch, and looks at them past the backend."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from secrets import token_hex
from typing import Any, Protocol

from elasticsearch import Elasticsearch

from app.backends.elasticsearch import ElasticsearchIndex, open_index
from app.domain.embedding import EmbeddingIdentity
from tests.app.contract.samples import IDENTITY
from tests.servers.waiting import PATIENCE_S


class ServerAddress(Protocol):
    """What the fixture `elasticsearch_server` gives."""

    @property
    def url(self) -> str:
        """Its address."""
        ...


def make_name() -> str:
    """A name that no other test has."""
    return f"t{token_hex(6)}"


@contextmanager
def opened(
    server: ServerAddress, *, identity: EmbeddingIdentity | None = IDENTITY, **options: Any
) -> Iterator[ElasticsearchIndex]:
    """An index of one shard, prepared unless the identity is None, and dropped at the end."""
    given = {"index_name": make_name(), "number_of_shards": 1, "number_of_replicas": 0, **options}
    index = open_index([server.url], **{"timeout_s": PATIENCE_S, **given})
    try:
        if identity is not None:
            index.prepare(identity)
        yield index
    finally:
        index.drop()
        index.close()


@contextmanager
def asking(server: ServerAddress) -> Iterator[Elasticsearch]:
    """A plain client."""
    client = Elasticsearch([server.url], request_timeout=PATIENCE_S)
    try:
        yield client
    finally:
        client.close()


def list_indices(client: Elasticsearch, name: str) -> Sequence[str]:
    """The indices whose names begin so."""
    return sorted(client.indices.get(index=f"{name}-*", allow_no_indices=True).body)
