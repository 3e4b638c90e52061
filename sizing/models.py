"""The language and embedding models that a plan can use (``data/models.csv``)."""

from dataclasses import dataclass
from functools import cache

from sizing.errors import InvalidWorkload
from sizing.tables import read_table, split_list

TASKS = ("personal", "task", "tool", "rerank", "compression")
"""The operations that call a language model (§5.2)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Model:
    """A model: its provider, where it is served from, and for embeddings its dimensions.

    ``price_provider`` is the catalogue's key: the vendor whose list prices it. ``texts_per_call``
    and ``tokens_per_call`` are the provider's batch limits, None where none is known.
    """

    name: str
    kind: str
    provider: str
    price_provider: str
    dimensions: int | None
    supported_dimensions: str
    texts_per_call: int | None
    tokens_per_call: int | None
    served_from: tuple[str, ...]
    weights_gb: float
    ram_gb: float
    quality_en: str
    quality_zh: str
    origin: str

    def supports(self, dimensions: int) -> bool:
        """Tell whether the model can produce vectors of this many dimensions."""
        for part in split_list(self.supported_dimensions):
            low, _, high = part.partition("-")
            if int(low) <= dimensions <= int(high or low):
                return True
        return False


@cache
def models() -> dict[str, Model]:
    """Return every known model by name."""
    return {row["model"]: _model(row) for row in read_table("models.csv")}


def _model(row: dict[str, str]) -> Model:
    return Model(
        name=row["model"],
        kind=row["kind"],
        provider=row["provider"],
        price_provider=row["price_provider"],
        dimensions=int(row["dimensions"]) if row["dimensions"] else None,
        supported_dimensions=row["supported_dimensions"],
        texts_per_call=int(row["texts_per_call"]) if row["texts_per_call"] else None,
        tokens_per_call=int(row["tokens_per_call"]) if row["tokens_per_call"] else None,
        served_from=split_list(row["served_from"]),
        weights_gb=float(row["weights_gb"] or 0),
        ram_gb=float(row["ram_gb"] or 0),
        quality_en=row["quality_en"],
        quality_zh=row["quality_zh"],
        origin=row["origin"],
    )


def find_model(name: str, kind: str, field: str) -> Model:
    """Find a model by name; raises InvalidWorkload naming the known ones of that kind."""
    model = models().get(name)
    if model is None or model.kind != kind:
        raise InvalidWorkload(field, name, ", ".join(m.name for m in models().values() if m.kind == kind))
    return model
