"""What a stack costs a month, as far as rules need it."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Protocol

from sizing.cost.report import CostLine


class Priced(Protocol):
    """What a stack was priced to: `sizing.pricing.quotation.StackCost` is one."""

    @property
    def lines(self) -> Iterable[CostLine]:
        """Every line of the cost, with and without a price."""

    @property
    def partial(self) -> bool:
        """Whether something that belongs to the sum has no price."""


@dataclass(frozen=True, kw_only=True)
class MonthlySpend:
    """USD a month, expected: in all, and by component (`compute`, `llm` …); a lower bound where it is `partial`."""

    total_usd: Decimal
    services_usd: Mapping[str, Decimal] = field(default_factory=dict)
    partial: bool = False


@dataclass(frozen=True, kw_only=True)
class Spend:
    """What a stack would cost, and what it costs now; `before` is None for a stack that is new."""

    after: MonthlySpend
    before: MonthlySpend | None = None


def sum_spend(priced: Priced) -> MonthlySpend:
    """The expected sums of a priced stack, by component."""
    services: dict[str, Decimal] = defaultdict(Decimal)
    for line in priced.lines:
        if line.monthly_usd is not None:
            services[line.component] += line.monthly_usd.expected
    return MonthlySpend(
        total_usd=sum(services.values(), Decimal(0)), services_usd=dict(services), partial=priced.partial
    )
