"""The six strategies of §8.2, and two of ours, computed on the user's own workload.

A strategy changes the workload; the whole plan is then sized and priced again, so strategies that are
applied together never count one saving twice. Where the plan already follows a strategy, the saving
shown is against the plan without it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Literal

from sizing.billing import alicloud, aws
from sizing.billing.charge import Bill
from sizing.catalogue import Catalogue
from sizing.cost.difference import compare_reports
from sizing.cost.report import CostReport, price_charges, price_design
from sizing.design import Design, component_metrics, design, weigh
from sizing.errors import ImpossiblePlan, InvalidWorkload, SizingError
from sizing.estimate import CORNERS, Estimate
from sizing.models import TASKS, models
from sizing.regions import regions
from sizing.selection import rules_for
from sizing.sizer import size_regions
from sizing.workload import Workload

Status = Literal["available", "in-plan", "not-applicable"]
Transform = Callable[[Design], Workload | None]

DOMESTIC_MODEL = "qwen3-30b-a3b-instruct-2507"
FOREIGN_MODEL = "gpt-4o-mini"
SMALL_MODEL = "qwen3-8b"
BACKGROUND_TASKS = ("personal", "task", "tool", "compression")
CACHE_HIT_RATE = 0.4
"""§8.2: 40 % on average."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Strategy:
    """One way to pay less: what it changes, and what undoing it would mean where it is in force."""

    name: str
    section: str
    apply: Transform
    undo: Transform


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What a strategy does to this workload's bill at the expected values.

    ``saved_high_usd`` is the same at the high corner, negative where the change makes that dearer.
    ``partial`` counts the changed lines without a list price: such a saving is never ranked. ``values``
    fill the message that says what the saving costs in quality or work.
    """

    name: str
    section: str
    status: Status
    saved_usd: Decimal | None
    saved_high_usd: Decimal | None = None
    partial: int = 0
    values: Mapping[str, str] = field(default_factory=dict)


def _with_models(workload: Workload, chosen: Mapping[str, str]) -> Workload:
    regions = tuple(replace(request, llm=None) for request in workload.regions)
    return replace(workload, models={**workload.models, **chosen}, regions=regions)


def _task_models(drawn: Design) -> set[str]:
    point = drawn.workload.point("expected")
    return {name for region in size_regions(drawn, point) for name in region.plan.models.tasks.values()}


def _background_models(drawn: Design) -> set[str]:
    point = drawn.workload.point("expected")
    sized = size_regions(drawn, point)
    return {region.plan.models.tasks[task] for region in sized for task in BACKGROUND_TASKS}


def _domestic(drawn: Design) -> Workload | None:
    if all(models()[name].provider == "dashscope" for name in _task_models(drawn)):
        return None
    return _with_models(drawn.workload, dict.fromkeys(TASKS, DOMESTIC_MODEL))


def _foreign(drawn: Design) -> Workload | None:
    if any(models()[name].provider != "dashscope" for name in _task_models(drawn)):
        return None
    return _with_models(drawn.workload, dict.fromkeys(TASKS, FOREIGN_MODEL))


def _cache(drawn: Design) -> Workload | None:
    if drawn.workload.drivers["cache_hit_rate"].expected >= CACHE_HIT_RATE:
        return None
    return drawn.workload.with_driver("cache_hit_rate", Estimate(0.3, CACHE_HIT_RATE, 0.5))


def _no_cache(drawn: Design) -> Workload | None:
    if drawn.workload.drivers["cache_hit_rate"].expected <= 0:
        return None
    return drawn.workload.with_driver("cache_hit_rate", Estimate.exactly(0.0))


def _unchanged(drawn: Design) -> Workload | None:
    return drawn.workload


def _nothing(_drawn: Design) -> Workload | None:
    return None


def _model_tiers(drawn: Design) -> Workload | None:
    if _background_models(drawn) == {SMALL_MODEL}:
        return None
    return _with_models(drawn.workload, dict.fromkeys(BACKGROUND_TASKS, SMALL_MODEL))


def _single_model(drawn: Design) -> Workload | None:
    if _background_models(drawn) != {SMALL_MODEL}:
        return None
    return _with_models(drawn.workload, dict.fromkeys(BACKGROUND_TASKS, DOMESTIC_MODEL))


_LEANER_STORE = {"qdrant": "pgvector", "elasticsearch": "pgvector", "qdrant-cloud": "qdrant", "chromadb": "sqlite-vec"}
_HEAVIER_STORE = {"sqlite-vec": "qdrant", "memory": "qdrant", "qdrant-same-host": "qdrant", "pgvector": "qdrant"}


def _leaner_store(drawn: Design) -> Workload | None:
    target = _LEANER_STORE.get(drawn.chosen("vector_store"))
    if target is None:
        return None
    weight = weigh(drawn.workload, drawn.workload.point("expected"))
    metrics = component_metrics(weight, drawn.choices)
    if any(rule.fires(metrics) for rule in rules_for("vector_store", target)):
        return None
    return drawn.workload.with_override("vector_store", target)


def _heavier_store(drawn: Design) -> Workload | None:
    target = _HEAVIER_STORE.get(drawn.chosen("vector_store"))
    return None if target is None else drawn.workload.with_override("vector_store", target)


def _tiered_storage(drawn: Design) -> Workload | None:
    if drawn.chosen("object_store") == "bucket":
        return None
    return drawn.workload.with_override("object_store", "bucket")


def _arm(drawn: Design) -> Workload | None:
    if drawn.workload.architecture == "arm64" or drawn.workload.embedding == "local-gpu":
        return None
    return replace(drawn.workload, architecture="arm64")


def _x86(drawn: Design) -> Workload | None:
    return replace(drawn.workload, architecture="x86_64") if drawn.workload.architecture == "arm64" else None


def _single_nat(drawn: Design) -> Workload | None:
    return drawn.workload.with_override("nat", "single") if drawn.chosen("nat") == "per-zone" else None


def _nat_per_zone(drawn: Design) -> Workload | None:
    return drawn.workload.with_override("nat", "per-zone") if drawn.chosen("nat") == "single" else None


STRATEGIES: dict[str, Strategy] = {
    strategy.name: strategy
    for strategy in (
        Strategy(name="domestic-llm", section="§8.2 (1)", apply=_domestic, undo=_foreign),
        Strategy(name="cache", section="§8.2 (2)", apply=_cache, undo=_no_cache),
        Strategy(name="batching", section="§8.2 (3)", apply=_nothing, undo=_unchanged),
        Strategy(name="model-tiers", section="§8.2 (4)", apply=_model_tiers, undo=_single_model),
        Strategy(name="vector-store", section="§8.2 (5)", apply=_leaner_store, undo=_heavier_store),
        Strategy(name="storage-tiers", section="§8.2 (6)", apply=_tiered_storage, undo=_nothing),
        Strategy(name="arm64", section="ours", apply=_arm, undo=_x86),
        Strategy(name="single-nat", section="ours", apply=_single_nat, undo=_nat_per_zone),
    )
}


def apply_strategies(workload: Workload, names: tuple[str, ...], prices: Catalogue) -> Workload:
    """Return the workload with strategies applied one after the other.

    Raises InvalidWorkload for an unknown name, ImpossiblePlan where one has nothing to change here.
    """
    for name in names:
        if name not in STRATEGIES:
            raise InvalidWorkload("apply", name, ", ".join(STRATEGIES))
        changed = STRATEGIES[name].apply(design(workload, prices))
        if changed is None:
            raise ImpossiblePlan("apply", name, "it has nothing to change in this plan", "Leave it out.")
        workload = changed
    return workload


def weigh_strategies(drawn: Design, report: CostReport) -> tuple[Outcome, ...]:
    """Return every strategy's outcome: first what is available, by USD saved, then what is in the plan."""
    outcomes = [_outcome(strategy, drawn, report) for strategy in STRATEGIES.values()]
    order = {"available": 0, "in-plan": 1, "not-applicable": 2}
    return tuple(
        sorted(
            outcomes,
            key=lambda o: (order[o.status], o.partial > 0 or o.saved_usd is None, -(o.saved_usd or Decimal(0))),
        )
    )


