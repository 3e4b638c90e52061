"""The head of the HTML report: name, scope, and the six figures that a reader wants first."""

from dataclasses import dataclass
from decimal import Decimal
from unicodedata import bidirectional, category

from sizing.assessment import Assessment
from sizing.catalogue import STALE_AFTER_DAYS
from sizing.messages import Language
from sizing.render.cost_tables import show_ratio
from sizing.render.decision_tables import name_strategy
from sizing.render.labels import name_tier, show_usd
from sizing.render.plan_tables import capitalise, date_after, describe_limit, name_origin, name_place, sayer

BIDI_CONTROLS = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")


@dataclass(frozen=True, kw_only=True, slots=True)
class Tile:
    """One figure of the headline with its name and what qualifies it."""

    name: str
    figure: str
    note: str = ""
    warning: str = ""


def show_name(name: str) -> str:
    """Return a user's text without characters that control the page's direction or cannot be written."""
    return "".join("\ufffd" if _is_control(character) else character for character in name)


def _is_control(character: str) -> bool:
    # The rest of the format characters (Cf) join letters in several scripts.
    return category(character) in ("Cc", "Cs") or bidirectional(character) in BIDI_CONTROLS


def describe_scope(assessment: Assessment, language: Language) -> str:
    """Return tier, regions, users and memories in one sentence."""
    plan = assessment.plan
    stop = "、" if language == "zh" else ", "
    users = assessment.workload.drivers["users"].expected
    memories = users * assessment.workload.drivers["memories_per_user"].expected
    return sayer(language)(
        "subtitle",
        tier=capitalise(name_tier(plan.tier, language)),
        regions=stop.join(name_place(region.key, language) for region in plan.regions),
        users=f"{users:,.0f}",
        memories=f"{memories:,.0f}",
    )


def describe_gaps(assessment: Assessment, language: Language) -> str:
    """Say that the total is partial; empty where every line has a list price."""
    report = assessment.report
    if not report.unpriced:
        return ""
    return sayer(language)("partial-long", count=len(report.unpriced), all=len(report.lines))


def describe_applied(assessment: Assessment, language: Language) -> str:
    """Say what the applied strategies save together; empty where none was applied."""
    applied = assessment.applied
    if applied is None:
        return ""
    say = sayer(language)
    names, before = ", ".join(applied.names), show_usd(applied.before_usd)
    if applied.saved_usd is None:
        return say("applied-unknown", names=names, before=before)
    return say("applied", names=names, before=before, saved=show_usd(applied.saved_usd))


def list_tiles(assessment: Assessment, language: Language) -> tuple[Tile, ...]:
    """Return the figures of the head, the monthly total first."""
    say = sayer(language)
    report = assessment.report
    total = report.total
    users = Decimal(repr(assessment.workload.drivers["users"].expected))
    per_user = say("per-user", usd=show_usd(total.expected / users, language, positive=not total.expected))
    return (
        Tile(
            name=say("expected"),
            figure=show_usd(total.expected),
            note=f"{say('range-of', low=show_usd(total.low), high=show_usd(total.high))} · {per_user}",
            warning=say("partial", count=len(report.unpriced)) if report.unpriced else "",
        ),
        _planning_tile(assessment, language),
        Tile(
            name=say("split"),
            figure=say(
                "split-figures", baseline=show_usd(report.baseline.expected), usage=show_usd(report.usage.expected)
            ),
            note=say("split-note"),
        ),
        _saving_tile(assessment, language),
        _limit_tile(assessment, language),
        Tile(
            name=say("prices"),
            figure=say("prices-count", count=sum(price.usd is not None for price in report.prices)),
            note=say("prices-stale", stale=len(assessment.stale_prices), days=STALE_AFTER_DAYS),
        ),
    )


def _planning_tile(assessment: Assessment, language: Language) -> Tile:
    say = sayer(language)
    figure, listed = assessment.planning, assessment.report.total.expected
    difference = listed - figure.total_usd
    code = "planning-above" if difference > 0 else "planning-below" if difference < 0 else "planning-equal"
    section = name_origin(figure.section, language)
    ratio = say("ratio", ratio=show_ratio(listed, figure.total_usd))
    note = say(code, section=section, usd=show_usd(abs(difference)), ratio=ratio)
    partial = bool(assessment.report.unpriced)
    return Tile(
        name=say("planning"),
        figure=show_usd(figure.total_usd),
        note=say("so-far", text=note) if partial else note,
    )


def _saving_tile(assessment: Assessment, language: Language) -> Tile:
    say = sayer(language)
    best = assessment.best_change
    if best is None:
        return Tile(name=say("best"), figure=say("best-none"), note=say("best-none-note"))
    return Tile(name=say("best"), figure=show_usd(best.saved_usd), note=name_strategy(best, language))


def _limit_tile(assessment: Assessment, language: Language) -> Tile:
    say = sayer(language)
    if not assessment.plan.limits:
        return Tile(name=say("next"), figure=say("next-none"), note=say("next-none-note"))
    limit = assessment.plan.limits[0]
    if limit.month is None:
        figure = say("next-never", users=f"{limit.users:,}")
    elif limit.month == 0:
        figure = say("next-now")
    else:
        figure = say("next-month", month=limit.month, date=date_after(assessment.today, limit.month))
    return Tile(name=say("next"), figure=figure, note=describe_limit("next-note", limit, language))
