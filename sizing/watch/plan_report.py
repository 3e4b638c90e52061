"""The plan that a bill is held against: the report of ``reme-size --format json``."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sizing.cost.report import COMPONENTS, ZERO, Money
from sizing.errors import BillError
from sizing.render.document import SCHEMA_VERSION

REMEDY = "Write one with: reme-size ... --format json > report.json"


@dataclass(frozen=True, slots=True)
class PlanLine:
    """One line of the plan: what it is for, the catalogue's service and SKU, USD a month or None."""

    component: str
    service: str
    sku: str
    monthly_usd: Money | None


@dataclass(frozen=True, slots=True)
class PlanReport:
    """The plan's lines; lines without a price are in no sum."""

    file: str
    lines: tuple[PlanLine, ...]

    @property
    def components(self) -> tuple[str, ...]:
        """The components that the plan has, in the order of COMPONENTS."""
        planned = {line.component for line in self.lines}
        return tuple(component for component in COMPONENTS if component in planned)

    @property
    def services(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(line.service for line in self.lines))

    def of_component(self, component: str) -> tuple[PlanLine, ...]:
        return tuple(line for line in self.lines if line.component == component)

    def of_service(self, service: str) -> tuple[PlanLine, ...]:
        return tuple(line for line in self.lines if line.service == service)


def add_plan(lines: Iterable[PlanLine]) -> Money:
    """Add the lines that have a price."""
    total = ZERO
    for line in lines:
        total = total + (line.monthly_usd or ZERO)
    return total


def unpriced(lines: Iterable[PlanLine]) -> int:
    """Count the lines without a price; a sum that leaves them out is partial."""
    return sum(line.monthly_usd is None for line in lines)


class _Money(BaseModel):
    low: Decimal = Field(ge=0, allow_inf_nan=False)
    expected: Decimal = Field(ge=0, allow_inf_nan=False)
    high: Decimal = Field(ge=0, allow_inf_nan=False)


class _Line(BaseModel):
    component: str
    service: str
    sku: str
    monthly_usd: _Money | None


class _Cost(BaseModel):
    currency: Literal["USD"]
    lines: list[_Line] = Field(min_length=1)


class _Report(BaseModel):
    model_config = ConfigDict(extra="ignore")

    kind: Literal["reme-size/report"]
    schema_version: int
    cost: _Cost


def read_plan(path: Path) -> PlanReport:
    """Read the report of ``reme-size --format json``.

    Raises BillError for a file that cannot be read, is no JSON, is another document, or has another
    version than this release writes.
    """
    try:
        report = _Report.model_validate(json.loads(path.read_text(encoding="utf-8-sig")))
    except OSError as error:
        raise BillError(f"{path} cannot be read as a plan: {error.strerror}. {REMEDY}") from None
    except UnicodeDecodeError:
        raise BillError(f"{path} is no plan: it is not UTF-8 text. {REMEDY}") from None
    except (json.JSONDecodeError, RecursionError) as error:
        raise BillError(f"{path} is no plan: it is not JSON ({error}). {REMEDY}") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the document"
        raise BillError(f"{path} is no plan: {where}: {first['msg']}. {REMEDY}") from None
    if report.schema_version != SCHEMA_VERSION:
        raise BillError(
            f"{path} has schema_version {report.schema_version}, and this release reads {SCHEMA_VERSION}. {REMEDY}"
        )
    return PlanReport(path.name, tuple(_read_line(line) for line in report.cost.lines))


def _read_line(line: _Line) -> PlanLine:
    money = line.monthly_usd
    return PlanLine(
        line.component,
        line.service,
        line.sku,
        None if money is None else Money(money.low, money.expected, money.high),
    )
