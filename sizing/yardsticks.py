"""What the service and its stores take and do, as measured: ``data/yardsticks.csv``, written from the benchmarks.

The file is made by ``tools/write_yardsticks.py`` from the benchmarks' results, with source, date and error in each
row; a test fails when it is out of date. MB are 10^6 bytes.
"""

from dataclasses import dataclass
from functools import cache

from sizing.tables import read_table

MEASURED_DIMENSIONS = 1024
"""Dimensions of the vectors in the runs over all stores; those of the service alone have 512."""
SERVICE_DIMENSIONS = 512


@dataclass(frozen=True, kw_only=True, slots=True)
class Yardstick:
    """One measured figure; ``error_percent`` is None where one run or two sizes cannot tell it."""

    store: str
    quantity: str
    unit: str
    value: float
    error_percent: float | None
    sizes: str
    source: str
    date: str


@cache
def yardsticks() -> dict[tuple[str, str], Yardstick]:
    """Return every figure by store and quantity, in the order of the table."""
    return {
        (row["store"], row["quantity"]): Yardstick(
            store=row["store"],
            quantity=row["quantity"],
            unit=row["unit"],
            value=float(row["value"]),
            error_percent=float(row["error_percent"]) if row["error_percent"] else None,
            sizes=row["sizes"],
            source=row["source"],
            date=row["date"],
        )
        for row in read_table("yardsticks.csv")
    }


def measured(store: str, quantity: str) -> float:
    """Return a measured figure in the unit of its row; raises KeyError for one that nobody measured."""
    return yardsticks()[store, quantity].value
