"""What a readable report says, in order: blocks that the terminal and Markdown renderers lay out."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from sizing.assessment import Assessment
from sizing.catalogue import STALE_AFTER_DAYS
from sizing.cost.report import CostLine, CostReport, add_up
from sizing.cost.strategies import Outcome
from sizing.cost.tables import comparison_tables
from sizing.drivers import drivers
from sizing.messages import Language, label, render
from sizing.plan import Limit
from sizing.render.comparisons import list_cells
from sizing.render.labels import (
    describe_price,
    explain,
    name_component,
    name_line,
    name_tier,
    show_line_usd,
    show_quantity,
    show_range,
    show_ratio,
    show_usd,
)
from sizing.render.sizes import describe_sizes


@dataclass(frozen=True, kw_only=True, slots=True)
class Heading:
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Paragraph:
    text: str
    strong: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Bullets:
    items: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """Rows of cells; ``right`` names the columns of figures; ``total`` marks the last row as a sum."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    right: frozenset[int] = frozenset()
    total: bool = False


Block = Heading | Paragraph | Bullets | Table


def outline(assessment: Assessment, language: Language, *, details: bool, wide: bool = False) -> tuple[Block, ...]:
    """Return the report's blocks.

    ``details`` adds every line, alternative and price; ``wide`` also what the requirements say of every
    option that they compare, which no terminal has room for.
    """
    blocks = list(_summary(assessment, language))
    blocks += _components(assessment, language, details=details)
    blocks += _costs(assessment, language)
    if details:
        blocks += _planning(assessment, language)
        blocks += _lines(assessment, language)
        blocks += _strategies(assessment, language)
        blocks += _clouds(assessment, language)
        blocks += _swings(assessment, language)
        blocks += _limits(assessment, language)
        blocks += _comparisons(assessment, language, wide=wide)
        blocks += _provenance(assessment, language)
    blocks += _closing(assessment, language, details=details)
    return tuple(blocks)


def say(code: str, language: Language, **values: object) -> str:
    """Return a sentence of the report."""
    return render(f"report.{code}", language, values)


def _summary(assessment: Assessment, language: Language) -> Iterator[Block]:
    plan, report = assessment.plan, assessment.report
    usd = show_usd(report.total.expected, language)
    headline = "headline-partial" if report.unpriced else "headline"
    yield Paragraph(
        text=say(headline, language, name=plan.name, tier=name_tier(plan.tier, language), usd=usd), strong=True
    )
    yield Paragraph(
        text=f"{say('where', language)}: " + ", ".join(_site(region.key, language) for region in plan.regions)
    )
    yield Paragraph(
        text=say(
            "range",
            language,
            low=show_usd(report.total.low, language),
            high=show_usd(report.total.high, language),
            baseline=show_usd(report.baseline.expected, language),
            usage=show_usd(report.usage.expected, language),
        )
    )
    if report.unpriced:
        yield Paragraph(text=describe_gaps(report, language), strong=True)
    figure = assessment.planning
    yield Paragraph(text=say("planning", language, usd=show_usd(figure.total_usd, language), section=figure.section))
    if figure.llm_tokens is not None:
        tokens = sum(region.load.llm_tokens_per_month for region in plan.regions)
        values = {"planned": f"{figure.llm_tokens / 1e6:,.0f}", "expected": f"{tokens / 1e6:,.1f}"}
        yield Paragraph(text=say("tokens", language, **values))
    if assessment.applied:
        applied = assessment.applied
        yield Paragraph(
            text=say(
                "applied",
                language,
                names=", ".join(applied.names),
                usd=show_usd(applied.saved_usd, language),
                before=show_usd(applied.before_usd, language),
            )
        )
    if assessment.simulation:
        simulation = assessment.simulation
        yield Paragraph(
            text=say(
                "simulation",
                language,
                samples=f"{simulation.samples:,}",
                seed=simulation.seed,
                p10=show_usd(simulation.p10_usd, language),
                p50=show_usd(simulation.p50_usd, language),
                p90=show_usd(simulation.p90_usd, language),
            )
        )
        if simulation.p50_usd > report.total.expected:
            yield Paragraph(text=say("skew", language))
    tier = plan.choice("tier")
    yield Heading(text=say("why", language))
    yield Bullets(items=tuple(explain(reason, language) for reason in tier.reasons))
    yield Heading(text=say("why-not", language))
    yield Bullets(
        items=tuple(
            f"{name_tier(rejection.candidate, language)}: " + "; ".join(explain(r, language) for r in rejection.reasons)
            for rejection in tier.rejected
        )
    )


def describe_gaps(report: CostReport, language: Language) -> str:
    """Say how many lines have no list price."""
    count = len(report.unpriced)
    return say("partial-one" if count == 1 else "partial", language, count=count)


def _site(key: str, language: Language) -> str:
    cloud, _, region = key.partition(":")
    return f"{label(f'cloud.{cloud}', language)} {region}"


