"""``reme-size batch``: many workloads in one run, one row of figures each."""

import csv
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from sizing.commands.price_options import prices_option, rate_option
from sizing.errors import InvalidWorkload, SizingError

if TYPE_CHECKING:
    from sizing.catalogue import Catalogue

RESULT_COLUMNS = (
    "row",
    "name",
    "tier",
    "monthly_usd_low",
    "monthly_usd_expected",
    "monthly_usd_high",
    "unpriced_lines",
    "error",
)
CHUNK_ROWS = 250


@click.command()
@click.argument("source", type=click.Path(path_type=Path, allow_dash=True))
@click.option(
    "--output", "-o", type=click.Path(path_type=Path, dir_okay=False), help="Write to a file instead of the terminal."
)
@prices_option
@rate_option
@click.option("--jobs", type=click.IntRange(1, 64), default=None, help="Processes.  [default: one per processor]")
def batch(
    source: Path, output: Path | None, price_files: tuple[Path, ...], rate: tuple[str, ...], jobs: int | None
) -> None:
    """Plan and price every row of SOURCE, a CSV file whose header names drivers and wishes.

    \b
      printf 'name,users,availability_percent\\nsmall,50,\\nlarge,800,99.9\\n' > teams.csv
      reme-size batch teams.csv -o costs.csv

    A bad row is reported in its column `error` and makes the exit code 2; the other rows are still done.
    """
    from sizing.commands.files import write_whole

    rows = _read(source)
    own = (price_files, rate)
    prices_for(own)
    results = list(_assess_all(rows, jobs, own))
    text = _write(results)
    if output is None:
        click.echo(text, nl=False)
    else:
        write_whole(output, text)
    failed = sum(bool(result["error"]) for result in results)
    click.echo(f"reme-size: {len(results) - failed} planned, {failed} refused", err=True)
    if failed:
        raise SystemExit(2)


def _read(source: Path) -> list[dict[str, str]]:
    try:
        if str(source) == "-":
            return _rows(sys.stdin)
        with source.open(encoding="utf-8-sig", newline="") as file:
            return _rows(file)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InvalidWorkload("source", str(source), f"a readable CSV file ({error})") from None


def _rows(file: TextIO) -> list[dict[str, str]]:
    reader = csv.DictReader(file)
    rows = list(reader)
    if not rows:
        raise InvalidWorkload("source", "an empty file", "a CSV file with a header and at least one row")
    names = reader.fieldnames or []
    if len(set(names)) != len(names):
        raise InvalidWorkload("source", ",".join(names), "every column once")
    if any(None in row or None in row.values() for row in rows):
        raise InvalidWorkload("source", "rows of uneven length", "as many columns in every row as in the header")
    return rows


NUMBERS = ("availability_percent",)
WHOLE_NUMBERS = ("dimensions",)
LISTS = ("clouds",)
FLAGS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def read_row(row: Mapping[str, str]) -> dict[str, object]:
    """Return a row as a workload document: empty cells are left out, lists are split at ``|``.

    ``override.NAME`` and ``model.TASK`` fill those tables; ``regions`` lists ``cloud:region=nodes``.
    """
    from sizing.regions import CLOUDS
    from sizing.workload import request_region

    document: dict[str, object] = {}
    for raw, cell in row.items():
        name, value = raw.strip(), cell.strip()
        if not value:
            continue
        table, _, key = name.partition(".")
        if table in ("override", "model") and key:
            found = document.setdefault(f"{table}s", {})
            assert isinstance(found, dict)  # noqa: S101
            found[key] = value
        elif name in LISTS:
            document[name] = value.split("|")
        elif name == "regions":
            requests = [request_region(text, CLOUDS) for text in value.split("|")]
            document[name] = [{"cloud": r.region.cloud, "region": r.region.region, "nodes": r.nodes} for r in requests]
        elif name == "gdpr":
            if value.lower() not in FLAGS:
                raise InvalidWorkload(name, value, ", ".join(FLAGS))
            document[name] = FLAGS[value.lower()]
        elif name in (*NUMBERS, *WHOLE_NUMBERS):
            try:
                document[name] = float(value) if name in NUMBERS else int(value)
            except ValueError:
                raise InvalidWorkload(name, value, "a number") from None
        else:
            document[name] = value
    return document


OwnPrices = tuple[tuple[Path, ...], tuple[str, ...]]
"""The user's price files and exchange rates: what a process needs to load the same catalogue."""


@cache
def prices_for(own: OwnPrices) -> "Catalogue":
    """Return the catalogue of a process, loaded once; raises CatalogueError for a bad file."""
    from sizing.catalogue import load_catalogue

    return load_catalogue(*own)


def assess_row(number: int, row: Mapping[str, str], own: OwnPrices = ((), ())) -> dict[str, str]:
    """Return the figures of one row, or its error."""
    from sizing.cost.report import total_design
    from sizing.design import design
    from sizing.workload_document import read_workload

    result = dict.fromkeys(RESULT_COLUMNS, "")
    result.update(row=str(number), name=row.get("name", ""))
    try:
        workload = read_workload(read_row(row))
        drawn = design(workload, prices_for(own))
        total, unpriced = total_design(drawn)
    except SizingError as error:
        result["error"] = str(error)
        return result
    result.update(
        name=workload.name,
        tier=drawn.tier.name,
        monthly_usd_low=str(total.low),
        monthly_usd_expected=str(total.expected),
        monthly_usd_high=str(total.high),
        unpriced_lines=str(unpriced),
    )
    return result


def _assess_chunk(chunk: list[tuple[int, dict[str, str]]], own: OwnPrices) -> list[dict[str, str]]:
    return [assess_row(number, row, own) for number, row in chunk]


def _assess_all(rows: list[dict[str, str]], jobs: int | None, own: OwnPrices) -> Iterator[dict[str, str]]:
    from sizing.commands.progress import track

    numbered = list(enumerate(rows, start=1))
    chunks = [numbered[start : start + CHUNK_ROWS] for start in range(0, len(numbered), CHUNK_ROWS)]
    with track("planning", len(rows)) as advance:
        if len(chunks) == 1 or jobs == 1:
            for chunk in chunks:
                yield from _assess_chunk(chunk, own)
                if advance is not None:
                    advance(len(chunk))
            return
        from concurrent.futures import ProcessPoolExecutor

        with ProcessPoolExecutor(max_workers=jobs) as pool:
            for done in pool.map(_assess_chunk, chunks, repeat(own)):
                yield from done
                if advance is not None:
                    advance(len(done))


def _write(results: list[dict[str, str]]) -> str:
    from io import StringIO

    buffer = StringIO()
    writer = csv.DictWriter(buffer, RESULT_COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(results)
    return buffer.getvalue()
