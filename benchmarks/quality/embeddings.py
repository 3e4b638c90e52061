"""An embedder that keeps its vectors on disk by the hash of the text, so that a second run embeds nothing."""

import sqlite3
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import cast

import numpy as np

from app.domain.embedding import EmbeddingIdentity, Vector
from app.ports import Embedder

BATCH = 256
_SLICE = 500


class KeptEmbedder:
    """Asks the embedder within once for each text; texts to store and to search for are embedded alike."""

    def __init__(self, embedder: Embedder, path: Path) -> None:
        self._embedder = embedder
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = sqlite3.connect(path, check_same_thread=False)
        self._file.execute("CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, vector BLOB) WITHOUT ROWID")
        self._vectors: dict[bytes, Vector] = {}

    @property
    def identity(self) -> EmbeddingIdentity:
        """That of the embedder within."""
        return self._embedder.identity

    def prepare(self, texts: Iterable[str]) -> int:
        """Have the vectors of all texts at hand; returns how many were embedded now."""
        wanted = {key: text for text in texts if (key := self._key(text)) not in self._vectors}
        keys = list(wanted)
        for start in range(0, len(keys), _SLICE):
            part = keys[start : start + _SLICE]
            places = ",".join("?" * len(part))
            for key, blob in self._file.execute(f"SELECT key, vector FROM vectors WHERE key IN ({places})", part):  # noqa: S608
                self._vectors[key] = np.frombuffer(blob, np.float32)
        # Texts of similar length pad each other least.
        missing = sorted((key for key in keys if key not in self._vectors), key=lambda key: len(wanted[key]))
        for start in range(0, len(missing), BATCH):
            part = missing[start : start + BATCH]
            made = self._embedder.embed([wanted[key] for key in part])
            rows = [(key, np.asarray(vector, np.float32)) for key, vector in zip(part, made, strict=True)]
            with self._file:
                self._file.executemany(
                    "INSERT OR REPLACE INTO vectors VALUES (?, ?)", [(key, vector.tobytes()) for key, vector in rows]
                )
            self._vectors.update(rows)
        return len(missing)

    def embed(self, texts: Sequence[str]) -> Vector:
        """Vectors (len(texts), dimensions)."""
        self.prepare(texts)
        return cast(Vector, np.stack([self._vectors[self._key(text)] for text in texts]))

    def embed_query(self, text: str) -> Vector:
        """The vector (dimensions,) of a question."""
        return cast(Vector, self.embed([text])[0])

    def embed_queries(self, texts: Sequence[str]) -> Vector:
        """Vectors (len(texts), dimensions) of questions."""
        return self.embed(texts)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _key(self, text: str) -> bytes:
        identity = self._embedder.identity
        return blake2b(f"{identity.model}/{identity.dimensions}/{text}".encode(), digest_size=16).digest()
