"""Golden reports of the four scenarios in both languages, and the machine-readable forms."""

import csv
import io
import json
import os
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from sizing.assessment import Assessment, assess
from sizing.messages import Language
from sizing.render.csv_table import COLUMNS, to_csv
from sizing.render.document import describe_assessment, to_json
from sizing.render.infracost import describe_infracost
from sizing.render.markdown import to_markdown
from sizing.render.text import to_text
from sizing.workload_document import read_workload
from tests.conftest import SCENARIOS, TODAY

LANGUAGES: tuple[Language, ...] = ("en", "zh")


def assessment(name: str) -> Assessment:
    return assess(SCENARIOS[name], samples=200, today=TODAY)


@pytest.mark.slow
@pytest.mark.parametrize("language", LANGUAGES)
def test_terminal_reports(scenario: str, language: Language, golden: Callable[[str, str], None]) -> None:
    golden(f"reports/{scenario}.{language}.txt", to_text(assessment(scenario), language))


@pytest.mark.parametrize("language", LANGUAGES)
def test_detailed_reports(scenario: str, language: Language, golden: Callable[[str, str], None]) -> None:
    golden(f"reports/{scenario}.{language}.md", to_markdown(assessment(scenario), language))


@pytest.mark.slow
def test_the_text_fits_its_width(scenario: str) -> None:
    from rich.cells import cell_len

    for language in LANGUAGES:
        for width in (60, 80, 120):
            text = to_text(assessment(scenario), language, details=True, width=width)
            assert max(cell_len(line) for line in text.splitlines()) <= width


def test_no_unpriced_line_shows_zero() -> None:
    text = to_markdown(assessment("platform"), "en")
    assert "partial: " in text
    lines = [line for line in text.splitlines() if line.startswith("| Cache (alicloud")]
    assert lines
    assert all("no list price" in line for line in lines)
    assert "无公开报价" in to_markdown(assessment("platform"), "zh")


def test_markdown_escapes_what_a_name_may_hold() -> None:
    workload = SCENARIOS["personal"]
    from dataclasses import replace

    text = to_markdown(assess(replace(workload, name="a|b <b>*"), today=TODAY), "en")
    assert text.startswith("# a\\|b &lt;b&gt;\\*")


def test_json_adds_up_and_reads_back(scenario: str) -> None:
    found = assessment(scenario)
    document = json.loads(to_json(found))
    assert document == describe_assessment(found)
    lines = document["cost"]["lines"]
    total = sum((Decimal(line["monthly_usd"]["expected"]) for line in lines if line["monthly_usd"]), Decimal(0))
    assert str(total) == document["cost"]["total"]["expected"]
    assert document["cost"]["unpriced"] == sum(line["monthly_usd"] is None for line in lines)
    assert read_workload(document["workload"]) == found.workload


def test_csv_holds_every_line(scenario: str) -> None:
    found = assessment(scenario)
    rows = list(csv.DictReader(io.StringIO(to_csv(found))))
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) == len(found.report.lines)
    total = sum((Decimal(row["monthly_usd_expected"]) for row in rows if row["monthly_usd_expected"]), Decimal(0))
    assert total == found.report.total.expected
    for row in rows:
        assert (row["monthly_usd_expected"] == "") == (row["evidence"] == "none")


def _text(*names: str) -> dict[str, Any]:
    return {name: {"type": "string"} for name in names}


def _money(*names: str) -> dict[str, Any]:
    return {name: {"type": ["string", "null"]} for name in names}


def _strict(required: dict[str, Any], optional: dict[str, Any] | None = None) -> dict[str, Any]:
    properties = {**required, **(optional or {})}
    return {"type": "object", "additionalProperties": False, "required": list(required), "properties": properties}


