"""The plan's component of a bill's product (``data/bill_services.csv``, and the user's own rows)."""

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

from sizing.cost.report import COMPONENTS
from sizing.errors import BillError
from sizing.tables import read_table

OTHER = "other"
"""The component of what the table does not name: shown, never dropped."""

PROVIDERS = ("aws", "alicloud", "plain")

RULE_COLUMNS = ("provider", "code", "name", "usage", "component", "service")
_COLUMNS = ",".join(RULE_COLUMNS)

_REGION_PREFIX = re.compile(r"^[A-Z]{2,4}\d{0,2}-")
"""USE1-, EU-, APS1-: where a usage type was metered; us-east-1 mostly has none."""

_INSTANCE_CLASS = re.compile(r"(?:BoxUsage|SpotUsage|DedicatedUsage|UnusedBox):(.+)")
"""The usage types of EC2 instances, which name the class."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Patterns with ``*`` on product code, product name and usage type (lower case); empty matches all."""

    provider: str
    code: str
    name: str
    usage: str
    component: str
    service: str

    def matches(self, code: str, name: str, usage: str) -> bool:
        return (
            (not self.code or fnmatchcase(code, self.code))
            and (not self.name or fnmatchcase(name, self.name))
            and (not self.usage or fnmatchcase(usage, self.usage))
        )


@cache
def rules() -> tuple[Rule, ...]:
    """Return our rules in order; the first that matches decides."""
    return tuple(_rule(row) for row in read_table("bill_services.csv"))


def read_rules(path: Path) -> tuple[Rule, ...]:
    """Read the user's own rules, which go before ours: a CSV with the columns of RULE_COLUMNS.

    Raises BillError that names the line for a file that cannot be read, a missing column, an unknown
    provider or component, a rule without a pattern.
    """
    found = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            lacking = [column for column in RULE_COLUMNS if column not in (reader.fieldnames or ())]
            if lacking:
                raise BillError(f"{path}, line 1: columns missing: {', '.join(lacking)}. They are: {_COLUMNS}.")
            for row in reader:
                found.append(_checked(row, f"{path}, line {reader.line_num}"))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BillError(f"{path} cannot be read as rules: {error}. Write a UTF-8 CSV with {_COLUMNS}.") from None
    return tuple(found)


def _checked(row: Mapping[str, str | None], where: str) -> Rule:
    if any(row.get(column) is None for column in RULE_COLUMNS):
        raise BillError(f"{where}: fewer fields than the header has. They are: {_COLUMNS}.")
    given = {column: str(row[column]).strip() for column in RULE_COLUMNS}
    if given["provider"] not in PROVIDERS:
        raise BillError(f"{where}: {given['provider']!r} is no provider. Known: {', '.join(PROVIDERS)}.")
    if given["component"] not in COMPONENTS:
        raise BillError(f"{where}: {given['component']!r} is no component. Known: {', '.join(COMPONENTS)}.")
    if not (given["code"] or given["name"] or given["usage"]):
        raise BillError(f"{where}: the rule would match every line. Give a code, a name or a usage pattern.")
    return _rule({**given, "service": given["service"] or given["component"]})


def _rule(row: Mapping[str, str]) -> Rule:
    return Rule(
        row["provider"],
        row["code"].casefold(),
        row["name"].casefold(),
        row["usage"].casefold(),
        row["component"],
        row["service"],
    )


@cache
def find_service(provider: str, code: str, name: str, usage: str, own: tuple[Rule, ...] = ()) -> tuple[str, str]:
    """Return component and service of a line; ``other`` and the bill's own name where no rule matches.

    The service is the catalogue's name (``ec2``, ``rds``, ``oss``), so that plan and bill can be compared.
    A plain bill's service may be a component, a name of §8.3, a vendor, or a cloud's product code.
    ``own`` are the user's rules, which go before ours.
    """
    found = _match(own, (provider,), code, name, usage)
    if found:
        return found
    if provider == "plain":
        component = code.casefold().replace("-", "_").replace(" ", "_")
        if component in COMPONENTS:
            return component, component
        return _match(rules(), ("plain", "aws", "alicloud"), code, name or code, usage) or (OTHER, code)
    return _match(rules(), (provider,), code, name, usage) or (OTHER, name or code)


def _match(
    candidates: Sequence[Rule], providers: Sequence[str], code: str, name: str, usage: str
) -> tuple[str, str] | None:
    code, name = code.casefold(), name.casefold()
    usage = strip_region(usage).casefold()
    for provider in providers:
        for rule in candidates:
            if rule.provider == provider and rule.matches(code, name, usage):
                return rule.component, rule.service
    return None


def strip_region(usage: str) -> str:
    """Return an AWS usage type without the prefix of its region, e.g. ``NatGateway-Hours``."""
    return _REGION_PREFIX.sub("", usage)


def find_class(usage: str, sku: str = "") -> str:
    """Return the instance class of a line, empty where it has none."""
    if sku:
        return sku
    found = _INSTANCE_CLASS.fullmatch(strip_region(usage))
    return found[1] if found else ""
