"""Rows of a bill as typed lines: day, product, kind of line, currency, amount."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import TYPE_CHECKING

from sizing.errors import BillError, shorten
from sizing.tables import read_table
from sizing.watch.formats import FIELDS, BillFormat

if TYPE_CHECKING:
    from collections.abc import Hashable

    import pandas as pd

_BLANK = "`'\" \t\ufeff"
"""What exports put around values so that spreadsheets keep them as text."""

_DAY = re.compile(r"(\d{4})[-/年]?(\d{1,2})[-/月]?(\d{1,2})(?:日|[T ].*)?")
_MONTH = re.compile(r"(\d{4})[-/年]?(\d{1,2})月?")
FIRST_DAY = date(2000, 1, 1)
"""No cloud billed before it: an earlier date is a slip (ours)."""

LARGEST = 12
FINEST = -40
"""Powers of ten of an amount: up to 9.9e12, with up to 40 decimals; anything else is no amount of a bill (ours)."""

_SUMS = {"total", "grand total", "合计", "总计"}
"""Products that are none: a line that adds up the lines above it would count everything twice."""

_PREPAID = {"subscription", "预付费", "包年包月"}
_TAG = re.compile(r"(?:key:)?\s*([^:;\s]+?)\s*(?: value:|:)\s*([^;]*)")
_MAP_TAG = '"(?:user_|user:)?{name}"\\s*:\\s*"([^"]*)"'


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """How a file is read: its name and format, and the user's choices.

    ``currency`` is that of lines which state none; ``known_currencies`` those with a rate. No line may
    lie after ``today``. ``negatives_as_credits`` counts a negative charge as a credit and not as an error.
    """

    file: str
    bill_format: BillFormat
    currency: str
    known_currencies: tuple[str, ...]
    today: date
    component_tag: str | None = None
    negatives_as_credits: bool = False


@cache
def line_types(provider: str) -> Mapping[str, tuple[str, bool]]:
    """Return kind and "may be negative" by line type (lower case), from ``data/bill_line_types.csv``."""
    return {
        row["type"].casefold(): (row["kind"], row["negative"] == "yes")
        for row in read_table("bill_line_types.csv")
        if row["provider"] == provider
    }


def parse_lines(lines: Sequence[int], columns: Sequence[Sequence[str]], reading: Reading) -> "pd.DataFrame":
    """Return a frame with one row a line: ``line, day, lump, code, name, usage, sku, kind, unknown_type,
    currency, amount, line_id, interval, account, tag``.

    ``columns`` are the values of FIELDS in order. ``day`` is the day of use, ``lump`` tells that the amount
    is for more than that day. ``amount`` is Decimal in ``currency``.
    Raises BillError that names file, line, value and remedy for an unreadable or future date, an amount
    that is no number, a negative charge, an unknown currency.
    """
    import pandas as pd

    raw = pd.DataFrame(dict(zip(FIELDS, columns, strict=True)), dtype=object)
    frame = pd.DataFrame({"line": list(lines)})
    starts = _convert(raw, "start", lines, reading, _read_start, "a date", "Write it as YYYY-MM-DD.")
    months = _convert(raw, "month", lines, reading, _read_month, "a month", "Write it as YYYY-MM.")
    ends = _convert(raw, "end", lines, reading, _read_start, "a date", "Write it as YYYY-MM-DD.")
    frame["day"] = [start or month for start, month in zip(starts, months, strict=True)]
    _refuse(frame["day"].isna(), raw["start"], lines, reading, "has no date", "Every line needs one.")
    _refuse(
        frame["day"] > reading.today,
        raw["start"].where(raw["start"] != "", raw["month"]),
        lines,
        reading,
        f"is after today, {reading.today}",
        "Remove the line, or set the day of the report with --today.",
    )
    prepaid = raw["subscription"].map(lambda value: value.strip(_BLANK).casefold() in _PREPAID)
    frame["lump"] = [
        start is None or paid or (end is not None and end - start > timedelta(days=1))
        for start, end, paid in zip(starts, ends, prepaid, strict=True)
    ]
    frame["amount"] = pd.Series(_amounts(raw, lines, reading), dtype=object)
    _read_kinds(frame, raw, lines, reading)
    frame["lump"] = frame["lump"] | (frame["kind"] != "charge")
    frame["currency"] = _currencies(raw, lines, reading)
    for field in ("code", "name", "usage", "sku", "line_id", "interval", "account"):
        frame[field] = raw[field].map(_each(raw[field], _clean))
    for field in ("code", "name"):
        adds_up = frame[field].map(_each(frame[field], lambda value: value.casefold() in _SUMS)).astype(bool)
        _refuse(adds_up, raw[field], lines, reading, "adds up other lines", "Remove the line.")
    name = reading.component_tag or ""
    frame["tag"] = raw["tags"].map(_each(raw["tags"], lambda value: read_tag(value, name)))
    return frame


def read_tag(text: str, name: str) -> str:
    """Return the value of a tag: of a cell of its own, of a JSON map, or of ``key:value;…`` lists."""
    text = text.strip(_BLANK)
    if text.startswith("{"):
        found = re.search(_MAP_TAG.format(name=re.escape(name)), text)
        return found.group(1) if found else ""
    if ":" not in text:
        return text
    return next((value.strip() for key, value in _TAG.findall(text) if key == name), "")


def _clean(value: str) -> str:
    """Strip a value, and leave out control characters: a bill must not steer the terminal."""
    text = value.strip(_BLANK)
    return text if text.isprintable() else "".join(character for character in text if character.isprintable())


def _each(column: "pd.Series[str]", read: Callable[[str], object]) -> "dict[Hashable, object]":
    """Read every distinct value once: a bill repeats its dates and products on most lines."""
    return {value: read(str(value)) for value in column.unique()}


def _convert(
    raw: "pd.DataFrame",
    field: str,
    lines: Sequence[int],
    reading: Reading,
    read: Callable[[str], date | None],
    meant: str,
    remedy: str,
) -> list[date | None]:
    found: dict[str, date | None] = {}
    for value in raw[field].unique():
        text = value.strip(_BLANK)
        if text:
            try:
                found[value] = read(text)
            except ValueError:
                _refuse(raw[field] == value, raw[field], lines, reading, f"is not {meant}", remedy)
        else:
            found[value] = None
    return [found[value] for value in raw[field]]


def _read_start(text: str) -> date:
    found = _DAY.fullmatch(text)
    if not found:
        raise ValueError(text)
    return _plausible(date(int(found[1]), int(found[2]), int(found[3])))


def _read_month(text: str) -> date:
    found = _MONTH.fullmatch(text)
    if not found:
        raise ValueError(text)
    return _plausible(date(int(found[1]), int(found[2]), 1))


def _plausible(day: date) -> date:
    if day < FIRST_DAY:
        raise ValueError(day)
    return day


def _amounts(raw: "pd.DataFrame", lines: Sequence[int], reading: Reading) -> list[Decimal]:
    found = []
    for index, value in enumerate(raw["amount"]):
        try:
            amount = Decimal(value.strip(_BLANK))
        except InvalidOperation:
            amount = Decimal("NaN")
        exponent = amount.as_tuple().exponent
        if not isinstance(exponent, int) or exponent < FINEST or amount.adjusted() > LARGEST:
            raise BillError(
                f"{reading.file}, line {lines[index]}: the amount {shorten(value)} is not one of a bill. "
                "Write it with digits and a decimal point, without a currency sign or thousands separators."
            )
        found.append(amount)
    return found


def _read_kinds(frame: "pd.DataFrame", raw: "pd.DataFrame", lines: Sequence[int], reading: Reading) -> None:
    known = line_types(reading.bill_format.provider)
    types = raw["line_type"].map(_each(raw["line_type"], _clean)).astype(str)
    folded = types.map(str.casefold)
    frame["kind"] = folded.map(lambda value: known[value][0] if value in known else "charge")
    frame["unknown_type"] = types.where((folded != "") & ~folded.isin(list(known)), "")
    may_be_negative = folded.map(lambda value: known.get(value, ("", False))[1])
    wrong = (frame["amount"] < 0) & ~may_be_negative.astype(bool)
    if reading.negatives_as_credits:
        frame.loc[wrong, "kind"] = "credit"
        return
    allowed = ", ".join(row["type"] for row in _negative_rows(reading.bill_format.provider))
    _refuse(
        wrong,
        raw["amount"],
        lines,
        reading,
        "is negative, and the line is no credit or refund",
        f"Only lines of type {allowed} may be negative; --negatives-as-credits counts the others as credits.",
    )


def _negative_rows(provider: str) -> list[dict[str, str]]:
    rows = read_table("bill_line_types.csv")
    return [row for row in rows if row["provider"] == provider and row["negative"] == "yes"]


def _currencies(raw: "pd.DataFrame", lines: Sequence[int], reading: Reading) -> "pd.Series[str]":
    currency = raw["currency"].map(_each(raw["currency"], lambda value: value.strip(_BLANK).upper()))
    currency = currency.where(currency != "", reading.currency)
    known = ", ".join(reading.known_currencies)
    _refuse(
        ~currency.isin(list(reading.known_currencies)),
        currency,
        lines,
        reading,
        f"is a currency without a rate; known: {known}",
        "Give the units per USD with --rate, e.g. --rate EUR=0.92.",
    )
    return currency


def _refuse(
    wrong: "pd.Series[bool]", values: "pd.Series[str]", lines: Sequence[int], reading: Reading, what: str, remedy: str
) -> None:
    """Raise BillError for the first line that is wrong."""
    if wrong.any():
        first = int(wrong.to_numpy().argmax())
        raise BillError(f"{reading.file}, line {lines[first]}: {shorten(values.iloc[first])} {what}. {remedy}")
