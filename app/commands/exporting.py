"""``reme export``: write a workspace as JSON lines."""

import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import click

from app.commands.opening import local_admin, open_services, read_settings
from app.commands.options import place_options, workspace_option
from app.commands.progress import track
from app.commands.reading import STANDARD
from app.errors import InvalidRequest


@click.command("export")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True), default=STANDARD)
@workspace_option
@place_options
def export_memories(
    file: Path, workspace: str, tenant: str, working_dir: Path | None, config_file: Path | None
) -> None:
    """Write every memory of a workspace to FILE, or to standard output, one JSON object a line.

    \b
      reme export memories.jsonl --workspace team
      reme export --workspace team | gzip > memories.jsonl.gz

    The lines can be read by `reme import` and by version 0.2 of the API. Superseded memories and earlier revisions
    are in it; deleted ones and vectors are not. A file is written whole or not at all.
    """
    principal = local_admin(tenant)
    with open_services(read_settings(working_dir, config_file), make=False) as services:
        services.workspaces.get(principal, workspace)
        total = services.workspaces.contents(principal, workspace).memories
        with _open_output(file) as target, track("exporting", "memories") as show:
            written = 0
            for line in services.transfers.export(principal, workspace):
                target.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n")
                written += 1
                if written % 100 == 0:
                    show(written, total)
    click.echo(f"reme: exported {written:,} memories of workspace {workspace}", err=True)


@contextmanager
def _open_output(file: Path) -> Iterator[TextIO]:
    """Standard output, or a file that takes its place only when all is written."""
    if file == STANDARD:
        yield sys.stdout
        sys.stdout.flush()
        return
    try:
        handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    except OSError as error:
        raise InvalidRequest(f"{file} cannot be written: {error.strerror}") from None
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as target:
            yield target
            target.flush()
            os.fsync(target.fileno())
        temporary.replace(file)
    except OSError as error:
        raise InvalidRequest(f"{file} cannot be written: {error.strerror}") from None
    finally:
        temporary.unlink(missing_ok=True)
