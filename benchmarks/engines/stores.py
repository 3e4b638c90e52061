"""This repository's service over other stores than the embedded one: PostgreSQL, and vector indexes beside SQLite.

Where the servers are is told by variables, which the suite sets. A row counts as loaded once the index was told of it:
`settle` waits for that, so `rows_per_s` is the store's alone and `rows_per_s_with_index` that of both.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from time import sleep
from typing import Any

from app.backends import postgres
from app.backends.clock import SystemClock
from app.backends.indexed import IndexedStore
from app.backends.indexed import open_store as open_indexed
from app.backends.sqlite import open_store as open_sqlite
from app.domain.embedding import EmbeddingIdentity
from app.ports import Clock, VectorIndex
from app.service.retrieval import Retrieval
from benchmarks.engines.contract import HYBRID, VECTOR
from benchmarks.engines.ours import GivenEmbedder, Ours

POSTGRES, ELASTICSEARCH, CHROMA, QDRANT = (
    f"REME_BENCH_{name}" for name in ("POSTGRES", "ELASTICSEARCH", "CHROMA", "QDRANT")
)
"""Variables with the addresses of servers."""
_LOOK_S = 0.1


class _OverStore(Ours):
    """The services over a store that a subclass opens, with the vectors given."""

    legs: Sequence[str] = (VECTOR, HYBRID)

    def open(self, folder: Path, dimensions: int) -> None:
        """Open the store, empty or as it was left."""
        clock = SystemClock()
        identity = EmbeddingIdentity(model="synthetic", dimensions=dimensions)
        self._store: Any = self.open_store(folder, identity, clock)
        self._given = GivenEmbedder(identity)
        self._retrievals = {
            HYBRID: Retrieval(index=self._store.index, embedder=self._given, clock=clock, meter=self._store.meter)
        }
        self._ids = {}

    def open_store(self, folder: Path, identity: EmbeddingIdentity, clock: Clock) -> Any:
        """The store with every port."""
        raise NotImplementedError


class Embedded(_OverStore):
    """The embedded store alone: what the others are compared with."""

    packages: Sequence[str] = ("reme-cloud", "apsw")

    def open_store(self, folder: Path, identity: EmbeddingIdentity, clock: Clock) -> Any:
        """A file."""
        return open_sqlite(folder / "memory.db", identity=identity, clock=clock)


class OnPostgres(_OverStore):
    """PostgreSQL with pgvector, HNSW."""

    packages: Sequence[str] = ("reme-cloud", "psycopg")

    def open_store(self, folder: Path, identity: EmbeddingIdentity, clock: Clock) -> Any:
        """A database of the server."""
        folder.mkdir(parents=True, exist_ok=True)
        return postgres.open_store(
            os.environ[POSTGRES], identity=identity, clock=clock, min_pool_size=2, max_pool_size=4
        )

    def settle(self) -> None:
        """Make the index of the vectors now: it is made in the background else, and counts as loading here."""
        self._store.keeper.make("chunks_vec_default", self._given.identity.dimensions)


class _Beside(_OverStore):
    """The embedded store with a vector index beside it."""

    def open_store(self, folder: Path, identity: EmbeddingIdentity, clock: Clock) -> Any:
        """The file and the index."""
        store = open_sqlite(folder / "memory.db", identity=identity, clock=clock)
        return open_indexed(store, self.open_index(folder), identity=identity, clock=clock)

    def open_index(self, folder: Path) -> VectorIndex:
        """The index's client."""
        raise NotImplementedError

    def settle(self) -> None:
        """Wait until the index was told everything."""
        store: IndexedStore[Any] = self._store
        while store.state().waiting:
            sleep(_LOOK_S)
        if not store.state().is_used:
            raise RuntimeError(f"searches do not ask the index: {store.state().error or 'it is not whole'}")


class BesideElasticsearch(_Beside):
    """Elasticsearch, which ranks by words too; one shard, no copies, since there is one node."""

    packages: Sequence[str] = ("reme-cloud", "elasticsearch")

    def open_index(self, folder: Path) -> VectorIndex:  # noqa: ARG002 - it is on the server
        """An index of the server."""
        from app.backends import elasticsearch  # noqa: PLC0415 - its client is not everybody's

        return elasticsearch.open_index(
            [os.environ[ELASTICSEARCH]],
            index_name="bench",
            number_of_shards=1,
            number_of_replicas=0,
            ef_construction=200,
            num_candidates=256,
            timeout_s=120,
        )


class BesideChroma(_Beside):
    """A Chroma server."""

    packages: Sequence[str] = ("reme-cloud", "chromadb-client")

    def open_index(self, folder: Path) -> VectorIndex:  # noqa: ARG002 - it is on the server
        """A collection of the server."""
        from app.backends import chroma  # noqa: PLC0415 - its client is not everybody's

        host, _, port = os.environ[CHROMA].rpartition(":")
        return chroma.open_index(host, int(port), name="bench", search_timeout_s=30, timeout_s=120)


class BesideQdrant(_Beside):
    """A Qdrant server where there is one, else the local mode of its client, which compares every vector in numpy."""

    packages: Sequence[str] = ("reme-cloud", "qdrant-client")

    def open_index(self, folder: Path) -> VectorIndex:
        """A collection."""
        from app.backends import qdrant  # noqa: PLC0415 - its client is not everybody's

        url = os.environ.get(QDRANT, "")
        if url:
            return qdrant.open_index(url=url, collection_name="bench", timeout_s=120)
        return qdrant.open_index(path=str(folder / "qdrant"), collection_name="bench", timeout_s=120)
