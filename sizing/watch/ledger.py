"""The bill, added up: one entry per day, product and kind of line."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, localcontext

PRECISION = 60
"""Digits of every sum: a bill of 1e9 lines with 18 decimals stays exact (Python's default is 28)."""

USD_STEP = Decimal("1e-10")
"""An entry in another currency is rounded to this once, so that every sum of USD is exact."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """The sum of the lines of one day, product and kind, in USD.

    ``lump`` tells that it is no cost of that day alone (a fee, a tax, a bill by the month).
    ``tagged`` tells that a tag named the component, ``shared`` that the plan's shares did.
    """

    file: str
    day: date
    lump: bool
    provider: str
    component: str
    service: str
    product: str
    instance_class: str
    kind: str
    usd: Decimal
    tagged: bool = False
    shared: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class FileSummary:
    """What one file held: counted lines, lines that an earlier file already had, and the counted sum."""

    name: str
    bill_format: str
    encoding: str
    lines: int
    repeated: int
    first_day: date
    last_day: date
    currency: str
    amount: Decimal


@dataclass(frozen=True, kw_only=True, slots=True)
class Ledger:
    """All entries of all files; ``notes`` are message codes with values."""

    entries: tuple[Entry, ...]
    files: tuple[FileSummary, ...]
    rates: Mapping[str, Decimal]
    notes: tuple[tuple[str, Mapping[str, object]], ...]

    @property
    def usd(self) -> Decimal:
        """The sum of everything, adjustments included."""
        return add_up([entry.usd for entry in self.entries])


def add_up(amounts: Sequence[Decimal]) -> Decimal:
    """Return the exact sum of decimals."""
    with localcontext(prec=PRECISION):
        return sum(amounts, Decimal(0))


def convert(amount: Decimal, per_usd: Decimal) -> Decimal:
    """Return an amount in USD, rounded to USD_STEP where it is converted."""
    if per_usd == 1:
        return amount
    with localcontext(prec=PRECISION):
        return (amount / per_usd).quantize(USD_STEP)
