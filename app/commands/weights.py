"""``reme weights``: push, list, pull and delete the weights of models in the object store."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from app.commands.opening import read_settings
from app.commands.options import json_option, place_options
from app.commands.printing import print_json, print_table, show_moment
from app.commands.progress import track

if TYPE_CHECKING:
    from app.service.weights import Kept, Weights

FOLDER = click.Path(path_type=Path, file_okay=False)


@click.group(context_settings={"max_content_width": 110})
def weights() -> None:
    """Keep the weights of embedding models in the object store, for all nodes. The settings storage.* name it."""


@weights.command("push")
@click.argument("folder", type=FOLDER)
@click.option("--name", required=True, help="Name of the weights: small letters, digits, . _ -")
@json_option
@place_options
def push_weights(folder: Path, name: str, as_json: bool, working_dir: Path | None, config_file: Path | None) -> None:
    """Push the files in FOLDER, in place of those that have the name. They count once all are there.

    \b
      reme weights push models/bge-m3 --name bge-m3

    A push that was interrupted goes on where it stopped when the command is given again: parts that are there and
    whole are not sent again, and damaged ones are.
    """
    with _open(working_dir, config_file) as store, track("pushing", "bytes") as show:
        pushed = store.push(folder, name, progress=show)
    facts = {
        "name": name,
        "digest": pushed.manifest.digest,
        "files": len(pushed.manifest.files),
        "bytes": pushed.manifest.bytes,
        "parts_sent": pushed.sent,
        "parts_there": pushed.there,
    }
    if as_json:
        print_json(facts)
    else:
        click.echo(
            f"{name}: {facts['files']:,} files, {facts['bytes']:,} bytes; {pushed.sent:,} parts sent, "
            f"{pushed.there:,} were there"
        )


@weights.command("list")
@json_option
@place_options
def list_weights(as_json: bool, working_dir: Path | None, config_file: Path | None) -> None:
    """List the weights that are there, and what interrupted pushes left.

    \b
      reme weights list
    """
    with _open(working_dir, config_file) as store:
        found = store.list()
    if as_json:
        print_json({"items": [_describe(each) for each in found]})
    elif found:
        rows = [
            (
                each.name,
                "–" if each.manifest is None else f"{len(each.manifest.files):,}",
                f"{each.stored_bytes if each.manifest is None else each.manifest.bytes:,}",
                "–" if each.manifest is None else each.manifest.digest[:16],
                "not whole: push again" if each.manifest is None else f"pushed {show_moment(each.manifest.pushed_ms)}",
            )
            for each in found
        ]
        print_table(("Name", "Files", "Bytes", "Digest", "State"), rows, right=(1, 2))
    else:
        click.echo("reme: no weights are there yet: `reme weights push FOLDER --name NAME`", err=True)


@weights.command("pull")
@click.argument("name")
@click.argument("folder", type=click.Path(path_type=Path))
@place_options
def pull_weights(name: str, folder: Path, working_dir: Path | None, config_file: Path | None) -> None:
    """Write the weights NAME to FOLDER, which must not be there yet, or be empty.

    \b
      reme weights pull bge-m3 models/bge-m3

    Every part is verified. The folder is there once all files are, and not at all before.
    """
    with _open(working_dir, config_file) as store, track("pulling", "bytes") as show:
        manifest = store.pull(name, folder, progress=show)
    click.echo(f"{name}: {len(manifest.files):,} files, {manifest.bytes:,} bytes in {folder}")


@weights.command("delete")
@click.argument("name")
@place_options
def delete_weights(name: str, working_dir: Path | None, config_file: Path | None) -> None:
    """Delete the weights NAME, or what an interrupted push left of them.

    \b
      reme weights delete bge-m3

    A service that was started with them goes on with its own copy.
    """
    with _open(working_dir, config_file) as store:
        removed = store.delete(name)
    click.echo(f"{name}: {removed:,} bytes deleted")


@contextmanager
def _open(working_dir: Path | None, config_file: Path | None) -> "Iterator[Weights]":
    settings = read_settings(working_dir, config_file)
    from app.assembly import open_weights

    with open_weights(settings) as store:
        yield store


def _describe(kept: "Kept") -> dict[str, object]:
    manifest = kept.manifest
    return {
        "name": kept.name,
        "is_whole": manifest is not None,
        "stored_bytes": kept.stored_bytes,
        "files": None if manifest is None else len(manifest.files),
        "bytes": None if manifest is None else manifest.bytes,
        "digest": None if manifest is None else manifest.digest,
        "pushed_at": None if manifest is None else show_moment(manifest.pushed_ms),
    }
