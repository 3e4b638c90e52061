"""A cache of embeddings: the same text is embedded once."""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from threading import Lock
from typing import cast

import numpy as np

from app.domain.embedding import EmbeddingIdentity, Vector
from app.errors import SettingsError
from app.ports import Embedder


class CachingEmbedder:
    """An embedder that remembers its latest `entries` vectors and forgets the one that was unused longest.

    Texts to be stored and texts that are searched for are kept apart, since a model may embed them differently.
    Keeps a 16-byte hash of a text, not the text: an entry takes 4 bytes a dimension and some 200 bytes. `hits` and
    `misses` count texts. May be called from any thread; a text that two threads miss at once is embedded twice.
    """

    def __init__(self, embedder: Embedder, entries: int) -> None:
        if entries < 0:
            raise SettingsError(f"{entries} cache entries cannot be kept: give 0 (no cache) or more")
        self._embedder = embedder
        self._entries = entries
        self._vectors: OrderedDict[bytes, Vector] = OrderedDict()
        self._lock = Lock()
        self.hits = 0
        self.misses = 0

    @property
    def identity(self) -> EmbeddingIdentity:
        """The identity of the embedder within."""
        return self._embedder.identity

    def embed(self, texts: Sequence[str]) -> Vector:
        """Vectors (len(texts), dimensions); a text that stands twice in the batch is embedded once."""
        if not texts:
            return self._embedder.embed(texts)
        keys = [_key(b"text", text) for text in texts]
        known = self._recall(keys)
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        if missing:
            made = self._embedder.embed(list(missing.values()))
            known.update(self._keep(zip(missing, made, strict=True)))
        return cast(Vector, np.stack([known[key] for key in keys]))

    def embed_query(self, text: str) -> Vector:
        """The vector (dimensions,) of a query, read-only."""
        key = _key(b"query", text)
        known = self._recall([key])
        if key not in known:
            known = self._keep([(key, self._embedder.embed_query(text))])
        return known[key]

    def _recall(self, keys: Sequence[bytes]) -> dict[bytes, Vector]:
        with self._lock:
            known = {}
            for key in keys:
                vector = self._vectors.get(key)
                if vector is None:
                    self.misses += 1
                else:
                    self.hits += 1
                    self._vectors.move_to_end(key)
                    known[key] = vector
            return known

    def _keep(self, made: Iterable[tuple[bytes, Vector]]) -> dict[bytes, Vector]:
        kept = {}
        for key, vector in made:
            # A copy: a row of a batch would keep the whole batch alive.
            own = np.array(vector, dtype=np.float32)
            own.flags.writeable = False
            kept[key] = own
        with self._lock:
            self._vectors.update(kept)
            while len(self._vectors) > self._entries:
                self._vectors.popitem(last=False)
        return kept


def _key(kind: bytes, text: str) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16, person=kind).digest()
