"""``reme-deploy image``: the service's image in a stack's own registry."""

from pathlib import Path

import click

from infra.deployment.commands.options import say, target_options
from infra.deployment.commands.succession import do_each
from infra.deployment.connections import REPOSITORIES
from infra.deployment.engine import Engine, start_engine
from infra.deployment.errors import BadRequest
from infra.deployment.plans import plan_file, read_stack_settings
from infra.deployment.projects import Project, StackFile, open_project
from infra.deployment.promotion import check_version
from infra.deployment.publication import Publication, name_architecture, needs_image
from infra.planning import StackPlan


@click.command()
@target_options
@click.option("--version", default="", help="The image's tag.  [default: the version of the stack's file]")
@click.option(
    "--from-archive",
    "archive",
    type=click.Path(path_type=Path, dir_okay=False, exists=True, resolve_path=True),
    help="Push the image of this archive, of OCI's or docker's form, and build none.",
)
def image(name: str, folder: Path, *, version: str, archive: Path | None) -> None:
    """Build the service's image and push it to the registry of a cluster, or of every region of an environment.

    \b
      reme-deploy image aws-prod
      reme-deploy image global --version 0.2.0
      reme-deploy image aws-prod --from-archive reme.tar

    The image is built of the project's Containerfile by podman, buildah or docker, whichever works here. The registry
    is made where there is none yet. An image that is there is left alone: tags cannot be moved.
    """
    if version:
        check_version(version)
    project = open_project(folder)
    planned = [(file, plan_file(file)) for file in project.find(name)]
    for file, plan in planned:
        if plan.region.compute.placement == "host":
            raise BadRequest(f"{file.name} is a single host, which gets the wheel of `make wheel` and no image")
    engine = start_engine(project.folder, say)
    publications = {file.name: plan_publication(engine, project, file, plan, version) for file, plan in planned}

    def publish(stack: str) -> None:
        publication = publications[stack]
        done = "pushed" if publication.publish(archive) else "there already"
        click.echo(f"{stack}: image {publication.version} {done}")

    do_each(list(publications), publish)


def plan_publication(
    engine: Engine, project: Project, file: StackFile, planned: StackPlan, version: str = ""
) -> Publication:
    """What an image is for: the version, by default the stack's, in the registry of a stack."""
    settings = read_stack_settings(file)
    return Publication(
        stack=engine.create(file.name),
        folder=project.folder,
        region=settings.region,
        version=version or settings.service.version,
        architecture=name_architecture(planned),
        say=say,
        connect=REPOSITORIES[settings.cloud],
    )


def find_publication(engine: Engine, project: Project, file: StackFile, planned: StackPlan) -> Publication | None:
    """The image that a deployment of a stack needs and its registry lacks; None where there is none."""
    if not needs_image(planned, image=read_stack_settings(file).service.image):
        return None
    found = plan_publication(engine, project, file, planned)
    return found if found.is_missing() else None
