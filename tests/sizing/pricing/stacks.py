"""Small graphs for the tests of pricing."""

from decimal import Decimal
from typing import Any

from sizing.graph.resources import Resource, ResourceGraph, build_graph
from sizing.pricing.pricer import price_graph
from sizing.pricing.quotation import PricedResource

Quantities = dict[tuple[str, str], Decimal]


def make(type_: str, name: str = "it", *, region: str = "us-east-1", **inputs: Any) -> Resource:
    """A resource by a short type such as `aws:ec2/instance`; `inputs` as the engine names them."""
    word = type_.rpartition("/")[2]
    token = f"{type_}:{word[0].upper()}{word[1:]}"
    return Resource(
        urn=f"urn:pulumi:dev::demo::{token}::{name}",
        type=token,
        name=name,
        id=f"id-of-{name}",
        region=region,
        inputs=inputs,
    )


def graph_of(*resources: Resource) -> ResourceGraph:
    return build_graph("dev", resources)


def price(*resources: Resource) -> PricedResource:
    """The first of these resources, priced in a stack of all."""
    return price_graph(graph_of(*resources)).resources[0]


def quantities(priced: PricedResource, corner: int = 1) -> Quantities:
    """What is billed by service and SKU, at the low, expected or high corner."""
    found: Quantities = {}
    for line in priced.lines:
        key = (line.service, line.sku)
        found[key] = found.get(key, Decimal(0)) + line.quantity[corner]
    return found
