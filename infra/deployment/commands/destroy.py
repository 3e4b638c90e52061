"""``reme-deploy destroy``: remove everything, after saying what stays."""

from pathlib import Path

import click

from infra.deployment.commands.options import ask, say, target_options, yes_option
from infra.deployment.commands.succession import do_each
from infra.deployment.commands.up import describe_changes
from infra.deployment.engine import DeployedStack, start_engine
from infra.deployment.errors import BadRequest
from infra.deployment.plans import read_stack_settings
from infra.deployment.projects import StackFile, open_project
from infra.deployment.retention import list_protected, list_retained
from infra.tagging import PROJECT

PROTECT = f"{PROJECT}:protect"


@click.command()
@target_options
@yes_option
@click.option(
    "--unprotect", multiple=True, metavar="STACK", help="Lift the protection of this stack; once for each of them."
)
def destroy(name: str, folder: Path, *, yes: bool, unprotect: tuple[str, ...]) -> None:
    """Remove everything of a stack or an environment, the last region first.

    \b
      reme-deploy destroy aws-dev
      reme-deploy destroy aws-prod --unprotect aws-prod

    What stays, such as a final snapshot, is listed before the question. A stack of production is removed only when
    its own name is given with --unprotect: an update lifts its protection first. Its final copies stay, unless
    `keep-copies` is false.
    """
    project = open_project(folder)
    engine = start_engine(project.folder, say)
    files = {stack.name: stack for stack in reversed(project.find(name))}
    wrong = sorted(set(unprotect) - set(files))
    if wrong:
        raise BadRequest(f"--unprotect {wrong[0]} names no stack of this removal: {', '.join(files)}")
    stacks = {each: engine.open(each) for each in files}
    protected = [
        each for each in files if read_stack_settings(files[each]).protect or list_protected(stacks[each].resources())
    ]
    missing = [each for each in protected if each not in unprotect]
    if missing:
        options = " ".join(f"--unprotect {each}" for each in missing)
        raise BadRequest(f"protected: {', '.join(missing)}. Add {options} if all of it shall be gone")
    if protected:
        if not ask(f"Lift the protection of {', '.join(protected)}?", yes=yes):
            return
        do_each(protected, lambda each: _lift(stacks[each], files[each]))
    for each, stack in stacks.items():
        _list(each, stack)
    if not ask(f"Remove {', '.join(files)} for good?", yes=yes):
        if protected:
            say(f"the protection is lifted: `reme-deploy up {name}` brings it back")
        return
    do_each(list(files), lambda each: _remove(each, stacks[each]))


def _lift(stack: DeployedStack, file: StackFile) -> None:
    """Update the stack without protection, and leave its file as it was: the next deployment is protected again."""
    say(f"{stack.name}: lifting the protection")
    former = file.config.get(PROTECT)
    stack.configure(PROTECT, "false")
    try:
        stack.up()
    finally:
        if former is None:
            stack.forget(PROTECT)
        else:
            stack.configure(PROTECT, former)


def _list(name: str, stack: DeployedStack) -> None:
    """Print how much would go, and what stays; after the lifting, as the state is then."""
    resources = stack.resources()
    click.echo(f"{name}: {sum(not _is_plain(each['type']) for each in resources)} resources would be removed")
    retained = list_retained(resources)
    for kept in retained:
        click.echo(f"  stays: {kept.what} ({kept.type} {kept.name})")
    if not retained:
        click.echo("  nothing stays: no snapshot, no bucket, no secret")


def _remove(name: str, stack: DeployedStack) -> None:
    click.echo(f"{name}: removed, {describe_changes(stack.destroy())}")


def _is_plain(kind: str) -> bool:
    """Whether a resource is of the engine only: the stack itself, a provider, or a component."""
    return kind.startswith(("pulumi:", "reme:"))
