"""The details of a readable report: every line, alternative, strategy, option and price."""

from collections.abc import Iterator
from decimal import Decimal

from sizing.assessment import Assessment
from sizing.cost.strategies import Outcome
from sizing.cost.tables import comparison_tables
from sizing.drivers import drivers
from sizing.messages import Language, label, render
from sizing.render.blocks import Block, Heading, Paragraph, Table, say
from sizing.render.comparisons import list_cells
from sizing.render.labels import (
    describe_price,
    name_component,
    name_line,
    show_line_usd,
    show_quantity,
    show_usd,
)
from sizing.render.limits import describe_month, name_due


def list_details(assessment: Assessment, language: Language, *, wide: bool) -> Iterator[Block]:
    """Yield the blocks of the details; ``wide`` adds what the requirements say of every option compared."""
    yield from _planning(assessment, language)
    yield from _lines(assessment, language)
    yield from _strategies(assessment, language)
    yield from _clouds(assessment, language)
    yield from _swings(assessment, language)
    yield from _limits(assessment, language)
    yield from _comparisons(assessment, language, wide=wide)
    yield from _provenance(assessment, language)


def _planning(assessment: Assessment, language: Language) -> Iterator[Block]:
    figure = assessment.planning
    if not figure.lines:
        return
    yield Heading(text=say("planning-lines", language))
    rows = tuple(
        (
            name_component(line.component, language),
            show_usd(line.monthly_usd, language),
            f"{line.quoted_percent} %",
            f"{line.percent} %",
            line.detail_zh if language == "zh" else line.detail_en,
            line.section,
        )
        for line in figure.lines
    )
    names = ("component", "planning-column", "quoted", "computed", "detail", "section")
    yield Table(columns=tuple(say(name, language) for name in names), rows=rows, right=frozenset({1, 2, 3}))


def _lines(assessment: Assessment, language: Language) -> Iterator[Block]:
    yield Heading(text=say("lines", language))
    yield Paragraph(text=say("range-note", language))
    several = len(assessment.plan.regions) > 1
    rows = tuple(
        (
            name_component(line.component, language) + (f" ({line.site})" if several else ""),
            name_line(line, language) + ("" if line.kind == "resource" else " *"),
            show_quantity(line.quantity[1]),
            line.unit,
            show_unit_price(line.unit_usd, language),
            show_line_usd(line, language),
            label(f"kind.{line.kind}", language),
        )
        for line in assessment.report.lines
    )
    names = ("component", "line", "quantity", "unit", "unit-price", "monthly", "kind")
    yield Table(columns=tuple(say(name, language) for name in names), rows=rows, right=frozenset({2, 4, 5}))


def show_unit_price(usd: Decimal | None, language: Language) -> str:
    """Write a unit price with the digits that it has, six at most."""
    if usd is None:
        return show_usd(None, language)
    text = f"{usd:.6f}".rstrip("0")
    whole, _, digits = text.partition(".")
    return f"${whole}.{digits.ljust(2, '0')}"


def describe_saving(outcome: Outcome, language: Language) -> str:
    """Say what a strategy saves, or has saved already."""
    if outcome.status == "not-applicable":
        return ""
    usd = show_usd(outcome.saved_usd, language)
    if outcome.partial:
        usd = say("at-least", language, usd=usd, count=outcome.partial)
    return say("in-plan-saves", language, usd=usd) if outcome.status == "in-plan" else usd


def _strategies(assessment: Assessment, language: Language) -> Iterator[Block]:
    yield Heading(text=say("strategies", language))
    rows = tuple(
        (
            f"{render(f'strategy.{outcome.name}', language, outcome.values)} ({outcome.name}, {outcome.section})",
            label(f"status.{outcome.status}", language),
            describe_saving(outcome, language),
            describe_price(outcome, language),
        )
        for outcome in assessment.strategies
    )
    names = ("strategy", "status", "saved", "price")
    yield Table(columns=tuple(say(name, language) for name in names), rows=rows, right=frozenset({2}))


