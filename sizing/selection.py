"""Choosing by rules that are data: ``data/options.csv`` lists the candidates of every component from
the simplest on, ``data/rules.csv`` says when a candidate is out.

The first candidate without a rule against it is taken. A rule of force ``cannot`` also refuses a
candidate that the user insists on; one of force ``advice`` then becomes a warning.
"""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

from sizing.errors import ImpossiblePlan, InvalidWorkload
from sizing.messages import render
from sizing.plan import Choice, Force, Reason, Rejection
from sizing.tables import read_table

Metrics = Mapping[str, float]

_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "==": operator.eq,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """A candidate is out when ``metric operator limit`` holds."""

    component: str
    candidate: str
    metric: str
    operator: str
    limit: float
    force: Force
    origin: str
    message: str

    def fires(self, metrics: Metrics) -> bool:
        return _OPERATORS[self.operator](metrics[self.metric], self.limit)

    def reason(self, metrics: Metrics) -> Reason:
        """Return the reason with the metric's value and the limit filled in."""
        values = {"candidate": self.candidate, "value": show(metrics[self.metric]), "limit": show(self.limit)}
        return Reason(code=self.message, values=values, origin=self.origin)


@cache
def rules() -> tuple[Rule, ...]:
    """Return every rule in the order of the table."""
    return tuple(
        Rule(
            component=row["component"],
            candidate=row["candidate"],
            metric=row["metric"],
            operator=row["operator"],
            limit=float(row["limit"]),
            force=row["force"],  # type: ignore[arg-type]
            origin=row["origin"],
            message=row["message"],
        )
        for row in read_table("rules.csv")
    )


@cache
def rules_for(component: str, candidate: str) -> tuple[Rule, ...]:
    """Return the rules that speak about one candidate."""
    return tuple(rule for rule in rules() if rule.component == component and rule.candidate == candidate)


@cache
def candidates(component: str) -> tuple[str, ...]:
    """Return a component's candidates from the simplest on."""
    rows = [row for row in read_table("options.csv") if row["component"] == component]
    return tuple(row["candidate"] for row in sorted(rows, key=lambda row: int(row["rank"])))


def choose(component: str, metrics: Metrics, insisted: str | None = None) -> Choice:
    """Choose a component's candidate and say why, for it and against the others.

    Raises InvalidWorkload where the candidate insisted on is unknown, ImpossiblePlan where it cannot
    work or where nothing can.
    """
    names = candidates(component)
    fired = {name: [rule for rule in rules_for(component, name) if rule.fires(metrics)] for name in names}
    if insisted is not None:
        if insisted not in names:
            raise InvalidWorkload(f"overrides.{component}", insisted, ", ".join(names))
        fatal = [rule for rule in fired[insisted] if rule.force == "cannot"]
        if fatal:
            possible = [name for name in names if all(rule.force != "cannot" for rule in fired[name])]
            reason = render(fatal[0].message, "en", fatal[0].reason(metrics).values)
            raise ImpossiblePlan(component, insisted, reason, f"Possible: {', '.join(possible)}.")
        chosen = insisted
    else:
        free = [name for name in names if not fired[name]]
        workable = [name for name in names if all(rule.force != "cannot" for rule in fired[name])]
        if not workable:
            raise ImpossiblePlan(component, names[-1], "no candidate works for this workload", "Relax a wish.")
        chosen = free[0] if free else workable[-1]
    return Choice(
        component=component,
        chosen=chosen,
        overridden=insisted is not None,
        reasons=_reasons(component, chosen, names, fired, metrics, insisted is not None),
        rejected=tuple(_rejection(component, name, chosen, fired[name], metrics) for name in names if name != chosen),
        warnings=tuple(rule.reason(metrics) for rule in fired[chosen]),
    )


def _reasons(
    component: str,
    chosen: str,
    names: tuple[str, ...],
    fired: Mapping[str, list[Rule]],
    metrics: Metrics,
    insisted: bool,
) -> tuple[Reason, ...]:
    """Say why: the user's wish, or what pushed past the next simpler candidate, or that it is the simplest."""
    if insisted:
        return (Reason(code="chosen-override", values={"candidate": chosen}),)
    simpler = [name for name in names[: names.index(chosen)] if fired[name]]
    if not simpler:
        return (Reason(code=f"chosen.{component}.{chosen}", values={"candidate": chosen}),)
    # Tiers are steps of one ladder, so the last step missed is the reason; components are alternatives
    # to the simplest, so what rules that one out is.
    passed = simpler[-1] if component == "tier" else simpler[0]
    pushing = [rule.reason(metrics) for rule in fired[passed]]
    seen: dict[str, Reason] = {reason.code + reason.values["value"]: reason for reason in pushing}
    return (Reason(code=f"chosen.{component}.{chosen}", values={"candidate": chosen}), *seen.values())


def _rejection(component: str, name: str, chosen: str, fired: list[Rule], metrics: Metrics) -> Rejection:
    if not fired:
        code = f"spare.{component}.{name}"
        return Rejection(candidate=name, force="not-needed", reasons=(Reason(code=code, values={"chosen": chosen}),))
    force: Force = "cannot" if any(rule.force == "cannot" for rule in fired) else "advice"
    return Rejection(candidate=name, force=force, reasons=tuple(rule.reason(metrics) for rule in fired))


def show(value: float) -> str:
    """Write a metric for people: whole numbers whole, others with three significant digits."""
    if value == int(value):
        return f"{int(value):,}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
