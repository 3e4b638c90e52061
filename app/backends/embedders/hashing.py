"""The hashing embedder: vectors of words and character n-grams, without weights, the same on every machine."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from math import sqrt
from typing import cast

import numpy as np

from app.domain.embedding import EmbeddingIdentity, Vector
from app.domain.memory import normalise_text
from app.errors import SettingsError

LEAST_DIMENSIONS = 8
"""Fewer would make unrelated texts collide all the time."""

_RUN = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af]+|[^\W_]+")
_WITHOUT_SPACES = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af]")


class HashingEmbedder:
    """Vectors that are near where texts share words: for tests, and for hosts that want no model.

    Words and their trigrams, and characters and their pairs in scripts without spaces, are hashed to a dimension
    and a sign (Weinberger et al., Feature Hashing, 2009). Knows no synonyms and no other language.
    """

    def __init__(self, *, dimensions: int = 64) -> None:
        if dimensions < LEAST_DIMENSIONS:
            raise SettingsError(f"{dimensions} dimensions are too few to hash into: give {LEAST_DIMENSIONS} or more")
        self._dimensions = dimensions

    @property
    def identity(self) -> EmbeddingIdentity:
        """The name changes with the features or the hash."""
        return EmbeddingIdentity(model="hashed-words-and-trigrams-1", dimensions=self._dimensions)

    def embed(self, texts: Sequence[str]) -> Vector:
        """Vectors (len(texts), dimensions), float32, unit length; a text without a word has a fixed vector."""
        vectors = np.zeros((len(texts), self._dimensions), dtype=np.float64)
        for row, text in zip(vectors, texts, strict=True):
            for feature, count in Counter(_features(text)).items():
                dimension, sign = self._place(feature)
                row[dimension] += sign * sqrt(count)
            if not row.any():
                row[self._place("")[0]] = 1.0
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        return cast(Vector, (vectors / lengths).astype(np.float32))

    def embed_query(self, text: str) -> Vector:
        """The vector (dimensions,) of a text that is searched for."""
        return cast(Vector, self.embed([text])[0])

    def embed_queries(self, texts: Sequence[str]) -> Vector:
        """Vectors (len(texts), dimensions) of texts that are searched for."""
        return self.embed(texts)

    def _place(self, feature: str) -> tuple[int, int]:
        value = int.from_bytes(blake2b(feature.encode("utf-8", "replace"), digest_size=8).digest(), "big")
        return (value >> 1) % self._dimensions, 1 if value & 1 else -1


def _features(text: str) -> Iterator[str]:
    for run in _RUN.findall(normalise_text(text)):
        if _WITHOUT_SPACES.match(run):
            yield from run
            yield from (run[at : at + 2] for at in range(len(run) - 1))
        else:
            yield run
            marked = f"<{run}>"
            yield from (marked[at : at + 3] for at in range(len(marked) - 2))
