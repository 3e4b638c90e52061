"""Bills into a ledger: every file read in chunks, every line counted once."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, localcontext
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from sizing.cost.report import COMPONENTS
from sizing.errors import BillError
from sizing.watch.bill_files import BillFile, Row, open_bill
from sizing.watch.bill_lines import Reading, parse_lines
from sizing.watch.formats import FIELDS, BillFormat, choose_format, detect_format
from sizing.watch.ledger import PRECISION, Entry, FileSummary, Ledger, add_up, convert
from sizing.watch.overlaps import Overlaps, find_twins
from sizing.watch.services import Rule, find_class, find_service

if TYPE_CHECKING:
    import pandas as pd

_DEFAULT_CURRENCY = {"aws": "USD", "alicloud": "CNY", "plain": "USD"}
LISTED_VALUES = 6
"""Tag values that a note lists."""

_KEY = ["day", "lump", "code", "name", "usage", "sku", "kind", "unknown_type", "tag"]


@dataclass(frozen=True, kw_only=True, slots=True)
class BillOptions:
    """The user's choices about reading; ``rates`` are units of a currency per USD,
    ``rules`` the user's own for components."""

    rates: Mapping[str, Decimal]
    today: date
    bill_format: str | None = None
    currency: str | None = None
    component_tag: str | None = None
    negatives_as_credits: bool = False
    rules: tuple[Rule, ...] = ()


@dataclass(slots=True)
class _Totals:
    """The sums of one file while it is read."""

    sums: dict[tuple[object, ...], Decimal] = field(default_factory=dict)
    currency: str | None = None
    lines: int = 0
    days: set[date] = field(default_factory=set)


def read_bills(paths: Sequence[Path], options: BillOptions, advance: Callable[[int], None] = lambda _: None) -> Ledger:
    """Read bills and return their ledger; ``advance`` is told the bytes read.

    Raises BillError (see ``bill_files`` and ``bill_lines``), and for a file without lines or with two
    currencies.
    """
    overlaps = Overlaps()
    entries: list[Entry] = []
    files: list[FileSummary] = []
    unknown_types: dict[str, str] = {}
    assumed: dict[str, str] = {}
    tag_values: set[str] = set()
    names = _name_files(paths)
    for path in paths:
        name = names[path]
        before = overlaps.repeated
        totals, bill_format, encoding = _read_file(path, name, options, overlaps, advance, assumed)
        overlaps.end_file()
        entries.extend(_entries(name, totals, bill_format, options))
        unknown_types.update({str(key[7]): name for key in totals.sums if key[7]})
        tag_values.update(str(key[8]) for key in totals.sums if key[8])
        files.append(_summarise(name, totals, bill_format, encoding, overlaps.repeated - before))
    return Ledger(
        entries=tuple(entries),
        files=tuple(files),
        rates=MappingProxyType({file.currency: options.rates[file.currency] for file in files}),
        notes=(*_notes(overlaps, entries, unknown_types, assumed), *_tag_notes(options, entries, tag_values)),
    )


def _name_files(paths: Sequence[Path]) -> dict[Path, str]:
    """Name files by their last part, by the whole path where two would be called the same."""
    plain = [path.name for path in paths]
    return {path: path.name if plain.count(path.name) == 1 else str(path) for path in paths}


def _read_file(
    path: Path,
    name: str,
    options: BillOptions,
    overlaps: Overlaps,
    advance: Callable[[int], None],
    assumed: dict[str, str],
) -> tuple[_Totals, BillFormat, str]:
    totals, before = _Totals(), overlaps.repeated
    with open_bill(path, name, advance) as bill, localcontext(prec=PRECISION):
        if options.bill_format is None:
            bill_format = detect_format(name, bill.header)
        else:
            bill_format = choose_format(name, bill.header, options.bill_format)
        positions = bill_format.positions(bill.header, options.component_tag)
        reading = Reading(
            file=name,
            bill_format=bill_format,
            currency=_currency(bill, bill_format, positions, options, assumed),
            known_currencies=tuple(options.rates),
            today=options.today,
            component_tag=options.component_tag,
            negatives_as_credits=options.negatives_as_credits,
        )
        for rows in bill.chunks:
            _add_chunk(totals, rows, positions, reading, overlaps)
        if not totals.lines and overlaps.repeated == before:
            raise BillError(f"{name} has a header and no lines. Export a period in which something was used.")
        return totals, bill_format, bill.encoding


def _currency(
    bill: BillFile,
    bill_format: BillFormat,
    positions: Sequence[int | None],
    options: BillOptions,
    assumed: dict[str, str],
) -> str:
    """Return the currency of lines that state none."""
    if options.currency is not None:
        return options.currency
    stated = positions[FIELDS.index("currency")] is not None
    if bill_format.name == "alicloud" and not stated and "应付金额" not in bill.header:
        # The international site bills in USD, the one in China in CNY, and both write PretaxAmount.
        raise BillError(f"{bill.name} states no currency. Name it with --currency CNY or --currency USD.")
    currency = _DEFAULT_CURRENCY[bill_format.provider]
    if not stated:
        assumed[bill.name] = currency
    return currency


