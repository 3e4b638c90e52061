"""A quantity that is known exactly, or only as low, expected and high."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from sizing.errors import InvalidWorkload

Corner = Literal["low", "expected", "high"]
CORNERS: tuple[Corner, ...] = ("low", "expected", "high")

SYNTAX = "a number, 'low..expected..high', or a table with low, expected and high"


@dataclass(frozen=True, slots=True)
class Estimate:
    """Low, expected and high value of one driver; equal where it is known exactly."""

    low: float
    expected: float
    high: float

    @classmethod
    def exactly(cls, value: float) -> "Estimate":
        """Return the estimate of a known value."""
        return cls(value, value, value)

    @property
    def is_exact(self) -> bool:
        return self.low == self.expected == self.high

    def at(self, corner: Corner) -> float:
        """Return the value at one corner."""
        return self.low if corner == "low" else self.high if corner == "high" else self.expected

    def scaled(self, factor: float) -> "Estimate":
        """Return all three values times a factor."""
        return Estimate(self.low * factor, self.expected * factor, self.high * factor)


def parse_estimate(field: str, raw: object) -> Estimate:
    """Read an estimate from a flag or a file.

    Accepts a number, text such as ``"500"`` or ``"300..500..900"``, or a mapping with the keys low,
    expected and high (expected alone is enough). Raises InvalidWorkload where a value is missing,
    not finite, or the three are not in order.
    """
    if isinstance(raw, Estimate):
        return raw
    if isinstance(raw, Mapping):
        unknown = set(raw) - {"low", "expected", "high"}
        if unknown or "expected" not in raw:
            raise InvalidWorkload(field, dict(raw), SYNTAX)
        expected = _number(field, raw["expected"])
        parts = [_number(field, raw.get("low", expected)), expected, _number(field, raw.get("high", expected))]
    elif isinstance(raw, str) and ".." in raw:
        pieces = raw.split("..")
        if len(pieces) != 3:
            raise InvalidWorkload(field, raw, SYNTAX)
        parts = [_number(field, piece) for piece in pieces]
    else:
        parts = [_number(field, raw)] * 3
    low, expected, high = parts
    if not low <= expected <= high:
        raise InvalidWorkload(field, raw, "low <= expected <= high")
    return Estimate(low, expected, high)


def _number(field: str, raw: object) -> float:
    if isinstance(raw, bool) or not isinstance(raw, (int, float, str)):
        raise InvalidWorkload(field, raw, SYNTAX)
    try:
        value = float(raw.replace("_", "").replace(",", "")) if isinstance(raw, str) else float(raw)
    except (ValueError, OverflowError):
        raise InvalidWorkload(field, raw if isinstance(raw, str) else "a huge number", SYNTAX) from None
    if not math.isfinite(value):
        raise InvalidWorkload(field, raw, "a finite number")
    return value
