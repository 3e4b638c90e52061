"""Infracost's published figures, as facts: what each example asks for and what each component costs.

``golden.csv`` holds one row per cost component of every example, as printed; ``resources.csv`` what each
example asks for; ``components.csv`` which line of ours answers which component; ``sources.csv`` where a
figure stands and when that file last changed.
"""

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent


@dataclass(frozen=True, kw_only=True, slots=True)
class Component:
    """A published figure; where usage is unknown, the peer prints a unit price instead of a cost."""

    source: str
    changed_on: str
    resource: str
    part: str
    component: str
    kind: str
    quantity: Decimal | None
    unit: str
    monthly_usd: Decimal | None
    unit_usd: Decimal | None

    @property
    def figure_usd(self) -> Decimal:
        """The figure as printed: the monthly cost, or the unit price."""
        found = self.unit_usd if self.monthly_usd is None else self.monthly_usd
        return Decimal(0) if found is None else found


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """A file of published figures, when it last changed, and the total that it prints."""

    source: str
    file: str
    changed_on: str
    total_usd: Decimal


@dataclass(frozen=True, slots=True)
class Rule:
    """Which line of ours answers a component; ``our_units`` of it make one of the peer's units."""

    resource: str
    part: str
    component: str
    service: str
    slot: str
    sku: str
    our_units: str
    reason: str


@cache
def read_components() -> tuple[Component, ...]:
    """Return the published figures, in the order of ``golden.csv``."""
    sources = read_sources()
    numbers = ("quantity", "monthly_usd", "unit_usd")
    found = []
    for row in read_rows("golden.csv"):
        texts = {key: value for key, value in row.items() if key not in numbers}
        amounts = {key: Decimal(row[key]) if row[key] else None for key in numbers}
        found.append(Component(changed_on=sources[row["source"]].changed_on, **texts, **amounts))  # type: ignore[arg-type]
    return tuple(found)


@cache
def read_sources() -> Mapping[str, Source]:
    """Return the files of figures by their short name."""
    rows = read_rows("sources.csv")
    return {row["source"]: Source(**{**row, "total_usd": Decimal(row["total_usd"])}) for row in rows}  # type: ignore[arg-type]


def find_rule(component: Component) -> Rule:
    """Return the first rule for the component; every component has one."""
    for row in read_rows("components.csv"):
        matched = re.fullmatch(row["component"], component.component)
        named = re.fullmatch(f"(?:{row['resource']})(?:[.].*)?", component.resource)
        if matched and named and re.fullmatch(row["part"], component.part):
            return Rule(**{**row, "slot": matched.expand(row["slot"])})
    raise LookupError(f"{component.resource}: no rule for {component.component!r}")


@cache
def read_rows(name: str) -> tuple[dict[str, str], ...]:
    with (HERE / name).open(encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file))
