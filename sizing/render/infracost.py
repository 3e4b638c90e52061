"""The bill in Infracost's JSON, so that its ``output`` and ``comment`` tools can read it.

The form is that of Infracost's published schema (version 0.2 of the JSON, its ``breakdown``
command): one project a region, one resource a role of the plan, money as strings, 730 hours a month.
"""

import json
from collections import defaultdict
from decimal import Decimal
from typing import Any

from sizing.assessment import Assessment
from sizing.cost.report import CostLine, add_up
from sizing.measures import HOURS_PER_MONTH
from sizing.render.labels import name_line

VERSION = "0.2"
PLACES = Decimal("0.0000000001")


def describe_infracost(assessment: Assessment) -> dict[str, Any]:
    """Return the bill in Infracost's form; lines without a list price carry ``priceNotFound``."""
    report = assessment.report
    by_site: dict[str, list[CostLine]] = defaultdict(list)
    for line in report.lines:
        by_site[line.site].append(line)
    total, usage = report.total.expected, report.usage.expected
    return {
        "version": VERSION,
        "metadata": _metadata(assessment),
        "currency": "USD",
        "projects": [_project(assessment.plan.name, site, lines) for site, lines in by_site.items()],
        "totalHourlyCost": _hourly(total),
        "totalMonthlyCost": str(total),
        "totalMonthlyUsageCost": str(usage),
        "pastTotalHourlyCost": "0",
        "pastTotalMonthlyCost": "0",
        "pastTotalMonthlyUsageCost": "0",
        "diffTotalHourlyCost": _hourly(total),
        "diffTotalMonthlyCost": str(total),
        "diffTotalMonthlyUsageCost": str(usage),
        "timeGenerated": f"{assessment.today.isoformat()}T00:00:00Z",
        "summary": _summary(report.lines),
    }


def to_infracost(assessment: Assessment) -> str:
    """Return the bill as Infracost JSON text."""
    return json.dumps(describe_infracost(assessment), ensure_ascii=False, indent=2) + "\n"


def _metadata(assessment: Assessment) -> dict[str, str]:
    return {
        "infracostCommand": "breakdown",
        "vcsBranch": "",
        "vcsCommitSha": "",
        "vcsCommitAuthorName": "",
        "vcsCommitAuthorEmail": "",
        "vcsCommitTimestamp": f"{assessment.today.isoformat()}T00:00:00Z",
        "vcsCommitMessage": "",
    }


def _project(name: str, site: str, lines: list[CostLine]) -> dict[str, Any]:
    breakdown = _breakdown(lines)
    empty = {"resources": [], "totalHourlyCost": "0", "totalMonthlyCost": "0", "totalMonthlyUsageCost": "0"}
    return {
        "name": f"{name}/{site}",
        "displayName": f"{name} {site}",
        "metadata": {"path": site, "type": "reme_cloud_plan"},
        "pastBreakdown": empty,
        "breakdown": breakdown,
        "diff": breakdown,
        "summary": _summary(lines),
    }


def _breakdown(lines: list[CostLine]) -> dict[str, Any]:
    total = add_up(lines).expected
    return {
        "resources": [_resource(role, found) for role, found in _by_role(lines).items()],
        "totalHourlyCost": _hourly(total),
        "totalMonthlyCost": str(total),
        "totalMonthlyUsageCost": str(add_up(line for line in lines if line.kind != "resource").expected),
    }


def _by_role(lines: list[CostLine]) -> dict[str, list[CostLine]]:
    roles: dict[str, list[CostLine]] = defaultdict(list)
    for line in lines:
        roles[line.resource].append(line)
    return roles


def _resource(role: str, lines: list[CostLine]) -> dict[str, Any]:
    total = add_up(lines).expected
    priced = any(line.is_priced for line in lines)
    return {
        "name": role,
        "resourceType": f"{lines[0].provider}_{lines[0].service}".replace("-", "_"),
        "metadata": {},
        "hourlyCost": _hourly(total) if priced else None,
        "monthlyCost": str(total) if priced else None,
        "monthlyUsageCost": str(add_up(line for line in lines if line.kind != "resource").expected) if priced else None,
        "costComponents": [_component(line) for line in lines],
    }


def _component(line: CostLine) -> dict[str, Any]:
    quantity = line.quantity[1]
    money = line.monthly_usd
    return {
        "name": name_line(line, "en"),
        "unit": line.unit,
        "hourlyQuantity": _hourly(quantity),
        "monthlyQuantity": str(quantity.normalize()) if quantity else "0",
        "price": None if line.unit_usd is None else str(line.unit_usd),
        "hourlyCost": None if money is None else _hourly(money.expected),
        "monthlyCost": None if money is None else str(money.expected),
        "usageBased": line.kind != "resource",
        "priceNotFound": money is None,
    }


def _summary(lines: list[CostLine] | tuple[CostLine, ...]) -> dict[str, Any]:
    """Count resources; detected = supported, because the plan knows every one that it makes."""
    by_site_role: dict[tuple[str, str], list[CostLine]] = defaultdict(list)
    for line in lines:
        by_site_role[line.site, line.resource].append(line)
    unpriced: dict[str, int] = defaultdict(int)
    supported: dict[str, int] = defaultdict(int)
    usage_based = 0
    for found in by_site_role.values():
        kind = f"{found[0].provider}_{found[0].service}".replace("-", "_")
        supported[kind] += 1
        usage_based += any(line.kind != "resource" for line in found)
        if not any(line.is_priced for line in found):
            unpriced[kind] += 1
    return {
        "totalDetectedResources": len(by_site_role),
        "totalSupportedResources": len(by_site_role),
        "totalUnsupportedResources": 0,
        "totalUsageBasedResources": usage_based,
        "totalNoPriceResources": sum(unpriced.values()),
        "supportedResourceCounts": dict(supported),
        "unsupportedResourceCounts": {},
        "noPriceResourceCounts": dict(unpriced),
    }


def _hourly(monthly: Decimal) -> str:
    return str((monthly / HOURS_PER_MONTH).quantize(PLACES).normalize()) if monthly else "0"