def cheapest_change(outcomes: tuple[Outcome, ...]) -> Outcome | None:
    """Return the available strategy that saves most, None where none saves anything.

    One that saves at the expected values and makes the high estimate dearer is no honest saving.
    """
    saving = [
        o
        for o in outcomes
        if o.status == "available" and not o.partial and (o.saved_usd or 0) > 0 and (o.saved_high_usd or 0) >= 0
    ]
    return max(saving, key=lambda outcome: outcome.saved_usd or Decimal(0)) if saving else None


def _outcome(strategy: Strategy, drawn: Design, report: CostReport) -> Outcome:
    values = _values(strategy, drawn)
    ways: tuple[tuple[Status, Transform, int], ...] = (("available", strategy.apply, -1), ("in-plan", strategy.undo, 1))
    for status, transform, sign in ways:
        try:
            changed = transform(drawn)
            if changed is None:
                continue
            other = price_design(design(changed, drawn.prices))
        except SizingError:
            continue
        difference = compare_reports(report, other)
        partial = sum(line.delta is None and line.change != "same" for line in difference.lines)
        return Outcome(
            name=strategy.name,
            section=strategy.section,
            status=status,
            saved_usd=difference.delta.expected * sign + 0,
            saved_high_usd=difference.delta.high * sign + 0,
            partial=partial,
            values=values,
        )
    if strategy.name == "storage-tiers" and drawn.chosen("object_store") == "bucket":
        return _make(strategy, "in-plan", _storage_saving(drawn, report), values)
    return _make(strategy, "not-applicable", None, values)


