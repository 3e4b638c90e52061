"""Budgets: the total, what a change adds, and each service's part."""

from decimal import Decimal

import pytest

from policies.judgement import judge
from policies.settings import BudgetLimits, PolicySettings
from policies.spend import MonthlySpend, Spend, sum_spend
from sizing.graph.resources import build_graph
from sizing.pricing.pricer import price_graph
from tests.policies.resources import graph_of, make

EMPTY = build_graph("test", ())
LIMITS = BudgetLimits(
    monthly_usd=Decimal(100), growth_usd=Decimal(30), growth_percent=Decimal(50), services={"llm": Decimal(20)}
)
SETTINGS = PolicySettings(environment="prod", budget=LIMITS)


def _say(after: str, before: str | None = None, *, llm: str = "0", partial: bool = False) -> list[str]:
    spend = Spend(
        after=MonthlySpend(total_usd=Decimal(after), services_usd={"llm": Decimal(llm)}, partial=partial),
        before=None if before is None else MonthlySpend(total_usd=Decimal(before)),
    )
    return [each.message for each in judge(EMPTY, SETTINGS, spend)]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (_say("100.00", "90"), []),
        (_say("100.01", "90"), ["the stack costs $100.01 a month, and its budget is $100.00"]),
        (_say("95", "64"), ["the stack would cost $31.00 a month more, and one change may add $30.00"]),
        (_say("16", "10"), ["the stack would cost 60.0 % more, and one change may add 50 %"]),
        (_say("90"), []),
        (_say("90", llm="20.01"), ["the stack: llm costs $20.01 a month, and its budget is $20.00"]),
    ],
)
def test_limits_are_kept_to_the_cent(said: list[str], expected: list[str]) -> None:
    assert said == expected


def test_what_has_no_price_is_not_taken_for_free() -> None:
    (said,) = _say("90", partial=True)
    assert said.endswith("cannot be judged yet, the cost of what has no price is not known")


def test_nothing_is_said_without_prices() -> None:
    assert judge(EMPTY, SETTINGS) == ()


def test_the_sums_are_those_of_the_priced_stack() -> None:
    disk = make("aws:ebs/volume:Volume", "disk", region="us-east-1", type="gp3", size=100)
    cost = price_graph(graph_of(disk))
    spend = sum_spend(cost)
    assert spend.total_usd == cost.totals.total.expected > 0
    assert sum(spend.services_usd.values()) == spend.total_usd
