"""Retrieval from one workspace, from the mix of 64, under filters, and of 1,024 dimensions."""

from benchmarks.corpus.preparation import USE_DIMENSIONS
from benchmarks.corpus.synthetic import DIMENSIONS
from benchmarks.engines.contract import HYBRID, PIPELINE, Where
from benchmarks.engines.roster import OURS
from benchmarks.measurement import SIZES, Outcome
from benchmarks.rounds import Case, run_case
from benchmarks.stand import Stand

_FILTERS = {
    "1 %": (
        Where(field="kind", value="working"),
        Where(field="author", value="auditor"),
        Where(field="tag", value="pinned"),
        Where(field="channel", value="letter"),
    ),
    "10 %": (
        Where(field="kind", value="tool"),
        Where(field="author", value="reviewer"),
        Where(field="tag", value="shared"),
        Where(field="channel", value="phone"),
    ),
}
"""Conditions and the share of memories that meet them; `channel` is a key of the metadata."""
_QUICK = (OURS, "chroma", "lancedb", "sqlite-vec")
"""The engines of the wide vectors; the others compare every vector in Python or numpy, which 512 dimensions show."""
_NAMES = {"kind": "type", "author": "author", "tag": "tag", "channel": "metadata", "created": "time"}


def retrieve(stand: Stand, size: str) -> Outcome:
    """The vector leg and the hybrid of one workspace that holds everything."""
    outcome = Outcome(suite="retrieve", size=size)
    dataset = stand.dataset(SIZES[size])
    outcome.facts["data"] = dataset.describe()
    _run(stand, outcome, size, (Case(name="vector"), Case(name="hybrid", leg=HYBRID)), mixed=False)
    _run(stand, outcome, size, (Case(name="pipeline", leg=PIPELINE),), mixed=False)
    return outcome


def mix(stand: Stand, size: str) -> Outcome:
    """The same from 64 workspaces whose sizes, and whose traffic, follow Zipf's law."""
    outcome = Outcome(suite="mix", size=size)
    cases = (
        Case(name="vector", mixed=True),
        Case(name="hybrid", leg=HYBRID, mixed=True),
        Case(name="pipeline", leg=PIPELINE, mixed=True),
    )
    _run(stand, outcome, size, cases, mixed=True)
    return outcome


def filters(stand: Stand, size: str) -> Outcome:
    """Filtered vector search by type, author, tag, metadata and time, at two selectivities."""
    outcome = Outcome(suite="filters", size=size)
    truth = stand.truth(stand.dataset(SIZES[size]))
    cases = []
    for share, conditions in _FILTERS.items():
        for where in (*conditions, truth.span(float(share.split()[0]) / 100)):
            cases.append(Case(name=f"{_NAMES[where.field]}, {share}", where=where, questions=100))
    _run(stand, outcome, size, tuple(cases), mixed=False)
    return outcome


def wide(stand: Stand, size: str) -> Outcome:
    """The vector leg with synthetic vectors of 1,024 dimensions."""
    outcome = Outcome(suite="wide", size=size)
    outcome.facts["data"] = stand.dataset(SIZES[size], DIMENSIONS).describe()
    _run(stand, outcome, size, (Case(name="vector"),), mixed=False, dimensions=DIMENSIONS, only=_QUICK)
    return outcome


def _run(
    stand: Stand,
    outcome: Outcome,
    size: str,
    cases: tuple[Case, ...],
    *,
    mixed: bool,
    dimensions: int = USE_DIMENSIONS,
    only: tuple[str, ...] = (),
) -> None:
    dataset = stand.dataset(SIZES[size], dimensions)
    stores = stand.stores(dataset, mixed=mixed, outcome=outcome, only=only)
    truth = stand.truth(dataset)
    with stand.opened(stores, dataset, outcome) as workers:
        for case in cases:
            stand.say(f"{outcome.suite} {size}: {case.name}")
            # There are ten filters, so that each gets half of the time.
            budget_s = stand.budget_s / 2 if case.where else stand.budget_s
            run_case(case, workers, stores, dataset, truth, outcome, budget_s=budget_s)
        for name, worker in workers.items():
            usage = worker.ask("usage")
            outcome.facts.setdefault("resident_mb", {})[name] = round(usage["rss_mb"], 1)
