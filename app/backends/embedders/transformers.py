"""The embedder over sentence-transformers: bge-m3 and others, on the CPU or on a GPU of this machine."""

from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, cast

import numpy as np

from app.domain.embedding import EmbeddingIdentity, Vector
from app.errors import ModelUnavailable, SettingsError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer  # type: ignore[import-not-found]

BATCH_TEXTS = 32
"""Texts that go through the model at once: sentence-transformers' own default."""
READ_CHARACTERS = 8_000
"""What is read of a text, as by the local embedder; of that the model reads what its window holds."""


class SentenceTransformersEmbedder:
    """Vectors of a model by its name on the hub, such as "BAAI/bge-m3", or by a folder on disk.

    With `folder` the weights are read from there, and the name only tells vectors of one model from those of another.

    Needs the pip extra `transformers`. The weights are loaded (and fetched if they are not on disk) at the first use or
    by `warm()`. `device` is "cpu", "cuda", "cuda:1" or "mps"; empty leaves the choice to the package. A model that has
    prompts of its own for queries and documents gets them. Calls go through the model one after the other. Raises
    `SettingsError` where the package, the model or the device is missing, or where the model's dimensions are others,
    and `ModelUnavailable` where the device fails at work, as for want of memory.
    """

    def __init__(self, *, model_name: str, dimensions: int, device: str = "", folder: Path | None = None) -> None:
        if not model_name.strip():
            raise SettingsError("embedding.model_name is empty: give a model's name or folder, such as BAAI/bge-m3")
        if dimensions < 1:
            raise SettingsError(f"embedding.dimensions is {dimensions}: give the model's, such as 1024 for bge-m3")
        self._identity = EmbeddingIdentity(model=model_name, dimensions=dimensions)
        self._device = device or None
        self._place = model_name if folder is None else str(folder)
        self._model: SentenceTransformer | None = None
        self._lock = Lock()

    @property
    def identity(self) -> EmbeddingIdentity:
        """The model's name as given; known without loading it."""
        return self._identity

    def warm(self) -> None:
        """Load the weights now, so that the first request need not wait for them."""
        self.embed_query("warm")

    def embed(self, texts: Sequence[str]) -> Vector:
        """Vectors (len(texts), dimensions), float32, unit length, in the order of the texts."""
        return self._encode(texts, query=False)

    def embed_query(self, text: str) -> Vector:
        """The vector (dimensions,) of a text that is searched for."""
        return cast(Vector, self.embed_queries([text])[0])

    def embed_queries(self, texts: Sequence[str]) -> Vector:
        """Vectors (len(texts), dimensions) of texts that are searched for; some models encode these in another way."""
        return self._encode(texts, query=True)

    def _encode(self, texts: Sequence[str], *, query: bool) -> Vector:
        if not texts:
            return np.empty((0, self._identity.dimensions), dtype=np.float32)
        readable = [text[:READ_CHARACTERS].encode("utf-8", "replace").decode() for text in texts]
        with self._lock:  # its tokenizers refuse a second thread ("Already borrowed")
            model = self._load()
            encode = model.encode_query if query else model.encode_document
            try:
                vectors = np.asarray(
                    encode(readable, batch_size=BATCH_TEXTS, show_progress_bar=False, convert_to_numpy=True),
                    dtype=np.float32,
                )
            except RuntimeError as error:
                raise ModelUnavailable(
                    f"embedding with {self._identity.model} failed on {model.device} ({type(error).__name__}): "
                    "free memory there, or set embedding.device=cpu"
                ) from None
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        if not (np.isfinite(lengths) & (lengths > 0)).all():
            raise ModelUnavailable(f"{self._identity.model} gave vectors without a length: check its files")
        return cast(Vector, vectors / lengths)

    def _load(self) -> "SentenceTransformer":
        if self._model is None:
            try:
                from sentence_transformers import SentenceTransformer  # noqa: PLC0415 - takes seconds, and is optional
            except ImportError:
                raise SettingsError(
                    "embedding.backend=sentence_transformers needs a package that is not installed: "
                    "pip install 'reme-cloud[transformers]', or set embedding.backend=local"
                ) from None
            try:
                model = SentenceTransformer(self._place, device=self._device)
            except (OSError, ValueError, RuntimeError) as error:
                raise SettingsError(
                    f"embedding.model_name={self._identity.model!r} cannot be loaded on "
                    f"{self._device or 'any device'} ({type(error).__name__}): give a model or a folder that is there, "
                    "and a device that this machine has"
                ) from None
            dimensions = len(model.encode("warm", show_progress_bar=False))
            if dimensions != self._identity.dimensions:
                raise SettingsError(
                    f"embedding.dimensions is {self._identity.dimensions}, but {self._identity.model} gives "
                    f"{dimensions}: set that"
                )
            self._model = model
        return self._model
