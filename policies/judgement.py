"""Judging a stack: every rule, at the level of its environment, less what is waived."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final, Literal

from policies.register import all_rules
from policies.rule import Finding, Rule, Severity, name_of
from policies.settings import PolicySettings, Waiver
from policies.spend import Spend
from sizing.graph.resources import ResourceGraph

Enforced = Literal["mandatory", "advisory"]
EXPIRED: Final = "expired-waiver"
"""The rule of a waiver whose last day is over and that would still be needed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Violation:
    """What a stack breaks, or what cannot be judged yet (`judged` false, always advisory).

    `urn` is empty where it is the whole stack's.
    """

    rule: str
    level: Enforced
    severity: Severity
    urn: str
    message: str
    remedy: str
    judged: bool = True

    @property
    def name(self) -> str:
        """The resource's logical name, or `the stack`."""
        return name_of(self.urn)


def judge(graph: ResourceGraph, settings: PolicySettings, spend: Spend | None = None) -> tuple[Violation, ...]:
    """Everything that the rules find in a stack, mandatory ones first, then by severity.

    `spend` is what the stack costs; rules of the budget say nothing without it. Raises InvalidSettings for a rule
    without a level.
    """
    found: list[Violation] = []
    for rule in all_rules():
        level = settings.level_of(rule.id)
        if level != "disabled":
            found += apply_waivers(rule, rule.find(graph, settings, spend), settings, level)
    return tuple(sorted(found, key=_order))


def apply_waivers(
    rule: Rule, findings: Iterable[Finding], settings: PolicySettings, level: Enforced
) -> Iterator[Violation]:
    """One rule's findings as violations: waived ones left out, each expired waiver named once."""
    expired: set[Waiver] = set()
    for finding in findings:
        waivers = [each for each in settings.waivers if each.rule == rule.id and fnmatchcase(finding.urn, each.urn)]
        if finding.unknown:
            level_here: Enforced = "advisory"
        elif any(each.expires >= settings.today for each in waivers):
            continue
        else:
            level_here = level
            expired |= set(waivers)
        yield Violation(
            rule=rule.id,
            level=level_here,
            severity=rule.severity,
            urn=finding.urn,
            message=rule.explain(finding),
            remedy=rule.remedy,
            judged=not finding.unknown,
        )
    for waiver in sorted(expired, key=lambda each: each.urn):
        yield Violation(
            rule=EXPIRED,
            level=level,
            severity=rule.severity,
            urn="",
            message=f"the waiver of {rule.id} for {waiver.urn} ended on {waiver.expires}: {waiver.reason}",
            remedy="Mend what it excused, or give it a new day and say why.",
        )


def count_unjudged(violations: Iterable[Violation]) -> int:
    """How many of these could not be judged, because a value is not known yet."""
    return sum(not each.judged for each in violations)


_SEVERITIES: tuple[Severity, ...] = ("critical", "high", "medium", "low")


def _order(violation: Violation) -> tuple[bool, bool, int, str, str]:
    severity = _SEVERITIES.index(violation.severity)
    return violation.level != "mandatory", not violation.judged, severity, violation.rule, violation.urn
