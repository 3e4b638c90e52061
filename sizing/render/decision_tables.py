"""Tables of the HTML report about alternatives: changes, clouds, and what moves the total."""

from decimal import Decimal

from sizing.assessment import Assessment
from sizing.cost.clouds import CloudComparison, ComparedResource
from sizing.cost.strategies import Outcome
from sizing.cost.uncertainty import Swing
from sizing.drivers import drivers
from sizing.messages import Language, label, render
from sizing.render.cost_tables import show_change, show_share
from sizing.render.labels import describe_price, show_usd
from sizing.render.plan_tables import capitalise, name_origin, sayer
from sizing.render.report_table import Cell, ReportTable


def name_driver(name: str, language: Language) -> str:
    """Return what a driver is, as its help text says."""
    driver = drivers()[name]
    return driver.help_zh if language == "zh" else driver.help_en


def name_strategy(outcome: Outcome, language: Language) -> str:
    return render(f"strategy.{outcome.name}", language, outcome.values)


def is_ranked(outcome: Outcome) -> bool:
    """Tell whether an outcome is available, fully priced and saves something."""
    return outcome.status == "available" and not outcome.partial and (outcome.saved_usd or Decimal(0)) > 0


def _is_partial(outcome: Outcome) -> bool:
    return outcome.partial > 0 or outcome.saved_usd is None


def tabulate_savings(assessment: Assessment, language: Language) -> ReportTable:
    """Return the changes that save money, the largest saving first."""
    say = sayer(language)
    ranked = sorted(filter(is_ranked, assessment.strategies), key=lambda outcome: -(outcome.saved_usd or Decimal(0)))
    total = assessment.report.total.expected
    rows = tuple(
        (
            _change(outcome, language, rank=f"{rank}. "),
            show_usd(outcome.saved_usd),
            show_share(outcome.saved_usd or Decimal(0), total),
            _price_paid(outcome, language),
        )
        for rank, outcome in enumerate(ranked, start=1)
    )
    return ReportTable(
        title=say("changes-caption"),
        columns=(say("change"), say("saves"), say("of-total"), say("price-paid")),
        rows=rows,
        right=frozenset({1, 2}),
        chosen=frozenset(index for index, outcome in enumerate(ranked) if outcome == assessment.best_change),
        note=say("changes-note") if rows else "",
    )


def tabulate_in_plan(assessment: Assessment, language: Language) -> ReportTable:
    """Return the changes that the plan already has, and what each saves against doing without."""
    say = sayer(language)
    rows = tuple(
        (_change(outcome, language, apply=False), _saved_already(outcome, language), _price_paid(outcome, language))
        for outcome in assessment.strategies
        if outcome.status == "in-plan"
    )
    return ReportTable(
        title=say("in-plan-caption"),
        columns=(say("change"), say("saved-already"), say("price-paid")),
        rows=rows,
        right=frozenset({1}),
    )


def tabulate_other_changes(assessment: Assessment, language: Language) -> tuple[ReportTable, ...]:
    """Return the available changes that save nothing, and those whose saving is not known; never ranked."""
    say = sayer(language)
    available = [outcome for outcome in assessment.strategies if outcome.status == "available"]
    dearer = [outcome for outcome in available if not _is_partial(outcome) and not is_ranked(outcome)]
    unknown = [outcome for outcome in available if _is_partial(outcome)]
    found = []
    for title, outcomes in (("cost-more-caption", dearer), ("unranked-caption", unknown)):
        rows = tuple(
            (_change(outcome, language), _effect(outcome, language), _price_paid(outcome, language))
            for outcome in outcomes
        )
        columns = (say("change"), say("effect"), say("price-paid"))
        if rows:
            found.append(ReportTable(title=say(title), columns=columns, rows=rows))
    return tuple(found)


def _change(outcome: Outcome, language: Language, *, apply: bool = True, rank: str = "") -> Cell:
    say = sayer(language)
    section = name_origin(outcome.section, language)
    detail = say("apply-with", name=outcome.name, section=section) if apply else section
    return Cell(text=rank + name_strategy(outcome, language), detail=detail)


def _price_paid(outcome: Outcome, language: Language) -> str:
    return capitalise(describe_price(outcome, language))


def _unknown(outcome: Outcome, language: Language) -> Cell:
    say = sayer(language)
    text = say("unranked-why", count=outcome.partial) if outcome.partial else say("unknown-saving")
    return Cell(text=text, tone="missing")


def _saved_already(outcome: Outcome, language: Language) -> Cell:
    say = sayer(language)
    if _is_partial(outcome):
        return _unknown(outcome, language)
    saved = outcome.saved_usd or Decimal(0)
    if saved < 0:
        return Cell(text=say("costs-already", usd=show_usd(-saved)))
    return Cell(text=show_usd(saved) if saved else say("saves-nothing"), tone="" if saved else "muted")


