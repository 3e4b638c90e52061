"""The bill formats that are understood: which column holds what (``data/bill_columns.csv``)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from sizing.errors import BillError, shorten
from sizing.tables import read_table

FIELDS = (
    "start",
    "end",
    "month",
    "code",
    "name",
    "usage",
    "sku",
    "line_type",
    "subscription",
    "amount",
    "currency",
    "line_id",
    "interval",
    "account",
    "tags",
)
"""What is taken from a bill's row, in this order; ``tags`` holds the value of the component tag."""

FORMATS = ("aws-cur", "aws-cur2", "alicloud", "plain")
"""In the order in which they are tried: a header can hold the columns of one format only."""

_PROVIDERS = {"aws-cur": "aws", "aws-cur2": "aws", "alicloud": "alicloud", "plain": "plain"}
_LEGACY_TAG = "resourcetags/user:"


@dataclass(frozen=True, kw_only=True, slots=True)
class BillFormat:
    """A bill format: the column names of each field (lower case, best first), and what is required.

    Of every group in ``needed`` (amount, when, what, type) one column at least must be there.
    """

    name: str
    provider: str
    columns: Mapping[str, tuple[str, ...]]
    needed: Mapping[str, tuple[str, ...]]

    def missing(self, header: Sequence[str]) -> tuple[str, ...]:
        """Return the groups of which the header has no column, as text."""
        present = {simplify(column) for column in header}
        return tuple(
            " or ".join(columns)
            for columns in self.needed.values()
            if not any(simplify(column) in present for column in columns)
        )

    def positions(self, header: Sequence[str], component_tag: str | None = None) -> tuple[int | None, ...]:
        """Return the position in the header of each field of FIELDS, None where the bill lacks it."""
        at: dict[str, int] = {}
        for index, column in enumerate(header):
            at.setdefault(simplify(column), index)
        found: dict[str, int | None] = {
            field: next((at[column] for column in self.columns.get(field, ()) if column in at), None)
            for field in FIELDS
        }
        if component_tag is None:
            found["tags"] = None
        elif self.provider == "aws":
            # A tag has a column of its own in the legacy report, and can have one in an export.
            own = (_LEGACY_TAG + component_tag.casefold(), f"resource_tags_user_{component_tag.casefold()}")
            found["tags"] = next((at[column] for column in own if column in at), found["tags"])
        return tuple(found[field] for field in FIELDS)


def simplify(column: str) -> str:
    """Return a column name without what differs between exports: case, blanks around it, a BOM."""
    return column.strip("\ufeff \t\r\n\"'").casefold()


@cache
def formats() -> Mapping[str, BillFormat]:
    """Return the known formats by name."""
    found = {}
    for name in FORMATS:
        rows = [row for row in read_table("bill_columns.csv") if row["format"] == name]
        columns: dict[str, tuple[str, ...]] = {}
        needed: dict[str, tuple[str, ...]] = {}
        for row in rows:
            columns[row["field"]] = (*columns.get(row["field"], ()), simplify(row["column"]))
            if row["need"]:
                needed[row["need"]] = (*needed.get(row["need"], ()), row["column"])
        found[name] = BillFormat(
            name=name,
            provider=_PROVIDERS[name],
            columns=MappingProxyType(columns),
            needed=MappingProxyType(needed),
        )
    return MappingProxyType(found)


def detect_format(file: str, header: Sequence[str]) -> BillFormat:
    """Return the format whose required columns the header has; raises BillError where there is none."""
    for bill_format in formats().values():
        if not bill_format.missing(header):
            return bill_format
    known = "; ".join(f"{name} needs {_describe(bill_format)}" for name, bill_format in formats().items())
    raise BillError(
        f"{file}, line 1: the columns {shorten(', '.join(header), 160)} are of no known bill format. "
        f"Known: {known}. Export the bill's details as CSV, or name the format with --bill-format."
    )


def choose_format(file: str, header: Sequence[str], name: str) -> BillFormat:
    """Return the named format; raises BillError where the header lacks one of its columns."""
    chosen = formats()[name]
    lacking = chosen.missing(header)
    if lacking:
        raise BillError(
            f"{file}, line 1: as {name} the bill lacks the column {'; '.join(lacking)}; it has "
            f"{shorten(', '.join(header), 160)}. Leave --bill-format out to have the format detected."
        )
    return chosen


def _describe(bill_format: BillFormat) -> str:
    return ", ".join(_first(columns) for columns in bill_format.needed.values())


def _first(columns: Iterable[str]) -> str:
    return next(iter(columns))
