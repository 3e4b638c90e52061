"""The HTML report: one self-contained file to send, readable without a network or a script."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sizing.assessment import Assessment
from sizing.catalogue import STALE_AFTER_DAYS
from sizing.errors import MissingExtra
from sizing.messages import Language, label
from sizing.render.cost_tables import (
    tabulate_components,
    tabulate_drivers,
    tabulate_lines,
)
from sizing.render.decision_tables import (
    name_strategy,
    tabulate_clouds,
    tabulate_draws,
    tabulate_excluded,
    tabulate_in_plan,
    tabulate_other_changes,
    tabulate_range,
    tabulate_savings,
    tabulate_swings,
)
from sizing.render.headline import describe_applied, describe_gaps, describe_scope, list_tiles, show_name
from sizing.render.labels import show_usd
from sizing.render.plan_tables import (
    date_after,
    list_warnings,
    name_place,
    sayer,
    tabulate_assumptions,
    tabulate_choice,
    tabulate_limits,
    tabulate_sizes,
)
from sizing.render.price_tables import tabulate_prices, tabulate_unpriced
from sizing.render.report_charts import draw_charts
from sizing.render.report_table import Cell, ReportTable

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["Cell", "ReportTable", "to_html"]

TEMPLATES = Path(__file__).parent / "templates"
READING = ("planning", "list", "month", "range", "usage", "partial", "evidence", "origin", "cent")


@dataclass(frozen=True, kw_only=True, slots=True)
class CloudSection:
    """One comparison with another cloud: its sentences and tables, or why there is none."""

    note: str
    counted: ReportTable | None = None
    excluded: ReportTable | None = None


def to_html(assessment: Assessment, language: Language, tables: Sequence[ReportTable] = ()) -> str:
    """Return the report as one HTML document; ``tables`` are shown as the options compared.

    Raises MissingExtra where jinja2 or matplotlib is not installed.
    """
    template = _environment().get_template("report.html.j2")
    return template.render(_describe(assessment, language, tables)) + "\n"


@cache
def _environment() -> "Environment":
    try:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined
    except ImportError:
        raise MissingExtra("the HTML report", "report") from None
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _describe(assessment: Assessment, language: Language, tables: Sequence[ReportTable]) -> dict[str, Any]:
    """Return everything that the template shows, in words and tables."""
    plan = assessment.plan
    return {
        "language": "zh-Hans" if language == "zh" else "en",
        "say": sayer(language),
        "name": show_name(plan.name),
        "subtitle": describe_scope(assessment, language),
        "today": assessment.today.isoformat(),
        "tiles": list_tiles(assessment, language),
        "partial": describe_gaps(assessment, language),
        "applied": describe_applied(assessment, language),
        "tier": tabulate_choice(plan.choice("tier"), language),
        "choices": [tabulate_choice(choice, language) for choice in plan.choices if choice.component != "tier"],
        "warnings": list_warnings(assessment, language),
        "sizes": tabulate_sizes(assessment, language),
        "options": tables,
        "components": tabulate_components(assessment, language),
        "drivers": tabulate_drivers(assessment, language),
        "range": tabulate_range(assessment, language),
        "range_notes": _range_notes(assessment, language),
        "draws": tabulate_draws(assessment, language),
        "swings": tabulate_swings(assessment, language),
        "savings": tabulate_savings(assessment, language),
        "in_plan": tabulate_in_plan(assessment, language),
        "other_changes": tabulate_other_changes(assessment, language),
        "not_applicable": [
            name_strategy(outcome, language) for outcome in assessment.strategies if outcome.status == "not-applicable"
        ],
        "clouds": _clouds(assessment, language),
        "limits": tabulate_limits(assessment, language),
        "growth_note": _growth_note(assessment, language),
        "lines": tabulate_lines(assessment, language),
        "prices": tabulate_prices(assessment, language),
        "unpriced": tabulate_unpriced(assessment, language),
        "assumptions": tabulate_assumptions(assessment, language),
        "given": len(assessment.workload.given & set(assessment.workload.drivers)),
        "charts": draw_charts(assessment, language),
        "reading": READING,
        "stale_days": STALE_AFTER_DAYS,
    }


def _range_notes(assessment: Assessment, language: Language) -> tuple[str, ...]:
    say = sayer(language)
    total, drawn = assessment.report.total, assessment.simulation
    if drawn is None:
        return say("range-no-draws"), say("range-prices")
    first = say(
        "range-note",
        samples=f"{drawn.samples:,}",
        p10=show_usd(drawn.p10_usd),
        p50=show_usd(drawn.p50_usd),
        p90=show_usd(drawn.p90_usd),
    )
    corners = say("range-corners", low=show_usd(total.low), high=show_usd(total.high))
    gap = "" if language == "zh" else " "
    if total.expected < drawn.p50_usd:
        first += gap + say("range-skewed")
    return first, corners + gap + say("range-prices")


def _growth_note(assessment: Assessment, language: Language) -> str:
    say = sayer(language)
    limits = assessment.plan.limits
    if not limits:
        return say("growth-open")
    month = limits[0].month
    if month is None:
        return say("growth-none")
    if month == 0:
        return say("growth-passed")
    growth = assessment.workload.drivers["growth_per_month"]
    low, expected, high = (f"{rate * 100:g}" for rate in (growth.low, growth.expected, growth.high))
    return say(
        "growth-note",
        growth=expected,
        low=low,
        high=high,
        users=f"{assessment.workload.drivers['users'].expected:,.0f}",
        when=say("next-month", month=month, date=date_after(assessment.today, month)),
    )


def _clouds(assessment: Assessment, language: Language) -> tuple[CloudSection, ...]:
    say = sayer(language)
    found = []
    for comparison in assessment.comparisons:
        there = label(f"cloud.{comparison.there}", language)
        if comparison.problem:
            problem = label(comparison.problem, language, comparison.problem).rstrip(".。")
            found.append(CloudSection(note=say("clouds-problem", there=there, problem=problem)))
            continue
        stop = "、" if language == "zh" else ", "
        regions = stop.join(name_place(key, language) for key in comparison.there_regions)
        found.append(
            CloudSection(
                note=say("clouds-regions", there=there, regions=regions),
                counted=tabulate_clouds(comparison, language),
                excluded=tabulate_excluded(comparison, language),
            )
        )
    return tuple(found)
