"""What a workload would cost with another candidate, model, dimension or embedding.

Every figure is USD a month at the expected values, from list prices alone: a plan is designed and
priced again, or the tokens of the plan are priced with another model.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from decimal import Decimal

from sizing.billing.charge import Bill
from sizing.billing.models import TOKENS_PER_UNIT, language_models, serving_region
from sizing.cost.comparisons import ListKey
from sizing.cost.difference import compare_reports
from sizing.cost.report import CostLine, CostReport, add_up, price_charges, price_design
from sizing.design import Design, design
from sizing.errors import ImpossiblePlan, InvalidWorkload, SizingError
from sizing.instances import instances
from sizing.models import TASKS
from sizing.plan import Reason
from sizing.regions import regions
from sizing.sizer import SizedRegion, size_regions
from sizing.workload import Workload


@dataclass(frozen=True, kw_only=True, slots=True)
class Alternative:
    """A plan with one thing changed.

    ``own_usd`` sums the lines of the component itself (None where it has none with a price),
    ``total_usd`` the whole plan, ``delta_usd`` what changes against the current plan. ``own_unpriced``
    and ``unpriced`` count the component's and the plan's lines without a list price, ``unknown`` the
    changed lines that ``delta_usd`` leaves out. ``problems`` say why it cannot work; all amounts are
    None then.
    """

    own_usd: Decimal | None = None
    total_usd: Decimal | None = None
    delta_usd: Decimal | None = None
    own_unpriced: int = 0
    unpriced: int = 0
    unknown: int = 0
    problems: tuple[Reason, ...] = ()
    regions: tuple[SizedRegion, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenCost:
    """What a model's tokens cost a month, in and out apart; ``priced`` and ``unpriced`` count the lines."""

    input_usd: Decimal
    output_usd: Decimal
    priced: int
    unpriced: int

    @property
    def total_usd(self) -> Decimal | None:
        """The sum of what has a price, None where tokens flow and none of them has one."""
        return None if self.unpriced and not self.priced else self.input_usd + self.output_usd


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A design with its bill and its sizes, and the alternatives that were priced so far."""

    drawn: Design
    report: CostReport
    sized: tuple[SizedRegion, ...]
    _priced: dict[tuple[str, str], Alternative] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, drawn: Design) -> "Subject":
        """Price a design and size its regions at the expected values."""
        sized = size_regions(drawn, drawn.workload.point("expected"))
        return cls(drawn=drawn, report=price_design(drawn), sized=sized)

    @property
    def clouds(self) -> tuple[str, ...]:
        """The clouds of the plan, the primary region's first."""
        return tuple(dict.fromkeys(region.plan.cloud for region in self.sized))

    def with_candidate(self, component: str, candidate: str) -> Alternative:
        """Price the plan with another candidate of a component."""
        key = (component, candidate)
        if key not in self._priced:
            self._priced[key] = self._with_candidate(component, candidate)
        return self._priced[key]

    def _with_candidate(self, component: str, candidate: str) -> Alternative:
        choice = next(choice for choice in self.drawn.choices if choice.component == component)
        if candidate == choice.chosen:
            return _compared(self.report, self.report, component, self.sized)
        rejection = next(rejected for rejected in choice.rejected if rejected.candidate == candidate)
        if rejection.force == "cannot":
            return Alternative(problems=rejection.reasons)
        if candidate == "elasticsearch" and "aws" in self.clouds and not instances("aws", "opensearch"):
            return Alternative(problems=(Reason(code="tables.cannot.no-classes"),))
        return self._with_workload(self.drawn.workload.with_override(component, candidate), component)

    def with_dimensions(self, dimensions: int) -> Alternative:
        """Price the plan with vectors of another size."""
        if dimensions == self.drawn.workload.dimensions:
            return _compared(self.report, self.report, "vector_store", self.sized)
        try:
            changed = replace(self.drawn.workload, dimensions=dimensions)
        except InvalidWorkload as error:
            return Alternative(problems=(_refusal(error),))
        return self._with_workload(changed, "vector_store")

    def with_local_embedding(self) -> Alternative:
        """Price the plan with the embedding model on the nodes' own processors."""
        workload = self.drawn.workload
        if workload.embedding != "remote":
            return _compared(self.report, self.report, "compute", self.sized)
        changed = replace(
            workload,
            embedding="local-cpu",
            models={task: name for task, name in workload.models.items() if task != "embedding"},
            regions=tuple(replace(request, embedding=None) for request in workload.regions),
        )
        return self._with_workload(changed, "compute")

    def _with_workload(self, workload: Workload, component: str) -> Alternative:
        try:
            other = design(workload, self.drawn.prices)
            sized = size_regions(other, workload.point("expected"))
            report = price_design(other)
        except SizingError as error:
            return Alternative(problems=(_refusal(error),))
        return _compared(self.report, report, component, sized)

    def tasks_with(self, model: str) -> TokenCost:
        """Price every task of every region with one language model."""
        bills = []
        for region in self.sized:
            bill = Bill(regions()[region.plan.cloud, region.plan.region])
            load = region.load
            language_models(bill, dict.fromkeys(TASKS, model), load.input_tokens, load.output_tokens, load.cached_share)
            bills.append(bill)
        return _token_cost(self._lines(bills))

    def embeddings_with(self, key: ListKey) -> TokenCost:
        """Price the embedded tokens of every region at one vendor's price."""
        bills = []
        for region in self.sized:
            home = regions()[region.plan.cloud, region.plan.region]
            bill = Bill(home)
            tokens = region.load.embedding_tokens / TOKENS_PER_UNIT
            bill.add_external(
                "embedding/model",
                key.provider,
                key.service,
                key.sku,
                tokens,
                "1M tokens",
                serving_region(home),
                "tokens",
            )
            bills.append(bill)
        return _token_cost(self._lines(bills))

    def _lines(self, bills: Iterable[Bill]) -> tuple[CostLine, ...]:
        charges = [charge for bill in bills for charge in bill]
        return price_charges({"low": charges, "expected": charges, "high": charges}, self.drawn.prices).lines

    def spent_on(self, component: str, resource: str = "") -> tuple[CostLine, ...]:
        """Return the plan's own lines of a component, or of one resource of it."""
        return tuple(
            line for line in self.report.lines if line.component == component and resource in ("", line.resource)
        )


