"""The hashing embedder beyond the contract: known values, and what it refuses."""

import numpy as np
import pytest

from app.backends.embedders.hashing import HashingEmbedder
from app.errors import SettingsError


def test_the_hash_is_the_same_on_every_machine() -> None:
    """A change of these numbers is a change of the embedding and needs another name in the identity."""
    vector = HashingEmbedder(dimensions=8).embed_query("I like coffee 咖啡")
    assert vector * np.sqrt(13) == pytest.approx(np.array([1, -1, 0, 1, 1, 2, -2, 1]), abs=1e-5)


@pytest.mark.parametrize("dimensions", [8, 64, 512])
def test_dimensions(dimensions: int) -> None:
    embedder = HashingEmbedder(dimensions=dimensions)
    assert embedder.identity.dimensions == dimensions
    assert embedder.embed(["a", "b"]).shape == (2, dimensions)


def test_too_few_dimensions_are_refused() -> None:
    with pytest.raises(SettingsError, match="7 dimensions are too few"):
        HashingEmbedder(dimensions=7)


def test_case_width_and_spaces_do_not_count() -> None:
    embedder = HashingEmbedder()
    assert np.array_equal(embedder.embed_query("Ｉ  LIKE\ncoffee"), embedder.embed_query("i like coffee"))


def test_a_part_of_a_word_brings_texts_nearer() -> None:
    embedder = HashingEmbedder(dimensions=512)
    coffee, coffees, other = embedder.embed(["coffee", "coffees", "umbrella"])
    assert coffee @ coffees > 0.5 > coffee @ other
