"""What is answered to a name that is known and not honoured: a table of patterns, meanings and replacements."""

import csv
import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Literal

from app.settings.upstream import Notice

TABLE = Path(__file__).parent / "answers.csv"


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """A row of the table: the first that fits a name and a value is the answer.

    `pattern` is a name, in which `*` stands for anything. `values` is a regular expression for the values that the
    row is about, None for all. A "refused" row is about what would keep data elsewhere, longer or less protected
    than was asked for; an "always" row about what is in force anyway. `section` is that of the requirements, empty
    for upstream's own settings.
    """

    pattern: str
    values: re.Pattern[str] | None
    kind: Literal["refused", "replaced", "always"]
    meaning: str
    replacement: str
    section: str

    def fits(self, name: str, value: object) -> bool:
        """Whether the row is about a name with this value."""
        return fnmatchcase(name, self.pattern) and (
            self.values is None or self.values.fullmatch(str(value)) is not None
        )

    def tell(self, name: str, value: object) -> Notice:
        """What is to be said about a name that is not refused."""
        return Notice(
            kind="always" if self.kind == "always" else "replaced",
            name=self.show(name, value),
            meaning=self.meaning,
            text=self.replacement,
            section=self.section,
        )

    def show(self, name: str, value: object) -> str:
        """The name, with its value where the row is about values; those are never secrets."""
        text = str(value).lower() if isinstance(value, bool) else str(value)
        return name if self.values is None else f"{name}={text[:80]}"


@cache
def read_answers() -> tuple[Answer, ...]:
    """All rows, in the order of the file."""
    with TABLE.open(encoding="utf-8", newline="") as file:
        return tuple(
            Answer(
                pattern=row["pattern"],
                values=re.compile(row["values"], re.IGNORECASE | re.DOTALL) if row["values"] else None,
                kind=row["answer"],  # type: ignore[arg-type]
                meaning=row["meaning"],
                replacement=row["replacement"],
                section=row["section"],
            )
            for row in csv.DictReader(file)
        )


def find_answer(name: str, value: object) -> Answer | None:
    """The first row that fits, or None for a name that is not known."""
    return next((answer for answer in read_answers() if answer.fits(name, value)), None)
