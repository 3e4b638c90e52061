"""The price catalogue: what a unit costs, where that is known from, and since when.

Prices are CSV files (``data/prices``), one row a price, in the currency that the source states.
A row of evidence ``none`` says that a price was looked for and not found; it never has an amount.
"""

import csv
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal, InvalidOperation
from functools import cache
from pathlib import Path

from sizing.errors import CatalogueError, InvalidWorkload
from sizing.tables import DATA, read_table

EVIDENCE = ("high", "medium", "low", "none")
COLUMNS = (
    "provider",
    "service",
    "sku",
    "region",
    "unit",
    "amount",
    "currency",
    "as_of",
    "evidence",
    "role",
    "source",
    "note",
)
TOKEN_PRICE_RANGE = (Decimal("0.001"), Decimal(1000))
"""USD per 1M tokens that can be meant: a per-1K or per-token figure under a per-1M name falls outside (errata 8.1)."""

MIN_RATE, MAX_RATE = Decimal("0.0001"), Decimal(1_000_000)

MODEL_UNIT = "1M tokens"
ROLES = ("list", "check")
MIN_AMOUNT = Decimal("1e-9")
MAX_AMOUNT = Decimal("1e9")
"""Beyond these an amount is a slip of the keyboard, in any currency and unit."""

STALE_AFTER_DAYS = 180


@dataclass(frozen=True, kw_only=True, slots=True)
class Price:
    """One list price: amount in its own currency, the rate used, and its provenance.

    ``usd`` is amount / per_usd, None where evidence is ``none``. ``as_of`` is as exact as the source:
    "2026-03-28", "2026-11", "2026" or "".
    """

    provider: str
    service: str
    sku: str
    region: str
    unit: str
    amount: Decimal | None
    currency: str
    per_usd: Decimal
    as_of: str
    evidence: str
    source: str
    note: str
    usd: Decimal | None
    origin: str = "catalogue"

    @property
    def key(self) -> tuple[str, str, str, str]:
        return self.provider, self.service, self.sku, self.region

    @property
    def name(self) -> str:
        """The form that users type and read, e.g. ``aws/ec2/t3.medium@us-east-1``."""
        return f"{self.provider}/{self.service}/{self.sku}@{self.region}"

    def age_days(self, today: date) -> int | None:
        """Days since the price may have been read at the earliest, None where the source is undated."""
        parts = [int(part) for part in self.as_of.split("-") if part]
        if not parts:
            return None
        year, month, day = (*parts, 1, 1)[:3]
        return (today - date(year, month, day)).days

    def is_stale(self, today: date, after_days: int = STALE_AFTER_DAYS) -> bool:
        """Tell whether the price is undated or older than ``after_days``."""
        age = self.age_days(today)
        return age is None or age > after_days


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Prices by provider, service, SKU and region, with the fallbacks that price lists use.

    A look-up tries the region, its price group (``cn-mainland``, ``intl``), ``global`` and ``*``; a
    row for SKU ``*`` without an amount says that nothing of that service has a known price there.
    """

    prices: Mapping[tuple[str, str, str, str], Price]
    checks: tuple[Price, ...] = ()
    _found: dict[tuple[str, str, str, str, str], Price | None] = field(default_factory=dict, compare=False, repr=False)
    orders: dict[tuple[str, str, str], float] = field(default_factory=dict, compare=False, repr=False)
    _units: dict[tuple[str, str, str, str, str], float | None] = field(default_factory=dict, compare=False, repr=False)

    def find(self, provider: str, service: str, sku: str, region: str, group: str = "") -> Price | None:
        """Return the price, or the row that says it is unknown, or None where the catalogue is silent."""
        key = (provider, service, sku, region, group)
        if key not in self._found:
            self._found[key] = self._look_up(*key)
        return self._found[key]

    def _look_up(self, provider: str, service: str, sku: str, region: str, group: str) -> Price | None:
        # A provider without a price for cached input bills it as any other.
        plain = (sku.replace(":cached-input", ":input"),) if sku.endswith(":cached-input") else ()
        for name in (sku, *plain, "*"):
            for place in (region, group, "global", "*"):
                price = self.prices.get((provider, service, name, place))
                if price is not None:
                    return price
        return None

    def usd(self, provider: str, service: str, sku: str, region: str, group: str = "") -> Decimal | None:
        """Return the price in USD, None where it is unknown."""
        price = self.find(provider, service, sku, region, group)
        return price.usd if price else None

    def unit_usd(self, provider: str, service: str, sku: str, region: str, group: str = "") -> float | None:
        """Return the price in USD as a float, for ordering and simulation; no bill is made from it."""
        key = (provider, service, sku, region, group)
        if key not in self._units:
            usd = self.usd(*key)
            self._units[key] = None if usd is None else float(usd)
        return self._units[key]

    def overridden(self, prices: Iterable[Price]) -> "Catalogue":
        """Return a catalogue in which these prices replace or extend ours."""
        merged = dict(self.prices)
        for price in prices:
            merged[price.key] = price
        return Catalogue(merged, self.checks)


@cache
def catalogue() -> Catalogue:
    """Return the catalogue that ships with the package."""
    listed: dict[tuple[str, str, str, str], Price] = {}
    checks = []
    for path in sorted((DATA / "prices").glob("*.csv")):
        # The package's own files are checked by its tests, not again at every start.
        prices, more = read_prices(path, exchange_rates(), checked=True)
        listed.update({price.key: price for price in prices})
        checks.extend(more)
    return Catalogue(listed, tuple(checks))


def load_catalogue(files: tuple[Path, ...] = (), rates: tuple[str, ...] = ()) -> Catalogue:
    """Return our catalogue with the user's price files over it and the user's exchange rates in it.

    ``rates`` are texts such as ``CNY=7.2`` (units per USD). Raises CatalogueError for a bad file,
    InvalidWorkload for a bad rate.
    """
    if not files and not rates:
        return catalogue()
    known = known_rates(rates)
    listed = {key: _rerated(price, known) for key, price in catalogue().prices.items()}
    units = {price.key[:3]: price.unit for price in listed.values() if price.usd is not None}
    own: list[Price] = []
    for file in files:
        found = read_prices(file, known, origin=str(file))[0]
        wrong = [
            price for price in found if price.usd is not None and units.get(price.key[:3], price.unit) != price.unit
        ]
        if wrong:
            raise CatalogueError(
                str(file), [f"{p.name}: unit {p.unit!r}, but it is billed per {units[p.key[:3]]!r}" for p in wrong]
            )
        own.extend(found)
    return Catalogue(listed, catalogue().checks).overridden(own)


def known_rates(rates: tuple[str, ...] = ()) -> dict[str, Decimal]:
    """Return our exchange rates with the user's over them; raises InvalidWorkload for a bad one."""
    return {**exchange_rates(), **dict(parse_rate(text) for text in rates)}


