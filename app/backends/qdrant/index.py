"""The vector index over a Qdrant server."""

from collections.abc import Sequence
from math import ceil

import numpy as np
from qdrant_client import models

from app.backends.qdrant.collection import MOST_DIMENSIONS, Collection, Family
from app.backends.qdrant.points import Held, encode, group, guard, straighten
from app.backends.qdrant.selection import Selection, select
from app.backends.qdrant.server import Server
from app.backends.qdrant.shape import Distance, Shape, take_cosine
from app.domain.embedding import EmbeddingIdentity, Vector
from app.domain.indexing import IndexAbilities, IndexEntry
from app.domain.memory import Scope
from app.domain.query import Candidate, MemoryFilter
from app.errors import EmbeddingMismatch, IndexUnavailable

CHECK_S = 2.0
"""What a readiness check waits at most; ours, below the seconds that probes wait."""
GROWTH = 4
"""How many times as many are asked for where points at the end of an answer are equally close, or did not pass."""
GRAPH_LIMIT = 2_048
"""From this many on every vector is compared: a graph that is followed so far costs more; ours."""


class QdrantIndex:
    """A `VectorIndex` over the collections of a family. May be used from any thread.

    Points hold vectors and what is filtered by, never a text of a memory. Writes are acknowledged when they can be
    searched (`wait`), and repeated where that is safe: a point has the number of its memory, so twice does no harm, and
    a write that comes late leaves a later state as it is. A removal that comes late may take out what was written
    since, and a late write may put back what was removed: the store shows no such hit, and the next change mends it.
    """

    def __init__(self, server: Server, *, collection_name: str, shape: Shape, batch_size: int) -> None:
        self._server = server
        self._shape = shape
        self._family = Family(server, collection_name, shape)
        self._batch_size = batch_size
        self._needs_vectors = server.is_local or not shape.tells_cosines
        self._timeout_s = ceil(server.timeout_s)
        self._collection: Collection | None = None

    @property
    def abilities(self) -> IndexAbilities:
        """Exact but for Manhattan's distance; no keywords."""
        collection = self._collection
        concerns = (*self._server.concerns, *self._shape.concerns, *(collection.concerns if collection else ()))
        return IndexAbilities(
            exact=self._shape.tells_cosines, keywords=False, dimensions=MOST_DIMENSIONS, lacks=concerns
        )

    def prepare(self, identity: EmbeddingIdentity) -> str:
        """Make the embedding's collection unless it is there, bring it to the settings, and remove those of others."""
        self._collection = self._family.prepare(identity)
        return self._collection.mark

    def apply(self, entries: Sequence[IndexEntry]) -> None:
        """Hold or take out each entry, the last of a number; nothing is sent where a vector has other dimensions."""
        collection = self._required()
        held, gone = _sort(entries, collection)
        self._family.verify(collection)
        for points in group(held, most=self._batch_size):
            self._hold(collection.name, points)
        for start in range(0, len(gone), self._batch_size):
            self._take_out(collection.name, gone[start : start + self._batch_size])

    def nearest(
        self,
        scope: Scope,
        vector: Vector,
        memory_filter: MemoryFilter,
        *,
        limit: int,
        now_ms: int,
        as_of_ms: int | None = None,
        exact: bool = False,
    ) -> list[Candidate]:
        """The closest by the collection's distance, with their cosines."""
        collection = self._required()
        _check_vector(vector, collection.identity)
        if limit <= 0:
            return []
        query = straighten(vector)
        selection = select(scope, memory_filter, mark=collection.mark, now_ms=now_ms, as_of_ms=as_of_ms)
        found = self._find(collection, query, selection, limit, exact)
        if not found:  # as in a collection that was made anew since
            self._family.verify(collection)
        candidates = [Candidate(number=int(one.id), score=self._cosine(query, one)) for one in found]
        return sorted(candidates, key=lambda one: (-one.score, one.number))

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
        """Not to be asked: `abilities.keywords` is false, the store ranks by words."""
        raise NotImplementedError("Qdrant does not rank by words here: ask the store")

    def count(self) -> int:
        """How many points there are, counted one by one."""
        collection = self._required()
        self._family.verify(collection)
        return self._server.ask(lambda client: client.count(collection.name, exact=True, timeout=self._timeout_s)).count

    def check(self) -> None:
        """Search for a point of no workspace, once, then look whether the collection is the one that was prepared."""
        collection = self._required()
        nothing = models.Filter(must=[models.FieldCondition(key="workspace", match=models.MatchValue(value=""))])
        query = [1.0] + [0.0] * (collection.identity.dimensions - 1)
        limit_s = ceil(min(self._server.timeout_s, CHECK_S))
        self._server.ask(
            lambda client: client.query_points(
                collection.name,
                query=query,
                query_filter=nothing,
                limit=1,
                with_payload=False,
                timeout=limit_s,
                consistency=self._shape.consistency,
            ),
            attempts=1,
            timeout_s=limit_s,
        )
        self._family.verify(collection, attempts=1)

    def drop(self) -> None:
        """Remove every collection of the family."""
        self._collection = None
        self._family.drop()

    def close(self) -> None:
        """Let go of connections."""
        self._server.close()

    def _hold(self, name: str, points: list[models.PointStruct]) -> None:
        """Write points, but for those of which a later state is there, as when a process that was slow tells last."""
        condition = guard(points)
        self._check_done(
            self._server.ask(
                lambda client: client.upsert(
                    name, points=points, update_filter=condition, wait=True, timeout=self._timeout_s
                )
            )
        )

    def _take_out(self, name: str, numbers: Sequence[int]) -> None:
        listed = models.PointIdsList(points=list(numbers))
        self._check_done(
            self._server.ask(
                lambda client: client.delete(name, points_selector=listed, wait=True, timeout=self._timeout_s)
            )
        )

    def _check_done(self, result: models.UpdateResult) -> None:
        """Raise `IndexUnavailable` for a write that is in the log but cannot be searched yet."""
        if result.status is not models.UpdateStatus.COMPLETED:
            raise IndexUnavailable(
                f"{self._server.name} took a write but did not apply it within {self._timeout_s} s: it is repeated; "
                "look at its load, or raise timeout_s"
            )

    def _required(self) -> Collection:
        collection = self._collection
        if collection is None:
            raise IndexUnavailable(f"{self._server.name} has no collection that is prepared: prepare the index first")
        return collection

    def _find(
        self, collection: Collection, query: Vector, selection: Selection, limit: int, exact: bool
    ) -> list[models.ScoredPoint]:
        """The best points by Qdrant's own score; of equals those of the smallest numbers."""
        wanted = limit + 1  # the one beyond tells whether the last has equals
        while True:
            points = self._search(collection, query, selection, wanted, exact or wanted > GRAPH_LIMIT)
            passed = [one for one in points if selection.admits(one.payload)]
            is_all = len(points) < wanted
            if is_all or (len(passed) > limit and passed[limit - 1].score != points[-1].score):
                return _first(passed, limit)
            wanted *= GROWTH

    def _search(
        self, collection: Collection, query: Vector, selection: Selection, wanted: int, exact: bool
    ) -> list[models.ScoredPoint]:
        is_local = self._server.is_local  # there every vector is compared
        params = None if is_local else self._shape.search(limit=wanted, exact=exact)
        points = self._server.ask(
            lambda client: client.query_points(
                collection.name,
                query=query.tolist(),
                query_filter=selection.condition,
                search_params=params,
                limit=wanted,
                with_payload=selection.fields or False,
                with_vectors=self._needs_vectors,
                timeout=self._timeout_s,
                consistency=self._shape.consistency,
            )
        ).points
        return self._measure(query, points) if is_local else points

    def _measure(self, query: Vector, points: Sequence[models.ScoredPoint]) -> list[models.ScoredPoint]:
        """The points of local mode, scored one by one: it scores equal vectors a little differently by their places."""
        measured = [one.model_copy(update={"score": self._shape.measure(query, _vector_of(one))}) for one in points]
        return sorted(measured, key=lambda one: one.score, reverse=self._shape.distance is Distance.COSINE)

    def _cosine(self, query: Vector, point: models.ScoredPoint) -> float:
        return take_cosine(query, _vector_of(point)) if self._needs_vectors else self._shape.cosine(point.score)