def _make(strategy: Strategy, status: Status, saved: Decimal | None, values: Mapping[str, str]) -> Outcome:
    return Outcome(name=strategy.name, section=strategy.section, status=status, saved_usd=saved, values=values)


def _storage_saving(drawn: Design, report: CostReport) -> Decimal | None:
    """USD that the plan's lifecycle saves against the same bucket all in its standard class.

    Negative where the requests that move the objects cost more than their cheaper storage saves.
    """
    lines = [line for line in report.lines if line.resource == "object_store/bucket"]
    if any(not line.is_priced for line in lines):
        return None
    tiered = sum((line.monthly_usd.expected for line in lines if line.monthly_usd), Decimal(0))
    plain = Decimal(0)
    for region in size_regions(drawn, drawn.workload.point("expected")):
        bill = Bill(regions()[region.plan.cloud, region.plan.region])
        load = region.load
        standard = load.objects_gb + region.plan.object_store.model_weights_gb
        if region.plan.cloud == "aws":
            aws.bucket(bill, "b", standard_gb=standard, puts=load.object_puts, gets=load.object_gets)
        else:
            alicloud.bucket(bill, "b", standard_gb=standard, requests=load.object_puts + load.object_gets)
        plain += price_charges(dict.fromkeys(CORNERS, bill), drawn.prices).total.expected
    return plain - tiered


def _values(strategy: Strategy, drawn: Design) -> dict[str, str]:
    """Figures that the strategy's message names."""
    if strategy.name != "batching":
        return {"store": _LEANER_STORE.get(drawn.chosen("vector_store"), drawn.chosen("vector_store"))}
    calls = batched = 0.0
    for region in size_regions(drawn, drawn.workload.point("expected")):
        calls += region.load.embedding_calls
        batched += region.load.embedding_calls / max(1, region.plan.models.texts_per_call)
    return {"calls": f"{calls:,.0f}", "batched": f"{batched:,.0f}"}
