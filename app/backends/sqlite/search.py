"""The search index: vectors by their signs and a rescore, words by the full-text index."""

import threading
from collections import OrderedDict
from collections.abc import Sequence

import apsw
import numpy as np
from numpy.typing import NDArray

from app.backends.common_terms import CommonTerms
from app.backends.identities import ProcessEmbedding
from app.backends.sqlite.connections import Readers
from app.backends.sqlite.facet_masks import Rows
from app.backends.sqlite.fulltext import normalise_length, weigh_texts
from app.backends.sqlite.moments import Moment, Moments
from app.backends.sqlite.rows import COLUMNS, read_memory
from app.backends.sqlite.signs import choose_least, count_differences
from app.backends.sqlite.slab import Mask, Slab, SlabView
from app.backends.sqlite.statements import list_places, round_up, select_rows
from app.backends.sqlite.vectors import read_vectors
from app.backends.vectors import check_vector
from app.backends.words import CAP, FILTERED_CAP
from app.domain.embedding import Vector
from app.domain.memory import Memory, Scope
from app.domain.query import Candidate, MemoryFilter
from app.ports import Clock

RESCORED, RESCORED_AT, RESCORED_LEAST, RESCORED_MOST = 400, 100_000, 200, 2000
"""How many candidates of the sign scan are compared by their stored vectors.

Measured with the local embedder (512 dimensions) on English and Chinese memories, recall@10 of the vector leg: of
100,000 memories 0.977 with 200, 0.995 with 400; of 1,000,000 (near copies of these) 0.956 with 400, 0.985 with 1,200.
So the number grows with the square root of the memories considered. Below a filter it is
at least 400: of a tenth of 100,000 memories that a filter lets through, 200 find 0.95, because what is of one kind lies
close together.
"""
RESCORED_DIMENSIONS, RESCORED_TIMES = 512, 4.0
"""The dimensions that the figures above were measured with, and how many times more are compared of fewer."""
_GATHER_BELOW = 0.25