def parse_rate(text: str) -> tuple[str, Decimal]:
    """Read ``CNY=7.2``; raises InvalidWorkload for anything else."""
    currency, _, value = text.partition("=")
    try:
        rate = Decimal(value)
    except InvalidOperation:
        rate = Decimal(0)
    named = len(currency) == 3 and currency.isascii() and currency.isupper() and currency != "USD"
    if not named or not rate.is_finite() or not MIN_RATE <= rate <= MAX_RATE:
        raise InvalidWorkload("rate", text, f"CURRENCY=UNITS_PER_USD, e.g. CNY=7.2, from {MIN_RATE} to {MAX_RATE}")
    return currency, rate


def _rerated(price: Price, rates: Mapping[str, Decimal]) -> Price:
    rate = rates.get(price.currency)
    if price.amount is None or rate is None or rate == price.per_usd:
        return price
    return replace(price, per_usd=rate, usd=price.amount / rate)


@cache
def exchange_rates() -> dict[str, Decimal]:
    """Return units of each currency per USD (``data/exchange.csv``)."""
    return {row["currency"]: Decimal(row["per_usd"]) for row in read_table("exchange.csv")}


def read_prices(
    path: Path, rates: Mapping[str, Decimal], origin: str = "catalogue", *, checked: bool = False
) -> tuple[list[Price], list[Price]]:
    """Read a price file; return its list prices and its cross-checks. ``checked`` files are trusted.

    Raises CatalogueError that names every bad line: a missing column, an unknown currency or evidence,
    an amount that is no positive number, a token price outside TOKEN_PRICE_RANGE, a key given twice.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            missing = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
            if missing:
                raise CatalogueError(str(path), [f"columns missing: {', '.join(missing)}"])
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CatalogueError(str(path), [str(error)]) from None
    problems: list[str] = []
    listed: dict[tuple[str, str, str, str], Price] = {}
    checks: list[Price] = []
    for number, row in enumerate(rows, start=2):
        found = None if checked else _problem(row, rates)
        if found:
            problems.append(f"line {number}: {found}")
            continue
        price = _price(row, rates, origin)
        if row["role"] == "check":
            checks.append(price)
        elif price.key in listed:
            problems.append(f"line {number}: {price.name} is given twice")
        else:
            listed[price.key] = price
    if problems:
        raise CatalogueError(str(path), problems)
    return list(listed.values()), checks


def _problem(row: Mapping[str, str | None], rates: Mapping[str, Decimal]) -> str | None:
    if None in row or any(value is None for value in row.values()):
        return "the number of columns differs from the header's"
    if row["evidence"] not in EVIDENCE:
        return f"evidence {row['evidence']!r} is not one of {', '.join(EVIDENCE)}"
    if not (row["provider"] and row["service"] and row["sku"] and row["region"] and row["source"]):
        return "provider, service, sku, region and source are required"
    if row["role"] not in ROLES:
        return f"role {row['role']!r} is not one of {', '.join(ROLES)}"
    if row["service"] in ("llm", "embedding") and row["evidence"] != "none" and row["unit"] != MODEL_UNIT:
        return f"unit {row['unit']!r} of a model's price; the one unit is {MODEL_UNIT!r}"
    if row["sku"] == "*" and row["evidence"] != "none":
        return "SKU '*' says that nothing is known; a price names its SKU"
    if row["evidence"] == "none":
        return "evidence is none, so amount must be empty" if row["amount"] else None
    if row["currency"] not in rates:
        return f"currency {row['currency']!r} has no rate; known: {', '.join(rates)}"
    try:
        amount = Decimal(row["amount"] or "")
    except InvalidOperation:
        return f"amount {row['amount']!r} is not a number"
    if not amount.is_finite() or amount.is_signed() or amount > MAX_AMOUNT or 0 < amount < MIN_AMOUNT:
        return f"amount {row['amount']!r} is not a price between {MIN_AMOUNT} and {MAX_AMOUNT}"
    if amount == 0 and not (row["note"] or "").startswith("free"):
        return "amount 0: write the note 'free', or leave it empty with evidence none where the price is unknown"
    if row["unit"] == MODEL_UNIT:
        low, high = TOKEN_PRICE_RANGE
        usd = amount / rates[row["currency"] or "USD"]
        if not low <= usd <= high:
            return f"{usd} USD per 1M tokens is outside {low}-{high}: is it a price per 1K or per token?"
    if row["as_of"] and not _is_date(row["as_of"]):
        return f"as_of {row['as_of']!r} is not YYYY, YYYY-MM or YYYY-MM-DD"
    return None


def _is_date(text: str) -> bool:
    if not re.fullmatch(r"\d{4}(-\d\d){0,2}", text):
        return False
    try:
        date.fromisoformat((text + "-01-01")[:10])
    except ValueError:
        return False
    return True


def _price(row: Mapping[str, str], rates: Mapping[str, Decimal], origin: str) -> Price:
    known = row["evidence"] != "none"
    amount = Decimal(row["amount"]) if known else None
    per_usd = rates[row["currency"]] if known else Decimal(1)
    return Price(
        provider=row["provider"],
        service=row["service"],
        sku=row["sku"],
        region=row["region"],
        unit=row["unit"],
        amount=amount,
        currency=row["currency"],
        per_usd=per_usd,
        as_of=row["as_of"],
        evidence=row["evidence"],
        source=row["source"],
        note=row["note"],
        usd=None if amount is None else amount / per_usd,
        origin=origin,
    )
