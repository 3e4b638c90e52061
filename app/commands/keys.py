"""``reme keys``: issue, import, list, rotate and revoke API keys."""

import os
from collections.abc import Callable
from pathlib import Path
from time import time
from typing import TYPE_CHECKING, TypeVar

import click

from app.commands.opening import open_services, read_settings
from app.commands.options import json_option, place_options
from app.commands.printing import print_json, print_table, show_moment
from app.domain.access import LOCAL_ADMIN, Role

if TYPE_CHECKING:
    from app.domain.access import ApiKey

ROLES = ("admin", "user", "reader", "service_account")
_Command = TypeVar("_Command", bound=Callable[..., object])


def grant_options(command: _Command) -> _Command:
    """What a new key may do, where, and for how long."""
    for option in (
        click.option("--days", type=click.IntRange(1, 3650), help="Days until it expires.  [default: access.key_days]"),
        click.option("--tenant", default="default", show_default=True, help="Tenant that the key belongs to."),
        click.option(
            "--workspace",
            "-w",
            "workspaces",
            multiple=True,
            default=("*",),
            show_default=True,
            help="Workspace that the key opens, or a prefix that ends in *. Repeatable.",
        ),
        click.option(
            "--role",
            type=click.Choice(ROLES),
            default="user",
            show_default=True,
            help="reader reads; service_account writes too; user deletes too; admin may do everything.",
        ),
    ):
        command = option(command)
    return command


@click.group(context_settings={"max_content_width": 110})
def keys() -> None:
    """Issue, import, list, rotate and revoke API keys. A running service obeys at once."""


@keys.command("issue")
@click.argument("name")
@grant_options
@json_option
@place_options
def issue_key(
    name: str,
    role: str,
    workspaces: tuple[str, ...],
    tenant: str,
    days: int | None,
    as_json: bool,
    working_dir: Path | None,
    config_file: Path | None,
) -> None:
    """Issue a key called NAME and print its secret, this once.

    \b
      reme keys issue laptop --role admin
      reme keys issue crawler --role service_account --workspace 'tenant-a:*' --days 30
      KEY=$(reme keys issue ci --role reader)

    Only the secret goes to standard output. The store keeps its hash, so nobody can read it again.
    """
    with open_services(read_settings(working_dir, config_file), make=True) as services:
        key, secret = services.keys.issue(
            LOCAL_ADMIN, name=name, role=Role(role), workspaces=workspaces, tenant_id=tenant, key_days=days
        )
    _hand_over(key, secret, as_json=as_json)


@keys.command("import")
@click.argument("name")
@click.option(
    "--from-variable",
    "variable",
    metavar="VARIABLE",
    required=True,
    help="Environment variable that has the secret: rk_ and 32 hexadecimal digits.",
)
@grant_options
@json_option
@place_options
def import_key(
    name: str,
    variable: str,
    role: str,
    workspaces: tuple[str, ...],
    tenant: str,
    days: int | None,
    as_json: bool,
    working_dir: Path | None,
    config_file: Path | None,
) -> None:
    """Take over a key called NAME whose secret was made elsewhere, such as in a store of secrets.

    \b
      reme keys import first-administrator --role admin --from-variable ADMIN_KEY

    The secret is read from the environment and is never printed. The same key again changes nothing, and a revoked
    one stays revoked.
    """
    secret = os.environ.get(variable)
    if not secret:
        raise click.BadParameter(
            f"the environment has no {variable}: set it to the secret", param_hint="--from-variable"
        )
    with open_services(read_settings(working_dir, config_file), make=True) as services:
        key, new = services.keys.admit(
            LOCAL_ADMIN, secret, name=name, role=Role(role), workspaces=workspaces, tenant_id=tenant, key_days=days
        )
    if as_json:
        from app.api.v1.resources import write_key

        print_json(write_key(key))
    else:
        click.echo(f"{'imported' if new else 'known already:'} {key.id} ({key.name}): {_show_state(key)}")


@keys.command("rotate")
@click.argument("key_id", metavar="ID")
@json_option
@place_options
def rotate_key(key_id: str, as_json: bool, working_dir: Path | None, config_file: Path | None) -> None:
    """Replace the key ID by a new one of the same role and workspaces, and print its secret.

    \b
      reme keys rotate 019abc7e51d87f3c9f0e6c1b2a3d4e5f

    The old key works for another access.overlap_days, so that clients can change over.
    """
    with open_services(read_settings(working_dir, config_file), make=False) as services:
        key, secret = services.keys.rotate(LOCAL_ADMIN, key_id)
    _hand_over(key, secret, as_json=as_json)


@keys.command("revoke")
@click.argument("key_id", metavar="ID")
@json_option
@place_options
def revoke_key(key_id: str, as_json: bool, working_dir: Path | None, config_file: Path | None) -> None:
    """End the key ID at once.

    \b
      reme keys revoke 019abc7e51d87f3c9f0e6c1b2a3d4e5f
    """
    with open_services(read_settings(working_dir, config_file), make=False) as services:
        key = services.keys.revoke(LOCAL_ADMIN, key_id)
    if as_json:
        from app.api.v1.resources import write_key

        print_json(write_key(key))
    else:
        click.echo(f"revoked {key.id} ({key.name})")


@keys.command("list")
@json_option
@place_options
def list_keys(as_json: bool, working_dir: Path | None, config_file: Path | None) -> None:
    """List the keys of every tenant, oldest first, without their secrets.

    \b
      reme keys list
    """
    with open_services(read_settings(working_dir, config_file), make=False) as services:
        found = services.keys.list(LOCAL_ADMIN)
    if as_json:
        from app.api.v1.resources import write_key

        print_json({"items": [write_key(key) for key in found]})
    elif found:
        rows = [
            (key.id, key.name, key.role.value, " ".join(key.workspaces), key.tenant_id, _show_state(key))
            for key in found
        ]
        print_table(("Id", "Name", "Role", "Workspaces", "Tenant", "State"), rows)
    else:
        click.echo("reme: no key was issued yet: `reme keys issue NAME`", err=True)


def _hand_over(key: "ApiKey", secret: str, *, as_json: bool) -> None:
    if as_json:
        from app.api.v1.resources import write_key

        print_json({**write_key(key), "secret": secret})
    else:
        click.echo(
            f"reme: key {key.id} ({key.name}): {key.role.value} of {' '.join(key.workspaces)}, "
            f"until {show_moment(key.expires_ms)} UTC",
            err=True,
        )
        click.echo(secret)
    click.echo("reme: keep the secret now, it is not shown again", err=True)


def _show_state(key: "ApiKey") -> str:
    if key.revoked_ms is not None:
        return f"revoked {show_moment(key.revoked_ms)}"
    if not key.works_at(int(time() * 1000)):
        return f"expired {show_moment(key.expires_ms)}"
    replaced = f", replaced by {key.replaced_by}" if key.replaced_by else ""
    return f"until {show_moment(key.expires_ms)}{replaced}"
