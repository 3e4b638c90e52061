"""What an embedding model sent back."""

from typing import cast

import numpy as np
from pydantic import BaseModel, ValidationError

from app.backends.models.attempts import Unusable
from app.domain.embedding import EmbeddingIdentity, Vector
from app.errors import MalformedAnswer


class _Item(BaseModel):
    embedding: list[float]
    index: int | None = None


class Embeddings(BaseModel):
    """The part of a response that is used here."""

    data: list[_Item]
    usage: object = None

    def vectors(self, count: int, identity: EmbeddingIdentity) -> Vector:
        """The vectors (count, dimensions), float32, brought to unit length, in the order of the texts.

        Raises `Unusable` for another count or order, or numbers that are none, and `MalformedAnswer` for vectors of
        other dimensions, which will not change when asked again.
        """
        if len(self.data) != count:
            raise Unusable(f"has {len(self.data)} vectors for {count} texts")
        items = self.data
        if any(item.index is not None for item in items):
            by_index = {item.index: item for item in items}
            if set(by_index) != set(range(count)):
                raise Unusable("has vectors whose indexes are not those of the texts")
            items = [by_index[index] for index in range(count)]
        wrong = {len(item.embedding) for item in items} - {identity.dimensions}
        if wrong:
            raise MalformedAnswer(
                f"model {identity.model!r} gave vectors of {min(wrong)} dimensions, not {identity.dimensions}: "
                "set embedding.dimensions to what the model gives"
            )
        wide = np.array([item.embedding for item in items], dtype=np.float64)
        with np.errstate(over="ignore", invalid="ignore"):
            lengths = np.linalg.norm(wide, axis=1, keepdims=True)
        if not (np.isfinite(lengths) & (lengths > 0)).all():
            raise Unusable("has vectors without a length: zero, infinite or not a number")
        return cast(Vector, (wide / lengths).astype(np.float32))


def read_embeddings(body: bytes) -> Embeddings:
    """A response's body; raises `Unusable`."""
    try:
        return Embeddings.model_validate_json(body)
    except ValidationError:
        raise Unusable("is no list of embeddings") from None
