"""``reme backup``: keep a copy of the whole store, and list, verify and prune copies."""

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import click

from app.commands.main import EXIT_FINDING
from app.commands.opening import check_embedded, read_settings
from app.commands.options import json_option, place_options
from app.commands.printing import clean, print_json, print_table, show_moment
from app.commands.progress import track
from app.errors import InvalidRequest, StoreCorrupt
from sizing.commands.subcommands import EXIT_FAILURE

if TYPE_CHECKING:
    from app.service.backups import BackupPlace, Kept, Manifest
    from app.settings import Settings

SCRATCH = "backup-scratch"
"""Below `.reme`: on the disk of the store there is most likely room for a copy of it."""


@click.command()
@click.argument("targets", metavar="TARGET...", nargs=-1, required=True)
@click.option("--keep", type=click.IntRange(min=1), help="Remove all backups but this many newest. For folders.")
@click.option("--list", "lists", is_flag=True, help="Show the backups that are there; make none.")
@click.option("--verify", is_flag=True, help="Read a backup back and compare it with its manifest; make none.")
@click.option("--backup", "backup_id", metavar="ID", help="With --verify: this backup.  [default: the newest]")
@click.option("--scratch", type=click.Path(path_type=Path), help="Folder for the copy.  [default: below .reme]")
@json_option
@place_options
def backup(
    targets: tuple[str, ...],
    keep: int | None,
    lists: bool,
    verify: bool,
    backup_id: str | None,
    scratch: Path | None,
    as_json: bool,
    working_dir: Path | None,
    config_file: Path | None,
) -> None:
    """Copy the whole store, as it stands at one moment, to each TARGET, while the service runs.

    \b
      reme backup /backup/reme --keep 7
      reme backup s3://dumps/reme s3://archive/reme
      reme backup /backup/reme --list
      reme backup /backup/reme --verify

    A TARGET is a folder, s3://BUCKET/PREFIX or oss://BUCKET/PREFIX; region, endpoint and keys of a bucket are those of
    the settings storage.*. Every write that was acknowledged before the start is in the copy. It is compressed, each
    part has its SHA-256, and the manifest is written last: without it a backup is none. Texts that the working memory
    keeps apart, profiles and weights stay where they are. The scratch folder needs room for the store as it is. The
    exit code is 1 where a TARGET failed, and 3 where --verify finds damage.
    """
    if lists and verify:
        raise InvalidRequest("--list and --verify are two commands: give one of them")
    if backup_id is not None and not verify:
        raise InvalidRequest("--backup names what --verify reads: give both")
    if keep is not None and (lists or verify or any("://" in target for target in targets)):
        raise InvalidRequest("--keep is for backups made in folders: a bucket removes old ones by its lifecycle rules")
    settings = read_settings(working_dir, config_file)
    from app.backup_places import open_places

    with open_places(settings, tuple(dict.fromkeys(targets))) as places:
        if lists:
            _list(places, as_json=as_json)
        elif verify:
            _verify(settings, places, backup_id, scratch, as_json=as_json)
        else:
            _make(settings, places, keep, scratch, as_json=as_json)


def name_scratch(settings: "Settings", scratch: Path | None) -> Path:
    """The folder that a copy stands in while it is sent or verified."""
    return settings.data_dir / SCRATCH if scratch is None else scratch


