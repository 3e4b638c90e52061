"""The scan over sign bits against the plain definition."""

from pathlib import Path

import apsw
import numpy as np
import pytest

from app.backends.clock import SystemClock
from app.backends.sqlite import open_store
from app.backends.sqlite.doctor import examine
from app.backends.sqlite.rotation import rotate
from app.backends.sqlite.signs import choose_least, count_differences, split_signs
from app.backends.sqlite.vectors import pack_signs, widen
from app.domain.change import Add, ChangeBatch
from app.domain.embedding import EmbeddingIdentity
from app.domain.memory import MemoryDraft, MemoryKind, Scope


@pytest.mark.parametrize("dimensions", [1, 8, 12, 64, 100, 512, 1024])
def test_differences_are_those_of_the_signs(dimensions: int) -> None:
    generator = np.random.default_rng(dimensions)
    vectors = generator.standard_normal((300, dimensions)).astype(np.float32)
    query = generator.standard_normal(dimensions).astype(np.float32)
    packed = np.frombuffer(b"".join(pack_signs(vector) for vector in vectors), np.uint8).reshape(len(vectors), -1)
    own = np.frombuffer(pack_signs(query), np.uint8)
    expected = np.bitwise_count(packed ^ own).sum(axis=1)
    columns = split_signs(packed)
    assert (count_differences(columns, query) == expected).all()
    places = np.array([7, 3, 299], np.intp)
    assert (count_differences(columns, query, places) == expected[places]).all()


def test_more_rows_than_a_part() -> None:
    packed = np.random.default_rng(1).integers(0, 256, (70_000, 8), dtype=np.uint8)
    query = np.full(64, -1.0, np.float32)
    own = np.frombuffer(pack_signs(query), np.uint8)
    assert (count_differences(split_signs(packed), query) == np.bitwise_count(packed ^ own).sum(axis=1)).all()


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


@pytest.mark.parametrize("dimensions", [64, 256, 384, 768, 1024, 1536, 3072])
def test_a_rotation_keeps_angles_and_does_not_depend_on_the_batch(dimensions: int) -> None:
    vectors = np.random.default_rng(dimensions).standard_normal((20, dimensions)).astype(np.float32)
    stored = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype("<f2")
    turned = np.asarray(rotate(stored), np.float64)
    lengths = np.linalg.norm(turned, axis=1, keepdims=True)
    whole = stored.astype(np.float64)
    wanted = whole @ whole.T / np.outer(np.linalg.norm(whole, axis=1), np.linalg.norm(whole, axis=1))
    assert (turned / lengths) @ (turned / lengths).T == pytest.approx(wanted, abs=1e-9)
    assert all(np.array_equal(rotate(one), row) for one, row in zip(stored, turned, strict=True))


def test_vectors_of_uneven_components_are_found() -> None:
    """A power-law spectrum: their own signs find less than half."""
    generator = np.random.default_rng(7)
    scales = np.arange(1, 1025, dtype=np.float32) ** -0.8
    centres = generator.standard_normal((50, 1024)).astype(np.float32) * scales
    points = centres[generator.integers(0, 50, 3_050)]
    points = points + 0.6 * generator.standard_normal((3_050, 1024)).astype(np.float32) * scales
    vectors = (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)
    stored, asked = vectors[:3_000], vectors[3_000:]
    columns = split_signs(np.frombuffer(b"".join(map(pack_signs, stored)), np.uint8).reshape(3_000, -1))
    found = 0
    for query in asked:
        near = choose_least(count_differences(columns, query), 200)
        best = set(np.argsort(-(stored @ query))[:10].tolist())
        found += len(best & set(near.tolist()))
    assert found / 500 >= 0.97


def test_a_store_of_the_former_signs_is_signed_anew(tmp_path: Path) -> None:
    path, identity = tmp_path / "memory.db", EmbeddingIdentity(model="wide", dimensions=256)
    store = open_store(path, identity=identity, clock=SystemClock())
    vectors = np.random.default_rng(3).standard_normal((5, 256)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    changes = tuple(
        Add(draft=MemoryDraft(kind=MemoryKind.PERSONAL, content=f"text {number}"), vector=vector)
        for number, vector in enumerate(vectors)
    )
    store.memories.commit(ChangeBatch(scope=Scope(tenant_id="t", workspace_id="w"), changes=changes))
    store.close()
    connection = apsw.Connection(str(path))
    good = list(connection.execute("SELECT * FROM chunks_bits_default"))
    connection.execute("UPDATE chunks_bits_default SET bits = zeroblob(32)")
    connection.execute("DELETE FROM store_facts WHERE name = 'signs'")
    connection.close()
    open_store(path, identity=identity, clock=SystemClock()).close()
    connection = apsw.Connection(str(path))
    assert list(connection.execute("SELECT * FROM chunks_bits_default")) == good
    connection.close()
    assert not examine(path)
