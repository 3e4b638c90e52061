"""`python -m benchmarks SUITE --size SIZE`: measures, keeps the figures as JSON and writes the report."""

import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import click

from benchmarks.corpus.preparation import EMBEDDED
from benchmarks.engines.roster import ROSTER, STORES, find_entries
from benchmarks.errors import BenchmarkError
from benchmarks.measurement import RESULTS, SIZES, Outcome, describe_surroundings, load_outcomes, stamp
from benchmarks.processes import ROOT
from benchmarks.quality import command as quality
from benchmarks.report import write_report
from benchmarks.stand import Stand
from benchmarks.suites.http import http
from benchmarks.suites.limits import limits
from benchmarks.suites.retrieve import filters, mix, retrieve, wide
from benchmarks.suites.stores import stores
from benchmarks.suites.writing import ingest, startup

SUITES: Mapping[str, Callable[[Stand, str], Outcome]] = {
    "limits": limits,
    "retrieve": retrieve,
    "startup": startup,
    "filters": filters,
    "mix": mix,
    "http": http,
    "ingest": ingest,
    "wide": wide,
    "stores": stores,
}
"""In the order in which `all` runs them: the single writes of `ingest` leave traces in stores, so others come first."""
PLAN = (
    *(("retrieve", "1k"), ("retrieve", "10k")),
    *(("stores", "1k"), ("stores", "10k")),
    *((suite, "100k") for suite in SUITES),
    *(("limits", "1m"), ("retrieve", "1m"), ("ingest", "1m")),
)
"""What `all` runs. A suite whose size is above `--size` is left out."""
_LIMIT_S = {"1k": 60.0, "10k": 120.0, "100k": 240.0, "1m": 900.0}
"""How long one engine may take to load."""


def _say(text: str) -> None:
    click.echo(f"{time.strftime('%H:%M:%S')}  {text}")


@click.command()
@click.argument("suite", type=click.Choice([*SUITES, "all", "report", quality.SUITE]))
@click.option("--size", type=click.Choice(list(SIZES)), default=None, help="Memories; for `all` the largest size.")
@click.option("--engines", default="", help="Names with commas; ours is always among them. All unless given.")
@click.option("--report", type=click.Path(path_type=Path), default=None, help="Write the report here afterwards.")
@click.option("--rebuild", is_flag=True, help="Load every store anew; `all` does.")
@click.option("--resume", is_flag=True, help="With `all`: go on where a run was stopped; keeps stores and figures.")
@click.option("--budget-s", default=20.0, show_default=True, help="Seconds of questions for an engine in a case.")
@click.option("--limit-s", default=None, type=float, help="Seconds for an engine to load; 60 to 900 by size.")
@click.option("--suite", "questions", type=click.Choice(quality.SETS), default="made", help="With `quality`: of whom.")
@click.option("--data", type=click.Path(path_type=Path), default=None, help="With `quality`: the set's own file.")
@click.option("--embedded", default=EMBEDDED, show_default=True, help="Texts that are really embedded.")
def main(
    suite: str,
    size: str | None,
    engines: str,
    report: Path | None,
    rebuild: bool,
    resume: bool,
    budget_s: float,
    limit_s: float | None,
    questions: str,
    data: Path | None,
    embedded: int,
) -> None:
    """Measure the memory service beside its peers, or with `quality` how well it finds."""
    if suite == quality.SUITE:
        _measure_quality(questions, data, report)
        return
    largest = SIZES[size or "1m"]
    plan = [(name, at) for name, at in PLAN if SIZES[at] <= largest] if suite == "all" else [(suite, size or "10k")]
    if suite == "all" and largest < SIZES["100k"]:
        plan = [(name, size or "10k") for name in SUITES]
    if suite == "all" and not resume:
        for path in RESULTS.glob("*-*.json"):
            if not path.name.startswith(f"{quality.SUITE}-"):
                path.unlink()
    elif suite == "all":
        plan = [(name, at) for name, at in plan if not (RESULTS / f"{name}-{at}.json").exists()]
    failed: list[str] = []
    try:
        entries = find_entries(engines)
        stand: Stand | None = None
        for name, at in plan if suite != "report" else []:
            if stand is None:
                stand = Stand(
                    environments=ROOT / ".envs",
                    entries=entries,
                    say=_say,
                    limit_s=_LIMIT_S[at],
                    budget_s=budget_s,
                    embedded=embedded,
                    rebuild=rebuild or (suite == "all" and not resume),
                )
            stand.limit_s = limit_s or _LIMIT_S[at]
            try:
                _run(stand, name, at)
            except BenchmarkError as fault:
                # The other suites of a long run are worth having all the same.
                failed.append(f"{name} {at}: {fault}")
                _say(f"failed: {failed[-1]}")
    except BenchmarkError as fault:
        raise click.ClickException(str(fault)) from fault
    if report is not None:
        write_report(report, load_outcomes(), (*ROSTER, *STORES))
        _say(f"wrote {report}")
    if failed:
        raise click.ClickException("; ".join(failed))


def _measure_quality(questions: str, data: Path | None, report: Path | None) -> None:
    try:
        for path in quality.measure_quality(questions, environments=ROOT / ".envs", say=_say, data=data):
            _say(f"wrote {path.relative_to(ROOT)}")
    except BenchmarkError as fault:
        raise click.ClickException(str(fault)) from fault
    if report is not None:
        quality.write_page(report)
        _say(f"wrote {report}")


def _run(stand: Stand, suite: str, size: str) -> None:
    """One suite at one size, with what surrounded it."""
    surroundings, started, clock = describe_surroundings(), stamp(), time.monotonic()
    outcome = SUITES[suite](stand, size)
    outcome.surroundings = {**surroundings, "load_after": round(os.getloadavg()[0], 2)}
    outcome.started, outcome.seconds = started, round(time.monotonic() - clock, 1)
    path = outcome.save()
    for gone in outcome.left_out:
        _say(f"left out: {gone['engine']} {gone['case']}: {gone['reason']}")
    _say(f"{suite} {size}: {outcome.seconds:.0f} s, {path.relative_to(ROOT)}")


if __name__ == "__main__":
    sys.exit(main())
