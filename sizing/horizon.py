"""When a plan stops fitting: which limit is met first, at how many users, and in which month."""

import math
from collections.abc import Mapping

from sizing.plan import Choice, Limit
from sizing.selection import choose, rules_for

FARTHEST = 1e15
"""A limit beyond a million billion users or memories is none."""

WATCHED = ("tier", "database", "vector_store", "object_store")


def find_limits(
    choices: tuple[Choice, ...],
    now: Mapping[str, float],
    doubled: Mapping[str, float],
    *,
    users: float,
    memories: float,
    growth: float,
) -> tuple[Limit, ...]:
    """Return the limits ahead of the plan, the nearest first.

    ``now`` and ``doubled`` are the metrics at the given users and at twice as many (memories grow with
    them). Every metric is taken as linear in the users, which all are but for clamped shares of the
    host's RAM, so a limit lies at 1 + (limit - now) / (doubled - now) times the users. A limit already
    passed (by an override) lies at the present. The month is ln(factor) / ln(1 + growth), rounded up.
    """
    found: list[Limit] = []
    for choice in choices:
        if choice.component not in WATCHED:
            continue
        for rule in rules_for(choice.component, choice.chosen):
            step = doubled[rule.metric] - now[rule.metric]
            if rule.fires(now):
                factor = 1.0
            elif step <= 0 or rule.operator not in (">", ">="):
                continue
            else:
                factor = 1.0 + (rule.limit - now[rule.metric]) / step
            then = {metric: value + (doubled[metric] - value) * (factor * 1.001 - 1.0) for metric, value in now.items()}
            if not factor * max(users, memories) < FARTHEST:
                continue
            found.append(
                Limit(
                    metric=rule.metric,
                    limit=rule.limit,
                    current=round(now[rule.metric], 4),
                    users=int(users * factor),
                    memories=int(memories * factor),
                    month=_month(factor, growth),
                    leads_to=choose(choice.component, then).chosen,
                    origin=rule.origin,
                )
            )
    found.sort(key=lambda limit: (limit.users, limit.metric))
    nearest: dict[tuple[str, str], Limit] = {}
    for limit in found:
        nearest.setdefault((limit.metric, limit.leads_to), limit)
    return tuple(nearest.values())


def _month(factor: float, growth: float) -> int | None:
    if factor <= 1.0:
        return 0
    if growth <= 0:
        return None
    return math.ceil(math.log(factor) / math.log1p(growth))
