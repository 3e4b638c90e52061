"""``reme-deploy plan``: what a stack would be and cost, from its file alone."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import click

from infra.deployment.commands.options import target_options
from infra.deployment.plans import plan_file
from infra.deployment.projects import StackFile, open_project
from infra.planning import StackPlan


@click.command()
@target_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def plan(name: str, folder: Path, *, as_json: bool) -> None:
    """Show tier, reasons, warnings and monthly cost of a stack or an environment.

    \b
      reme-deploy plan aws-dev
      reme-deploy plan global --json

    Needs neither an account nor the engine. A cost with lines that have no list price is a lower bound.
    """
    stacks = open_project(folder).find(name)
    planned = [(stack, plan_file(stack)) for stack in stacks]
    total = sum((each.monthly_usd["expected"] for _, each in planned), Decimal(0))
    if as_json:
        document = {"stacks": [_describe(*each) for each in planned], "monthly_usd": str(total)}
        click.echo(json.dumps(document, ensure_ascii=False, indent=2))
        return
    for stack, each in planned:
        for line in outline(stack, each):
            click.echo(line)
    if len(planned) > 1:
        click.echo(f"{name}: {total:,.2f} USD a month in all")


def outline(stack: StackFile, planned: StackPlan) -> list[str]:
    """The plan in some lines."""
    usd = planned.monthly_usd
    bound = f", and {planned.unpriced} lines without a list price" if planned.unpriced else ""
    return [
        f"{stack.name} ({stack.environment}, {planned.region.key}): {planned.plan.tier}",
        f"  {usd['expected']:,.2f} USD a month ({usd['low']:,.2f} to {usd['high']:,.2f}){bound}",
        *(f"  because {reason}" for reason in planned.reasons),
        *(f"  warning: {warning}" for warning in planned.warnings),
    ]


def _describe(stack: StackFile, planned: StackPlan) -> dict[str, Any]:
    return {
        "stack": stack.name,
        "environment": stack.environment,
        "region": planned.region.key,
        "tier": planned.plan.tier,
        "reasons": list(planned.reasons),
        "warnings": list(planned.warnings),
        "monthly_usd": {corner: str(amount) for corner, amount in planned.monthly_usd.items()},
        "unpriced_lines": planned.unpriced,
    }
