"""Vectors of a workspace's memories that searches have compared before, so that they are not read again."""

import threading
from itertools import pairwise

import apsw
import numpy as np
from numpy.typing import NDArray

from app.backends.sqlite.vectors import read_vectors, widen

_BLOCK = 8192
_LEAST = 256
"""Places in a block: a large workspace grows by blocks, so that growing copies no vector. A small one has one block of
its own size, because the operating system may give memory in pages of two megabytes."""


class VectorCache:
    """Half-precision vectors by their place in a slab, filled as they are read.

    A number belongs to one text for good, and a place to one number, so that what is here never
    changes but when a deletion is taken back; a move to another embedding begins with a new slab.
    Several threads may fill a place: they write the same. RAM is taken only by what was filled.
    """

    def __init__(self, dimensions: int) -> None:
        self._dimensions = dimensions
        self._blocks: list[NDArray[np.float16]] = []
        self._filled = np.zeros(0, np.bool_)
        self._held = 0
        self._lock = threading.Lock()

    @property
    def nbytes(self) -> int:
        """What the vectors of the places held take when all are filled."""
        return self._held * self._dimensions * 2

    def hold(self, count: int) -> None:
        """Make room for so many places."""
        with self._lock:
            self._held = max(self._held, count)
            if count > len(self._filled) and len(self._filled) < _BLOCK:
                self._widen(min(_BLOCK, max(_LEAST, 1 << (count - 1).bit_length())))
            while len(self._filled) < count:
                self._blocks.append(np.empty((_BLOCK, self._dimensions), np.float16))
                self._filled = np.concatenate([self._filled, np.zeros(_BLOCK, np.bool_)])

    def _widen(self, capacity: int) -> None:
        """Make the only block larger, so that a small workspace takes little."""
        block, filled = np.empty((capacity, self._dimensions), np.float16), np.zeros(capacity, np.bool_)
        known = np.flatnonzero(self._filled)
        if len(known):
            block[known] = self._blocks[0][known]
            filled[known] = True
        self._blocks, self._filled = [block], filled

    def forget(self, places: NDArray[np.intp]) -> None:
        """Read these places anew when they are asked for: their memories changed."""
        with self._lock:
            self._filled[places[places < len(self._filled)]] = False

    def read(
        self, connection: apsw.Connection, places: NDArray[np.intp], numbers: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Numbers and vectors of these places; those that the store has no vector of are left out.

        `places` and `numbers` ascend together, and so does what is returned.
        """
        vectors = np.empty((len(places), self._dimensions), np.float32)
        with self._lock:
            present = self._filled[places]
            vectors[present] = self._gather(places[present])
        missing = np.flatnonzero(~present)
        if len(missing):
            keys, found = read_vectors(connection, numbers[missing], self._dimensions)
            read = missing[np.searchsorted(numbers[missing], keys)]
            vectors[read], present[read] = found, True
            with self._lock:
                self._fill(places[read], found)
        return numbers[present], vectors[present]

    def _fill(self, places: NDArray[np.intp], vectors: NDArray[np.float32]) -> None:
        for block in np.unique(places // _BLOCK):
            here = places // _BLOCK == block
            self._blocks[block][places[here] % _BLOCK] = vectors[here]
        self._filled[places] = True

    def _gather(self, places: NDArray[np.intp]) -> NDArray[np.float32]:
        half = np.empty((len(places), self._dimensions), np.float16)
        bounds = np.searchsorted(places, np.arange(len(self._blocks) + 1) * _BLOCK)
        for block, (start, end) in enumerate(pairwise(bounds)):
            if start < end:
                half[start:end] = self._blocks[block][places[start:end] - block * _BLOCK]
        return widen(half)
