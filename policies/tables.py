"""Reading of the package's own tables (`policies/data`)."""

import csv
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent
DATA = FOLDER / "data"


@cache
def read_table(name: str) -> tuple[dict[str, str], ...]:
    """The rows of a table of the package, such as `read_table("levels.csv")`."""
    return read_csv(DATA / name)


def read_csv(path: Path) -> tuple[dict[str, str], ...]:
    """The rows of a table anywhere."""
    with path.open(encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file))