def _make(
    settings: "Settings", places: "tuple[BackupPlace, ...]", keep: int | None, scratch: Path | None, *, as_json: bool
) -> None:
    if settings.store.backend != "postgres":
        check_embedded(settings, make=False)
    from app.backup_places import prune_place, take_copy
    from app.service.backups import hold_scratch, send

    with hold_scratch(name_scratch(settings, scratch)) as folder:
        with track("copying the store", "pages" if settings.store.backend == "sqlite" else "rows") as show:
            taken = take_copy(settings, folder, show)
        with track("sending the copy", "bytes") as show:
            sent = send(taken, places, service_version=tell_version(), backend=settings.store.backend, show=show)
    removed = {
        place.name: prune_place(place, keep=keep)
        for place in places
        if keep is not None and place.name not in sent.failures
    }
    facts = _describe(sent.manifest)
    if as_json:
        answers = [
            {"target": place.name, "error": sent.failures.get(place.name), "removed": list(removed.get(place.name, ()))}
            for place in places
        ]
        print_json({**facts, "targets": answers})
    else:
        there = ", ".join(place.name for place in places if place.name not in sent.failures)
        click.echo(
            f"{facts['id']}: {sent.manifest.memories:,} memories, {sent.manifest.bytes:,} bytes, "
            f"{sent.manifest.stored_bytes:,} compressed, in {there}"
        )
        for name, ids in removed.items():
            if ids:
                click.echo(f"{len(ids):,} old backups removed from {name}")
    for name, reason in sent.failures.items():
        click.echo(f"reme: no backup was made in {name}: {clean(reason)}", err=True)
    if sent.failures:
        raise SystemExit(EXIT_FAILURE)


def _list(places: "tuple[BackupPlace, ...]", *, as_json: bool) -> None:
    from app.service.backups import list_backups

    found = [(place.name, kept) for place in places for kept in list_backups(place)]
    if as_json:
        print_json({"items": [{"target": name, **_describe_kept(kept)} for name, kept in found]})
    elif found:
        rows = [
            (
                name,
                kept.id,
                f"{kept.stored_bytes:,}",
                "–" if kept.manifest is None else f"{kept.manifest.memories:,}",
                "–" if kept.manifest is None else kept.manifest.service_version,
                kept.problem or f"taken {show_moment(kept.manifest.made_ms if kept.manifest else 0)}",
            )
            for name, kept in found
        ]
        print_table(("Target", "Backup", "Bytes", "Memories", "Release", "State"), rows, right=(2, 3))
    else:
        click.echo("reme: no backups are there yet: `reme backup TARGET` makes one", err=True)


def _verify(
    settings: "Settings",
    places: "tuple[BackupPlace, ...]",
    backup_id: str | None,
    scratch: Path | None,
    *,
    as_json: bool,
) -> None:
    from app.backup_places import examine_copy
    from app.service.backups import check, find_backup, hold_scratch

    answers: list[tuple[str, Manifest | None, tuple[str, ...]]] = []
    with hold_scratch(name_scratch(settings, scratch)) as folder:
        for place in places:
            try:
                manifest = find_backup(place, backup_id)
            except StoreCorrupt as error:
                answers.append((place.name, None, (error.message,)))
                continue
            with track("reading the backup", "bytes") as show:
                answers.append((place.name, manifest, check(place, manifest, examine_copy, folder, show)))
    if as_json:
        print_json(
            {
                "items": [
                    {
                        "target": name,
                        "id": backup_id if manifest is None else manifest.id,
                        "sound": not findings,
                        "findings": list(findings),
                    }
                    for name, manifest, findings in answers
                ]
            }
        )
    for name, read, findings in answers:
        if not (findings or read is None or as_json):
            click.echo(f"{read.id} in {name}: sound, {read.memories:,} memories")
        for finding in findings:
            click.echo(f"reme: {name}: {clean(finding)}", err=True)
    if any(findings for _, _, findings in answers):
        raise SystemExit(EXIT_FINDING)


def tell_version() -> str:
    """The release of the service."""
    try:
        return version("reme-cloud")
    except PackageNotFoundError:
        return "unknown"


def _describe(manifest: "Manifest") -> dict[str, object]:
    return {
        "id": manifest.id,
        "made_ms": manifest.made_ms,
        "service_version": manifest.service_version,
        "schema_version": manifest.schema_version,
        "embedding": None if manifest.embedding is None else manifest.embedding.model_dump(),
        "bytes": manifest.bytes,
        "stored_bytes": manifest.stored_bytes,
        "counts": manifest.counts,
    }


def _describe_kept(kept: "Kept") -> dict[str, object]:
    return {
        "id": kept.id,
        "stored_bytes": kept.stored_bytes,
        "problem": kept.problem or None,
        **({} if kept.manifest is None else _describe(kept.manifest)),
    }
