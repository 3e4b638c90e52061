"""Where models are asked: the address of each provider (``infra/data/providers.csv``), the name of local weights."""

from infra.errors import InfraError
from infra.tables import read_table
from sizing.models import models
from sizing.regions import regions

ANYWHERE = "*"
"""The row of a provider for every jurisdiction that has none of its own."""


class UnknownProvider(InfraError):
    """The plan names a model that no table says how to reach."""

    def __init__(self, model: str, table: str) -> None:
        super().__init__(f"model {model!r} cannot be reached: add its row to infra/data/{table}, or plan another model")


def find_provider(model: str) -> str:
    """The provider of a model of ``sizing/data/models.csv``. Raises `UnknownProvider`."""
    found = models().get(model)
    if found is None:
        raise UnknownProvider(model, "providers.csv")
    return found.provider


def find_api_base(model: str, cloud: str, region: str) -> str:
    """The address at which a region asks for a model, that of its jurisdiction first. Raises `UnknownProvider`."""
    provider = find_provider(model)
    place = regions().get((cloud, region))
    addresses = {
        row["jurisdiction"]: row["api_base"] for row in read_table("providers.csv") if row["provider"] == provider
    }
    found = addresses.get(place.jurisdiction if place else ANYWHERE) or addresses.get(ANYWHERE)
    if found is None:
        raise UnknownProvider(model, "providers.csv")
    return found


def find_weights(model: str) -> str:
    """The name under which weights are loaded, such as "BAAI/bge-m3". Raises `UnknownProvider`."""
    found = {row["model"]: row["repository"] for row in read_table("weights.csv")}.get(model)
    if found is None:
        raise UnknownProvider(model, "weights.csv")
    return found