def _effect(outcome: Outcome, language: Language) -> Cell:
    say = sayer(language)
    if _is_partial(outcome):
        return _unknown(outcome, language)
    saved = outcome.saved_usd or Decimal(0)
    return Cell(text=say("costs-more", usd=show_usd(-saved)) if saved < 0 else say("saves-nothing"))


def tabulate_clouds(comparison: CloudComparison, language: Language) -> ReportTable:
    """Return the resources that are priced on both clouds, and their sums."""
    say = sayer(language)
    here, there = (label(f"cloud.{cloud}", language) for cloud in (comparison.here, comparison.there))
    rows: list[tuple[str | Cell, ...]] = [
        (_name_resource(resource, language), *_sides(resource.here_usd, resource.there_usd))
        for resource in comparison.resources
        if resource.counted
    ]
    rows.append((say("total"), *_sides(comparison.here_usd, comparison.there_usd)))
    return ReportTable(
        title=say("clouds-caption", here=here, there=there),
        columns=(say("resource"), here, there, say("difference")),
        rows=tuple(rows),
        right=frozenset({1, 2, 3}),
        total=True,
        note=say("clouds-note", counted=comparison.counted, all=len(comparison.resources)),
    )


def _sides(here: Decimal | None, there: Decimal | None) -> tuple[str | Cell, ...]:
    left, right = here or Decimal(0), there or Decimal(0)
    share = show_share(right - left, left)
    detail = f"+{share}" if right > left and share else share if right != left else ""
    return show_usd(left), show_usd(right), Cell(text=show_change(right - left), detail=detail)


def tabulate_excluded(comparison: CloudComparison, language: Language) -> ReportTable:
    """Return the resources that are left out of a comparison, and whether price or resource is missing."""
    say = sayer(language)
    here, there = (label(f"cloud.{cloud}", language) for cloud in (comparison.here, comparison.there))
    rows = tuple(
        (
            _name_resource(resource, language),
            _side(resource.here_usd, say("no-price" if resource.on_here else "absent")),
            _side(resource.there_usd, say("no-price" if resource.on_there else "absent")),
        )
        for resource in comparison.resources
        if not resource.counted
    )
    return ReportTable(
        title=say("excluded-caption"),
        columns=(say("resource"), here, there),
        rows=rows,
        right=frozenset({1, 2}),
    )


def _side(usd: Decimal | None, otherwise: str) -> Cell:
    return Cell(text=otherwise, tone="missing") if usd is None else Cell(text=show_usd(usd))


def _name_resource(resource: ComparedResource, language: Language) -> str:
    return label(f"html.resource.{resource.resource}", language, resource.resource)


def tabulate_swings(assessment: Assessment, language: Language) -> ReportTable:
    """Return every driver that moves the total, the widest first."""
    say = sayer(language)
    return ReportTable(
        title=say("swings-caption"),
        columns=(say("quantity"), say("at-low"), say("at-high"), say("swing")),
        rows=tuple(_swing_row(swing, language) for swing in assessment.swings),
        right=frozenset({1, 2, 3}),
    )


def _swing_row(swing: Swing, language: Language) -> tuple[str, ...]:
    return (
        name_driver(swing.driver, language),
        show_usd(swing.low_usd),
        show_usd(swing.high_usd),
        show_usd(swing.width_usd),
    )


def tabulate_range(assessment: Assessment, language: Language) -> ReportTable:
    """Return the corners and, where draws were made, the percentiles."""
    say = sayer(language)
    total, drawn = assessment.report.total, assessment.simulation
    figures = [(say("all-low"), total.low), (say("expected-column"), total.expected), (say("all-high"), total.high)]
    if drawn is not None:
        figures[1:1] = [("P10", drawn.p10_usd), ("P50", drawn.p50_usd)]
        figures.insert(-1, ("P90", drawn.p90_usd))
    figures.sort(key=lambda figure: figure[1])
    return ReportTable(
        title=say("range-caption"),
        columns=tuple(name for name, _ in figures),
        rows=(tuple(show_usd(usd) for _, usd in figures),),
        right=frozenset(range(len(figures))),
    )


def tabulate_draws(assessment: Assessment, language: Language) -> ReportTable:
    """Return the histogram of the draws; empty without any."""
    say = sayer(language)
    bins = assessment.simulation.bins if assessment.simulation else ()
    return ReportTable(
        title=say("draws-caption"),
        columns=(say("draws-from"), say("draws")),
        rows=tuple((show_usd(edge), f"{count:,}") for edge, count in bins),
        right=frozenset({0, 1}),
    )