def sum_lines(lines: Iterable[CostLine]) -> Decimal:
    """Add the expected cost of the priced lines."""
    return add_up(lines).expected


def _token_cost(lines: tuple[CostLine, ...]) -> TokenCost:
    return TokenCost(
        input_usd=sum_lines(line for line in lines if not line.sku.endswith(":output")),
        output_usd=sum_lines(line for line in lines if line.sku.endswith(":output")),
        priced=sum(line.is_priced for line in lines),
        unpriced=sum(not line.is_priced for line in lines),
    )


def _compared(before: CostReport, after: CostReport, component: str, sized: tuple[SizedRegion, ...]) -> Alternative:
    difference = compare_reports(before, after)
    own = [line for line in after.lines if line.component == component]
    return Alternative(
        own_usd=sum_lines(own) if any(line.is_priced for line in own) else None,
        total_usd=after.total.expected,
        delta_usd=difference.delta.expected,
        own_unpriced=sum(not line.is_priced for line in own),
        unpriced=len(after.unpriced),
        unknown=sum(line.delta is None for line in difference.changed),
        regions=sized,
    )


def _refusal(error: SizingError) -> Reason:
    """Turn what the sizer refuses into a reason that can be read in both languages."""
    if isinstance(error, ImpossiblePlan):
        values = {"component": error.component, "candidate": error.candidate}
        return Reason(code="tables.cannot.collides", values=values)
    if isinstance(error, InvalidWorkload):
        return Reason(code="tables.cannot.refused", values={"field": error.field, "value": str(error.value)})
    return Reason(code="tables.cannot.refused", values={"field": "plan", "value": str(error)})
