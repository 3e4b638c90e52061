"""What a stack costs on both sides, as the result holds it: by component, with what has no price and why."""

from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Name = Annotated[str, Field(max_length=1000)]
Text = Annotated[str, Field(max_length=4000)]
Money = Annotated[Decimal, Field(max_digits=34, decimal_places=10, allow_inf_nan=False)]
CENT = Decimal("0.01")


class Part(BaseModel):
    """A part of a result: nothing unknown in it, and nobody changes it."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Spend(Part):
    """USD a month at the three corners."""

    low: Money = Decimal(0)
    expected: Money = Decimal(0)
    high: Money = Decimal(0)

    def __add__(self, other: "Spend") -> "Spend":
        return Spend(low=self.low + other.low, expected=self.expected + other.expected, high=self.high + other.high)

    def __sub__(self, other: "Spend") -> "Spend":
        return Spend(low=self.low - other.low, expected=self.expected - other.expected, high=self.high - other.high)


NOTHING = Spend()


class Parts(Part):
    """Baseline is what stands there all month, usage what is billed by use; `unpriced` resources are in neither."""

    baseline: Spend = NOTHING
    usage: Spend = NOTHING
    unpriced: Annotated[int, Field(ge=0)] = 0

    @property
    def total(self) -> Spend:
        """Baseline and usage."""
        return self.baseline + self.usage

    def __add__(self, other: "Parts") -> "Parts":
        return Parts(
            baseline=self.baseline + other.baseline,
            usage=self.usage + other.usage,
            unpriced=self.unpriced + other.unpriced,
        )


class CostRow(Part):
    """One component's cost before and after; None where it is not there on that side."""

    component: Name
    before: Parts | None = None
    after: Parts | None = None

    @property
    def delta(self) -> Spend:
        """After less before, of what has a price."""
        return (self.after or Parts()).total - (self.before or Parts()).total


class Counts(Part):
    """How many resources of a stack were priced, and why the others were not. They add up to `total`."""

    priced: Annotated[int, Field(ge=0)] = 0
    free: Annotated[int, Field(ge=0)] = 0
    by_use: Annotated[int, Field(ge=0)] = 0
    unknown: Annotated[int, Field(ge=0)] = 0
    no_price: Annotated[int, Field(ge=0)] = 0
    unsupported: Annotated[int, Field(ge=0)] = 0
    total: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _add_up(self) -> Self:
        found = self.priced + self.free + self.by_use + self.unknown + self.no_price + self.unsupported
        if found != self.total:
            raise ValueError(f"the counts add up to {found}, not to the total of {self.total}")
        return self


class Unpriced(Part):
    """A resource without a price, and why."""

    name: Name
    type: Name
    status: Literal["by-use", "unknown", "no-price", "unsupported"]
    reason: Text = ""


class StackCost(Part):
    """Cost of a stack before and after, by component. The rows add up to the sides."""

    before: Parts | None = None
    after: Parts | None = None
    rows: tuple[CostRow, ...] = ()
    counts_before: Counts | None = None
    counts_after: Counts | None = None
    unpriced: tuple[Unpriced, ...] = ()
    unexplained: Annotated[tuple[Text, ...], Field(max_length=20)] = ()

    @property
    def delta(self) -> Spend:
        """After less before, of what has a price."""
        return (self.after or Parts()).total - (self.before or Parts()).total

    @property
    def partial(self) -> bool:
        """Whether something on either side has no price."""
        return any(side is not None and side.unpriced for side in (self.before, self.after))

    @model_validator(mode="after")
    def _add_up(self) -> Self:
        for side in ("before", "after"):
            whole: Parts | None = getattr(self, side)
            parts = [getattr(row, side) for row in self.rows if getattr(row, side) is not None]
            found = sum(parts, Parts())
            if whole is not None and (found.baseline, found.usage) != (whole.baseline, whole.usage):
                raise ValueError(f"the rows {side} add up to {found.total}, not to {whole.total}")
        return self
