"""What a stack may cost a month. The prices are `sizing`'s; what has none is not counted, and never taken for free."""

from collections.abc import Iterable
from decimal import Decimal

from policies import kinds
from policies.rule import Finding, Rule
from policies.settings import PolicySettings
from policies.spend import Spend
from sizing.graph.resources import ResourceGraph

_FAMILY = "budget"
_REMEDY = "Make the change smaller, or raise the budget in the settings with the reason."


def _usd(amount: Decimal) -> str:
    return f"${amount:,.2f}"


def _over(**fields: object) -> Finding:
    return Finding(urn="", fields=fields)


def _check_total(spend: Spend, settings: PolicySettings) -> Iterable[Finding]:
    limit = settings.budget_limits.monthly_usd
    if limit is None:
        return
    if spend.after.total_usd > limit:
        yield _over(found=_usd(spend.after.total_usd), limit=_usd(limit))
    elif spend.after.partial:
        yield Finding(urn="", unknown="the cost of what has no price")


TOTAL = Rule(
    id="budget-total",
    family=_FAMILY,
    title="A stack stays within its budget",
    severity="medium",
    message="{where} costs {found} a month, and its budget is {limit}",
    remedy=_REMEDY,
    spend_check=_check_total,
)


def _check_growth(spend: Spend, settings: PolicySettings) -> Iterable[Finding]:
    limits = settings.budget_limits
    if spend.before is None:
        return
    more = spend.after.total_usd - spend.before.total_usd
    if limits.growth_usd is not None and more > limits.growth_usd:
        yield _over(found=f"{_usd(more)} a month more", limit=_usd(limits.growth_usd))
    if limits.growth_percent is not None and spend.before.total_usd > 0:
        percent = more / spend.before.total_usd * 100
        if percent > limits.growth_percent:
            yield _over(found=f"{percent:.1f} % more", limit=f"{limits.growth_percent:f} %")


GROWTH = Rule(
    id="budget-growth",
    family=_FAMILY,
    title="One change does not raise the cost of a stack by much",
    severity="medium",
    message="{where} would cost {found}, and one change may add {limit}",
    remedy=_REMEDY,
    spend_check=_check_growth,
)


def _check_services(spend: Spend, settings: PolicySettings) -> Iterable[Finding]:
    for service, limit in settings.budget_limits.services.items():
        found = spend.after.services_usd.get(service, Decimal(0))
        if found > limit:
            yield _over(service=service, found=_usd(found), limit=_usd(limit))


SERVICES = Rule(
    id="budget-by-service",
    family=_FAMILY,
    title="Each service stays within its own budget",
    severity="low",
    message="{where}: {service} costs {found} a month, and its budget is {limit}",
    remedy=_REMEDY,
    spend_check=_check_services,
)


def _check_alarms(graph: ResourceGraph, _: PolicySettings) -> Iterable[Finding]:
    if any(each.package == "aws" for each in graph.custom) and not graph.of(kinds.AWS_BUDGET):
        yield Finding(urn="")


ALARMS = Rule(
    id="budgets-are-watched",
    family=_FAMILY,
    title="A stack on AWS tells somebody when its cost passes its budget",
    severity="low",
    message="{where} has no budget with notifications",
    remedy="Add a budgets.Budget for the stack's tag (§8.3 of the requirements).",
    kinds=frozenset({kinds.AWS_BUDGET}),
    stack_check=_check_alarms,
)
RULES = (TOTAL, GROWTH, SERVICES, ALARMS)