class SqliteSearchIndex:
    """Searches one workspace at a time; slabs of the workspaces searched last stay in RAM."""

    def __init__(
        self, readers: Readers, *, embedding: ProcessEmbedding, clock: Clock, slab_cache_mb: int = 192
    ) -> None:
        self._readers, self._embedding, self._clock = readers, embedding, clock
        self._slabs: OrderedDict[tuple[int, int], Slab] = OrderedDict()
        self._limit_bytes, self._held_bytes = slab_cache_mb * 1024 * 1024, 0
        self._common, self._moments = CommonTerms(), Moments(embedding)
        self._lock = threading.Lock()

    @property
    def slabs_held(self) -> int:
        """How many workspaces are in RAM."""
        return len(self._slabs)

    # -- the legs

    def nearest(
        self,
        scope: Scope,
        vector: Vector,
        memory_filter: MemoryFilter,
        *,
        limit: int,
        as_of_ms: int | None = None,
        exact: bool = False,
    ) -> list[Candidate]:
        """The memories whose vectors are closest by cosine, best first."""
        check_vector(vector, self._embedding.identity)
        with self._readers.lend_snapshot() as connection:
            moment = self._moments.see(connection)
            self._moments.check(connection, moment)
            found = self._look(connection, moment, scope, memory_filter, as_of_ms)
            if found is None:
                return []
            _, view, mask = found
            places = np.sort(_scan(view, mask, vector, None if exact else limit))
            numbers, vectors = self._read(connection, view, places)
        scores = vectors @ vector
        best = np.argsort(-scores, kind="stable")[:limit]
        return [Candidate(number=int(numbers[place]), score=float(scores[place])) for place in best]

    def matching(
        self, scope: Scope, text: str, memory_filter: MemoryFilter, *, limit: int, as_of_ms: int | None = None
    ) -> list[Candidate]:
        """The memories that share the rarest words of a text, best first."""
        with self._readers.lend_snapshot() as connection:
            found = self._look(connection, self._moments.see(connection), scope, memory_filter, as_of_ms)
            if found is None:
                return []
            workspace, view, mask = found
            cap = CAP if mask is None else FILTERED_CAP
            numbers, weights = weigh_texts(connection, text, workspace, view.live, self._common, cap=cap)
        places, present = view.locate(numbers)
        if mask is not None:
            present &= mask[places]
        numbers, weights, places = numbers[present], weights[present], places[present]
        scores = normalise_length(weights, view.columns["length"][places], view.mean_length)
        best = np.lexsort((-numbers, -scores))[:limit]
        return [Candidate(number=int(numbers[place]), score=float(scores[place])) for place in best]

    def fetch(self, scope: Scope, numbers: Sequence[int]) -> dict[int, Memory]:
        """The memories of these numbers, without those deleted meanwhile."""
        if not numbers:
            return {}
        part = round_up(list(numbers))
        with self._readers.lend() as connection:
            rows = select_rows(
                connection,
                f"SELECT {COLUMNS} FROM chunks_default WHERE number IN ({list_places(len(part))})"
                " AND tenant_id = ? AND workspace_id = ? AND deleted_at IS NULL",
                (*part, scope.tenant_id, scope.workspace_id),
            )
        return {row[0]: read_memory(row) for row in rows}

    def vectors(self, scope: Scope, numbers: Sequence[int]) -> dict[int, Vector]:
        """The stored vectors of these numbers."""
        if not numbers:
            return {}
        with self._readers.lend_snapshot() as connection:
            moment = self._moments.see(connection)
            workspace = moment.find_workspace(connection, scope)
            if workspace is None:
                return {}
            _, view = self._view(connection, moment, workspace)
            places, own = view.locate(np.array(numbers, np.int64))
            own &= view.columns["gone"][places] == 0
            keys, vectors = read_vectors(
                connection, np.array(numbers, np.int64)[own], self._embedding.identity.dimensions
            )
        return {int(key): vectors[place] for place, key in enumerate(keys)}

    def _read(
        self, connection: apsw.Connection, view: SlabView, places: NDArray[np.intp]
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        if view.vectors is None:
            return read_vectors(connection, view.numbers[places], self._embedding.identity.dimensions)
        return view.vectors.read(connection, places, view.numbers[places])

    # -- what is looked at

    def _look(
        self,
        connection: apsw.Connection,
        moment: Moment,
        scope: Scope,
        memory_filter: MemoryFilter,
        as_of_ms: int | None,
    ) -> tuple[int, SlabView, Mask | None] | None:
        workspace = moment.find_workspace(connection, scope)
        if workspace is None:
            return None
        slab, view = self._view(connection, moment, workspace)
        mask = view.select(memory_filter, as_of_ms=as_of_ms, now_ms=self._clock.now_ms())
        if memory_filter.tags or memory_filter.conditions:
            rows = Rows(numbers=view.numbers, seq=view.seq, locate=view.locate, changed_since=slab.changed_since)
            chosen = slab.masks.select(connection, rows, memory_filter)
            mask = np.logical_and.reduce(chosen if mask is None else [mask, *chosen])
        return workspace, view, mask

    def _view(self, connection: apsw.Connection, moment: Moment, workspace: int) -> tuple[Slab, SlabView]:
        key = (workspace, moment.generation)
        with self._lock:
            slab = self._slabs.get(key)
            if slab is None:
                slab = self._slabs[key] = Slab(
                    workspace, self._embedding.identity.dimensions, cached_bytes=self._limit_bytes * 2 // 3
                )
                self._held_bytes += slab.size_bytes
            self._slabs.move_to_end(key)
        caught_up = moment.caught_up.get(workspace)
        latest = None if caught_up is None else slab.latest(caught_up)
        if latest is not None:
            return slab, latest
        before = slab.size_bytes
        view = slab.view(connection)
        moment.caught_up[workspace] = view.seq
        if slab.size_bytes != before or self._held_bytes > self._limit_bytes:
            self._evict(slab, grown_bytes=slab.size_bytes - before)
        return slab, view

    def _evict(self, kept: Slab, *, grown_bytes: int) -> None:
        """Let go of the slabs that were searched longest ago, but never of the one in use."""
        with self._lock:
            self._held_bytes += grown_bytes
            if self._held_bytes <= self._limit_bytes:
                return
            self._held_bytes = sum(slab.size_bytes for slab in self._slabs.values())
            for key in list(self._slabs):
                if self._held_bytes <= self._limit_bytes:
                    return
                if self._slabs[key] is not kept:
                    self._held_bytes -= self._slabs.pop(key).size_bytes


def count_rescored(considered: int, limit: int, dimensions: int, *, filtered: bool) -> int:
    """How many candidates are compared by their vectors where so many memories are considered.

    Fewer signs tell less: of vectors below 512 dimensions more are compared, which are as many bytes.
    """
    grown = round(RESCORED * (considered / RESCORED_AT) ** 0.5)
    wanted = max(min(grown, RESCORED_MOST), RESCORED if filtered else RESCORED_LEAST)
    return int(max(wanted * min(max(RESCORED_DIMENSIONS / dimensions, 1.0), RESCORED_TIMES), 2 * limit))


def _scan(view: SlabView, mask: Mask | None, vector: Vector, limit: int | None) -> NDArray[np.intp]:
    """The rows worth comparing by their vectors: all, or the ones whose signs differ least from the query's."""
    allowed = view.columns["signed"] if mask is None else mask & view.columns["signed"]
    count = int(np.count_nonzero(allowed))
    if limit is None or count <= (wanted := count_rescored(count, limit, len(vector), filtered=mask is not None)):
        return np.flatnonzero(allowed)
    if count < _GATHER_BELOW * len(allowed):
        places = np.flatnonzero(allowed)
        return places[choose_least(count_differences(view.columns, vector, places), wanted)]
    differences = count_differences(view.columns, vector)
    if count < len(allowed):
        differences[~allowed] = len(vector) + 1
    return choose_least(differences, wanted)
