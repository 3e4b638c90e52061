"""What becomes of an option on the user's workload: chosen or not and why, and what it would cost.

Here the options that are candidates of a component of the plan; models and classes have modules of
their own.
"""

from dataclasses import dataclass
from decimal import Decimal

from sizing.capacity import FIXED_DATABASE
from sizing.cost.alternatives import Alternative, Subject
from sizing.cost.comparisons import ListKey, Option
from sizing.cost.quotations import explain, find_price, join, quote_key, quote_option, say, write_delta, write_usd
from sizing.measures import HOURS_PER_MONTH
from sizing.messages import Language
from sizing.plan import Choice, RegionPlan
from sizing.regions import CLOUDS, Region, regions
from sizing.selection import candidates
from sizing.stores import qdrant_disk_gb

CENT = Decimal("0.01")
_SAME_ROW = {FIXED_DATABASE: "postgresql"}
"""Candidates that the requirements' tables have no row of their own for, with the row that describes them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """An option on this workload, in text and in USD a month (None: cannot work, or no list price).

    ``monthly_usd`` is the plan's total with the option in tables of components and dimensions, the
    tokens' cost in tables of models, the machines' in tables of classes. ``delta_usd`` is the
    difference from the current plan; ``partial`` counts the lines without a list price that it omits.
    """

    chosen: bool
    why: str
    workload: str
    list_price: str
    monthly_usd: Decimal | None = None
    delta_usd: Decimal | None = None
    input_usd: Decimal | None = None
    output_usd: Decimal | None = None
    partial: int = 0
    cannot: bool = False


def places_of(subject: Subject) -> tuple[Region, ...]:
    """Return the plan's regions; the tables show the prices of the first, the primary one."""
    return tuple(placement.request.region for placement in subject.drawn.placements)


def judge_candidate(subject: Subject, component: str, option: Option, language: Language) -> Verdict:
    """Judge an option that is a candidate of a component, or that the plan does not offer."""
    prices = quote_option(option, places_of(subject), subject.drawn.prices, language)
    if not option.link:
        stored = _describe_stock(subject, option, language) if component == "object_store" else ""
        return Verdict(chosen=False, why=refuse_offer(option, language), workload=stored, list_price=prices)
    choice = find_choice(subject, component)
    stored = _describe_stock(subject, option, language) if component == "object_store" else ""
    if option.cloud and option.cloud not in subject.clouds:
        why = say("not.cloud", language, clouds=name_clouds(subject.clouds, language))
        return Verdict(chosen=False, why=why, workload=stored, list_price=prices)
    alternative = subject.with_candidate(component, option.link)
    misfit = _misfit(subject, option, language)
    chosen = option.link == _SAME_ROW.get(choice.chosen, choice.chosen) and not misfit
    if component == "database" and option.link == "postgresql" and alternative.regions:
        prices = _quote_database(alternative.regions[0].plan, subject, language)
    cannot = bool(alternative.problems)
    return Verdict(
        chosen=chosen,
        why=misfit or _reason(choice, option.link, alternative, language),
        workload=join(
            (_describe_size(component, alternative, language), describe(alternative, language), stored), language
        ),
        list_price=prices,
        monthly_usd=alternative.total_usd,
        delta_usd=alternative.delta_usd,
        partial=alternative.unknown,
        cannot=cannot,
    )


def find_choice(subject: Subject, component: str) -> Choice:
    return next(choice for choice in subject.drawn.choices if choice.component == component)


def explain_choice(choice: Choice, language: Language) -> str:
    """Say why a candidate was chosen, and what speaks against it all the same."""
    reasons = explain(choice.reasons, language)
    if not choice.warnings:
        return reasons
    against = say("although", language, reasons=explain(choice.warnings, language))
    return join((reasons, against), language)


def _reason(choice: Choice, candidate: str, alternative: Alternative, language: Language) -> str:
    if candidate == choice.chosen:
        return explain_choice(choice, language)
    rejection = next(rejected for rejected in choice.rejected if rejected.candidate == candidate)
    if alternative.problems:
        return say("force.cannot", language, reasons=explain(alternative.problems, language))
    return say(f"force.{rejection.force}", language, reasons=explain(rejection.reasons, language))


