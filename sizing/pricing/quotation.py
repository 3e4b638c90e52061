"""What a stack's resources cost: each with its lines or the reason why it has none, and their sums."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from sizing.cost.report import CostLine, Money, add_up
from sizing.graph.resources import Resource

Status = Literal["priced", "free", "by-use", "unknown", "no-price", "unsupported"]
STATUSES: tuple[Status, ...] = ("priced", "free", "by-use", "unknown", "no-price", "unsupported")


@dataclass(frozen=True, kw_only=True, slots=True)
class PricedResource:
    """A resource and what it costs a month.

    `status` is one of:

    - `priced`: every line has a list price;
    - `free`: it costs nothing by being there, or is billed as part of another resource;
    - `by-use`: only its use is billed, and no use is known: its cost is unknown, not zero;
    - `unknown`: a property that the price needs is known only once the program has run;
    - `no-price`: the kind is known, and the catalogue has no price for the SKU in the region;
    - `unsupported`: the kind is not known.

    Lines that could be priced count in the sums whatever the status; a sum with a resource of the last three statuses
    is a lower bound. `reason` says why in English, empty where it is priced. `unmetered` names what else is billed by
    use and has no quantity, in the keys of a usage file.
    """

    resource: Resource
    status: Status
    component: str
    lines: tuple[CostLine, ...] = ()
    reason: str = ""
    unmetered: tuple[str, ...] = ()

    @property
    def total(self) -> Money:
        """The sum of its priced lines."""
        return add_up(self.lines)


@dataclass(frozen=True, kw_only=True, slots=True)
class Totals:
    """USD a month: what is due before the first request, and what use adds."""

    baseline: Money
    usage: Money

    @property
    def total(self) -> Money:
        """Both together."""
        return self.baseline + self.usage

    def __add__(self, other: "Totals") -> "Totals":
        return Totals(baseline=self.baseline + other.baseline, usage=self.usage + other.usage)

    def __sub__(self, other: "Totals") -> "Totals":
        return Totals(baseline=self.baseline - other.baseline, usage=self.usage - other.usage)


@dataclass(frozen=True, kw_only=True)
class StackCost:
    """The cost of a stack: one entry for each custom resource, and lines of use that no resource shows.

    `more` are lines that a stack's plan knows and no resource has, such as tokens and traffic.
    """

    stack: str
    resources: tuple[PricedResource, ...]
    more: tuple[CostLine, ...] = ()

    @cached_property
    def lines(self) -> tuple[CostLine, ...]:
        """Every line."""
        return (*(line for each in self.resources for line in each.lines), *self.more)

    @cached_property
    def totals(self) -> Totals:
        """The sums of the priced lines."""
        return total_lines(self.lines)

    @cached_property
    def counts(self) -> Mapping[Status, int]:
        """How many resources have each status; they add up to the number of custom resources."""
        found = Counter(each.status for each in self.resources)
        return {status: found[status] for status in STATUSES}

    @property
    def partial(self) -> bool:
        """Whether the baseline is a lower bound: a resource or a line that belongs to it has no price."""
        open_ones = any(self.counts[status] for status in ("unknown", "no-price", "unsupported"))
        return open_ones or any(not line.is_priced for line in self.lines)


def total_lines(lines: tuple[CostLine, ...]) -> Totals:
    """The sums of the priced lines, of kind `resource` and of the others apart."""
    return Totals(
        baseline=add_up(line for line in lines if line.kind == "resource"),
        usage=add_up(line for line in lines if line.kind != "resource"),
    )
