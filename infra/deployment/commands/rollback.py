"""``reme-deploy rollback``: back to the version before."""

from pathlib import Path

import click

from infra.deployment.commands.options import ask, say, target_options, yes_option
from infra.deployment.commands.succession import do_each
from infra.deployment.engine import start_engine
from infra.deployment.plans import read_stack_settings
from infra.deployment.projects import open_project
from infra.deployment.promotion import Promotion, check_version


@click.command()
@target_options
@yes_option
@click.option("--to", "version", default="", metavar="VERSION", help="The version to go back to.")
def rollback(name: str, folder: Path, *, yes: bool, version: str) -> None:
    """Go back to the version before, region by region.

    A new version that has a share of the traffic loses it at once. Where none is under way, the last other version of
    the stack's history is deployed again.
    """
    if version:
        check_version(version)
    project = open_project(folder)
    engine = start_engine(project.folder, say)
    promotions = {
        file.name: Promotion(stack=engine.open(file.name), settings=read_stack_settings(file), say=say)
        for file in project.find(name)
    }
    for stack, each in promotions.items():
        click.echo(f"{stack}: would {each.describe_way_back(version)}")
    if not ask(f"Roll back {', '.join(promotions)}?", yes=yes):
        return

    def go_back(stack: str) -> None:
        click.echo(f"{stack}: version {promotions[stack].go_back(version)} is in service")

    do_each(list(promotions), go_back)
