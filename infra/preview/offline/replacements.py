"""Which changed properties make a provider replace a resource, by tables made from the providers.

A row has a type, the properties that force a replacement, those of which it is not known whether they do, and the
source. `tools/write_replacements.py` writes the tables of `infra/preview/data`. A property is written as in Pulumi's
programs, `[*]` for each place in a list. A type that has no row may be replaced by any change.
"""

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from infra.preview.offline.differences import Difference

DATA = Path(__file__).parents[1] / "data"
_ANY = frozenset({"random"})
"""Packages whose resources are replaced by any change of a property: `random` has no other way to change."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The differences that force a replacement, and those that may; a difference is in one of them at most."""

    forcing: frozenset[str]
    unsure: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class _Row:
    forcing: frozenset[str]
    unsure: frozenset[str]


@cache
def _read(package: str) -> dict[str, _Row]:
    path = DATA / f"replacements_{package}.csv"
    if not path.is_file():
        return {}
    with path.open(encoding="utf-8", newline="") as file:
        return {
            row["type"]: _Row(forcing=frozenset(row["forcing"].split()), unsure=frozenset(row["unsure"].split()))
            for row in csv.DictReader(file)
        }


def knows_type(token: str) -> bool:
    """Whether the tables know what replaces a resource of this type."""
    package = token.partition(":")[0]
    return package in _ANY or token in _read(package)


def judge(token: str, differences: Iterable[Difference]) -> Verdict:
    """Which of these differences force a replacement of a resource of this type."""
    found = tuple(differences)
    package = token.partition(":")[0]
    if package in _ANY:
        return Verdict(forcing=frozenset(each.text for each in found), unsure=frozenset())
    row = _read(package).get(token)
    if row is None:
        return Verdict(forcing=frozenset(), unsure=frozenset(each.text for each in found))
    forcing = frozenset(each.text for each in found if _covers(row.forcing, each.pattern))
    return Verdict(
        forcing=forcing,
        unsure=frozenset(
            each.text
            for each in found
            if each.text not in forcing
            and (_covers(row.unsure, each.pattern) or (each.whole and _lies_beneath(row.forcing, each.pattern)))
        ),
    )


def _covers(properties: frozenset[str], pattern: str) -> bool:
    return any(pattern == each or pattern.startswith((f"{each}.", f"{each}[")) for each in properties)


def _lies_beneath(properties: frozenset[str], pattern: str) -> bool:
    return any(each.startswith((f"{pattern}.", f"{pattern}[")) for each in properties)
