"""Tables of the HTML report about the bill: components, drivers, lines, prices."""

from collections.abc import Sequence
from decimal import Decimal

from sizing.assessment import Assessment
from sizing.cost.report import COMPONENTS, CostLine, CostReport, Money, add_up
from sizing.estimate import CORNERS, Corner
from sizing.messages import Language, label
from sizing.render.labels import name_component, name_line, show_quantity, show_usd
from sizing.render.plan_tables import name_origin, name_place, sayer
from sizing.render.report_table import Cell, ReportTable

PRICE_DIGITS = 6
"""Significant digits of a unit price; what was converted from another currency has endless ones."""


def show_change(usd: Decimal) -> str:
    """Write a difference with its sign."""
    return f"{'+' if usd > 0 else ''}{show_usd(usd)}"


def show_price(usd: Decimal) -> str:
    """Write a unit price: two decimals at least, PRICE_DIGITS significant digits at most."""
    places = max(2, PRICE_DIGITS - 1 - usd.adjusted())
    whole, _, digits = f"{usd:,.{places}f}".partition(".")
    return f"${whole}.{digits.rstrip('0').ljust(2, '0')}"


def show_share(part: Decimal, whole: Decimal) -> str:
    """Write a share in percent; nothing where the whole is nothing."""
    return f"{part * 100 / whole:.1f} %" if whole else ""


def show_ratio(part: Decimal, whole: Decimal) -> str:
    """Write a ratio with three digits, e.g. ``1.67``."""
    return f"{part / whole:,.2f}"


def show_corner(lines: Sequence[CostLine], corner: Corner, language: Language) -> str:
    """Write what lines cost at a corner; without any list price it says so."""
    priced = [line for line in lines if line.monthly_usd is not None]
    if not priced:
        return show_usd(None, language)
    usd = add_up(priced).at(corner)
    index = CORNERS.index(corner)
    positive = any(line.quantity[index] > 0 and line.price and line.price.usd for line in priced)
    return show_usd(usd, language, positive=not positive)


def _cost_cell(lines: Sequence[CostLine], corner: Corner, language: Language, *, count_gaps: bool = False) -> Cell:
    if not lines:
        return Cell(text=sayer(language)("no-line"), tone="muted")
    gaps = sum(not line.is_priced for line in lines)
    text = show_corner(lines, corner, language)
    if gaps == len(lines):
        return Cell(text=text, tone="missing")
    if gaps:
        return Cell(text=text, detail=sayer(language)("gaps", count=gaps) if count_gaps else "", tone="partial")
    return Cell(text=text)


def tabulate_components(assessment: Assessment, language: Language) -> ReportTable:
    """Return planning figure and list price of every component, baseline and usage apart."""
    say = sayer(language)
    report, figure = assessment.report, assessment.planning
    gap = "" if language == "zh" else " "
    rows: list[tuple[str | Cell, ...]] = []
    planned = {line.component for line in figure.lines}
    for component in COMPONENTS:
        if component in planned or component in report.by_component:
            rows.append((name_component(component, language), *_component_cells(assessment, component, language)))
    total = report.total
    rows.append(
        (
            say("total"),
            Cell(text=show_usd(figure.total_usd), detail=name_origin(figure.section, language)),
            _sum_cell(total.low, report),
            Cell(
                text=show_usd(total.expected),
                detail=say("gaps", count=len(report.unpriced)) if report.unpriced else "",
                tone="partial" if report.unpriced else "",
            ),
            _sum_cell(total.high, report),
            _difference(figure.total_usd, total.expected, language, partial=bool(report.unpriced)),
            _sum_cell(report.baseline.expected, report),
            _sum_cell(report.usage.expected, report),
        )
    )
    names = (
        "component",
        "planning-column",
        "list-low",
        "list-expected",
        "list-high",
        "difference",
        "baseline",
        "usage",
    )
    return ReportTable(
        title=say("cost-caption"),
        columns=tuple(say(name) for name in names),
        rows=tuple(rows),
        right=frozenset(range(1, 8)),
        total=True,
        note=say("cost-note") + (gap + say("dagger") if report.unpriced else ""),
    )


def _sum_cell(usd: Decimal, report: CostReport) -> Cell:
    return Cell(text=show_usd(usd), tone="partial" if report.unpriced else "")


