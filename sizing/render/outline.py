"""What a readable report says, in order: blocks that the terminal and Markdown renderers lay out."""

from collections.abc import Iterator

from sizing.assessment import Assessment
from sizing.catalogue import STALE_AFTER_DAYS
from sizing.cost.report import CostLine, CostReport, add_up
from sizing.messages import Language, label, render
from sizing.render.blocks import Block, Bullets, Heading, Paragraph, Table, say
from sizing.render.labels import (
    describe_price,
    explain,
    name_component,
    name_tier,
    show_range,
    show_ratio,
    show_usd,
)
from sizing.render.limits import describe_month, name_due
from sizing.render.sizes import describe_sizes


def outline(assessment: Assessment, language: Language, *, details: bool, wide: bool = False) -> tuple[Block, ...]:
    """Return the report's blocks.

    ``details`` adds every line, alternative and price; ``wide`` also what the requirements say of every
    option that they compare, which no terminal has room for.
    """
    blocks = list(_summary(assessment, language))
    blocks += _components(assessment, language, details=details)
    blocks += _costs(assessment, language)
    if details:
        from sizing.render.details import list_details

        blocks += list_details(assessment, language, wide=wide)
    blocks += _closing(assessment, language, details=details)
    return tuple(blocks)


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
                tier=name_due(limit, language),
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


def _site(key: str, language: Language) -> str:
    cloud, _, region = key.partition(":")
    return f"{label(f'cloud.{cloud}', language)} {region}"


def _has_quantity(lines: tuple[CostLine, ...]) -> bool:
    return any(line.quantity[1] > 0 and line.unit_usd for line in lines)
