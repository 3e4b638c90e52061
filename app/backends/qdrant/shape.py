"""How a collection is made: distance, graph, quantization, shards and replicas."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

import numpy as np
from qdrant_client import models

from app.backends.qdrant.points import FIELDS
from app.domain.embedding import Vector
from app.errors import SettingsError

QUANTILE = 0.99
"""The part of the values that int8 spreads its steps over; https://qdrant.tech/documentation/guides/quantization/."""
Index: TypeAlias = models.KeywordIndexParams | models.IntegerIndexParams
READ_MODES = ("majority", "quorum", "all")


class Distance(StrEnum):
    """What is compared. Vectors have unit length, so Euclidean distances rank as cosines do; Manhattan's do not."""

    COSINE = "cosine"
    EUCLIDEAN = "euclidean"
    MANHATTAN = "manhattan"


class Quantization(StrEnum):
    """What vectors are searched as: themselves, a byte or a bit for each number; then compared again in full."""

    NONE = "none"
    INT8 = "int8"
    BINARY = "binary"


DISTANCES: Mapping[Distance, models.Distance] = {
    Distance.COSINE: models.Distance.COSINE,
    Distance.EUCLIDEAN: models.Distance.EUCLID,
    Distance.MANHATTAN: models.Distance.MANHATTAN,
}
OVERSAMPLING: Mapping[Quantization, float] = {Quantization.INT8: 2.0, Quantization.BINARY: 4.0}
"""How many times the limit is at least compared again in full where nothing else is said; for a small limit it is all
that the graph was followed for (`ef`). With these recall@10 is 0.95 and more on the engine itself, filters or none
(tests/app/indexes/test_qdrant_recall.py)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """The settings of a collection; a combination that cannot be is refused when it is made.

    `ef` is how many neighbours a search follows, `oversampling` 0 the quantization's own, `shard_number` 0 the
    server's, `read_consistency` 0 any one replica.
    """

    distance: Distance = Distance.COSINE
    m: int = 16
    ef_construct: int = 200
    ef: int = 256
    quantization: Quantization = Quantization.NONE
    oversampling: float = 0.0
    on_disk: bool = False
    shard_number: int = 0
    replication_factor: int = 1
    write_consistency_factor: int = 1
    read_consistency: int | str = 0

    def __post_init__(self) -> None:
        least = {"m": 1, "ef_construct": 4, "ef": 1, "shard_number": 0, "replication_factor": 1}
        for name, smallest in (*least.items(), ("write_consistency_factor", 1)):
            if getattr(self, name) < smallest:
                raise SettingsError(f"{name} of Qdrant is {getattr(self, name)}: give {smallest} or more")
        if self.write_consistency_factor > self.replication_factor:
            raise SettingsError(
                f"write_consistency_factor of Qdrant is {self.write_consistency_factor}, but there are "
                f"{self.replication_factor} replicas: give at most replication_factor"
            )
        if self.oversampling and not self.oversampling >= 1:
            raise SettingsError(f"oversampling of Qdrant is {self.oversampling:g}: give 1 or more, or leave it out")
        if isinstance(self.read_consistency, str) and self.read_consistency not in READ_MODES:
            raise SettingsError(
                f"read_consistency of Qdrant is {self.read_consistency!r}: give a number of replicas, "
                f"or one of {', '.join(READ_MODES)}"
            )
        if isinstance(self.read_consistency, int) and not 0 <= self.read_consistency <= self.replication_factor:
            raise SettingsError(
                f"read_consistency of Qdrant is {self.read_consistency}: give 0 to replication_factor, "
                f"which is {self.replication_factor}"
            )

    @property
    def concerns(self) -> tuple[str, ...]:
        """What the settings give up, in sentences."""
        said = []
        if self.distance is Distance.MANHATTAN:
            said.append(
                "Qdrant finds candidates by Manhattan's distance, which does not rank as cosines do: "
                "an exact search is left to the store"
            )
        if self._replicas_read + self.write_consistency_factor <= self.replication_factor:
            said.append(
                "a search of Qdrant may miss an acknowledged write for a moment, since "
                f"{self.write_consistency_factor} of {self.replication_factor} replicas confirm it: "
                "raise write_consistency_factor or read_consistency"
            )
        return tuple(said)

    @property
    def consistency(self) -> models.ReadConsistency | None:
        """How many replicas a search asks; None for any one."""
        if isinstance(self.read_consistency, str):
            return models.ReadConsistencyType(self.read_consistency)
        return self.read_consistency or None

    @property
    def hnsw(self) -> models.HnswConfigDiff:
        """The graph."""
        return models.HnswConfigDiff(m=self.m, ef_construct=self.ef_construct, on_disk=self.on_disk)

    @property
    def quantized(self) -> models.ScalarQuantization | models.BinaryQuantization | None:
        """What the graph is searched by, always in RAM."""
        if self.quantization is Quantization.INT8:
            scalar = models.ScalarQuantizationConfig(type=models.ScalarType.INT8, quantile=QUANTILE, always_ram=True)
            return models.ScalarQuantization(scalar=scalar)
        if self.quantization is Quantization.BINARY:
            return models.BinaryQuantization(binary=models.BinaryQuantizationConfig(always_ram=True))
        return None

    def vectors(self, dimensions: int) -> models.VectorParams:
        """The vectors as they are stored."""
        return models.VectorParams(size=dimensions, distance=DISTANCES[self.distance], on_disk=self.on_disk)

    def indexes(self) -> Mapping[str, Index]:
        """The index of each field that is filtered by; the workspace is a tenant, whose points are kept together."""
        return {field: self._index(field, sort) for field, sort in FIELDS.items()}

    def search(self, *, limit: int, exact: bool) -> models.SearchParams:
        """How a search is done: through the graph and compared again in full, or by comparing every vector.

        ACORN goes beyond neighbours that do not pass where few pass a filter; without it the search of one in eight by
        graph (tests/app/indexes/test_qdrant_recall.py) missed a tenth of the closest.
        """
        if exact:
            return models.SearchParams(exact=True, quantization=models.QuantizationSearchParams(ignore=True))
        acorn = models.AcornSearchParams(enable=True)
        if self.quantization is Quantization.NONE:
            return models.SearchParams(hnsw_ef=self.ef, acorn=acorn)
        oversampling = self.oversampling or max(OVERSAMPLING[self.quantization], self.ef / limit)
        again = models.QuantizationSearchParams(rescore=True, oversampling=oversampling)
        return models.SearchParams(hnsw_ef=self.ef, quantization=again, acorn=acorn)

    @property
    def tells_cosines(self) -> bool:
        """Whether a score tells the cosine; else it is that of the stored vectors, which are asked for."""
        return self.distance is not Distance.MANHATTAN

    def cosine(self, score: float) -> float:
        """The cosine that a score of Qdrant's tells."""
        return score if self.distance is Distance.COSINE else 1.0 - score * score / 2.0  # |a - b|² = 2 - 2 a·b

    def measure(self, query: Vector, stored: Vector) -> float:
        """The score that Qdrant gives a vector."""
        if self.distance is Distance.COSINE:
            return take_cosine(query, stored)
        return float(np.linalg.norm(query - stored, 2 if self.distance is Distance.EUCLIDEAN else 1))

    @property
    def _replicas_read(self) -> int:
        if self.read_consistency in ("quorum", "majority"):
            return self.replication_factor // 2 + 1
        return self.replication_factor if self.read_consistency == "all" else int(self.read_consistency or 1)

    def _index(self, field: str, sort: str) -> Index:
        on_disk = self.on_disk or None
        if sort == "integer":
            return models.IntegerIndexParams(
                type=models.IntegerIndexType.INTEGER, lookup=False, range=True, on_disk=on_disk
            )
        is_tenant = True if field == "workspace" else None
        return models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD, is_tenant=is_tenant, on_disk=on_disk)


def take_cosine(one: Vector, other: Vector) -> float:
    """The cosine of two vectors of unit length, in double precision."""
    return float(np.dot(one.astype(np.float64), other.astype(np.float64)))
