"""Budgets: by default the plan and a fifth, §8.3's as a preset, or the user's own; and their alarms."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from sizing.cost.report import CENT, COMPONENTS
from sizing.errors import BillError
from sizing.tables import read_table
from sizing.watch.daily import TOTAL
from sizing.watch.forecasts import Forecast
from sizing.watch.plan_report import PlanReport, add_plan, unpriced
from sizing.watch.services import OTHER

PLAN_FACTOR = Decimal("1.2")
"""A budget is 1.2 times the plan (errata 8.3: §8.3's own alarm permanently on tier C)."""

PLAN_THRESHOLD = Decimal("0.9")
"""The threshold of such budgets, §8.3's for models and vectors: it alarms from 8 % above the plan."""

PLAN_HEADROOM_USD = Decimal(1)
"""A budget lies at least this far above the plan: a plan of ten cents alarms at no three cents more (ours)."""

SCOPES = (*COMPONENTS, OTHER, TOTAL)


@dataclass(frozen=True, slots=True)
class Budget:
    """USD a month for a component or ``total``; it alarms from ``threshold`` (a share) of it."""

    component: str
    monthly_usd: Decimal
    threshold: Decimal
    origin: str

    @property
    def limit_usd(self) -> Decimal:
        return self.monthly_usd * self.threshold


@dataclass(frozen=True, slots=True)
class BudgetAlarm:
    """What reached the limit: the month so far, or its forecast (by smoothing or by rate)."""

    budget: Budget
    trigger: Literal["month-to-date", "forecast"]
    usd: Decimal


def plan_budgets(plan: PlanReport) -> dict[str, Budget]:
    """Return budgets of 1.2 times the plan's expected cost, each component and the total.

    A component with a line without a price gets none, and then neither does the total: its plan is
    partial, and every bill would seem to be over it.
    """
    found = {}
    for scope in (*plan.components, TOTAL):
        lines = plan.lines if scope == TOTAL else plan.of_component(scope)
        if unpriced(lines):
            continue
        expected = add_plan(lines).expected
        usd = max(expected * PLAN_FACTOR, expected + PLAN_HEADROOM_USD).quantize(CENT)
        found[scope] = Budget(scope, usd, PLAN_THRESHOLD, f"{plan.file} x {PLAN_FACTOR}")
    return found


def preset_names() -> tuple[str, ...]:
    """Return the names of the presets in ``data/budgets.csv``."""
    return tuple(dict.fromkeys(row["preset"] for row in read_table("budgets.csv")))


def preset_budgets(name: str) -> dict[str, Budget]:
    """Return the budgets of a preset."""
    return {
        row["component"]: Budget(
            row["component"], Decimal(row["monthly_usd"]), Decimal(row["threshold"]), row["section"].partition(" ")[0]
        )
        for row in read_table("budgets.csv")
        if row["preset"] == name
    }


class _Budget(BaseModel):
    model_config = ConfigDict(extra="forbid")

    monthly_usd: Decimal = Field(gt=0, allow_inf_nan=False)
    threshold: Decimal = Field(default=PLAN_THRESHOLD, gt=0, le=1, allow_inf_nan=False)


def read_budgets(path: Path) -> dict[str, Budget]:
    """Read budgets from TOML: a table a component (or ``total``) with ``monthly_usd`` and ``threshold``.

    Raises BillError that names the table and key for a file that cannot be read, an unknown component or
    key, an amount that is not positive, a threshold outside 0 to 1.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8-sig"), parse_float=Decimal)
        for name, table in document.items():
            if not isinstance(table, dict):
                raise BillError(
                    f"{path}: {name} = {table!r} is outside a table. Write [{TOTAL}] or [compute] above it."
                )
        budgets = TypeAdapter(dict[str, _Budget]).validate_python(document)
    except OSError as error:
        raise BillError(f"{path} cannot be read: {error.strerror}. Name a TOML file of budgets.") from None
    except UnicodeDecodeError:
        raise BillError(f"{path} is not UTF-8 text. Save it as UTF-8.") from None
    except tomllib.TOMLDecodeError as error:
        raise BillError(
            f"{path} is not TOML: {error}. Example: [compute] on one line, monthly_usd = 500 below."
        ) from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BillError(
            f"{path}: {where} = {first['input']!s:.60}: {first['msg']}. "
            "A budget has monthly_usd above 0 and, if wanted, a threshold above 0 and up to 1."
        ) from None
    for component in budgets:
        if component not in SCOPES:
            raise BillError(f"{path}: {component!r} is no component. Known: {', '.join(SCOPES)}.")
    return {
        component: Budget(component, budget.monthly_usd, budget.threshold, path.name)
        for component, budget in budgets.items()
    }


def check_budget(budget: Budget, month_to_date_usd: Decimal, forecast: Forecast) -> Iterator[BudgetAlarm]:
    """Yield an alarm for each of month-to-date and forecast that has reached the limit.

    Exactly the limit alarms: §8.3's 90 % is the point at which to be told.
    """
    if month_to_date_usd >= budget.limit_usd:
        yield BudgetAlarm(budget, "month-to-date", month_to_date_usd)
    expected = forecast.month_end_usd
    if forecast.days_ahead > 0 and expected is not None and expected >= budget.limit_usd:
        yield BudgetAlarm(budget, "forecast", expected)


def merge_budgets(*sources: Mapping[str, Budget]) -> dict[str, Budget]:
    """Return all budgets; a later source replaces an earlier one's of the same component."""
    merged: dict[str, Budget] = {}
    for source in sources:
        merged.update(source)
    return merged
