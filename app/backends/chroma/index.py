"""One collection of a Chroma server, which holds all workspaces, apart by a key of each record."""

import json
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import asdict, dataclass
from secrets import token_hex
from time import monotonic
from typing import TypeVar, cast

import numpy as np
from chromadb.api.collection_configuration import CreateCollectionConfiguration, CreateHNSWConfiguration
from chromadb.api.models.Collection import Collection
from chromadb.api.types import Metadata
from chromadb.api.types import Where as ChromaWhere

from app.backends.chroma.api import ChromaApi, KeyRefused
from app.backends.chroma.records import Where, read_facts, replace_record, select, write_record
from app.domain.embedding import EmbeddingIdentity, Vector
from app.domain.filters import holds, passes
from app.domain.indexing import IndexAbilities, IndexEntry
from app.domain.memory import Scope
from app.domain.query import Candidate, MemoryFilter
from app.errors import EmbeddingMismatch, IndexUnavailable, SettingsError

T = TypeVar("T")

DIMENSIONS = 4096
"""The quota of Chroma Cloud (its documentation's page on quotas and limits, read 2026-11-22); a server of one's own has
none."""
BATCH = 500
"""Records sent at once: of 3,072 dimensions 8 MB in base64, and at most as much metadata, below the server's 40 MB."""
SPARE = 8
"""Hits asked for beyond the limit, in place of those that a `where` lets through and a filter does not."""
UNREACHED = 1000
"""Of memories that the graph did not reach, at most so many beyond what was asked for are looked for."""
APPLY_TIMEOUTS = 2
"""Telling of one batch of the indexer begins no further call after so many timeouts."""
FORMAT = "1"
"""Of the records; a collection of another one is made anew."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Hit:
    number: int
    score: float
    record: Mapping[str, object]


class ChromaIndex:
    """A `VectorIndex`: one collection, which is known by its id, so that one made anew by others does not answer."""

    def __init__(
        self,
        searching: ChromaApi,
        writing: ChromaApi,
        *,
        name: str,
        m: int,
        ef_construction: int,
        ef_search: int,
        batch_size: int,
    ) -> None:
        self._searching, self._writing, self._name = searching, writing, name
        self._hnsw = CreateHNSWConfiguration(
            space="cosine", max_neighbors=m, ef_construction=ef_construction, ef_search=ef_search
        )
        self._identity: EmbeddingIdentity | None = None
        self._searched: Collection | None = None
        self._written: Collection | None = None
        self._most = self._batch = batch_size

    @property
    def abilities(self) -> IndexAbilities:
        """Neither exact search nor keywords: the store has both."""
        return IndexAbilities(exact=False, keywords=False, dimensions=DIMENSIONS)

    def prepare(self, identity: EmbeddingIdentity) -> str:
        """Make the collection, anew where it is of another embedding or format or was built with other settings."""
        if identity.dimensions > DIMENSIONS:
            raise SettingsError(
                f"Chroma is trusted with {DIMENSIONS} dimensions at most: {identity} has more; choose another index"
            )
        made_for = {
            "format": FORMAT,
            "embedding": json.dumps(asdict(identity), sort_keys=True),
            "hnsw": json.dumps(dict(self._hnsw), sort_keys=True),
        }
        try:
            found = self._writing.find_collection(self._name)
            if found is not None and not _is_made_for(found, made_for):
                self._writing.drop_collection(self._name)
                found = None
            if found is None:
                found = self._writing.make_collection(
                    self._name, {**made_for, "mark": token_hex(8)}, CreateCollectionConfiguration(hnsw=self._hnsw)
                )
            if not _is_made_for(found, made_for):
                raise IndexUnavailable(f"another client made collection {self._name} for another embedding: repeat")
            self._batch = max(1, min(self._most, self._writing.read_batch_limit()))
        except KeyRefused as refusal:
            raise SettingsError(refusal.message) from None
        self._written, self._searched = found, self._searching.adopt(found)
        self._identity = identity
        return str((found.metadata or {})["mark"])

    def apply(self, entries: Sequence[IndexEntry]) -> None:
        """Hold or take out each entry."""
        collection, identity = self._require(self._written)
        until_s = monotonic() + APPLY_TIMEOUTS * self._writing.timeout_s
        last = {entry.number: entry for entry in entries}
        for entry in last.values():
            if entry.is_held and entry.vector is not None:
                _check(entry.vector, identity)
        held = [entry for entry in last.values() if entry.is_held]
        gone = [str(entry.number) for entry in last.values() if not entry.is_held]
        for part in _cut(held, self._batch):
            self._check_time(until_s)
            self._hold(collection, part)
        for numbers in _cut(gone, self._batch):
            self._check_time(until_s)
            self._take_out(collection, numbers)

    def _check_time(self, until_s: float) -> None:
        """Raise `IndexUnavailable` where telling takes so long that others may have claimed the same meanwhile."""
        if monotonic() > until_s:
            raise IndexUnavailable(
                f"the Chroma server at {self._writing.address} takes too long: give it more to work with"
            )

    def _hold(self, collection: Collection, entries: Sequence[IndexEntry]) -> None:
        ids = [str(entry.number) for entry in entries]
        there = self._writing.call(lambda: collection.get(ids=ids, include=["metadatas"]))
        before = dict(zip(there["ids"], there["metadatas"] or [], strict=True))
        records: list[Metadata] = [
            replace_record(write_record(entry.memory), before.get(str(entry.number)) or {})
            for entry in entries
            if entry.memory is not None
        ]
        vectors = np.stack([entry.vector for entry in entries if entry.vector is not None])
        self._writing.call(lambda: collection.upsert(ids=ids, embeddings=vectors, metadatas=records))

    def _take_out(self, collection: Collection, ids: Sequence[str]) -> None:
        self._writing.call(lambda: collection.delete(ids=list(ids)))

    def nearest(
        self,
        scope: Scope,
        vector: Vector,
        memory_filter: MemoryFilter,
        *,
        limit: int,
        now_ms: int,
        as_of_ms: int | None = None,
        exact: bool = False,  # noqa: ARG002 - it cannot
    ) -> list[Candidate]:
        """The closest that pass: more are asked for until enough of them do, or there are no more."""
        collection, identity = self._require(self._searched)
        _check(vector, identity)
        if limit <= 0:
            return []
        where = select(scope, memory_filter, as_of_ms=as_of_ms)
        asked = limit + SPARE
        while True:
            hits = self._ask(collection, vector, where, asked)
            exhausted = len(hits) < asked
            if exhausted:
                hits += self._complete(collection, vector, where, known={hit.number for hit in hits}, most=asked)
            found = []
            for hit in hits:
                memory = read_facts(hit.record, scope)
                if holds(memory, as_of_ms, now_ms=now_ms) and passes(memory, memory_filter):
                    found.append(Candidate(number=hit.number, score=hit.score))
            if len(found) >= limit or exhausted:
                return sorted(found, key=lambda one: (-one.score, one.number))[:limit]
            asked *= 4

    def _ask(self, collection: Collection, vector: Vector, where: Where, limit: int) -> list[_Hit]:
        """The closest by the graph."""
        answer = self._searching.call(
            lambda: collection.query(
                query_embeddings=vector[np.newaxis],
                n_results=limit,
                where=cast(ChromaWhere, where),
                include=["distances", "metadatas"],
            )
        )
        distances, records = answer["distances"] or [[]], answer["metadatas"] or [[]]
        return [
            _Hit(number=int(number), score=1.0 - distance, record=record)
            for number, distance, record in zip(answer["ids"][0], distances[0], records[0], strict=True)
        ]

    def _complete(
        self, collection: Collection, vector: Vector, where: Where, *, known: Set[int], most: int
    ) -> list[_Hit]:
        """What meets a `where` and the graph did not reach, as where many vectors are alike; compared here."""
        ids = self._searching.call(
            lambda: collection.get(where=cast(ChromaWhere, where), limit=most + UNREACHED, include=[])
        )["ids"]
        missing = [number for number in ids if int(number) not in known]
        if not missing:
            return []
        answer = self._searching.call(lambda: collection.get(ids=missing, include=["embeddings", "metadatas"]))
        records, stored = answer["metadatas"] or [], answer["embeddings"]
        if stored is None or not len(stored):
            return []
        scores = (np.asarray(stored, np.float32) @ vector).tolist()
        return [
            _Hit(number=int(number), score=score, record=record)
            for number, score, record in zip(answer["ids"], scores, records, strict=True)
        ]

    def matching(
        self,
        scope: Scope,
        text: str,
        memory_filter: MemoryFilter,
        *,
        limit: int,
        now_ms: int,
        as_of_ms: int | None = None,
    ) -> list[Candidate]:
        """Not here: `abilities.keywords` is false."""
        raise NotImplementedError

    def count(self) -> int:
        """How many memories it holds."""
        collection, _ = self._require(self._written)
        return self._writing.call(collection.count)

    def check(self) -> None:
        """Raise `IndexUnavailable` where the server does not answer or the collection is gone."""
        collection, _ = self._require(self._searched)
        self._searching.check_collection(collection)

    def drop(self) -> None:
        """Remove the collection."""
        self._writing.drop_collection(self._name)

    def close(self) -> None:
        """Let go of connections."""
        self._searching.close()
        self._writing.close()

    def _require(self, collection: Collection | None) -> tuple[Collection, EmbeddingIdentity]:
        if collection is None or self._identity is None:
            raise IndexUnavailable(
                f"the collection on the Chroma server at {self._writing.address} was not prepared yet"
            )
        return collection, self._identity


def _is_made_for(collection: Collection, wanted: Mapping[str, str]) -> bool:
    metadata = collection.metadata or {}
    return "mark" in metadata and all(metadata.get(name) == value for name, value in wanted.items())


def _check(vector: Vector, identity: EmbeddingIdentity) -> None:
    if vector.shape != (identity.dimensions,):
        raise EmbeddingMismatch(
            f"the vector index holds vectors of {identity}, this one has shape {vector.shape}: prepare the index for it"
        )


def _cut(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
