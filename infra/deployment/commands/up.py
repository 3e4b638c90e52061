"""``reme-deploy up``: make what the stacks' files say."""

from collections.abc import Mapping
from pathlib import Path

import click

from infra.deployment.commands.options import ask, say, target_options, yes_option
from infra.deployment.commands.plan import outline
from infra.deployment.commands.succession import do_each
from infra.deployment.engine import DeployedStack, Preview, start_engine
from infra.deployment.plans import plan_file
from infra.deployment.projects import open_project


@click.command()
@target_options
@yes_option
@click.option("--dry-run", is_flag=True, help="Stop after the preview.")
def up(name: str, folder: Path, *, yes: bool, dry_run: bool) -> None:
    """Deploy a stack or an environment, or what has changed of it.

    \b
      reme-deploy up aws-dev
      reme-deploy up global --yes

    Every region is previewed before the first is touched. What would be replaced or deleted is named.
    """
    project = open_project(folder)
    files = project.find(name)
    for stack in files:
        click.echo("\n".join(outline(stack, plan_file(stack))[:2]))
    engine = start_engine(project.folder, say)
    stacks: dict[str, DeployedStack] = {}
    previews: dict[str, Preview] = {}
    for stack in files:
        say(f"{stack.name}: previewing")
        stacks[stack.name] = engine.create(stack.name)
        previews[stack.name] = stacks[stack.name].preview()
        _show(stack.name, previews[stack.name])
    changed = [each for each, preview in previews.items() if preview.total]
    if dry_run or not changed or not ask(f"Deploy {', '.join(changed)}?", yes=yes):
        return

    def deploy(each: str) -> None:
        done = stacks[each].up(total=previews[each].total)
        click.echo(f"{each}: deployed, {describe_changes(done)}")

    do_each(changed, deploy)


def _show(name: str, preview: Preview) -> None:
    click.echo(f"{name}: {describe_changes(preview.changes)}")
    for line in preview.disruptive:
        click.echo(f"  would {line}")


def describe_changes(changes: Mapping[str, int]) -> str:
    """Steps in words, such as "create 43, update 2"."""
    return ", ".join(f"{op} {count}" for op, count in changes.items()) or "nothing to change"
