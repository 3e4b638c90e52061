"""Planned against metered use: the same figures of a plan's workload and of the one that follows from the meter."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from app.errors import InvalidRequest
from sizing.catalogue import catalogue
from sizing.cost.report import CostReport, add_up, price_design
from sizing.design import design
from sizing.errors import SizingError
from sizing.footprint import measure
from sizing.measures import DAYS_PER_MONTH
from sizing.models import TASKS
from sizing.render.document import read_cost
from sizing.workload import Workload
from sizing.workload_document import load_document, read_workload

REPORT = "reme-size/report"
COMPONENTS = ("llm", "embedding")
"""The lines of a plan's bill that models are billed in."""
CENT = Decimal("0.01")


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedUse:
    """A plan: its workload, and the expected USD a month for models; None where one of them has no list price."""

    workload: Workload
    models_usd: Decimal | None


@dataclass(frozen=True, kw_only=True, slots=True)
class UseComparison:
    """One figure as it was planned (expected) and as it was metered; None where it is not known."""

    figure: str
    unit: str
    planned: float | Decimal | None
    metered: float | Decimal | None

    @property
    def ratio(self) -> float | None:
        """Metered over planned; None where nothing was planned, or one is not known."""
        if self.planned is None or self.metered is None or not self.planned:
            return None
        return float(self.metered) / float(self.planned)


def read_planned(path: Path) -> PlannedUse:
    """Read a report of `reme-size --format json`, or a workload (TOML, YAML or JSON), which is priced now.

    Raises `InvalidRequest` for a file that is neither.
    """
    try:
        document = _load(path)
        if document.get("kind") != REPORT:
            workload = read_workload(document)
            report = price_design(design(workload, catalogue()))
        else:
            described = document.get("workload")
            workload = read_workload(described if isinstance(described, dict) else {})
            report = read_cost(document)
    except SizingError as error:
        raise InvalidRequest(f"{path} is no plan: {error}") from None
    return PlannedUse(workload=workload, models_usd=_add_models(report))


def compare_use(
    planned: PlannedUse, metered: Mapping[str, object], daily_usd: Decimal, *, unpriced: bool
) -> tuple[UseComparison, ...]:
    """The figures of a plan beside those of a metered workload; `daily_usd` is what its models cost on a day.

    With `unpriced` calls the metered cost is not known. Of a plan of several regions the figures are those of one
    that serves everybody.
    """
    figures = zip(_describe(planned.workload), _describe(read_workload(metered)), strict=True)
    compared = [
        UseComparison(figure=figure, unit=unit, planned=expected, metered=found)
        for (figure, unit, expected), (_, _, found) in figures
    ]
    monthly_usd = None if unpriced else (daily_usd * Decimal(DAYS_PER_MONTH)).quantize(CENT)
    compared.append(UseComparison(figure="models", unit="USD/month", planned=planned.models_usd, metered=monthly_usd))
    return tuple(compared)


def _describe(workload: Workload) -> Iterator[tuple[str, str, float]]:
    month = measure(workload.point("expected"), dimensions=workload.dimensions)
    yield "users", "users", month.users
    yield "memories", "memories", month.memories
    yield "retrieves", "a day", month.retrieves / DAYS_PER_MONTH
    yield "writes", "a day", month.writes / DAYS_PER_MONTH
    for task in TASKS:
        yield task, "calls/day", month.calls[task] / DAYS_PER_MONTH
        yield task, "tokens in/day", month.input_tokens[task] / DAYS_PER_MONTH
        yield task, "tokens out/day", month.output_tokens[task] / DAYS_PER_MONTH
    yield "embedding", "tokens in/day", month.embedding_tokens / DAYS_PER_MONTH


def _add_models(report: CostReport) -> Decimal | None:
    lines = [line for line in report.lines if line.component in COMPONENTS]
    return add_up(lines).expected if all(line.is_priced for line in lines) else None


def _load(path: Path) -> dict[str, object]:
    if path.suffix != ".json":
        return load_document(path)
    try:
        document = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InvalidRequest(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise InvalidRequest(f"{path} is no JSON: write it with `reme-size ... --format json > plan.json`") from None
    if not isinstance(document, dict):
        raise InvalidRequest(f"{path} is neither a report of `reme-size --format json` nor a workload")
    return document
