"""Budgets: a fifth above the plan, told at 80 and 100 per cent, of this stack only."""

from decimal import Decimal

from infra.aws.budgets import Budgets, BudgetsArgs
from infra.tagging import Tags
from tests.infra.recorder import Recording, record

BUDGET = "aws:budgets/budget:Budget"


def limit() -> Recording:
    def program() -> None:
        Budgets(
            "budgets",
            BudgetsArgs(
                monthly_usd=Decimal("430.555"),
                component_usd={"compute": Decimal(248), "llm": Decimal(25), "cache": Decimal(0)},
                topic_arn="arn:aws:sns:us-east-1:123456789012:notices",
                stack="aws-prod",
                tags=Tags(environment="prod", stack="aws-prod", more={}),
            ),
        )

    return record(program)


def test_a_budget_is_a_fifth_above_the_plan() -> None:
    limits = {each.name: (each.props["limitAmount"], each.props["limitUnit"]) for each in limit().of(BUDGET)}
    # models are billed by others, and what costs nothing needs no budget
    assert limits == {"budgets-total": ("516.67", "USD"), "budgets-compute": ("297.60", "USD")}


def test_the_topic_is_told_early_at_the_limit_and_of_the_forecast() -> None:
    for budget in limit().of(BUDGET):
        told = {(each["notificationType"], each["threshold"]) for each in budget.props["notifications"]}
        assert told == {("ACTUAL", 80), ("ACTUAL", 100), ("FORECASTED", 100)}
        assert all(each["subscriberSnsTopicArns"] for each in budget.props["notifications"])


def test_only_this_stack_counts() -> None:
    filters = {each.name: each.props["costFilters"] for each in limit().of(BUDGET)}
    stack = {"name": "TagKeyValue", "values": ["user:stack$aws-prod"]}
    assert filters["budgets-total"] == [stack]
    assert filters["budgets-compute"][0] == stack and filters["budgets-compute"][1]["name"] == "Service"
