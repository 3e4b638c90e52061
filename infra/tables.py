"""Reading of the package's own tables of facts (``infra/data``)."""

import csv
from functools import cache
from pathlib import Path

DATA = Path(__file__).parent / "data"


@cache
def read_table(name: str) -> tuple[dict[str, str], ...]:
    """Return the rows of a CSV table of this package, e.g. ``read_table("alarms.csv")``."""
    with (DATA / name).open(encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file))