def _component_cells(assessment: Assessment, component: str, language: Language) -> tuple[str | Cell, ...]:
    say = sayer(language)
    figure = assessment.planning
    lines = assessment.report.by_component.get(component, ())
    planned = next((line for line in figure.lines if line.component == component), None)
    if planned is not None:
        detail = planned.detail_zh if language == "zh" else planned.detail_en
        planning = Cell(text=show_usd(planned.monthly_usd), detail=detail)
    else:
        planning = Cell(text=say("not-planned" if figure.lines else "total-only"), tone="muted")
    priced = [line for line in lines if line.is_priced]
    if planned is None:
        difference = Cell(text="")
    elif lines and not priced:
        difference = Cell(text=say("incomparable"), tone="muted")
    else:
        difference = _difference(
            planned.monthly_usd, add_up(priced).expected, language, partial=len(priced) < len(lines)
        )
    resources = [line for line in lines if line.kind == "resource"]
    uses = [line for line in lines if line.kind != "resource"]
    return (
        planning,
        _cost_cell(lines, "low", language),
        _cost_cell(lines, "expected", language, count_gaps=True),
        _cost_cell(lines, "high", language),
        difference,
        _cost_cell(resources, "expected", language) if resources else "",
        _cost_cell(uses, "expected", language) if uses else "",
    )


def _difference(planned: Decimal, listed: Decimal, language: Language, *, partial: bool) -> Cell:
    say = sayer(language)
    ratio = say("ratio", ratio=show_ratio(listed, planned)) if planned else ""
    detail = say("so-far", text=ratio) if partial and ratio else ratio
    return Cell(text=show_change(listed - planned), detail=detail)


def tabulate_drivers(assessment: Assessment, language: Language) -> ReportTable:
    """Return the cost by what moves it, the largest first."""
    say = sayer(language)
    report = assessment.report
    rows: list[tuple[str | Cell, ...]] = []
    for driver, money in rank_drivers(assessment):
        lines = [line for line in report.lines if line.driver == driver]
        rows.append(
            (
                say(f"driver.{driver}"),
                *(_cost_cell(lines, corner, language, count_gaps=corner == "expected") for corner in CORNERS),
                show_share(money.expected, report.total.expected) if any(line.is_priced for line in lines) else "",
            )
        )
    total = report.total
    whole = show_share(total.expected, total.expected)
    rows.append((say("total"), *(_sum_cell(total.at(corner), report) for corner in CORNERS), whole))
    return ReportTable(
        title=say("drivers-caption"),
        columns=(say("driver"), say("low"), say("expected-column"), say("high"), say("share")),
        rows=tuple(rows),
        right=frozenset({1, 2, 3, 4}),
        total=True,
    )


def rank_drivers(assessment: Assessment) -> list[tuple[str, Money]]:
    """Return drivers and their cost, the dearest first."""
    return sorted(assessment.report.by_driver.items(), key=lambda item: (-item[1].expected, item[0]))


def tabulate_lines(assessment: Assessment, language: Language) -> ReportTable:
    """Return every cost line in the order of the components."""
    say = sayer(language)
    report = assessment.report
    several = len(assessment.plan.regions) > 1
    rows: list[tuple[str | Cell, ...]] = []
    for component, lines in report.by_component.items():
        for line in lines:
            site = (name_place(line.site, language),) if several else ()
            rows.append(
                (name_component(component, language), _line_cell(line, language), *site, *_figures(line, language))
            )
    total = report.total
    span = ("",) * (5 if several else 4)
    sum_cell = Cell(
        text=show_usd(total.expected),
        detail=say("range-of", low=show_usd(total.low), high=show_usd(total.high)),
        tone="partial" if report.unpriced else "",
    )
    rows.append((say("total"), *span, sum_cell, ""))
    names = ["component", "line", "site", "amount", "unit", "unit-price", "monthly", "kind"]
    if not several:
        names.remove("site")
    shift = 1 if several else 0
    return ReportTable(
        title=say("lines-caption"),
        columns=tuple(say(name) for name in names),
        rows=tuple(rows),
        right=frozenset({2 + shift, 4 + shift, 5 + shift}),
        total=True,
    )


def _line_cell(line: CostLine, language: Language) -> Cell:
    mark = "" if line.kind == "resource" else " *"
    detail = f"{line.service}/{line.sku}"
    if line.high_sku != line.sku:
        detail += "; " + sayer(language)("high-sku", sku=line.high_sku)
    return Cell(text=name_line(line, language) + mark, detail=detail)


def _figures(line: CostLine, language: Language) -> tuple[str | Cell, ...]:
    say = sayer(language)
    low, expected, high = (show_quantity(quantity) for quantity in line.quantity)
    amount = Cell(text=expected, detail="" if low == expected == high else say("range-of", low=low, high=high))
    missing = Cell(text=show_usd(None, language), tone="missing")
    unit_price = Cell(text=show_price(line.unit_usd)) if line.unit_usd is not None else missing
    monthly = missing
    if line.monthly_usd is not None:
        ends = [show_corner([line], corner, language) for corner in ("low", "high")]
        detail = "" if ends[0] == ends[1] else say("range-of", low=ends[0], high=ends[1])
        monthly = Cell(text=show_corner([line], "expected", language), detail=detail)
    unit = label(f"html.unit.{line.unit}", language, line.unit)
    return amount, unit, unit_price, monthly, label(f"kind.{line.kind}", language)
