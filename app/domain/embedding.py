"""The identity of an embedding: vectors of two identities cannot be compared."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from app.domain.memory import Scope

Vector: TypeAlias = NDArray[np.float32]
"""One vector (dimensions,) of unit length, or several (n, dimensions)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EmbeddingIdentity:
    """What must be equal for two vectors to be comparable; stamped in the store."""

    model: str
    dimensions: int
    normalised: bool = True

    def __str__(self) -> str:
        return f"{self.model} ({self.dimensions} dimensions, {'unit length' if self.normalised else 'not normalised'})"


@dataclass(frozen=True, kw_only=True, slots=True)
class Lacking:
    """The number of a memory without a vector, its workspace, and the text whose vector it lacks."""

    number: int
    scope: Scope
    text: str