COUNTS = {"type": "object", "additionalProperties": {"type": "integer"}}
COMPONENT = _strict(
    {
        **_text("name", "unit"),
        **_money("hourlyQuantity", "monthlyQuantity", "price", "hourlyCost", "monthlyCost"),
        "priceNotFound": {"type": "boolean"},
    },
    {"usageBased": {"type": "boolean"}},
)
RESOURCE = _strict(
    {**_text("name"), "metadata": {"type": "object"}},
    {
        **_text("resourceType"),
        **_money("hourlyCost", "monthlyCost", "monthlyUsageCost"),
        "costComponents": {"type": "array", "items": COMPONENT},
    },
)
BREAKDOWN = _strict(
    {
        "resources": {"type": "array", "items": RESOURCE},
        **_money("totalHourlyCost", "totalMonthlyCost", "totalMonthlyUsageCost"),
    }
)
SUMMARY = _strict(
    {},
    {
        **{
            name: {"type": "integer"}
            for name in (
                "totalResources",
                "totalDetectedResources",
                "totalSupportedResources",
                "totalUnsupportedResources",
                "totalUsageBasedResources",
                "totalNoPriceResources",
            )
        },
        **dict.fromkeys(("supportedResourceCounts", "unsupportedResourceCounts", "noPriceResourceCounts"), COUNTS),
    },
)
PROJECT = _strict(
    {
        **_text("name", "displayName"),
        "metadata": _strict(_text("path", "type")),
        "pastBreakdown": BREAKDOWN,
        "breakdown": BREAKDOWN,
        "diff": BREAKDOWN,
        "summary": SUMMARY,
    }
)
CONTRACT = _strict(
    {
        **_text("version", "currency", "timeGenerated"),
        "metadata": _strict(
            _text(
                "infracostCommand",
                "vcsBranch",
                "vcsCommitSha",
                "vcsCommitAuthorName",
                "vcsCommitAuthorEmail",
                "vcsCommitTimestamp",
                "vcsCommitMessage",
            )
        ),
        "projects": {"type": "array", "items": PROJECT},
        **_money(
            "totalHourlyCost",
            "totalMonthlyCost",
            "pastTotalHourlyCost",
            "pastTotalMonthlyCost",
            "diffTotalHourlyCost",
            "diffTotalMonthlyCost",
        ),
        "summary": SUMMARY,
    },
    _money("totalMonthlyUsageCost", "pastTotalMonthlyUsageCost", "diffTotalMonthlyUsageCost"),
)
"""What Infracost's published schema (schema/infracost.schema.json, read 2026-08-21) asks of the fields that we write.

It is that contract in our own words. INFRACOST_SCHEMA may name the published file itself: then that decides too.
"""


def test_infracost_json_keeps_the_published_contract(scenario: str) -> None:
    document = describe_infracost(assessment(scenario))
    jsonschema.Draft202012Validator(CONTRACT).validate(document)
    published = os.environ.get("INFRACOST_SCHEMA")
    if published:
        jsonschema.Draft4Validator(json.loads(Path(published).read_text(encoding="utf-8"))).validate(document)


def test_the_contract_refuses_what_the_schema_would() -> None:
    document = describe_infracost(assessment("personal"))
    validator = jsonschema.Draft202012Validator(CONTRACT)

    def component(spoiled: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = spoiled["projects"][0]["breakdown"]["resources"][0]["costComponents"][0]
        return found

    spoils: tuple[Callable[[dict[str, Any]], object], ...] = (
        lambda spoiled: spoiled.pop("currency"),
        lambda spoiled: spoiled.update(totalMonthlyCost=3),
        lambda spoiled: spoiled["projects"][0].update(extra=1),
        lambda spoiled: component(spoiled).pop("priceNotFound"),
    )
    for spoil in spoils:
        broken = json.loads(json.dumps(document))
        spoil(broken)
        assert not validator.is_valid(broken)


def test_infracost_json_adds_up(scenario: str) -> None:
    found = assessment(scenario)
    document = describe_infracost(found)
    costs = [
        component["monthlyCost"]
        for project in document["projects"]
        for resource in project["breakdown"]["resources"]
        for component in resource["costComponents"]
    ]
    assert sum((Decimal(cost) for cost in costs if cost is not None), Decimal(0)) == found.report.total.expected
    assert document["totalMonthlyCost"] == str(found.report.total.expected)
    assert costs.count(None) == len(found.report.unpriced)
    summary = document["summary"]
    assert (
        summary["totalDetectedResources"] == summary["totalSupportedResources"] + summary["totalUnsupportedResources"]
    )
