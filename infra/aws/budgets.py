"""Budgets of AWS: the plan and a fifth for the month, and each service's own by §8.3."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

import pulumi
import pulumi_aws as aws

from infra.planning import BUDGET_FACTOR
from infra.tagging import PROJECT, Tags

NOTICES = ((80, "ACTUAL"), (100, "ACTUAL"), (100, "FORECASTED"))
"""Per cent of the budget at which to tell, of what is spent and of the month's forecast (§8.3 monthly_forecast)."""
CENT = Decimal("0.01")

AWS_SERVICES = {
    "compute": ("Amazon Elastic Compute Cloud - Compute", "EC2 - Other"),
    "database": ("Amazon Relational Database Service",),
    "object_store": ("Amazon Simple Storage Service",),
    "cache": ("Amazon ElastiCache",),
    "balancer": ("Amazon Elastic Load Balancing", "AWS WAF"),
    "monitoring": ("AmazonCloudWatch",),
}
"""The plan's components by the names that AWS Budgets filters by (Cost Explorer's values of SERVICE). The vector
store's nodes are Amazon EC2 too, and models are billed by others: `reme-size watch` watches those."""


@dataclass(frozen=True, kw_only=True)
class BudgetsArgs:
    """`monthly_usd` is what the plan costs at AWS in a month, `component_usd` its parts by component. The account is
    filtered by the tag of the stack, which must be switched on as a cost allocation tag."""

    monthly_usd: Decimal
    component_usd: Mapping[str, Decimal]
    topic_arn: pulumi.Input[str]
    stack: str
    tags: Tags


class Budgets(pulumi.ComponentResource):
    """One budget for the stack and one for each component that AWS bills under a name of its own.

    Attributes: `names` of the budgets made.
    """

    names: tuple[str, ...]

    def __init__(self, name: str, args: BudgetsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("reme:aws:Budgets", name, {}, opts)
        limits: dict[str, Decimal] = {"total": args.monthly_usd}
        limits |= {part: usd for part, usd in args.component_usd.items() if part in AWS_SERVICES and usd > 0}
        for part, usd in limits.items():
            filters: list[aws.budgets.BudgetCostFilterArgsDict] = [
                {"name": "TagKeyValue", "values": [f"user:stack${args.stack}"]}
            ]
            if part in AWS_SERVICES:
                filters.append({"name": "Service", "values": list(AWS_SERVICES[part])})
            aws.budgets.Budget(
                f"{name}-{part}",
                name=f"{PROJECT}-{args.stack}-{part}",
                budget_type="COST",
                time_unit="MONTHLY",
                limit_amount=str((usd * BUDGET_FACTOR).quantize(CENT)),
                limit_unit="USD",
                cost_filters=filters,
                notifications=[
                    {
                        "comparison_operator": "GREATER_THAN",
                        "threshold": threshold,
                        "threshold_type": "PERCENTAGE",
                        "notification_type": kind,
                        "subscriber_sns_topic_arns": [args.topic_arn],
                    }
                    for threshold, kind in NOTICES
                ],
                tags=args.tags.named("budgets"),
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.names = tuple(f"{PROJECT}-{args.stack}-{part}" for part in limits)
        self.register_outputs({"names": list(self.names)})
