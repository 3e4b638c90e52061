"""Reading of the package's own tables of facts (``sizing/data``)."""

import csv
from collections.abc import Iterator
from functools import cache
from pathlib import Path

DATA = Path(__file__).parent / "data"


@cache
def read_table(name: str) -> tuple[dict[str, str], ...]:
    """Return the rows of a CSV table of this package, e.g. ``read_table("drivers.csv")``."""
    with (DATA / name).open(encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file))


def split_list(cell: str) -> tuple[str, ...]:
    """Split a cell that holds a list, e.g. ``"cn|intl"``."""
    return tuple(part for part in cell.split("|") if part)


def table_names() -> Iterator[str]:
    """Yield the name of every table that ships with the package."""
    for path in sorted(DATA.rglob("*.csv")):
        yield path.relative_to(DATA).as_posix()