def _add_chunk(
    totals: _Totals, rows: Sequence[Row], positions: Sequence[int | None], reading: Reading, overlaps: Overlaps
) -> None:
    lines = [line for line, _ in rows]
    columns = [["" if at is None else fields[at] for _, fields in rows] for at in positions]
    frame = parse_lines(lines, columns, reading)
    _check_currency(totals, frame, reading)
    if reading.bill_format.provider == "alicloud":
        kept = overlaps.keep_rows(fields for _, fields in rows)
    else:
        identities = [
            f"{line_id}|{interval}" if line_id else ""
            for line_id, interval in zip(frame["line_id"], frame["interval"], strict=True)
        ]
        shown = (frame["account"], frame["code"], frame["usage"], frame["kind"], columns[FIELDS.index("amount")])
        kept = overlaps.keep_identified(identities, ["|".join(parts) for parts in zip(*shown, strict=True)])
    frame = frame[kept]
    totals.lines += len(frame)
    totals.days.update(frame["day"])
    for key, amount in frame.groupby(_KEY, sort=False, dropna=False)["amount"].agg(list).items():
        assert isinstance(key, tuple)  # noqa: S101
        totals.sums[key] = totals.sums.get(key, Decimal(0)) + sum(amount, Decimal(0))


def _check_currency(totals: _Totals, frame: "pd.DataFrame", reading: Reading) -> None:
    totals.currency = totals.currency or str(frame["currency"].iloc[0])
    other = (frame["currency"] != totals.currency).to_numpy()
    if other.any():
        first = frame.iloc[int(other.argmax())]
        raise BillError(
            f"{reading.file}, line {first['line']}: the currency is {first['currency']}, and above it "
            f"{totals.currency}. A bill has one currency: split the file by currency and name both files."
        )


def _entries(name: str, totals: _Totals, bill_format: BillFormat, options: BillOptions) -> Iterator[Entry]:
    currency = totals.currency or "USD"
    for key, amount in totals.sums.items():
        day, lump, code, product, usage, sku, kind, _, tag = key
        component, service = find_service(bill_format.provider, str(code), str(product), str(usage), options.rules)
        named = component_of(str(tag))
        assert isinstance(day, date)  # noqa: S101
        yield Entry(
            file=name,
            day=day,
            lump=bool(lump),
            provider=bill_format.provider,
            component=named or component,
            service=service,
            product=str(product or code),
            instance_class=find_class(str(usage), str(sku)),
            kind=str(kind),
            usd=convert(amount, options.rates[currency]),
            tagged=bool(named),
        )


def _summarise(name: str, totals: _Totals, bill_format: BillFormat, encoding: str, repeated: int) -> FileSummary:
    days = totals.days or {date.min}
    return FileSummary(
        name=name,
        bill_format=bill_format.name,
        encoding=encoding,
        lines=totals.lines,
        repeated=repeated,
        first_day=min(days),
        last_day=max(days),
        currency=totals.currency or "USD",
        amount=add_up(list(totals.sums.values())),
    )


def component_of(tag: str) -> str:
    """Return the component that a tag's value names, empty where it names none."""
    named = tag.strip().casefold().replace("-", "_").replace(" ", "_")
    return named if named in COMPONENTS else ""


def _tag_notes(
    options: BillOptions, entries: Sequence[Entry], values: Iterable[str]
) -> Iterator[tuple[str, Mapping[str, object]]]:
    if options.component_tag is None:
        return
    unknown = sorted(value for value in values if not component_of(value))
    if unknown:
        yield "watch.note.tag-values", {"tag": options.component_tag, "values": ", ".join(unknown[:LISTED_VALUES])}
    if not any(entry.tagged for entry in entries):
        yield "watch.note.no-tag", {"tag": options.component_tag}


def _notes(
    overlaps: Overlaps,
    entries: Sequence[Entry],
    unknown_types: Mapping[str, str],
    assumed: Mapping[str, str],
) -> Iterator[tuple[str, Mapping[str, object]]]:
    if overlaps.repeated:
        yield "watch.note.repeated", {"lines": overlaps.repeated}
    if overlaps.differing:
        yield "watch.note.differing", {"lines": overlaps.differing}
    sums: dict[str, dict[tuple[object, str], Decimal]] = {}
    for entry in entries:
        if entry.kind == "charge":
            day_and_service = (entry.day, entry.service)
            of_file = sums.setdefault(entry.file, {})
            of_file[day_and_service] = of_file.get(day_and_service, Decimal(0)) + entry.usd
    for first, second in find_twins(sums):
        yield "watch.note.twins", {"first": first, "second": second}
    for line_type, file in unknown_types.items():
        yield "watch.note.line-type", {"type": line_type, "file": file}
    for file, currency in assumed.items():
        yield "watch.note.currency", {"file": file, "currency": currency}
