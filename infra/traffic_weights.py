"""How traffic is divided between two versions of the service: the colours and their weights."""

from collections.abc import Mapping
from typing import Literal

from infra.errors import InvalidStack
from infra.settings import ServiceSettings

Colour = Literal["blue", "green"]
COLOURS: tuple[Colour, ...] = ("blue", "green")


def all_blue() -> dict[Colour, int]:
    """Weights where only one version runs."""
    return {"blue": 100, "green": 0}


def find_active(weights: Mapping[Colour, int]) -> Colour:
    """The colour with more weight."""
    return max(COLOURS, key=lambda colour: weights.get(colour, 0))


def check_weights(weights: Mapping[Colour, int], *, most: int) -> None:
    """Raise InvalidStack unless every colour is known, its weight is 0 to ``most``, and one is above 0."""
    valid = f"weights of 0 to {most} for blue and green, one of them above 0"
    if any(colour not in COLOURS or not 0 <= weight <= most for colour, weight in weights.items()):
        raise InvalidStack("weights", dict(weights), valid)
    if not sum(weights.values()):
        raise InvalidStack("weights", dict(weights), valid)


def weigh_versions(service: ServiceSettings) -> Mapping[Colour, int]:
    """The share of the traffic by colour: of a canary its percentage, else all to blue."""
    percent = service.canary_percent if service.strategy != "rolling" else 0
    return {"blue": 100 - percent, "green": percent}
