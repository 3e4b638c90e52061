"""The machine-readable report: ``reme-size --format json``, and what ``watch`` and ``diff`` read back.

Money and prices are strings of decimals, quantities are strings too, so that nothing is rounded on
the way. ``schema_version`` changes when a field changes its meaning or goes away.
"""

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from decimal import Decimal
from typing import Any

from sizing.assessment import Assessment
from sizing.catalogue import Price
from sizing.cost.report import CostLine, CostReport, Money
from sizing.cost.tables import comparison_tables
from sizing.errors import InvalidWorkload
from sizing.estimate import CORNERS
from sizing.messages import render
from sizing.plan import Plan, Reason
from sizing.workload_document import describe_workload

SCHEMA_VERSION = 1


def describe_assessment(assessment: Assessment) -> dict[str, Any]:
    """Return the whole assessment as plain data."""
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": "reme-size/report",
        "generated_on": assessment.today.isoformat(),
        "workload": describe_workload(assessment.workload),
        "plan": describe_plan(assessment.plan),
        "cost": describe_cost(assessment.report),
        "planning": plain(assessment.planning),
        "strategies": plain(assessment.strategies),
        "applied": plain(assessment.applied),
        "clouds": plain(assessment.comparisons),
        "swings": plain(assessment.swings),
        "simulation": plain(assessment.simulation),
        "comparisons": plain(comparison_tables(assessment.design, "en")),
        "stale_prices": [price.name for price in assessment.stale_prices],
    }


def describe_plan(plan: Plan) -> dict[str, Any]:
    """Return the published form of a plan (its JSON Schema is ``reme-size schema plan``)."""
    document = plain(plan)
    assert isinstance(document, dict)  # noqa: S101
    return document


def describe_cost(report: CostReport) -> dict[str, Any]:
    """Return lines and sums; ``unpriced`` > 0 means that the totals are partial."""
    return {
        "currency": "USD",
        "period": "month of 730 hours",
        "total": plain(report.total),
        "baseline": plain(report.baseline),
        "usage": plain(report.usage),
        "unpriced": len(report.unpriced),
        "by_driver": plain(dict(report.by_driver)),
        "lines": [_describe_line(line) for line in report.lines],
    }


def _describe_line(line: CostLine) -> dict[str, Any]:
    low, expected, high = line.quantity
    return {
        "id": line.id,
        "component": line.component,
        "resource": line.resource,
        "kind": line.kind,
        "site": line.site,
        "provider": line.provider,
        "service": line.service,
        "sku": line.sku,
        "sku_low": line.low_sku,
        "sku_high": line.high_sku,
        "unit": line.unit,
        "driver": line.driver,
        "quantity": {"low": str(low), "expected": str(expected), "high": str(high)},
        "unit_usd": None if line.unit_usd is None else str(line.unit_usd),
        "monthly_usd": plain(line.monthly_usd),
        "price": _describe_price(line.price),
    }


def read_cost(document: Mapping[str, Any]) -> CostReport:
    """Return the lines of a saved report, for comparison; prices' provenance is left behind.

    Raises InvalidWorkload where the document is no report of ours.
    """
    valid = "a report written by reme-size --format json"
    try:
        report = CostReport(lines=tuple(_read_line(line) for line in document["cost"]["lines"]))
        total = document["cost"]["total"]["expected"]
        added = str(report.total.expected)
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise InvalidWorkload("report", str(error), valid) from None
    if len({line.id for line in report.lines}) != len(report.lines):
        raise InvalidWorkload("report", "a line id that stands twice", valid)
    if added != total:
        raise InvalidWorkload("report", f"a total of {total} over lines of {added}", valid)
    return report


def _read_line(line: Mapping[str, Any]) -> CostLine:
    low, expected, high = (_read_number(line["quantity"][corner]) for corner in CORNERS)
    money = line["monthly_usd"]
    return CostLine(
        **{name: str(line[name]) for name in _TEXTS},
        kind=line["kind"],
        region=line["site"].partition(":")[2],
        low_sku=str(line["sku_low"]),
        high_sku=str(line["sku_high"]),
        quantity=(low, expected, high),
        price=None,
        monthly_usd=None if money is None else Money(*(_read_number(money[corner]) for corner in CORNERS)),
    )


def _read_number(text: str) -> Decimal:
    number = Decimal(text)
    if not number.is_finite():
        raise ValueError(f"{text} is no finite number")
    return number


_TEXTS = ("id", "component", "resource", "site", "provider", "service", "sku", "unit", "driver")


def _describe_price(price: Price | None) -> dict[str, Any] | None:
    if price is None:
        return None
    described = plain(price)
    assert isinstance(described, dict)  # noqa: S101
    return {"name": price.name, **described}


def plain(value: object) -> Any:
    """Return dataclasses, mappings, tuples and decimals as JSON's own types."""
    if isinstance(value, Reason):
        return {
            "code": value.code,
            "values": dict(value.values),
            "origin": value.origin,
            "text": render(value.code, "en", value.values),
        }
    if isinstance(value, Money):
        return {"low": str(value.low), "expected": str(value.expected), "high": str(value.high)}
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Decimal):
        return str(value)
    if hasattr(value, "items"):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, frozenset):
        return sorted(plain(item) for item in value)
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def to_json(assessment: Assessment) -> str:
    """Return the report as JSON text."""
    return json.dumps(describe_assessment(assessment), ensure_ascii=False, indent=2) + "\n"
