"""The bill and the stack are of the same things: every line of a resource has its resource, and the other way round."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from infra.aws.alarms import count_metrics
from infra.planning import StackPlan
from tests.infra.billables import Sku, count_billables
from tests.infra.stacks import ALTERNATIVES, AWS_STACKS, OWN_NETWORK, STACKS, plan_recorded, record_stack

pytestmark = pytest.mark.slow

BY_TABLE = {("monitoring/alarm", "metric"), ("security/key", "default-key")}
"""Without a resource: `infra/data/metrics.csv` names AWS's metrics, and a test below counts them; the keys that Alibaba
Cloud manages for its services are there by themselves and free."""


SECRETS = ("aws:secretsmanager/secret:Secret", "alicloud:oos/secretParameter:SecretParameter")


def count_lines(planned: StackPlan) -> dict[Sku, Decimal]:
    """The expected quantities of the bill's lines of kind resource, by service and SKU."""
    found: dict[Sku, Decimal] = {}
    for line in planned.lines:
        if (
            line.kind == "resource"
            and line.provider == planned.region.cloud
            and (line.resource, line.sku) not in BY_TABLE
        ):
            sku = (line.service, line.sku)
            found[sku] = found.get(sku, Decimal(0)) + line.quantity[1]
    return found


@pytest.mark.parametrize(
    ("stack", "more"),
    [*((stack, {}) for stack in STACKS), *(each for each in ALTERNATIVES.values() if each is not OWN_NETWORK)],
    ids=[*STACKS, *(name for name, each in ALTERNATIVES.items() if each is not OWN_NETWORK)],
)
def test_every_line_has_its_resource_and_every_resource_its_line(stack: str, more: Mapping[str, Any]) -> None:
    billed, made = count_lines(plan_recorded(stack, more)), count_billables(record_stack(stack, more))
    differences = {
        sku: (billed.get(sku, Decimal(0)), made.get(sku, Decimal(0)))
        for sku in billed.keys() | made.keys()
        if abs(billed.get(sku, Decimal(0)) - made.get(sku, Decimal(0))) > Decimal("0.001")
    }
    assert not differences, f"(billed, made) by SKU: {differences}"


def test_an_own_network_saves_what_the_bill_has_for_one() -> None:
    """The bill does not know that the network is there already: its NAT gateways and their addresses are not made."""
    stack, more = OWN_NETWORK
    billed, made = count_lines(plan_recorded(stack, more)), count_billables(record_stack(stack, more))
    gateways = billed["nat", "gateway"]
    assert gateways > 0 and ("nat", "gateway") not in made
    assert billed["public-ipv4", "address"] - made["public-ipv4", "address"] == gateways
    assert {sku for sku in billed if billed[sku] != made.get(sku)} == {("nat", "gateway"), ("public-ipv4", "address")}


@pytest.mark.parametrize("stack", AWS_STACKS)
def test_the_bill_has_the_metrics_of_the_table(stack: str) -> None:
    plan = plan_recorded(stack).region
    counted = count_metrics(plan, scraped=plan.compute.placement == "host")
    assert counted == plan.monitoring.metrics


@pytest.mark.parametrize(
    ("stack", "more"), [*((stack, {}) for stack in STACKS), *ALTERNATIVES.values()], ids=[*STACKS, *ALTERNATIVES]
)
def test_the_plan_counts_the_secrets_that_the_service_is_given(stack: str, more: Mapping[str, Any]) -> None:
    plan, recording = plan_recorded(stack, more).region, record_stack(stack, more)
    assert plan.security.secrets == sum(len(recording.of(type_)) for type_ in SECRETS)
