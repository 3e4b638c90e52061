"""``reme doctor``: examine the store, and repair it."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from app.commands.main import EXIT_FINDING
from app.commands.opening import check_embedded, read_settings
from app.commands.options import json_option, place_options
from app.commands.printing import print_json, print_table

if TYPE_CHECKING:
    from app.backends.sqlite.doctor import Finding


@click.command()
@click.option("--repair", "mend", is_flag=True, help="Mend what can be mended; stop the service first.")
@click.option("--compact", "tidy", is_flag=True, help="Write the file anew without free space; the service may run.")
@json_option
@place_options
def doctor(mend: bool, tidy: bool, as_json: bool, working_dir: Path | None, config_file: Path | None) -> None:
    """Examine the store: whether every page reads, and whether indexes and counts agree with the memories.

    \b
      reme doctor
      reme doctor --repair
      reme doctor --compact

    Without an option the file is only read. A repair copies it first, to memory.db.TIME.bak beside it, and keeps every
    memory that can still be read. After an erasure, copies of erased rows may stay in the file's free space until it
    is compacted, which needs room for two more copies while it runs. The exit code is 3 where something is wrong, or
    was lost, and 1 where the store cannot be examined, such as one that a newer release wrote.
    """
    from app.backends.sqlite.compaction import compact
    from app.backends.sqlite.doctor import examine
    from app.backends.sqlite.repair import repair

    path = check_embedded(read_settings(working_dir, config_file), make=False)
    repaired: tuple[Finding, ...] = repair(path) if mend else ()
    found = examine(path)
    if tidy and not found:  # what does not read should not be written anew
        before, after = compact(path)
        click.echo(f"compacted from {before / 2**20:,.1f} to {after / 2**20:,.1f} MiB", err=True)
    lost = tuple(finding for finding in repaired if not finding.repairable)
    if as_json:
        print_json(
            {
                "store": str(path),
                "sound": not found,
                "findings": [asdict(finding) for finding in found],
                "repaired": [asdict(finding) for finding in repaired],
            }
        )
    else:
        if mend:
            _print_findings("repaired" if repaired else "nothing to repair", repaired)
        _print_findings(f"{path}: {len(found)} findings" if found else f"{path}: sound", found)
        if found and not mend and all(finding.repairable for finding in found):
            click.echo("reme: stop the service, then run `reme doctor --repair`", err=True)
    if found or lost:
        raise SystemExit(EXIT_FINDING)


def _print_findings(title: str, findings: "Sequence[Finding]") -> None:
    click.echo(title)
    if findings:
        rows = [
            (finding.check, f"{finding.rows:,}", finding.problem, "yes" if finding.repairable else "no")
            for finding in findings
        ]
        print_table(("Check", "Rows", "Problem", "Can be repaired"), rows, right=(1,))
