"""``reme restore``: make a backup the store."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from app.commands.backup import name_scratch
from app.commands.main import EXIT_FINDING
from app.commands.opening import read_settings
from app.commands.options import json_option, place_options
from app.commands.printing import clean, print_json, show_moment
from app.commands.progress import track

if TYPE_CHECKING:
    from app.service.backups import Manifest
    from app.settings import Settings

NO_INDEX = "vector_index.backend=store"
"""A vector index beside a database is told by the service's own processes, from the store's notes."""


@click.command()
@click.argument("source", metavar="SOURCE")
@click.option("--backup", "backup_id", metavar="ID", help="This backup.  [default: the newest whole one]")
@click.option("--replace", "replaces", is_flag=True, help="Keep the present store under another name, after asking.")
@click.option("--yes", is_flag=True, help="With --replace: do not ask.")
@click.option("--scratch", type=click.Path(path_type=Path), help="Folder for the copy.  [default: below .reme]")
@json_option
@place_options
def restore(
    source: str,
    backup_id: str | None,
    replaces: bool,
    yes: bool,
    scratch: Path | None,
    as_json: bool,
    working_dir: Path | None,
    config_file: Path | None,
) -> None:
    """Make the newest backup in SOURCE, or another one, the store that the settings name.

    \b
      reme restore /backup/reme
      reme restore s3://dumps/reme --backup 20261123t020000z-1f2e3d4c
      reme restore /backup/reme --config production.toml

    SOURCE is a folder, s3://BUCKET/PREFIX or oss://BUCKET/PREFIX. Stop the service first. The backup is verified before
    anything is touched. The store must be missing or empty, a file or a database, of whichever kind the backup was
    taken from. Interrupted at any moment, the restore goes on or begins anew when the command is given again. The exit
    code is 3 where a database then differs from the backup.
    """
    settings = read_settings(working_dir, config_file)
    given = settings.vector_index.backend
    settings = read_settings(working_dir, config_file, arguments=(NO_INDEX,))
    if replaces and not yes:
        click.confirm(
            f"Replace the store at {settings.store_path}? It is kept under another name", abort=True, err=True
        )
    manifest, aside, findings = _restore(settings, source, backup_id, scratch, replaces=replaces)
    if as_json:
        print_json(
            {
                "id": manifest.id,
                "counts": manifest.counts,
                "embedding": None if manifest.embedding is None else manifest.embedding.model_dump(),
                "kept": None if aside is None else str(aside),
                "findings": list(findings),
            }
        )
    else:
        click.echo(f"{manifest.id}, taken {show_moment(manifest.made_ms)}: {manifest.memories:,} memories restored")
        if aside is not None:
            click.echo(f"the former store is {aside}")
    if manifest.embedding is not None and not as_json:
        made_with = manifest.facts.embedding
        click.echo(f"reme: its vectors are of {made_with}: let embedding.* say the same", err=True)
    if given != "store":
        click.echo("reme: run `reme index --rebuild` before the service answers from the vector index", err=True)
    for finding in findings:
        click.echo(f"reme: {clean(finding)}", err=True)
    if findings:
        raise SystemExit(EXIT_FINDING)


def _restore(
    settings: "Settings", source: str, backup_id: str | None, scratch: Path | None, *, replaces: bool
) -> "tuple[Manifest, Path | None, tuple[str, ...]]":
    from app.backup_places import check_target, examine_copy, open_place, restore_store
    from app.service.backups import fetch, find_backup, hold_scratch

    check_target(settings, replaces=replaces)
    with open_place(settings, source) as place, hold_scratch(name_scratch(settings, scratch)) as folder:
        manifest = find_backup(place, backup_id)
        with track("reading the backup", "bytes") as show:
            copy = fetch(place, manifest, examine_copy, folder, show)
        with track("filling the store", "rows") as show:
            aside, findings = restore_store(settings, copy, show, replaces=replaces)
    return manifest, aside, findings
