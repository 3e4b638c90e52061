"""A cache of embeddings: the same text is embedded once."""

from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from threading import Lock
from typing import cast

import numpy as np

from app.domain.embedding import EmbeddingIdentity, Vector
from app.errors import SettingsError
from app.ports import Embedder, VectorCache

RAM, FILE = "ram", "file"
TEXT, QUERY = "text", "query"


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerCount:
    """How many texts of a kind ("text" or "query") a layer ("ram" or "file") knew and did not know."""

    layer: str
    kind: str
    hits: int
    misses: int


class CachingEmbedder:
    """An embedder that remembers its latest `entries` vectors and forgets the one that was unused longest.

    Below them lies `kept`, where vectors outlive the process: what it knows is not embedded either. Texts to be
    stored and texts that are searched for are kept apart, since a model may embed them differently, and so are the
    vectors of different models. Keeps a 16-byte hash of a text, not the text: an entry takes 4 bytes a dimension and
    some 200 bytes. May be called from any thread; a text that two threads miss at once is embedded twice.
    """

    def __init__(self, embedder: Embedder, entries: int, *, kept: VectorCache | None = None) -> None:
        if entries < 0:
            raise SettingsError(f"{entries} cache entries cannot be kept: give 0 (no cache) or more")
        self._embedder = embedder
        self._entries = entries
        self._kept = kept
        self._vectors: OrderedDict[bytes, Vector] = OrderedDict()
        self._lock = Lock()
        self._hits: Counter[tuple[str, str]] = Counter()
        self._misses: Counter[tuple[str, str]] = Counter()

    @property
    def identity(self) -> EmbeddingIdentity:
        """The identity of the embedder within."""
        return self._embedder.identity

    @property
    def hits(self) -> int:
        """Texts that a layer knew."""
        return sum(self._hits.values())

    @property
    def misses(self) -> int:
        """Texts that were embedded: no layer knew them."""
        last = RAM if self._kept is None else FILE
        return self._misses[last, TEXT] + self._misses[last, QUERY]

    @property
    def counts(self) -> tuple[LayerCount, ...]:
        """Hits and misses of each layer by kind of text. What the RAM misses is asked of the file."""
        layers = (RAM,) if self._kept is None else (RAM, FILE)
        return tuple(
            LayerCount(layer=layer, kind=kind, hits=self._hits[layer, kind], misses=self._misses[layer, kind])
            for layer in layers
            for kind in (TEXT, QUERY)
        )

    def embed(self, texts: Sequence[str]) -> Vector:
        """Vectors (len(texts), dimensions); a text that stands twice in the batch is embedded once."""
        return self._embed(TEXT, texts, self._embedder.embed)

    def embed_query(self, text: str) -> Vector:
        """The vector (dimensions,) of a query, read-only."""
        key = self._key(QUERY, text)
        known = self._recall(QUERY, [key])
        if key not in known:
            known = self._keep({key: self._embedder.embed_query(text)})
        return known[key]

    def embed_queries(self, texts: Sequence[str]) -> Vector:
        """Vectors (len(texts), dimensions) of queries; one that stands twice is embedded once."""
        return self._embed(QUERY, texts, self._embedder.embed_queries)

    def close(self) -> None:
        """Let go of the file below, if there is one."""
        if self._kept is not None:
            self._kept.close()

    def _embed(self, kind: str, texts: Sequence[str], make: Callable[[Sequence[str]], Vector]) -> Vector:
        if not texts:
            return make(texts)
        keys = [self._key(kind, text) for text in texts]
        known = self._recall(kind, keys)
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        if missing:
            known.update(self._keep(dict(zip(missing, make(list(missing.values())), strict=True))))
        return cast(Vector, np.stack([known[key] for key in keys]))

    def _recall(self, kind: str, keys: Sequence[bytes]) -> dict[bytes, Vector]:
        with self._lock:
            known = {key: self._vectors[key] for key in keys if key in self._vectors}
            for key in known:
                self._vectors.move_to_end(key)
            self._count(RAM, kind, keys, known)
        missing = [key for key in keys if key not in known]
        if missing and self._kept is not None:
            found = self._kept.recall(missing, dimensions=self.identity.dimensions)
            with self._lock:
                self._count(FILE, kind, missing, found)
                self._remember(found)
            known.update(found)
        return known

    def _keep(self, made: Mapping[bytes, Vector]) -> dict[bytes, Vector]:
        kept = {}
        for key, vector in made.items():
            # A copy: a row of a batch would keep the whole batch alive.
            own = np.array(vector, dtype=np.float32)
            own.flags.writeable = False
            kept[key] = own
        with self._lock:
            self._remember(kept)
        if self._kept is not None:
            self._kept.keep(kept)
        return kept

    def _remember(self, vectors: Mapping[bytes, Vector]) -> None:
        self._vectors.update(vectors)
        while len(self._vectors) > self._entries:
            self._vectors.popitem(last=False)

    def _count(self, layer: str, kind: str, keys: Sequence[bytes], known: Mapping[bytes, Vector]) -> None:
        hits = sum(key in known for key in keys)
        self._hits[layer, kind] += hits
        self._misses[layer, kind] += len(keys) - hits

    def _key(self, kind: str, text: str) -> bytes:
        owned = f"{self.identity}\n{text}".encode("utf-8", "surrogatepass")
        return blake2b(owned, digest_size=16, person=kind.encode()).digest()
