"""Every rule."""

from functools import cache

from policies.rule import Rule
from policies.rules import (
    backups,
    buckets,
    budgets,
    credentials,
    encryption,
    exposure,
    hosts,
    placement,
    privileges,
    residency,
    tagging,
    trails,
    transit,
)

_FAMILIES = (
    encryption,
    transit,
    exposure,
    buckets,
    backups,
    tagging,
    trails,
    hosts,
    credentials,
    residency,
    privileges,
    placement,
    budgets,
)


@cache
def all_rules() -> tuple[Rule, ...]:
    """Every rule, by family."""
    return tuple(sorted((rule for family in _FAMILIES for rule in family.RULES), key=lambda rule: rule.family))


def rule_ids() -> frozenset[str]:
    """The ids of every rule."""
    return frozenset(rule.id for rule in all_rules())