def _vector_of(point: models.ScoredPoint) -> Vector:
    return np.asarray(point.vector, dtype=np.float32)


def _first(points: Sequence[models.ScoredPoint], limit: int) -> list[models.ScoredPoint]:
    """The first of points that come best first, but for equals, which come in any order."""
    if len(points) <= limit:
        return list(points)
    last = points[limit - 1].score
    better = [one for one in points[:limit] if one.score != last]
    equal = sorted((one for one in points if one.score == last), key=lambda one: int(one.id))
    return better + equal[: limit - len(better)]


def _sort(entries: Sequence[IndexEntry], collection: Collection) -> tuple[list[Held], list[int]]:
    """The points to be held and the numbers to be taken out."""
    held, gone = [], []
    for number, entry in {entry.number: entry for entry in entries}.items():
        if entry.memory is None or entry.vector is None or not entry.is_held:
            gone.append(number)
        else:
            _check_vector(entry.vector, collection.identity)
            held.append(encode(number, entry.claim, entry.memory, entry.vector, collection.mark))
    return held, gone


def _check_vector(vector: Vector, identity: EmbeddingIdentity) -> None:
    if vector.shape != (identity.dimensions,):
        raise EmbeddingMismatch(
            f"the collection of Qdrant holds vectors of {identity}, this one has shape {vector.shape}: "
            "prepare the index for it"
        )
