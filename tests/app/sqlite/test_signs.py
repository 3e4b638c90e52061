"""The scan over sign bits against the plain definition."""

import numpy as np
import pytest

from app.backends.sqlite.signs import choose_least, count_differences, split_signs
from app.backends.sqlite.vectors import pack_signs, widen


@pytest.mark.parametrize("dimensions", [1, 8, 12, 64, 100, 512, 1024])
def test_differences_are_those_of_the_signs(dimensions: int) -> None:
    generator = np.random.default_rng(dimensions)
    vectors = generator.standard_normal((300, dimensions)).astype(np.float32)
    query = generator.standard_normal(dimensions).astype(np.float32)
    packed = np.frombuffer(b"".join(pack_signs(vector) for vector in vectors), np.uint8).reshape(len(vectors), -1)
    expected = ((vectors > 0) != (query > 0)).sum(axis=1)
    columns = split_signs(packed)
    assert (count_differences(columns, query) == expected).all()
    places = np.array([7, 3, 299], np.intp)
    assert (count_differences(columns, query, places) == expected[places]).all()


def test_more_rows_than_a_part() -> None:
    packed = np.random.default_rng(1).integers(0, 256, (70_000, 8), dtype=np.uint8)
    query = np.full(64, -1.0, np.float32)
    assert (count_differences(split_signs(packed), query) == np.bitwise_count(packed).sum(axis=1)).all()


@pytest.mark.parametrize("wanted", [1, 10, 99, 100])
def test_the_least_are_chosen_and_ties_cut(wanted: int) -> None:
    differences = np.random.default_rng(2).integers(0, 6, 100).astype(np.uint16)
    chosen = choose_least(differences, wanted)
    assert len(chosen) == len(set(chosen.tolist())) == wanted
    assert sorted(differences[chosen]) == sorted(differences)[:wanted]


def test_half_precision_becomes_single_precision_exactly() -> None:
    every = np.arange(2**16, dtype=np.uint16).view(np.float16)
    finite = every[np.isfinite(every)]
    widened = widen(finite)
    assert widened.dtype == np.float32
    assert np.array_equal(widened.view(np.uint32), finite.astype(np.float32).view(np.uint32))  # signs of zeros too
    assert np.abs(widen(every[~np.isfinite(every)])).min() > 65_000
