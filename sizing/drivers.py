"""The drivers of a workload: what is known about each, kept in ``data/drivers.csv``."""

from dataclasses import dataclass
from functools import cache

from sizing.estimate import Estimate
from sizing.tables import read_table


@dataclass(frozen=True, kw_only=True, slots=True)
class Driver:
    """One quantity that moves size or cost; ``group`` is load, operations, tokens or storage.

    ``effect`` is 1 where more of it costs more and -1 where more of it costs less (a cache hit rate).
    ``origin`` names the section of the requirements that the default comes from, or "ours".
    """

    name: str
    group: str
    unit: str
    default: Estimate | None
    minimum: float
    maximum: float
    effect: int
    origin: str
    help_en: str
    help_zh: str

    @property
    def flag(self) -> str:
        """The command-line flag that sets it."""
        return "--" + self.name.replace("_", "-")

    @property
    def valid(self) -> str:
        """What a valid value looks like, for error messages."""
        return f"{_plain(self.minimum)} to {_plain(self.maximum)} {self.unit}"


def _plain(value: float) -> str:
    return f"{int(value):,}" if value == int(value) else f"{value:g}"


@cache
def drivers() -> dict[str, Driver]:
    """Return every driver by name, in the order of the table."""
    return {row["name"]: _driver(row) for row in read_table("drivers.csv")}


def _driver(row: dict[str, str]) -> Driver:
    known = row["expected"] != ""
    return Driver(
        name=row["name"],
        group=row["group"],
        unit=row["unit"],
        default=Estimate(float(row["low"]), float(row["expected"]), float(row["high"])) if known else None,
        minimum=float(row["minimum"]),
        maximum=float(row["maximum"]),
        effect=int(row["effect"]),
        origin=row["origin"],
        help_en=row["help_en"],
        help_zh=row["help_zh"],
    )
