"""``reme migrate``: move workspaces, or everything, to another store."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from app.commands.main import EXIT_FINDING
from app.commands.opening import check_embedded, local_admin, read_settings
from app.commands.options import json_option
from app.commands.printing import clean, print_json, print_table
from app.commands.progress import track
from app.domain.identifiers import check_workspace_id
from app.domain.memory import Scope
from app.errors import InvalidRequest, SettingsError

if TYPE_CHECKING:
    from app.service.migration import Moved, Place, Plan
    from app.settings import Settings

SQLITE = "sqlite:"
POSTGRES = ("postgresql://", "postgres://")
FILES = (".toml", ".yaml", ".yml")
BY_ITSELF = "vector_index.backend=store"
"""A vector index beside the target is told by the service's own processes, from the store's notes."""


@click.command()
@click.option("--from", "source", required=True, metavar="PLACE", help="Store to move from.")
@click.option("--to", "target", metavar="PLACE", help="Store to move to.")
@click.option("--workspace", "-w", "workspaces", multiple=True, help="Only this workspace. Repeatable.  [default: all]")
@click.option("--tenant", default="default", show_default=True, help="Tenant that --workspace belongs to.")
@click.option("--objects", is_flag=True, help="Move the texts of the working memory too, where these are kept apart.")
@click.option("--keep-source-open", is_flag=True, help="Copy only: the source is written to as before.")
@click.option("--dry-run", is_flag=True, help="Show what would be moved, and move nothing.")
@click.option("--back", is_flag=True, help="Let the source be written to again after a move.")
@json_option
def migrate(
    source: str,
    target: str | None,
    workspaces: tuple[str, ...],
    tenant: str,
    objects: bool,
    keep_source_open: bool,
    dry_run: bool,
    back: bool,
    as_json: bool,
) -> None:
    """Move a live workspace, or a whole deployment, to another store, with its vectors as they are.

    \b
      reme migrate --from . --to postgresql://reme:secret@db.example.com/reme --dry-run
      reme migrate --from . --to production.toml
      reme migrate --from . --to production.toml --workspace team --workspace lab
      reme migrate --from . --back

    A PLACE is a folder whose .reme/memory.db is the store (or sqlite:FOLDER), a connection string of PostgreSQL, or a
    settings file. The service goes on meanwhile; at the end the source refuses writes for a moment, both are compared,
    and the source stays closed. Interrupted at any moment, the move goes on when the command is given again. Where the
    two differ the source is left open, and the exit code is 3.
    """
    scopes = _list_scopes(tenant, workspaces)
    if back:
        if target is not None or dry_run or keep_source_open or objects:
            raise InvalidRequest("--back takes --from, --workspace and --tenant alone: the data stays where it is")
        _move_back(source, scopes, as_json=as_json)
        return
    if target is None:
        raise InvalidRequest("--to is missing: name the store to move to")
    from app.service.migration import Movement

    with (
        _open_place(source, make=False, objects=objects) as here,
        _open_place(target, make=not dry_run, objects=objects, like=here) as there,
        track(f"moving to {there.name}", "rows") as show,
    ):
        movement = Movement(
            here,
            there,
            scopes=scopes,
            keeps_source_open=keep_source_open,
            show=lambda _, done, total: show(done, total),
        )
        outcome = movement.plan() if dry_run else movement.run()
    if dry_run:
        _print_plan(outcome, here, there, as_json=as_json)  # type: ignore[arg-type]
    else:
        _print_moved(outcome, here, there, is_open=keep_source_open, as_json=as_json)  # type: ignore[arg-type]


def _list_scopes(tenant: str, workspaces: Sequence[str]) -> list[Scope] | None:
    tenant_id = local_admin(tenant).tenant_id
    return [Scope(tenant_id=tenant_id, workspace_id=check_workspace_id(name)) for name in workspaces] or None


# -- places


def _read_place(place: str, *arguments: str) -> "tuple[str, Settings]":
    """What a place is called, without secrets, and its settings."""
    given = (BY_ITSELF, *arguments)
    if place.startswith(POSTGRES):
        settings = read_settings(
            None, arguments=("store.backend=postgres", f"postgres.connection_string={place}", *given)
        )
        return _name_address(place), settings
    if place.endswith(FILES):
        settings = read_settings(None, Path(place), arguments=given)
        if settings.store.backend == "postgres":
            return _name_address(settings.postgres.revealed_connection_string or ""), settings
        return str(settings.store_path), settings
    folder = Path(place.removeprefix(SQLITE))
    return str(folder), read_settings(folder, arguments=("store.backend=sqlite", *given))


def _name_address(address: str) -> str:
    """Host, port and database of a connection string."""
    try:
        parts = urlsplit(address)
        host, port, database = parts.hostname, parts.port, parts.path.strip("/")
    except ValueError:
        host, port, database = None, None, ""
    if not host:
        return "the PostgreSQL store"
    return f"{host}{f':{port}' if port else ''}{f'/{database}' if database else ''}"


@contextmanager
def _open_place(place: str, *, make: bool, objects: bool, like: "Place | None" = None) -> "Iterator[Place]":
    """An open store; one that is missing is made with `make`, and for a plan of what would come to it stands in RAM.

    Raises `InvalidRequest` for a source that is missing, `SettingsError` for one with another embedding than the
    settings have, or than the store that it is to be `like`.
    """
    name, settings = _read_place(place)
    if settings.store.backend == "sqlite" and not settings.store_path.is_file() and not make and like is not None:
        settings = _read_place(place, "store.backend=memory")[1]
    elif settings.store.backend == "sqlite":
        check_embedded(settings, make=make)
    elif settings.store.backend == "memory":
        raise SettingsError(f"{name} keeps nothing between commands: name a folder, a database or its settings file")
    from app.assembly import lay_foundation, open_objects
    from app.service.migration import Place

    foundation = lay_foundation(settings)
    try:
        wanted = foundation.store.spaces.identity()
        if wanted is None and like is not None:
            wanted = like.storage.spaces.identity()
        if wanted not in (None, foundation.identity) and (like is None or like.storage.spaces.identity() == wanted):
            raise SettingsError(
                f"the vectors are of {wanted}, the settings for {name} embed with {foundation.identity}: set "
                "embedding.* to the former"
            )
        kept = open_objects(settings, foundation.clock) if objects else None
        yield Place(name=name, storage=foundation.store, objects=kept)
    finally:
        foundation.end_calls()
        foundation.store.close()


# -- what became of it


def _move_back(source: str, scopes: list[Scope] | None, *, as_json: bool) -> None:
    from app.service.migration import move_back

    with _open_place(source, make=False, objects=False) as here:
        marks = move_back(here, scopes)
    if as_json:
        print_json({"reopened": [None if mark.scope is None else asdict(mark.scope) for mark in marks]})
    elif not marks:
        click.echo(f"{here.name} was not closed: nothing was changed")
    for mark in () if as_json else marks:
        what = "all of it" if mark.scope is None else f"workspace {mark.scope.workspace_id}"
        click.echo(f"{here.name} is open again ({what}); what was written to {mark.target} since is there alone")


def _print_plan(plan: "Plan", here: "Place", there: "Place", *, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "source": here.name,
                "target": there.name,
                "embedding": None if plan.embedding is None else asdict(plan.embedding),
                "was_moved": plan.is_moved,
                "refused": plan.refused,
                "workspaces": [asdict(each) for each in plan.workspaces],
            }
        )
    else:
        print_table(
            ("tenant", "workspace", "memories", "tombstones", "bytes", "users", ""),
            [
                (
                    each.scope.tenant_id,
                    each.scope.workspace_id,
                    f"{each.memories:,}",
                    f"{each.tombstones:,}",
                    f"{each.text_bytes:,}",
                    f"{each.users:,}",
                    "refused" if each.refused else "begun" if each.is_there else "",
                )
                for each in plan.workspaces
            ],
            right=(2, 3, 4, 5),
        )
        click.echo(f"embedding: {plan.embedding or 'no vectors'}")
        if plan.is_moved:
            click.echo(f"this was moved to {there.name} before")
    reasons = [reason for reason in (plan.refused, *(each.refused for each in plan.workspaces)) if reason]
    for reason in reasons:
        click.echo(f"reme: {clean(reason)}", err=True)
    if reasons:
        raise SystemExit(EXIT_FINDING)


def _print_moved(moved: "Moved", here: "Place", there: "Place", *, is_open: bool, as_json: bool) -> None:
    if as_json:
        print_json({"source": here.name, "target": there.name, **asdict(moved)})
    elif moved.was_moved:
        click.echo(f"{here.name} was moved to {there.name} before: nothing was changed")
    else:
        click.echo(
            f"{moved.workspaces:,} workspaces: {moved.rows:,} rows and {moved.objects:,} objects written to "
            f"{there.name}, the source closed for {moved.closed_s:g} s"
        )
    for finding in moved.findings:
        click.echo(f"reme: {clean(finding)}", err=True)
    if moved.findings:
        click.echo(f"reme: {here.name} stays open: delete what differs in {there.name}, then repeat", err=True)
        raise SystemExit(EXIT_FINDING)
    if not (as_json or is_open or moved.was_moved):
        click.echo(f"{here.name} refuses writes now; `reme migrate --back --from …` lets them in again", err=True)