def _clouds(assessment: Assessment, language: Language) -> Iterator[Block]:
    for comparison in assessment.comparisons:
        here, there = (label(f"cloud.{cloud}", language) for cloud in (comparison.here, comparison.there))
        yield Heading(text=f"{say('clouds', language)}: {here}, {there}")
        if comparison.problem:
            problem = label(comparison.problem, language, comparison.problem)
            yield Paragraph(text=say("cloud-none", language, there=there, problem=problem))
            continue
        yield Paragraph(
            text=say(
                "cloud-total",
                language,
                counted=comparison.counted,
                all=len(comparison.resources),
                here=here,
                here_usd=show_usd(comparison.here_usd, language),
                there=f"{there} ({', '.join(comparison.there_regions)})",
                there_usd=show_usd(comparison.there_usd, language),
            )
        )
        rows = tuple(
            (
                resource.resource,
                show_usd(resource.here_usd, language) if resource.on_here else say("absent", language),
                show_usd(resource.there_usd, language) if resource.on_there else say("absent", language),
                say("yes" if resource.counted else "no", language),
            )
            for resource in comparison.resources
        )
        columns = (say("resource", language), here, there, say("counted", language))
        yield Table(columns=columns, rows=rows, right=frozenset({1, 2}))


def _swings(assessment: Assessment, language: Language) -> Iterator[Block]:
    if not assessment.swings:
        return
    yield Heading(text=say("swings", language))
    rows = tuple(
        (
            name_driver(swing.driver, language),
            show_usd(swing.low_usd, language),
            show_usd(swing.high_usd, language),
        )
        for swing in assessment.swings[:10]
    )
    names = ("driver", "low-end", "high-end")
    yield Table(columns=tuple(say(name, language) for name in names), rows=rows, right=frozenset({1, 2}))


def name_driver(name: str, language: Language) -> str:
    """Return what a driver is, as its help text says."""
    driver = drivers()[name]
    return driver.help_zh if language == "zh" else driver.help_en


def _limits(assessment: Assessment, language: Language) -> Iterator[Block]:
    if not assessment.plan.limits:
        return
    growth = assessment.workload.drivers["growth_per_month"].expected
    yield Heading(text=say("limits", language))
    rows = tuple(
        (
            f"{label(f'metric.{limit.metric}', language)} {limit.limit:g}",
            f"{limit.users:,}",
            f"{limit.memories:,}",
            describe_month(limit, growth, language),
            name_due(limit, language),
        )
        for limit in assessment.plan.limits
    )
    names = ("metric", "users", "memories", "when", "leads-to")
    yield Table(columns=tuple(say(name, language) for name in names), rows=rows, right=frozenset({1, 2}))


def _comparisons(assessment: Assessment, language: Language, *, wide: bool) -> Iterator[Block]:
    for table in comparison_tables(assessment.design, language):
        columns, rows = list_cells(table, language, wide=wide)
        yield Heading(text=f"{table.title} ({table.section})")
        yield Paragraph(text=table.why)
        yield Table(columns=columns, rows=rows, right=frozenset() if wide else frozenset({2}))
        yield Paragraph(text=table.note)


def _provenance(assessment: Assessment, language: Language) -> Iterator[Block]:
    yield Heading(text=say("provenance", language))
    rows = tuple(
        (
            price.name,
            show_unit_price(price.usd, language) + f" / {price.unit}"
            if price.usd is not None
            else show_usd(None, language),
            ""
            if price.amount is None or price.currency == "USD"
            else f"{price.amount} {price.currency} / {price.per_usd}",
            price.as_of or "–",
            label(f"evidence.{price.evidence}", language),
            price.source,
        )
        for price in assessment.report.prices
    )
    names = ("name", "unit-price", "amount", "as-of", "evidence", "source")
    yield Table(columns=tuple(say(name, language) for name in names), rows=rows)
