"""``reme-deploy promote``: a new version takes over, or is taken back."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import click

from infra.deployment.commands.options import Command, ask, say, target_options, yes_option
from infra.deployment.commands.succession import do_each
from infra.deployment.connections import REPOSITORIES
from infra.deployment.engine import start_engine
from infra.deployment.errors import BadRequest
from infra.deployment.plans import read_stack_settings
from infra.deployment.projects import open_project
from infra.deployment.promotion import STEPS, Promotion, check_version
from infra.deployment.publication import require_image
from infra.deployment.rollout import RolloutPolicy

DEFAULTS = RolloutPolicy()


def _minutes(name: str, default: float, help_: str) -> Callable[[Command], Command]:
    return click.option(name, type=click.FloatRange(0, 1440), default=default, show_default=True, help=help_)


@click.command()
@target_options
@yes_option
@click.option("--version", required=True, help="The new version: a tag of the registry, or of the wheel.")
@click.option("--steps", metavar="PERCENTS", help="Shares of the traffic.  [default: 10,50,100 for canary, else 100]")
@_minutes("--start-minutes", (DEFAULTS.start_s - DEFAULTS.check_s) / 60, "Until the new version is healthy, at most.")
@_minutes("--check-minutes", DEFAULTS.check_s / 60, "Healthy without a gap before it gets traffic.")
@_minutes("--watch-minutes", DEFAULTS.watch_s / 60, "Watched after each step.")
@click.option(
    "--max-error-percent",
    type=click.FloatRange(0, 100),
    default=DEFAULTS.max_error_share * 100,
    show_default=True,
    help="Requests that fail.",
)
@click.option(
    "--max-latency-ms",
    type=click.FloatRange(1),
    default=DEFAULTS.max_latency_ms,
    show_default=True,
    help="Time that 95 % of the requests take.",
)
@click.option("--no-watch", is_flag=True, help="Replace the version without looking at its health.")
def promote(
    name: str,
    folder: Path,
    *,
    yes: bool,
    version: str,
    steps: str | None,
    start_minutes: float,
    check_minutes: float,
    watch_minutes: float,
    max_error_percent: float,
    max_latency_ms: float,
    no_watch: bool,
) -> None:
    """Bring a new version into service, region by region, and take it back where it fails.

    \b
      reme-deploy promote aws-prod --version 0.2.0
      reme-deploy promote aws-prod --version 0.2.0 --steps 5,25,100 --watch-minutes 15

    The strategy is the stack's (service.strategy): with blue-green and canary the new version runs beside the other,
    must be healthy for --check-minutes, and is watched for --watch-minutes after each step; with rolling it takes the
    other's place and is watched. On a single host the host itself tries the version first, and must take it. Health,
    errors and latency decide. Exits with 3 when the version was rolled back.
    """
    check_version(version)
    policy = RolloutPolicy(
        steps=_read_steps(steps) or DEFAULTS.steps,
        check_s=check_minutes * 60,
        start_s=(start_minutes + check_minutes) * 60,
        watch_s=watch_minutes * 60,
        max_error_share=max_error_percent / 100,
        max_latency_ms=max_latency_ms,
    )
    project = open_project(folder)
    engine = start_engine(project.folder, say)
    promotions = {
        file.name: Promotion(stack=engine.open(file.name), settings=read_stack_settings(file), say=say)
        for file in project.find(name)
    }
    for stack, each in promotions.items():
        each.check(version, watched=not no_watch)
        require_image(each.stack, version, each.settings.region, REPOSITORIES[each.settings.cloud])
        if each.service.strategy == "rolling" and steps:
            raise BadRequest(f"{stack}: its strategy is rolling, which has no steps: set service.strategy to canary")
        click.echo(f"{stack}: version {each.service.version} → {version}, {each.service.strategy}")
    if not ask(f"Promote version {version} on {', '.join(promotions)}?", yes=yes):
        return

    def bring_in(stack: str) -> None:
        strategy = promotions[stack].service.strategy
        own = policy if steps else replace(policy, steps=STEPS[strategy])
        # A version that takes another's place has its health awaited there, before the watch.
        own = replace(own, check_s=0) if strategy == "rolling" else own
        promotions[stack].bring_in(version, own, watched=not no_watch)
        click.echo(f"{stack}: version {version} is in service")

    do_each(list(promotions), bring_in)


def _read_steps(text: str | None) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in (text or "").split(",") if part.strip())
    except ValueError:
        raise BadRequest(f"--steps {text!r} are no percents: give some such as 10,50,100") from None
