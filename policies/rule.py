"""A rule, and what it finds."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from policies.settings import PolicySettings
from policies.spend import Spend
from sizing.graph.resources import Resource, ResourceGraph

Severity = Literal["low", "medium", "high", "critical"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """What a rule found at one resource, or at the stack where `urn` is empty.

    `fields` fill the rule's message. A finding with `unknown` breaks nothing yet: the property of that name decides,
    and its value is known only once the program has run.
    """

    urn: str
    fields: Mapping[str, object] = field(default_factory=dict)
    unknown: str = ""


Check = Callable[[Resource, PolicySettings], Iterable[Finding]]
"""Judges one resource by itself."""
StackCheck = Callable[[ResourceGraph, PolicySettings], Iterable[Finding]]
"""Judges what only the whole stack shows."""
SpendCheck = Callable[[Spend, PolicySettings], Iterable[Finding]]
"""Judges what a stack costs."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One rule, with one of three checks.

    `check` judges a resource of one of `kinds` (of any, where none is named), `stack_check` the stack, and
    `spend_check` its cost, where that is known.

    `frameworks` are ids of AWS Foundational Security Best Practices (`RDS.3`) and of Checkov (`CKV_AWS_16`) that ask
    for the same or a part of it. `reads` names kinds with paths of properties, where they are all that decides.
    `message` has the names of a finding's fields in braces; it never takes a value that may be secret. Raises
    ValueError where it has not one check alone.
    """

    id: str
    family: str
    title: str
    severity: Severity
    message: str
    remedy: str
    kinds: frozenset[str] = frozenset()
    reads: frozenset[tuple[str, str]] = frozenset()
    frameworks: tuple[str, ...] = ()
    check: Check | None = None
    stack_check: StackCheck | None = None
    spend_check: SpendCheck | None = None

    def __post_init__(self) -> None:
        if sum(each is not None for each in (self.check, self.stack_check, self.spend_check)) != 1:
            raise ValueError(f"the rule {self.id} needs a check of a resource, of a stack or of its cost, and one only")

    @property
    def clouds(self) -> tuple[str, ...]:
        """The providers whose resources it reads; both where it names no kind."""
        named = {kind.partition(":")[0] for kind in self.kinds} & {"aws", "alicloud"}
        return tuple(sorted(named)) or ("alicloud", "aws")

    def find(self, graph: ResourceGraph, settings: PolicySettings, spend: Spend | None = None) -> tuple[Finding, ...]:
        """Everything that it finds in a stack; a rule of costs finds nothing where they are not given."""
        if self.spend_check is not None:
            return () if spend is None else tuple(self.spend_check(spend, settings))
        if self.stack_check is not None:
            return tuple(self.stack_check(graph, settings))
        return tuple(found for each in graph.custom for found in self.find_at(each, settings))

    def find_at(self, resource: Resource, settings: PolicySettings) -> tuple[Finding, ...]:
        """Everything that it finds at one resource; nothing where it is a rule for the whole stack."""
        if self.check is None or (self.kinds and resource.type not in self.kinds):
            return ()
        return tuple(self.check(resource, settings))

    def explain(self, finding: Finding) -> str:
        """The finding in a sentence."""
        if finding.unknown:
            return f"{self.title}: cannot be judged yet, {finding.unknown} is not known"
        return self.message.format_map({"where": name_of(finding.urn), **finding.fields})


def name_of(urn: str) -> str:
    """The logical name at the end of a URN; `the stack` for an empty one."""
    return urn.rpartition("::")[2] if urn else "the stack"


def breach(resource: Resource, **fields: Any) -> Finding:
    """A resource breaks the rule."""
    return Finding(urn=resource.urn, fields=fields)


def undecided(resource: Resource, prop: str) -> Finding:
    """A property's value decides, and is not known yet."""
    return Finding(urn=resource.urn, unknown=f"{name_of(resource.urn)}.{prop}")
