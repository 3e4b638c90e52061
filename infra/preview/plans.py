"""What the product's own stacks know besides their resources: the tier with its reasons, and what their use costs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from infra.deployment.plans import plan_file
from infra.deployment.projects import StackFile, read_stack_file
from infra.preview.result import TierChange
from infra.settings import PROVIDER_SECRETS
from infra.tagging import PROJECT
from sizing.cost.report import CostLine

PLACEHOLDERS = tuple(f"{PROJECT}:{name}" for name in PROVIDER_SECRETS)
"""Keys of providers, which stand in no file of a repository and which the program asks for."""


METRICS = ("monitoring/alarm", "metric")
"""Metrics of its own that the service sends: billed as long as it runs, and no resource stands for them."""


@dataclass(frozen=True, kw_only=True)
class OwnPlan:
    """The plan of one side: `lines` are what no resource shows, such as tokens, traffic and stored gigabytes."""

    tier: str
    reasons: Sequence[str]
    lines: tuple[CostLine, ...]


def plan_side(config: Path | None, project: str) -> OwnPlan | None:
    """The plan of a stack's file; None for another program's stack and for a side that is not there.

    Raises BadRequest for a file or a workload that is wrong.
    """
    if config is None or project != PROJECT:
        return None
    planned = plan_file(read_stack_file(config))
    return OwnPlan(
        tier=planned.plan.tier,
        reasons=planned.reasons,
        lines=tuple(line for line in planned.lines if line.kind != "resource" or (line.resource, line.sku) == METRICS),
    )


def describe_tier(before: OwnPlan | None, after: OwnPlan | None) -> TierChange:
    """The tiers of both sides, with the reasons of the later one."""
    shown = after or before
    if shown is None:
        return TierChange()
    return TierChange(
        before=before.tier if before else "",
        after=after.tier if after else "",
        reasons=tuple(reason[:4000] for reason in shown.reasons),
    )


def read_config(config: Path | None) -> StackFile | None:
    """A stack's file, None where there is none; raises BadRequest where it cannot be read."""
    return None if config is None else read_stack_file(config)
