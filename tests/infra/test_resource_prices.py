"""The prices of a stack's resources and the bill of its plan are the same, line by line."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

import pytest

from sizing.cost.report import CostLine
from sizing.pricing.pricer import price_graph
from sizing.pricing.quotation import StackCost
from tests.infra.recorded_graph import read_recording
from tests.infra.stacks import (
    ALICLOUD_CLUSTERS,
    ALICLOUD_STACKS,
    ALTERNATIVES,
    OWN_NETWORK,
    STACKS,
    plan_recorded,
    record_stack,
)
from tests.infra.test_reconciliation import BY_TABLE

pytestmark = pytest.mark.slow

Line = tuple[str, str, str]
CLOUDS = ("aws", "alicloud")
CASES = {
    **{stack: (stack, {}) for stack in STACKS},
    **{name: each for name, each in ALTERNATIVES.items() if each is not OWN_NETWORK},
}


def price_recorded(stack: str, more: Mapping[str, Any], region: str) -> StackCost:
    """A stack's resources as the preview would price them."""
    return price_graph(read_recording(record_stack(stack, more), stack, region))


def sum_lines(lines: Iterable[CostLine], corner: int) -> dict[Line, tuple[Decimal, Decimal | None]]:
    """Quantity and unit price of what is due without use, by service, SKU and region."""
    found: dict[Line, tuple[Decimal, Decimal | None]] = {}
    for line in lines:
        if line.kind == "resource" and line.provider in CLOUDS and (line.resource, line.sku) not in BY_TABLE:
            key = (line.service, line.sku, line.region)
            found[key] = (found.get(key, (Decimal(0), None))[0] + line.quantity[corner], line.unit_usd)
    return {key: (round(quantity, 2), usd) for key, (quantity, usd) in found.items() if quantity}


@pytest.mark.parametrize("name", CASES)
def test_the_resources_cost_what_the_plan_says(name: str) -> None:
    """The group's least size is what the plan always has; what it may grow to is the high corner of the resources."""
    stack, more = CASES[name]
    planned = plan_recorded(stack, more)
    cost = price_recorded(stack, more, planned.region.region)
    assert sum_lines(cost.lines, 0) == sum_lines(planned.lines, 1)


@pytest.mark.parametrize("name", CASES)
def test_no_resource_of_ours_is_of_an_unknown_kind(name: str) -> None:
    stack, more = CASES[name]
    cost = price_recorded(stack, more, plan_recorded(stack, more).region.region)
    assert not cost.counts["unsupported"] and not cost.counts["unknown"]
    assert sum(cost.counts.values()) == len(cost.resources)
    # what the plan has no list price of either
    unpriced = {line.sku for each in cost.resources for line in each.lines if not line.is_priced}
    assert unpriced <= {line.sku for line in plan_recorded(stack, more).lines if not line.is_priced}


@pytest.mark.parametrize("stack", ALICLOUD_STACKS)
def test_what_has_no_list_price_is_said_by_bill_stack_and_preview(stack: str) -> None:
    """Alibaba Cloud publishes no price of these that can be had: the sum is a lower bound and counts them."""
    planned = plan_recorded(stack)
    unpriced = {line.sku for line in planned.lines if not line.is_priced}
    assert {"PL1", "secret-parameter", "alarm"} <= unpriced
    assert (
        record_stack(stack).outputs["unpriced_lines"]
        == planned.unpriced
        == len([line for line in planned.lines if not line.is_priced])
    )
    named = {
        each.resource.name: each.reason
        for each in price_recorded(stack, {}, planned.region.region).resources
        if each.status == "no-price"
    }
    region, disk = planned.region.region, "vectors-1-data" if stack in ALICLOUD_CLUSTERS else "host-data"
    assert f"no list price of essd PL1 in {region}" in named[disk]
    assert f"no list price of oos secret-parameter in {region}" in named["credentials-admin-secret"]


def test_an_own_network_saves_its_gateways() -> None:
    stack, more = OWN_NETWORK
    planned = plan_recorded(stack, more)
    billed = sum_lines(planned.lines, 1)
    made = sum_lines(price_recorded(stack, more, planned.region.region).lines, 0)
    assert {key[:2] for key in billed if billed[key] != made.get(key)} == {
        ("nat", "gateway"),
        ("public-ipv4", "address"),
    }
