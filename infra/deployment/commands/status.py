"""``reme-deploy status``: what is deployed and how it is."""

import json
from pathlib import Path
from typing import Any

import click

from infra.deployment.commands.options import say, target_options
from infra.deployment.engine import Engine, start_engine
from infra.deployment.errors import NotDeployed
from infra.deployment.health import look_at
from infra.deployment.projects import open_project

EXIT_FINDING = 3
HEALTH_TEXTS = {
    "inside": "answers on its own machine only, and cannot be asked from here",
    "unknown": "the stack names no address to ask",
}


@click.command()
@target_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(name: str, folder: Path, *, as_json: bool) -> None:
    """Show outputs, the last update and the health of the service.

    Exits with 3 when a stack is not deployed, its last update failed, or its service is not healthy.
    """
    project = open_project(folder)
    stacks = project.find(name)
    engine = start_engine(project.folder, say)
    found = [_look(engine, stack.name) for stack in stacks]
    if as_json:
        click.echo(json.dumps({"stacks": found}, ensure_ascii=False, indent=2))
    else:
        for each in found:
            _print(each)
    if any(_is_finding(each) for each in found):
        raise SystemExit(EXIT_FINDING)


def _look(engine: Engine, name: str) -> dict[str, Any]:
    try:
        stack = engine.open(name)
        last = next(iter(stack.history()), None)
        outputs = dict(stack.outputs())
    except NotDeployed:
        last, outputs = None, {}
    deployed = bool(outputs)
    update = last and {
        "kind": last.kind,
        "result": last.result,
        "ended": last.end_time.isoformat() + "Z" if last.end_time else None,
    }
    health = look_at(str(outputs.get("health_url") or "")) if deployed else "unknown"
    return {"stack": name, "deployed": deployed, "last_update": update, "health": health, "outputs": outputs}


def _is_finding(found: dict[str, Any]) -> bool:
    update = found["last_update"]
    failed = update is not None and update["result"] == "failed"
    return failed or not found["deployed"] or found["health"] in ("unhealthy", "unreachable")


def _print(found: dict[str, Any]) -> None:
    click.echo(f"{found['stack']}: {'deployed' if found['deployed'] else 'not deployed'}")
    update = found["last_update"]
    if update is not None:
        click.echo(f"  last {update['kind']}: {update['result']}, {update['ended'] or 'not finished'}")
    if found["deployed"]:
        click.echo(f"  service: {HEALTH_TEXTS.get(found['health'], found['health'])}")
    for name, value in found["outputs"].items():
        if value not in ("", [], {}):
            click.echo(f"  {name}: {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}")
