"""``reme-deploy status``: what is deployed and how it is."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from infra.deployment.commands.options import say, target_options
from infra.deployment.connections import look_at_servers
from infra.deployment.engine import Engine, start_engine
from infra.deployment.errors import NotDeployed
from infra.deployment.health import look_at
from infra.deployment.projects import StackFile, open_project

EXIT_FINDING = 3
HEALTH_TEXTS = {
    "inside": "answers on its own machine only, and cannot be asked from here",
    "unknown": "the stack names no address to ask",
}


@click.command()
@target_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(name: str, folder: Path, *, as_json: bool) -> None:
    """Show outputs, the last update and the health of the service, region by region.

    \b
      reme-deploy status aws-dev
      reme-deploy status global --json

    Behind a balancer the health of the region's own servers is asked as well, of the region's cloud. Exits with 3 when
    a stack is not deployed, its last update failed, or its service or its servers are not healthy.
    """
    project = open_project(folder)
    stacks = project.find(name)
    engine = start_engine(project.folder, say)
    found = [_look(engine, stack) for stack in stacks]
    if as_json:
        click.echo(json.dumps({"stacks": found}, ensure_ascii=False, indent=2))
    else:
        for line in _outline(name, found) if len(found) > 1 else ():
            click.echo(line)
        for each in found:
            _print(each)
    if any(_is_finding(each) for each in found):
        raise SystemExit(EXIT_FINDING)


def _look(engine: Engine, file: StackFile) -> dict[str, Any]:
    try:
        stack = engine.open(file.name)
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
    servers, reason = look_at_servers(outputs.get("target_groups") or (), file.cloud, file.region)
    return {
        "stack": file.name,
        "region": file.region_key,
        "deployed": deployed,
        "last_update": update,
        "health": health,
        "servers": servers,
        "servers_unknown": reason,
        "outputs": outputs,
    }


def _outline(name: str, found: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """A line for each region."""
    yield f"{name}: {len(found)} regions"
    for each in found:
        state = "deployed" if each["deployed"] else "not deployed"
        yield f"  {each['region']:<26} {each['stack']:<24} {state}, servers {each['servers']}"


def _is_finding(found: dict[str, Any]) -> bool:
    update = found["last_update"]
    failed = update is not None and update["result"] == "failed"
    sick = found["health"] in ("unhealthy", "unreachable") or found["servers"] == "unhealthy"
    return failed or not found["deployed"] or sick


def _print(found: dict[str, Any]) -> None:
    click.echo(f"{found['stack']}: {'deployed' if found['deployed'] else 'not deployed'}")
    update = found["last_update"]
    if update is not None:
        click.echo(f"  last {update['kind']}: {update['result']}, {update['ended'] or 'not finished'}")
    if found["deployed"]:
        click.echo(f"  service: {HEALTH_TEXTS.get(found['health'], found['health'])}")
    if found["servers"] != "none":
        reason = f" ({found['servers_unknown']})" if found["servers_unknown"] else ""
        click.echo(f"  servers: {found['servers']}{reason}")
    for name, value in found["outputs"].items():
        if value not in ("", [], {}):
            click.echo(f"  {name}: {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}")