def describe(alternative: Alternative, language: Language) -> str:
    """Say what an alternative costs: its own lines, the plan with it, and the difference."""
    if alternative.problems:
        return say("force.cannot", language, reasons=explain(alternative.problems, language))
    assert alternative.total_usd is not None and alternative.delta_usd is not None, "it works"  # noqa: S101
    if alternative.own_usd is not None:
        own = say("own", language, usd=write_usd(alternative.own_usd)) + _partial(alternative.own_unpriced, language)
    else:
        own = say("own-unpriced" if alternative.own_unpriced else "own-none", language)
    total = say("total", language, usd=write_usd(alternative.total_usd)) + _partial(alternative.unpriced, language)
    delta = say("delta", language, usd=write_delta(alternative.delta_usd)) + _partial(alternative.unknown, language)
    return join((own, total, delta), language)


def _partial(lines: int, language: Language) -> str:
    return say("partial", language, lines=lines) if lines else ""


def _misfit(subject: Subject, option: Option, language: Language) -> str:
    """Say that the document means the option for another scale or size than the plan's."""
    scale = plan_scale(subject)
    if option.scale and option.scale != scale:
        return say(
            "not.scale", language, wanted=say(f"scale.{option.scale}", language), scale=say(f"scale.{scale}", language)
        )
    load = subject.sized[0].load
    size_gb = qdrant_disk_gb(load.memories, load.dimensions)
    if option.upto_gb is not None and size_gb > option.upto_gb:
        return say("not.above", language, size=f"{size_gb:.3g}", limit=f"{option.upto_gb:g}")
    if option.above_gb is not None and size_gb <= option.above_gb:
        return say("not.below", language, size=f"{size_gb:.3g}", limit=f"{option.above_gb:g}")
    return ""


def plan_scale(subject: Subject) -> str:
    """Return the document's scale of the plan: small (its small team too), medium or large."""
    planning = subject.drawn.tier.planning
    return "small" if planning == "team" else planning


def refuse_offer(option: Option, language: Language) -> str:
    """Say that the plan has no candidate for an option, and why."""
    if option.cloud and option.cloud not in CLOUDS:
        return say("not.provisioned", language)
    return say("not.offered", language)


def name_clouds(clouds: tuple[str, ...], language: Language) -> str:
    return ", ".join(say(f"cloud.{cloud}", language) for cloud in clouds)


def price_hours(usd: Decimal | None, count: int = 1) -> Decimal | None:
    """Return the cost of a month of an hourly price, to the cent."""
    return None if usd is None else (usd * count * Decimal(repr(HOURS_PER_MONTH))).quantize(CENT)


def _describe_stock(subject: Subject, option: Option, language: Language) -> str:
    """Say what keeping the workload's objects costs at the option's list price."""
    stored_gb = sum(region.load.objects_gb for region in subject.sized)
    key = next((key for key in option.prices if key.part == "stored"), None)
    if key is None:
        return ""
    price = find_price(key, places_of(subject), subject.drawn.prices)
    if price is None or price.usd is None:
        return say("stock-unpriced", language, gb=f"{stored_gb:,.4g}")
    usd = (price.usd * Decimal(repr(stored_gb))).quantize(CENT)
    return say("stock", language, gb=f"{stored_gb:,.4g}", usd=write_usd(usd))


def _describe_size(component: str, alternative: Alternative, language: Language) -> str:
    if not alternative.regions:
        return ""
    plan = alternative.regions[0].plan
    if component == "database" and plan.database.engine == "postgresql":
        spec = plan.database
        name = spec.instance_class or say("serverless", language, units=f"{spec.capacity_units:g}")
        return say("database-size", language, name=name, gb=spec.storage_gb)
    if component == "vector_store":
        store = plan.vector_store
        if store.nodes:
            return say("store-nodes", language, nodes=store.nodes, name=store.instance_class, gb=store.disk_gb)
        if store.memory_needed_gb:
            return say("store-memory", language, gb=f"{store.memory_needed_gb:.3g}")
    return ""


def _quote_database(plan: RegionPlan, subject: Subject, language: Language) -> str:
    spec = plan.database
    zone = "multi-zone" if spec.multi_zone else "single-zone"
    if spec.edition == "serverless":
        key = ListKey(part="unit", provider=plan.cloud, service="rds-postgres-serverless", sku="rcu", region="")
    else:
        sku = spec.instance_class
        if plan.cloud == "aws":
            sku = f"{sku}:{'multi-az' if spec.multi_zone else 'single-az'}"
        key = ListKey(part=zone, provider=plan.cloud, service="rds-postgres", sku=sku, region="")
    return quote_key(key, places_of(subject), subject.drawn.prices, language)


def is_candidate(component: str, option: Option) -> bool:
    """Tell whether an option names a candidate of the component."""
    return option.link in candidates(component)


def region_of(plan: RegionPlan) -> Region:
    return regions()[plan.cloud, plan.region]
