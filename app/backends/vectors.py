"""What every store asks of a vector before it keeps or compares it."""

from app.domain.embedding import EmbeddingIdentity, Vector
from app.errors import EmbeddingMismatch


def check_vector(vector: Vector, identity: EmbeddingIdentity) -> None:
    """Raise `EmbeddingMismatch` for a vector of other dimensions than the store's."""
    if vector.shape != (identity.dimensions,):
        raise EmbeddingMismatch(
            f"the store holds vectors of {identity}, this one has shape {vector.shape}: "
            "configure that model, or move the store with `reme reembed`"
        )
