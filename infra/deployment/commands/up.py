"""``reme-deploy up``: make what the stacks' files say."""

from collections.abc import Mapping
from pathlib import Path

import click

from infra.deployment.commands.image import find_publication
from infra.deployment.commands.options import ask, say, target_options, yes_option
from infra.deployment.commands.plan import outline
from infra.deployment.commands.succession import do_each
from infra.deployment.engine import DeployedStack, Preview, start_engine
from infra.deployment.plans import plan_file, read_stack_settings
from infra.deployment.projects import StackFile, open_project
from infra.deployment.publication import Publication
from infra.deployment.replicas import (
    CALLERS,
    PEERS,
    REPLICAS,
    describe_settings,
    find_callers,
    find_peers,
    find_replicas,
)
from infra.peers import list_routed
from infra.planning import StackPlan


@click.command()
@target_options
@yes_option
@click.option("--dry-run", is_flag=True, help="Stop after the preview.")
@click.option("--no-image", is_flag=True, help="Build and push no image, even where a cluster's registry lacks it.")
def up(name: str, folder: Path, *, yes: bool, dry_run: bool, no_image: bool) -> None:
    """Deploy a stack or an environment, or what has changed of it.

    \b
      reme-deploy up aws-dev
      reme-deploy up global --yes

    Every region is previewed before the first is touched. What would be replaced or deleted is named. Where the
    registry of a cluster lacks the image, the image is built and pushed before the tasks that run it. The first region
    comes first; when all are there, those that have to know of others are told and deployed once more.
    """
    project = open_project(folder)
    files = {stack.name: stack for stack in project.find(name)}
    planned = {each: plan_file(stack) for each, stack in files.items()}
    for each, stack in files.items():
        click.echo("\n".join(outline(stack, planned[each])[:2]))
    engine = start_engine(project.folder, say)
    stacks: dict[str, DeployedStack] = {}
    previews: dict[str, Preview] = {}
    missing: dict[str, Publication] = {}
    for each, stack in files.items():
        say(f"{each}: previewing")
        stacks[each] = engine.create(each)
        previews[each] = stacks[each].preview()
        _show(each, previews[each])
        if not no_image and (publication := find_publication(engine, project, stack, planned[each])):
            missing[each] = publication
            click.echo(f"{each}: image {publication.version}, which its registry lacks, would be built and pushed")
    changed = [each for each, preview in previews.items() if preview.total or each in missing]
    if dry_run:
        return
    for publication in missing.values():
        publication.check()
    if changed and not ask(f"Deploy {', '.join(changed)}?", yes=yes):
        return

    def deploy(each: str) -> None:
        if each in missing and missing[each].publish():
            click.echo(f"{each}: image {missing[each].version} pushed")
        done = stacks[each].up(total=previews[each].total)
        click.echo(f"{each}: deployed, {describe_changes(done)}")

    do_each(changed, deploy)
    news = _find_news(files, planned, stacks)
    # an earlier run may have been cut off before it told them
    if not news or (not changed and not ask(f"Tell {', '.join(news)} of the other regions?", yes=yes)):
        return

    def tell(each: str) -> None:
        for key, value in news[each].items():
            stacks[each].configure(key, value)
            say(f"{each}: {key} = {value}")
        click.echo(f"{each}: told of the other regions, {describe_changes(stacks[each].up())}")

    do_each(list(news), tell)


def _find_news(
    files: Mapping[str, StackFile], planned: Mapping[str, StackPlan], stacks: Mapping[str, DeployedStack]
) -> dict[str, dict[str, str]]:
    """By stack, what its file lacks of the other regions, which only now are all there: their buckets, where the first
    region finds those on another cloud, and the addresses that they call from."""
    if not any(plan.peers or list_routed(plan) for plan in planned.values()):
        return {}
    outputs = {name: stack.outputs() for name, stack in stacks.items()}
    replicas, peers, callers = (find(planned, outputs) for find in (find_replicas, find_peers, find_callers))
    news = {}
    for each, file in files.items():
        known = read_stack_settings(file)
        news[each] = {
            **describe_settings(REPLICAS, replicas[each], known.replicas),
            **describe_settings(PEERS, peers[each], known.peers),
            **describe_settings(CALLERS, callers[each], known.callers),
        }
    return {each: settings for each, settings in news.items() if settings}


def _show(name: str, preview: Preview) -> None:
    click.echo(f"{name}: {describe_changes(preview.changes)}")
    for line in preview.disruptive:
        click.echo(f"  would {line}")


def describe_changes(changes: Mapping[str, int]) -> str:
    """Steps in words, such as "create 43, update 2"."""
    return ", ".join(f"{op} {count}" for op, count in changes.items()) or "nothing to change"
