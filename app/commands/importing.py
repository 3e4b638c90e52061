"""``reme import``: read JSON lines, or what other memory software wrote, into a workspace."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from app.commands.main import EXIT_FINDING
from app.commands.opening import local_admin, open_services, read_settings
from app.commands.options import json_option, place_options, workspace_option
from app.commands.printing import clean, print_json
from app.commands.progress import track
from app.commands.reading import input_files, read_lines
from app.errors import InvalidRequest

if TYPE_CHECKING:
    from app.service.transfers import ImportReport

SHOWN = 20
"""Rejected lines that are shown one by one; `--json` lists all."""


@click.command("import")
@click.argument("files", type=click.Path(path_type=Path, allow_dash=True), nargs=-1)
@workspace_option
@click.option(
    "--format",
    "form",
    type=click.Choice(("auto", "reme", "reme-0.3", "mem0", "graphiti", "zep", "letta", "plain")),
    default="auto",
    help="Who wrote the files; auto looks.",
)
@click.option("--user", "user_id", default="", help="Whom memories are about that name no user.")
@click.option("--dry-run", is_flag=True, help="Read and count, and store nothing.")
@json_option
@place_options
def import_memories(
    files: tuple[Path, ...],
    workspace: str,
    form: str,
    user_id: str,
    dry_run: bool,
    tenant: str,
    as_json: bool,
    working_dir: Path | None,
    config_file: Path | None,
) -> None:
    """Read FILES, or standard input, into a workspace: lines of `reme export` or of a dump of ReMe 0.2, memories of
    ReMe 0.3, mem0, Zep, graphiti or Letta (.af), or plain lines of text.

    \b
      reme import memories.jsonl --workspace team
      gzip -dc memories.jsonl.gz | reme import --workspace team
      reme import agent.af --format letta --user ana --dry-run

    Ids and times are kept. What is there already is left alone, so that an import can be repeated. A line that
    cannot be used is reported and left out; the exit code is then 3. Files of other software are read whole; what
    they hold beside memories (tools, settings, vectors) is left out and counted.
    """
    principal = local_admin(tenant)
    reports: list[tuple[str, ImportReport, Source]] = []
    with open_services(read_settings(working_dir, config_file), make=True) as services:
        for name, source, size in input_files(files):
            with track(f"importing {name}", "bytes") as show:
                done = 0

                def advance(count: int) -> None:
                    nonlocal done
                    done += count
                    show(done, size)  # noqa: B023 - called only while this file is read

                given = _open_source(source, name, form, user_id, advance)
                if dry_run:
                    report = services.transfers.examine_lines(given.lines)
                else:
                    report = services.transfers.import_lines(principal, workspace, given.lines)
                reports.append((name, report, given))
    if as_json:
        print_json([_describe(name, report, given) for name, report, given in reports])
    else:
        for name, report, given in reports:
            _print_report(name, report, given, dry_run=dry_run)
    if any(report.rejected for _, report, _ in reports):
        raise SystemExit(EXIT_FINDING)


@dataclass(frozen=True, kw_only=True)
class Source:
    """Who wrote a file, its lines, and what is left out of it, which is known once the lines are read."""

    form: str
    lines: Iterator[str]
    left_out: Mapping[str, int]


def _open_source(source: BinaryIO, name: str, form: str, user_id: str, advance: Callable[[int], None]) -> Source:
    """A file's lines: one by one where they are ours, else as they are made of the whole file."""
    from app.service.foreign import AUTO, MOST_BYTES, REME, convert, looks_like_ours
    from app.service.transfers import LINE_CHARACTERS

    beginning = source.peek(1).decode("utf-8", "replace") if isinstance(source, BufferedReader) else ""
    if form == REME or (form == AUTO and looks_like_ours(beginning)):
        # A character takes four bytes at most; what has more is over the limit in characters too.
        lines = read_lines(source, most=4 * LINE_CHARACTERS, advance=advance)
        return Source(form=REME, lines=lines, left_out={})
    content = source.read(MOST_BYTES + 1)
    advance(len(content))
    if len(content) > MOST_BYTES:
        raise InvalidRequest(
            f"{name} holds over {MOST_BYTES:,} bytes: split it, files of other software are read whole"
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"{name} is no UTF-8 text (byte {error.start}): convert it first") from None
    try:
        found = convert(text, form, user_id=user_id)
    except InvalidRequest as error:
        raise InvalidRequest(f"{name}: {error.message}") from None
    return Source(form=found.form, lines=found.lines, left_out=found.left_out)


def _describe(name: str, report: "ImportReport", given: Source) -> dict[str, object]:
    return {
        "file": name,
        "format": given.form,
        "read": report.read,
        "created": report.created,
        "duplicates": report.duplicates,
        "left_out": {what: count for what, count in given.left_out.items() if count},
        "rejected": [{"line": number, "reason": reason} for number, reason in report.rejected],
    }


def _print_report(name: str, report: "ImportReport", given: Source, *, dry_run: bool) -> None:
    counts = "would be read" if dry_run else f"read, {report.created:,} created, {report.duplicates:,} there already"
    click.echo(f"{name}: {report.read:,} {counts}, {len(report.rejected):,} rejected")
    left_out = ", ".join(f"{count:,} {what}" for what, count in given.left_out.items() if count)
    if left_out:
        click.echo(f"reme: {name}: left out of {given.form}: {clean(left_out)}", err=True)
    for number, reason in report.rejected[:SHOWN]:
        click.echo(f"reme: {name}, line {number}: {clean(reason)}", err=True)
    if len(report.rejected) > SHOWN:
        click.echo(f"reme: {name}: {len(report.rejected) - SHOWN:,} more; --json lists all", err=True)