def _components(assessment: Assessment, language: Language, *, details: bool) -> Iterator[Block]:
    plan = assessment.plan
    for region in plan.regions:
        title = say("components", language)
        yield Heading(text=f"{title}: {_site(region.key, language)}" if len(plan.regions) > 1 else title)
        rows = tuple(
            (name_component(component, language), choice, size)
            for component, choice, size in describe_sizes(region, language)
        )
        yield Table(columns=(say("component", language), say("choice", language), say("size", language)), rows=rows)
    if not details:
        return
    for choice in plan.choices[1:]:
        items = [f"✓ {choice.chosen}: " + "; ".join(explain(reason, language) for reason in choice.reasons)]
        items += [
            f"✗ {rejection.candidate} ({label(f'force.{rejection.force}', language)}): "
            + "; ".join(explain(reason, language) for reason in rejection.reasons)
            for rejection in choice.rejected
        ]
        yield Heading(text=f"{name_component(choice.component, language)}: {say('reason', language)}")
        yield Bullets(items=tuple(items))


def _costs(assessment: Assessment, language: Language) -> Iterator[Block]:
    report, figure = assessment.report, assessment.planning
    rows = []
    for component, lines in report.by_component.items():
        money = add_up(lines)
        usage = add_up(line for line in lines if line.kind != "resource").expected
        gaps = sum(not line.is_priced for line in lines)
        planned = figure.of(component)
        expected = show_usd(money.expected, language, positive=not _has_quantity(lines))
        priced = gaps < len(lines)
        rows.append(
            (
                name_component(component, language),
                say("no-planning", language) if planned is None else show_usd(planned, language),
                (expected if priced else show_usd(None, language)) + (" †" if gaps and priced else ""),
                show_ratio(money.expected, planned) if priced and not gaps else "",
                show_range(money) if priced else "",
                show_usd(usage, language) if usage else "",
            )
        )
    total = report.total
    rows.append(
        (
            say("total", language),
            show_usd(figure.total_usd, language),
            show_usd(total.expected, language) + (" †" if report.unpriced else ""),
            "" if report.unpriced else show_ratio(total.expected, figure.total_usd),
            show_range(total),
            show_usd(report.usage.expected, language),
        )
    )
    yield Heading(text=say("cost", language))
    yield Table(
        columns=(
            say("component", language),
            say("planning-column", language),
            say("list-column", language),
            say("ratio-column", language),
            say("low-high", language),
            say("usage-column", language),
        ),
        rows=tuple(rows),
        right=frozenset({1, 2, 3, 4, 5}),
        total=True,
    )
    if report.unpriced:
        yield Paragraph(text="† " + describe_gaps(report, language))


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


def _has_quantity(lines: tuple[CostLine, ...]) -> bool:
    return any(line.quantity[1] > 0 and line.unit_usd for line in lines)


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


def describe_month(limit: Limit, growth: float, language: Language) -> str:
    """Say when a limit is met."""
    if limit.month is None:
        return say("no-growth", language)
    if limit.month == 0:
        return say("now", language)
    return say("month", language, month=limit.month, growth=f"{growth * 100:g}")


def _due(limit: Limit, language: Language) -> str:
    return label(f"tier.{limit.leads_to}", language, limit.leads_to)


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
            _due(limit, language),
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


def _closing(assessment: Assessment, language: Language, *, details: bool) -> Iterator[Block]:
    plan = assessment.plan
    growth = assessment.workload.drivers["growth_per_month"].expected
    if plan.limits:
        limit = plan.limits[0]
        yield Paragraph(
            text=say(
                "next-limit",
                language,
                metric=label(f"metric.{limit.metric}", language),
                limit=f"{limit.limit:g}",
                users=f"{limit.users:,}",
                memories=f"{limit.memories:,}",
                when=describe_month(limit, growth, language),
                tier=_due(limit, language),
            )
        )
    else:
        yield Paragraph(text=say("no-limit", language))
    best = assessment.best_change
    if best is None:
        yield Paragraph(text=say("no-cheapest", language))
    else:
        yield Paragraph(
            text=say(
                "cheapest",
                language,
                strategy=f"{render(f'strategy.{best.name}', language, best.values)} (--apply {best.name})",
                usd=show_usd(best.saved_usd, language),
                price=describe_price(best, language),
            )
        )
    warnings = [*plan.warnings, *(reason for choice in plan.choices for reason in choice.warnings)]
    if warnings:
        yield Heading(text=say("warnings", language))
        yield Bullets(items=tuple(dict.fromkeys(explain(reason, language) for reason in warnings)))
    known = [price for price in assessment.report.prices if price.usd is not None]
    dated = sorted(price.as_of for price in known if price.as_of)
    yield Paragraph(
        text=say(
            "prices",
            language,
            count=len(known),
            oldest=dated[0] if dated else "–",
            stale=len(assessment.stale_prices),
            days=STALE_AFTER_DAYS,
        )
    )
    if not details:
        yield Paragraph(text=say("more", language))
