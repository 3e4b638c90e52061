"""The figures that the service is to reach, and what was measured for each."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.engines.roster import OURS
from benchmarks.measurement import Outcome

CHROMA = "chroma"


@dataclass(frozen=True, kw_only=True, slots=True)
class Goal:
    """A bound on a figure of ours in a suite, a size and a case. `share_of` names a peer to be compared with."""

    title: str
    suite: str
    case: str
    value: str
    bound: float
    unit: str
    size: str = "100k"
    at_least: bool = False

    @property
    def wanted(self) -> str:
        """The bound in words."""
        return f"{'at least' if self.at_least else 'below'} {self.bound:,g}{self.unit}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """A goal and what was measured for it; None where that was not measured."""

    goal: Goal
    measured: float | None

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None if nothing was measured."""
        if self.measured is None:
            return None
        return self.measured >= self.goal.bound if self.goal.at_least else self.measured < self.goal.bound


GOALS = (
    Goal(
        title="hybrid retrieval with embedding, 100,000 memories, p95",
        suite="retrieve",
        case="pipeline",
        value="p95_ms",
        bound=10,
        unit=" ms",
    ),
    Goal(
        title="hybrid retrieval, vector given, 100,000 memories, p95",
        suite="retrieve",
        case="hybrid",
        value="p95_ms",
        bound=10,
        unit=" ms",
    ),
    Goal(
        title="hybrid retrieval with embedding, 1,000,000 memories, p95",
        suite="retrieve",
        case="pipeline",
        value="p95_ms",
        bound=30,
        unit=" ms",
        size="1m",
    ),
    Goal(
        title="recall@10 of the vector leg, 100,000 memories",
        suite="retrieve",
        case="vector",
        value="recall",
        bound=0.98,
        unit="",
        at_least=True,
    ),
    Goal(
        title="recall@10 of the vector leg, 1,000,000 memories",
        suite="retrieve",
        case="vector",
        value="recall",
        bound=0.98,
        unit="",
        size="1m",
        at_least=True,
    ),
    Goal(
        title="filtered search, times as quick as Chroma (the worst filter, p50)",
        suite="filters",
        case="",
        value="p50_ms",
        bound=30,
        unit="x",
        at_least=True,
    ),
    Goal(
        title="loading without embedding",
        suite="ingest",
        case="batches of 1,000",
        value="rows_per_s",
        bound=5000,
        unit=" memories/s",
        at_least=True,
    ),
    Goal(
        title="acknowledged single write, p95",
        suite="ingest",
        case="single write",
        value="p95_ms",
        bound=50,
        unit=" ms",
    ),
    Goal(
        title="acknowledged write over HTTP with embedding, p95",
        suite="http",
        case="single: write, 4 clients",
        value="p95_ms",
        bound=50,
        unit=" ms",
    ),
    Goal(
        title="HTTP, 64 workspaces, 100 clients",
        suite="http",
        case="mix: 100 clients",
        value="requests_per_s",
        bound=600,
        unit=" requests/s",
        at_least=True,
    ),
    Goal(
        title="HTTP, one workspace, 100 clients",
        suite="http",
        case="single: 100 clients",
        value="requests_per_s",
        bound=200,
        unit=" requests/s",
        at_least=True,
    ),
    Goal(
        title="HTTP, 64 workspaces, at 300 requests/s, p95",
        suite="http",
        case="mix: 300 requests/s",
        value="p95_ms",
        bound=30,
        unit=" ms",
    ),
    Goal(
        title="HTTP, one workspace, at 100 requests/s, p95",
        suite="http",
        case="single: 100 requests/s",
        value="p95_ms",
        bound=30,
        unit=" ms",
    ),
    Goal(
        title="memory of a worker with the embedder, one workspace",
        suite="http",
        case="single: memory of a worker",
        value="rss_mb",
        bound=400,
        unit=" MB",
    ),
    Goal(title="start of the service", suite="http", case="single: start", value="ready_s", bound=2, unit=" s"),
)
"""What this repository set itself."""

SERVICE_LEVELS = (
    *(
        Goal(
            title=f"retrieve, 100 clients, {key}",
            suite="http",
            case="single: 100 clients",
            value=f"{key}_ms",
            bound=bound,
            unit=" ms",
        )
        for key, bound in (("p50", 100), ("p95", 500), ("p99", 1000))
    ),
    *(
        Goal(
            title=f"summary, {key}", suite="http", case="summary, 4 clients", value=f"{key}_ms", bound=bound, unit=" ms"
        )
        for key, bound in (("p50", 200), ("p95", 800), ("p99", 2000))
    ),
    Goal(title="vector search, p95", suite="retrieve", case="vector", value="p95_ms", bound=100, unit=" ms"),
    Goal(title="vector insert, p95", suite="ingest", case="single write", value="p95_ms", bound=50, unit=" ms"),
    Goal(title="vector delete, p95", suite="ingest", case="single deletion", value="p95_ms", bound=30, unit=" ms"),
    Goal(title="SQLite query, p95", suite="ingest", case="read by id", value="p95_ms", bound=10, unit=" ms"),
    Goal(title="SQLite write, p95", suite="ingest", case="single write", value="p95_ms", bound=5, unit=" ms"),
)
"""What the requirements ask for, models' own time left out (requirements §7.1)."""


def judge(goal: Goal, outcomes: Sequence[Outcome]) -> Verdict:
    """Look a goal's figure up; of the filters it is the worst ratio to Chroma."""
    outcome = next((one for one in outcomes if one.suite == goal.suite and one.size == goal.size), None)
    if outcome is None:
        return Verdict(goal=goal, measured=None)
    if goal.suite == "filters":
        return Verdict(goal=goal, measured=_worst_ratio(outcome, goal.value))
    found = outcome.find(goal.case, OURS)
    return Verdict(goal=goal, measured=None if found is None else found.values.get(goal.value))


def _worst_ratio(outcome: Outcome, value: str) -> float | None:
    ratios = []
    for one in outcome.measurements:
        own = outcome.find(one.case, OURS)
        if one.engine == CHROMA and own is not None and own.values.get(value) and one.values.get(value):
            ratios.append(one.values[value] / own.values[value])
    return round(min(ratios), 1) if ratios else None
