"""``reme import``: read JSON lines into a workspace."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from app.commands.main import EXIT_FINDING
from app.commands.opening import local_admin, open_services, read_settings
from app.commands.options import json_option, place_options, workspace_option
from app.commands.printing import clean, print_json
from app.commands.progress import track
from app.commands.reading import input_files, read_lines

if TYPE_CHECKING:
    from app.service.transfers import ImportReport

SHOWN = 20
"""Rejected lines that are shown one by one; `--json` lists all."""


@click.command("import")
@click.argument("files", type=click.Path(path_type=Path, allow_dash=True), nargs=-1)
@workspace_option
@json_option
@place_options
def import_memories(
    files: tuple[Path, ...],
    workspace: str,
    tenant: str,
    as_json: bool,
    working_dir: Path | None,
    config_file: Path | None,
) -> None:
    """Read FILES, or standard input, into a workspace: lines of `reme export`, or of a dump of version 0.2.

    \b
      reme import memories.jsonl --workspace team
      gzip -dc memories.jsonl.gz | reme import --workspace team

    Ids and times are kept. What is there already is left alone, so that an import can be repeated. A line that
    cannot be used is reported and left out; the exit code is then 3.
    """
    from app.service.transfers import LINE_CHARACTERS

    principal = local_admin(tenant)
    reports: list[tuple[str, ImportReport]] = []
    with open_services(read_settings(working_dir, config_file), make=True) as services:
        for name, source, size in input_files(files):
            with track(f"importing {name}", "bytes") as show:
                done = 0

                def advance(count: int) -> None:
                    nonlocal done
                    done += count
                    show(done, size)  # noqa: B023 - called only while this file is read

                # A character takes four bytes at most; what has more is over the limit in characters too.
                lines = read_lines(source, most=4 * LINE_CHARACTERS, advance=advance)
                reports.append((name, services.transfers.import_lines(principal, workspace, lines)))
    if as_json:
        print_json([_describe(name, report) for name, report in reports])
    else:
        for name, report in reports:
            _print_report(name, report)
    if any(report.rejected for _, report in reports):
        raise SystemExit(EXIT_FINDING)


def _describe(name: str, report: "ImportReport") -> dict[str, object]:
    return {
        "file": name,
        "read": report.read,
        "created": report.created,
        "duplicates": report.duplicates,
        "rejected": [{"line": number, "reason": reason} for number, reason in report.rejected],
    }


def _print_report(name: str, report: "ImportReport") -> None:
    click.echo(
        f"{name}: {report.read:,} read, {report.created:,} created, {report.duplicates:,} there already, "
        f"{len(report.rejected):,} rejected"
    )
    for number, reason in report.rejected[:SHOWN]:
        click.echo(f"reme: {name}, line {number}: {clean(reason)}", err=True)
    if len(report.rejected) > SHOWN:
        click.echo(f"reme: {name}: {len(report.rejected) - SHOWN:,} more; --json lists all", err=True)
