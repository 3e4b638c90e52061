"""The scan over sign bits: how many of them differ from the query's, for every memory of a workspace.

The signs stand in columns of 64-bit words, the first word of every memory together, then the
second, and so on: numpy compares and counts a column at the speed of memory. Measured on one core
at 512 dimensions: 0.4 ms for 100,000 memories, 5.5 ms for 1,000,000, where a comparison row by row
(simsimd 6.5) takes 0.4 and 20 ms.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.backends.sqlite.vectors import pack_signs
from app.domain.embedding import Vector

_WORD_BYTES = 8
_PART = 65_536
"""Rows at a time, so that what is computed of them stays in the cache."""


def name_word(place: int) -> str:
    """The column of the signs' words at a place."""
    return f"signs{place}"


def _words(packed: NDArray[np.uint8]) -> NDArray[np.uint64]:
    spare = -packed.shape[1] % _WORD_BYTES
    return np.pad(packed, ((0, 0), (0, spare))).view(np.uint64)


def split_signs(packed: NDArray[np.uint8]) -> dict[str, NDArray[np.uint64]]:
    """The columns of packed signs (n, bytes)."""
    words = _words(np.ascontiguousarray(packed))
    return {name_word(place): np.ascontiguousarray(words[:, place]) for place in range(words.shape[1])}


def count_differences(
    columns: Mapping[str, NDArray[Any]], vector: Vector, places: NDArray[np.intp] | None = None
) -> NDArray[np.uint16]:
    """How many signs differ from a vector's, for each row or for the rows at these places."""
    query = _words(np.frombuffer(pack_signs(vector), np.uint8)[None, :])[0]
    chosen = [columns[name_word(place)] for place in range(len(query))]
    if places is not None:
        chosen = [column[places] for column in chosen]
    differences = np.zeros(len(chosen[0]), np.uint16)
    for start in range(0, len(differences), _PART):
        part = slice(start, start + _PART)
        total = differences[part]
        for column, word in zip(chosen, query, strict=True):
            total += np.bitwise_count(column[part] ^ word)
    return differences


def choose_least(differences: NDArray[np.uint16], wanted: int) -> NDArray[np.intp]:
    """The places of the least differences: as many as wanted, of equal ones those that come first."""
    reached = np.bincount(differences).cumsum()
    bound = int(np.searchsorted(reached, wanted))
    below = np.flatnonzero(differences < bound)
    level = np.flatnonzero(differences == bound)[: wanted - len(below)]
    return np.concatenate([below, level])
