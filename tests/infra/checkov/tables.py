"""The tables beside this module: the ids that are checked, and what is waived."""

import csv
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from tests.infra.checkov.scan import Finding

_HERE = Path(__file__).parent


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A check: `status` is `passes`, `waived` (fails wherever it applies, see the waivers) or `not verifiable`.

    `kinds` are Terraform's types that it reads and no stack has.
    """

    id: str
    area: str
    name: str
    status: str
    kinds: frozenset[str]
    reason: str


@dataclass(frozen=True, kw_only=True)
class Waiver:
    """Which failures are accepted until a day, and why: `resource` (an address) and `stack` are whole-match patterns.

    An alternative of a stack has the stack's name before its own.
    """

    id: str
    resource: str
    stack: str
    reason: str
    expires: date

    def covers(self, finding: Finding) -> bool:
        """Whether the failure is one of those."""
        patterns = ((self.resource, finding.resource), (self.stack, finding.plan.partition(" ")[0]))
        return self.id == finding.id and all(re.fullmatch(pattern, text) for pattern, text in patterns)


def _read(name: str) -> Iterable[dict[str, str]]:
    with (_HERE / name).open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def read_rules() -> list[Rule]:
    """Every id that templates must pass."""
    return [Rule(**row | {"kinds": frozenset(row["kinds"].split())}) for row in _read("ids.csv")]  # type: ignore[arg-type]


def read_waivers() -> list[Waiver]:
    """Every waiver, expired ones too."""
    return [Waiver(**row | {"expires": date.fromisoformat(row["expires"])}) for row in _read("waivers.csv")]  # type: ignore[arg-type]
