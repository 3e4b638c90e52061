"""Write sizing/data/yardsticks.csv from the benchmarks' results; ``--check`` only tells whether it is up to date.

A fixed part and a part for each memory are those of the line that errs least, relative to what was measured at each
size; the error is that of the size that it fits worst. Where there are as many sizes as unknowns, or one run, the error
is left empty. Sizes and RAM are in MiB in the results, and in MB of 10^6 bytes here.
"""

import argparse
import csv
import io
import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RESULTS = "benchmarks/results"
TABLE = ROOT / "sizing" / "data" / "yardsticks.csv"
COLUMNS = ("store", "quantity", "unit", "value", "error_percent", "sizes", "source", "date")
SIZES = ("1k", "10k", "100k")
MIB_MB = 2**20 / 10**6
HELD = "loading and memory"
MAX_WAL_MIB = 1024.0
"""PostgreSQL's default of max_wal_size, which the measured server had; its log reached it at 100,000 memories."""

Point = tuple[float, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """A fixed part, a part for each memory, and the largest relative error; None where points are as many as parts."""

    fixed: float
    each: float
    error: float | None


def fit_line(points: Sequence[Point]) -> Line:
    """The line of the least squares of relative errors through (memories, amount); no part is below 0."""
    a = sum(1 / y**2 for _, y in points)
    b = sum(x / y**2 for x, y in points)
    c = sum(x * x / y**2 for x, y in points)
    d, e = sum(1 / y for _, y in points), sum(x / y for x, y in points)
    fixed, each = (d * c - b * e) / (a * c - b * b), (a * e - b * d) / (a * c - b * b)
    if fixed < 0:
        fixed, each = 0.0, e / c
    worst = max(abs(fixed + each * x - y) / y for x, y in points)
    return Line(fixed=fixed, each=each, error=worst if len(points) > 2 else None)


@cache
def read_result(name: str) -> Mapping[str, Any]:
    """One file of the benchmarks' results, e.g. ``stores-1k``."""
    found: Mapping[str, Any] = json.loads((ROOT / RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    return found


def find(name: str, case: str, engine: str) -> Mapping[str, float]:
    """The values of a case, with the memories as ``rows``; raises LookupError where it was not measured."""
    for one in read_result(name)["measurements"]:
        if one["case"] == case and one["engine"] == engine:
            return {**one["values"], "rows": float(one["rows"])}
    raise LookupError(f"{name}: no {case!r} of {engine}")


def list_sizes(engine: str) -> tuple[str, ...]:
    """The sizes at which a store was measured."""
    return tuple(
        size for size in SIZES if any(one["engine"] == engine for one in read_result(f"stores-{size}")["measurements"])
    )


def date_of(*names: str) -> str:
    """The day of the latest of some results."""
    return max(read_result(name)["started"] for name in names)[:10]


def write_row(
    store: str, quantity: str, unit: str, value: float, error: float | None, names: Sequence[str], case: str
) -> tuple[str, ...]:
    """One row of the table, of a case of some results."""
    sizes = ", ".join(name.rpartition("-")[2] for name in names)
    files = ", ".join(f"{RESULTS}/{name}.json" for name in names)
    shown = "" if error is None else f"{math.ceil(100 * error)}"
    return store, quantity, unit, f"{float(f'{value:.4g}'):g}", shown, sizes, f"{files}, {case}", date_of(*names)


def held_rows() -> list[tuple[str, ...]]:
    """What each store takes on disk, and each server in RAM; an index beside a store without that store."""
    rows: list[tuple[str, ...]] = []
    for store, engine, key, quantity in (
        ("sqlite", "sqlite", "file_mb", "disk"),
        ("chroma", "chroma", "file_mb", "disk"),
        ("chroma", "chroma", "server_mb", "ram"),
        ("elasticsearch", "elasticsearch", "file_mb", "disk"),
        ("elasticsearch", "elasticsearch", "server_mb", "ram"),
        ("qdrant-local", "qdrant", "file_mb", "disk"),
        ("qdrant-local", "qdrant", "rss_mb", "ram"),
    ):
        is_whole = engine == "sqlite" or key == "server_mb"
        sizes = list_sizes(engine)
        names = [f"stores-{size}" for size in sizes]
        points = []
        for name in names:
            values = find(name, HELD, engine)
            below = 0.0 if is_whole else find(name, HELD, "sqlite")[key]
            points.append((values["rows"], (values[key] - below) * MIB_MB))
        line = fit_line(points)
        case = f"{HELD}, {engine} {key}" + ("" if is_whole else f" less sqlite {key}")
        rows.append(write_row(store, f"{quantity}_fixed", "MB", line.fixed, line.error, names, case))
        rows.append(write_row(store, f"{quantity}_per_memory", "bytes", line.each * 1e6, line.error, names, case))
    return rows


def postgres_rows() -> list[tuple[str, ...]]:
    """PostgreSQL's files, parted into what the database takes and its log, which grows up to ``max_wal_size``.

    Three sizes for three unknowns: at 1k and 10k the log is below its limit, at 100k at it.
    """
    names = [f"stores-{size}" for size in SIZES]
    (few, small), (some, middle), (many, large) = (
        (values["rows"], values["file_mb"]) for values in (find(name, HELD, "postgres") for name in names)
    )
    both = (middle - small) / (some - few)
    fixed = small - few * both
    each = (large - fixed - MAX_WAL_MIB) / many
    case = f"{HELD}, postgres file_mb"
    last = names[-1:]
    return [
        write_row("postgres", "disk_fixed", "MB", fixed * MIB_MB, None, names, case),
        write_row("postgres", "disk_per_memory", "bytes", each * 2**20, None, names, case),
        write_row("postgres", "wal_per_memory", "bytes", (both - each) * 2**20, None, names, case),
        write_row("postgres", "wal_most", "MB", MAX_WAL_MIB * MIB_MB, None, last, f"{case}; the default max_wal_size"),
        write_row(
            "postgres",
            "ram_used",
            "MB",
            find(last[0], HELD, "postgres")["server_mb"] * MIB_MB,
            None,
            last,
            f"{HELD}, postgres server_mb",
        ),
    ]


def search_rows() -> list[tuple[str, ...]]:
    """What the client of a store adds to a retrieval's CPU in the service: the most over the sizes, at least 0."""
    rows = []
    for engine in ("postgres", "elasticsearch", "chroma"):
        names = [f"stores-{size}" for size in list_sizes(engine)]
        more = [
            find(name, "hybrid", engine)["cpu_p50_ms"] - find(name, "hybrid", "sqlite")["cpu_p50_ms"] for name in names
        ]
        most, least = max(0.0, *more), max(0.0, min(more))
        spread = (most - least) / most if most else None
        case = f"hybrid, {engine} cpu_p50_ms less sqlite's"
        rows.append(write_row(engine, "retrieval_cpu_extra", "ms", most, spread, names, case))
    return rows


def service_rows() -> list[tuple[str, ...]]:
    """Requests a second of busy CPU, and RAM of a worker with the embedded store."""
    name, engine = "http-100k", "reme-cloud"

    def rate(case: str) -> float:
        values = find(name, case, engine)
        return values["requests_per_s"] / values["service_cpu"]

    rows = []
    for quantity, corpus, goal in (
        ("retrievals_per_vcpu", "single", "100 requests/s"),
        ("retrievals_per_vcpu_mix", "mix", "300 requests/s"),
    ):
        case = f"{corpus}: 100 clients"
        best = rate(case)
        least = min(rate(f"{corpus}: {load}") for load in ("half of that rate", goal, "one client"))
        rows.append(write_row("service", quantity, "1/s", best, (best - least) / best, [name], f"{case}, {engine}"))
    case = "summary, 4 clients"
    rows.append(write_row("service", "summaries_per_vcpu", "1/s", rate(case), None, [name], f"{case}, {engine}"))
    few, many, most = (read_result(f"retrieve-{size}")["facts"]["resident_mb"][engine] for size in ("1k", "100k", "1m"))
    served = find(name, "single: memory of a worker", engine)["rss_mb"]
    case = f"resident_mb, {engine}"
    each = (many - few) / (100_000 - 1_000)
    names = ["retrieve-1k", "retrieve-100k"]
    rows.append(
        write_row("service", "ram_fixed", "MB", (served - many + few) * MIB_MB, None, [*names, name], f"{case}, rss_mb")
    )
    rows.append(write_row("service", "ram_per_memory", "bytes", each * 2**20, None, names, case))
    rows.append(
        write_row("service", "ram_most", "MB", (most - few) * MIB_MB, None, ["retrieve-1k", "retrieve-1m"], case)
    )
    return rows


def write_table() -> str:
    """The whole table as CSV."""
    file = io.StringIO()
    table = csv.writer(file, lineterminator="\n")
    table.writerow(COLUMNS)
    table.writerows([*held_rows(), *postgres_rows(), *search_rows(), *service_rows()])
    return file.getvalue()


def main() -> int:
    """Write the table, or return 1 where the one that is there is out of date."""
    parser = argparse.ArgumentParser(description="Write sizing's measured figures.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 where the table is stale")
    text = write_table()
    if parser.parse_args().check:
        if TABLE.exists() and TABLE.read_text(encoding="utf-8") == text:
            return 0
        print(f"out of date: {TABLE.name}; run python tools/write_yardsticks.py", file=sys.stderr)
        return 1
    TABLE.write_text(text, encoding="utf-8")
    print(f"wrote {TABLE.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
