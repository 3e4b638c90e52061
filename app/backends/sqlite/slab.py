"""What a process holds in RAM of one workspace: the signs of its vectors and the records to filter by."""

import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import apsw
import numpy as np
from numpy.typing import NDArray

from app.backends.sqlite.facet_masks import FacetMasks
from app.backends.sqlite.records import FOREVER, KIND_CODES, LAYER_CODES, RECORD, hash_name
from app.backends.sqlite.signs import split_signs
from app.backends.sqlite.vector_cache import VectorCache
from app.domain.query import MemoryFilter
from app.errors import StoreCorrupt

_SLACK = 1.25
_PART = 50_000
_EMPTY_BYTES = 4096
_CHANGES = 256
_NOWHERE = np.empty(0, np.intp)
_SELECT = (
    "SELECT s.seq, s.record, b.bits, s.number FROM chunks_slab_default s LEFT JOIN chunks_bits_default b"
    " ON b.workspace = s.workspace AND b.number = s.number WHERE s.workspace = ? AND s.seq > ? ORDER BY s.number"
)
Mask = NDArray[np.bool_]
Column = NDArray[Any]
_Row = tuple[int, bytes, bytes | None, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class SlabView:
    """One moment of a slab: columns of the same length, in ascending order of numbers.

    `live` counts the rows that a plain search considers; `plain` says that those are all rows. `seq` is that of the
    latest change that it shows.
    """

    columns: Mapping[str, Column]
    live: int
    plain: bool
    mean_length: float
    seq: int
    vectors: VectorCache | None = None

    @property
    def numbers(self) -> NDArray[np.int64]:
        """The numbers of the rows."""
        return self.columns["number"]

    def select(self, memory_filter: MemoryFilter, *, as_of_ms: int | None, now_ms: int) -> Mask | None:
        """The rows that the in-memory parts of a filter let through; None where they let all through."""
        columns = self.columns
        masks: list[Mask] = []
        if as_of_ms is not None:
            masks.append(columns["gone"] == 0)
            masks.append((columns["valid_from_ms"] <= as_of_ms) & (columns["valid_to_ms"] > as_of_ms))
        elif not self.plain:
            masks.append((columns["gone"] | columns["superseded"]) == 0)
            masks.append(columns["valid_to_ms"] > now_ms)
            # what is planned waits for its time; a wall clock that ran back hides nothing that was said
            masks.append(columns["valid_from_ms"] <= np.maximum(columns["created_ms"], now_ms))
        for name, codes in (
            ("kind", [KIND_CODES[kind] for kind in memory_filter.kinds]),
            ("layer", [LAYER_CODES[layer] for layer in memory_filter.layers]),
            ("author", [hash_name(author) for author in memory_filter.authors]),
            ("user", [hash_name(user) for user in memory_filter.user_ids]),
        ):
            if codes:
                masks.append(np.logical_or.reduce([columns[name] == code for code in codes]))
        if memory_filter.created_from_ms is not None:
            masks.append(columns["created_ms"] >= memory_filter.created_from_ms)
        if memory_filter.created_to_ms is not None:
            masks.append(columns["created_ms"] < memory_filter.created_to_ms)
        return np.logical_and.reduce(masks) if masks else None

    def locate(self, numbers: NDArray[np.int64]) -> tuple[NDArray[np.intp], Mask]:
        """Where numbers stand, and which of them are here at all."""
        if not len(self.numbers):
            return np.zeros(len(numbers), np.intp), np.zeros(len(numbers), np.bool_)
        places = np.searchsorted(self.numbers, numbers)
        places[places == len(self.numbers)] = 0
        return places, self.numbers[places] == numbers


class Slab:
    """A workspace's slab, which catches up with what any process committed by the store's `seq`.

    Rows that change are written over while searches may read them: a search then ranks a row by
    its former or its new state, and the row itself is fetched from the store in any case.
    """

    def __init__(self, workspace: int, dimensions: int, *, cached_bytes: int = 0) -> None:
        self.workspace = workspace
        self._most_cached = cached_bytes // (2 * dimensions)
        self._cache: VectorCache | None = VectorCache(dimensions)
        self._width = (dimensions + 7) // 8
        self._lock = threading.Lock()
        self._seq, self._count = -1, 0
        self._live, self._units, self._exceptions = 0, 0, 0
        self._columns: dict[str, Column] = {}
        self._columns = self._decode([])
        self._view: SlabView | None = None
        self._changes: deque[tuple[int, NDArray[np.intp]]] = deque()
        self._forgotten_seq = -1
        self.masks = FacetMasks(workspace)

    @property
    def size_bytes(self) -> int:
        """The RAM that the slab takes."""
        cached = 0 if self._cache is None else self._cache.nbytes
        columns = sum(column.nbytes for column in self._columns.values())
        return _EMPTY_BYTES + cached + columns + self.masks.nbytes

    def latest(self, seq: int) -> SlabView | None:
        """The slab as it was shown last, if that shows all changes up to `seq`."""
        view = self._view
        return view if view is not None and view.seq >= seq else None

    def changed_since(self, seq: int) -> NDArray[np.intp] | None:
        """The places of older rows that changed after `seq`; None where these are too many to be remembered."""
        with self._lock:
            if seq < self._forgotten_seq:
                return None
            return np.concatenate([_NOWHERE, *(places for changed, places in self._changes if changed > seq)])

    def view(self, connection: apsw.Connection) -> SlabView:
        """The slab as of the connection's moment or later."""
        with self._lock:
            rows = connection.execute(_SELECT, (self.workspace, self._seq))
            changed = False
            while part := _take(rows):
                self._merge(part)
                changed = True
            if changed or self._view is None:
                if self._count > self._most_cached:
                    self._cache = None
                if self._cache is not None:
                    self._cache.hold(self._count)
                self._view = SlabView(
                    columns={name: column[: self._count] for name, column in self._columns.items()},
                    live=self._live,
                    plain=self._exceptions == 0,
                    mean_length=self._units / self._live if self._live else 1.0,
                    seq=self._seq,
                    vectors=self._cache,
                )
            return self._view

    def _merge(self, rows: Sequence[_Row]) -> None:
        newest = int(self._columns["number"][self._count - 1]) if self._count else -1
        arrived = self._decode(rows)
        fresh = arrived["number"] > newest
        known = np.flatnonzero(~fresh)
        if len(known):
            places = np.searchsorted(self._columns["number"][: self._count], arrived["number"][known])
            self._account({name: column[places] for name, column in self._columns.items()}, -1)
            for name, column in self._columns.items():
                column[places] = arrived[name][known]
            if self._cache is not None:
                self._cache.forget(places)
            self._account({name: column[known] for name, column in arrived.items()}, 1)
        self._append({name: column[fresh] for name, column in arrived.items()})
        self._seq = max(self._seq, *(row[0] for row in rows))
        if len(known):
            self._changes.append((self._seq, places))
            while len(self._changes) > _CHANGES or sum(len(each) for _, each in self._changes) > _PART:
                self._forgotten_seq, _ = self._changes.popleft()

    def _append(self, arrived: Mapping[str, Column]) -> None:
        end = self._count + len(arrived["number"])
        if end > len(self._columns["number"]):
            capacity = int(end * _SLACK) if self._count else end
            for name, column in self._columns.items():
                larger = np.empty((capacity, *column.shape[1:]), column.dtype)
                larger[: self._count] = column[: self._count]
                self._columns[name] = larger
        for name, column in arrived.items():
            self._columns[name][self._count : end] = column
        self._count = end
        self._account(arrived, 1)

    def _account(self, columns: Mapping[str, Column], sign: int) -> None:
        """Keep the counts of a view in step, so that none has to be taken over all rows."""
        live = (columns["gone"] | columns["superseded"]) == 0
        self._live += sign * int(live.sum())
        self._units += sign * int(columns["length"][live].sum(dtype=np.int64))
        planned = columns["valid_from_ms"] > columns["created_ms"]
        self._exceptions += sign * int((~live | planned | (columns["valid_to_ms"] != FOREVER)).sum())

    def _decode(self, rows: Sequence[_Row]) -> dict[str, Column]:
        if any(len(row[1]) != RECORD.itemsize or len(row[2] or b"") not in (0, self._width) for row in rows):
            raise StoreCorrupt("a filter record has another size: stop the service and run `reme doctor`")
        records = np.frombuffer(b"".join(row[1] for row in rows), RECORD)
        if (records["number"] != np.fromiter((row[3] for row in rows), np.int64, len(rows))).any():
            raise StoreCorrupt("a filter record is of another memory: stop the service and run `reme doctor`")
        blank = bytes(self._width)
        columns: dict[str, Column] = {name: records[name].copy() for name in RECORD.names or ()}
        signs = np.frombuffer(b"".join(row[2] or blank for row in rows), np.uint8)
        columns |= split_signs(signs.reshape(len(rows), self._width))
        columns["signed"] = np.fromiter((row[2] is not None for row in rows), np.bool_, len(rows))
        return columns


def _take(rows: apsw.Cursor) -> list[_Row]:
    part: list[_Row] = []
    for row in rows:
        part.append(row)
        if len(part) == _PART:
            break
    return part
