"""The charts of the HTML report, drawn from an assessment: each for a page and for a phone."""

from collections.abc import Callable
from dataclasses import dataclass

from sizing.assessment import Assessment
from sizing.cost.report import add_up
from sizing.messages import Language
from sizing.render.charts import (
    Corners,
    Milestone,
    Span,
    StackedBar,
    draw_components,
    draw_drivers,
    draw_growth,
    draw_range,
    draw_swings,
)
from sizing.render.cost_tables import rank_drivers, show_corner
from sizing.render.decision_tables import name_driver
from sizing.render.labels import name_component, show_usd
from sizing.render.plan_tables import describe_limit, sayer
from sizing.render.svg_sheet import Sheet, house_style

PAGE_PX = 540
WIDE_PAGE_PX = 720
PHONE_PX = 338
"""Widths of half a page, of two thirds of a page, and of a phone of 375 px less its margins."""
SWINGS_SHOWN = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class Chart:
    """A chart's title, what it shows in one sentence, and its SVG for a page and for a phone."""

    name: str
    title: str
    caption: str
    page_svg: str
    phone_svg: str


def draw_charts(assessment: Assessment, language: Language) -> dict[str, Chart]:
    """Return the charts by name; swings and drivers are left out where nothing moves the total.

    Raises MissingExtra where matplotlib is not installed.
    """
    say = sayer(language)
    found = {}
    with house_style():
        for name, draw in _DRAWERS.items():
            page_px = WIDE_PAGE_PX if name == "growth" else PAGE_PX
            page, phone = draw(assessment, language, page_px), draw(assessment, language, PHONE_PX)
            if page is None or phone is None:
                continue
            code = "range-corners" if name == "range" and assessment.simulation is None else name
            title, caption = say(f"chart.{code}-title"), say(f"chart.{code}")
            found[name] = Chart(
                name=name,
                title=title,
                caption=caption,
                page_svg=page.to_svg(f"{name}-page", f"{title}. {caption}"),
                phone_svg=phone.to_svg(f"{name}-phone", f"{title}. {caption}"),
            )
    return found


def _components(assessment: Assessment, language: Language, width: int) -> Sheet | None:
    say = sayer(language)
    bars = []
    for component, lines in assessment.report.by_component.items():
        planned = assessment.planning.of(component)
        bars.append(
            StackedBar(
                label=name_component(component, language),
                baseline_usd=float(add_up(line for line in lines if line.kind == "resource").expected),
                usage_usd=float(add_up(line for line in lines if line.kind != "resource").expected),
                planned_usd=None if planned is None else float(planned),
                value=show_corner(lines, "expected", language),
            )
        )
    return draw_components(bars, (say("legend.baseline"), say("legend.usage"), say("legend.planning")), width)


def _drivers(assessment: Assessment, language: Language, width: int) -> Sheet | None:
    say = sayer(language)
    lines = assessment.report.lines
    spans = [
        Span(
            label=say(f"driver.{driver}"),
            low_usd=float(money.low),
            middle_usd=float(money.expected),
            high_usd=float(money.high),
            value=show_corner([line for line in lines if line.driver == driver], "expected", language),
        )
        for driver, money in rank_drivers(assessment)
    ]
    return draw_drivers(spans, (say("expected-column"), say("legend.range")), width) if spans else None


def _range(assessment: Assessment, language: Language, width: int) -> Sheet | None:
    say = sayer(language)
    total, drawn = assessment.report.total, assessment.simulation
    corners = Corners(
        usd=(float(total.low), float(total.expected), float(total.high)),
        labels=(
            say("mark.low", usd=show_usd(total.low)),
            say("mark.expected", usd=show_usd(total.expected)),
            say("mark.high", usd=show_usd(total.high)),
        ),
    )
    bins = [(float(edge), count) for edge, count in drawn.bins] if drawn else []
    percentiles = (float(drawn.p10_usd), float(drawn.p50_usd), float(drawn.p90_usd)) if drawn else None
    legend = (say("legend.draws"), say("legend.band"), say("legend.range"))
    return draw_range(bins, percentiles, corners, legend, width)


def _swings(assessment: Assessment, language: Language, width: int) -> Sheet | None:
    say = sayer(language)
    middle = float(assessment.report.total.expected)
    spans = [
        Span(
            label=name_driver(swing.driver, language),
            low_usd=float(swing.low_usd),
            middle_usd=middle,
            high_usd=float(swing.high_usd),
            value=f"{show_usd(swing.low_usd)} – {show_usd(swing.high_usd)}",
        )
        for swing in assessment.swings[:SWINGS_SHOWN]
    ]
    return draw_swings(spans, (say("legend.low-end"), say("legend.high-end")), width) if spans else None


def _growth(assessment: Assessment, language: Language, width: int) -> Sheet | None:
    say = sayer(language)
    growth = assessment.workload.drivers["growth_per_month"]
    marks: dict[int, Milestone] = {}
    for limit in assessment.plan.limits:
        # Several limits that the same number of users meets are one line; the first of them names it.
        marks.setdefault(
            limit.users,
            Milestone(
                users=float(limit.users),
                label=describe_limit("limit-mark", limit, language),
                month_label=say("month-mark", month=limit.month) if limit.month else "",
            ),
        )
    if not marks:
        return None
    legend = (
        say("legend.users"),
        say("legend.growth", low=f"{growth.low * 100:g}", high=f"{growth.high * 100:g}"),
        say("legend.limit"),
    )
    return draw_growth(
        assessment.workload.drivers["users"].expected,
        (growth.low, growth.expected, growth.high),
        list(marks.values()),
        legend,
        say("axis.months", date=assessment.today.isoformat()),
        width,
    )


_DRAWERS: dict[str, Callable[[Assessment, Language, int], Sheet | None]] = {
    "components": _components,
    "drivers": _drivers,
    "range": _range,
    "swings": _swings,
    "growth": _growth,
}
