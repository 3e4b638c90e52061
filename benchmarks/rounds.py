"""Asks engines in turn, so that what disturbs the machine disturbs all of them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

from benchmarks.corpus.datasets import Dataset
from benchmarks.corpus.truth import Truth
from benchmarks.engines.contract import VECTOR, Where
from benchmarks.engines.roster import OURS
from benchmarks.errors import EngineFailed, EngineTooSlow
from benchmarks.measurement import Measurement, Outcome, summarise
from benchmarks.processes import WorkerProcess
from benchmarks.stand import Built

BLOCK_QUESTIONS = 20
"""Questions that an engine answers before the next engine's turn: enough to warm the caches, few enough to mix."""
WARM_QUESTIONS = 40
"""Questions of a case that every engine answers before those that count: figures are those of a service that runs."""
LIMIT = 10
FEWEST = 20
"""Below this many questions a 95th percentile says nothing and is not shown."""
_WARM_BUDGETS = 6
"""What is opened at the first question may take this many budgets; it is not counted."""
_GRACE, _LEAST_S = 20, 15


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """What is asked: a leg, a condition, one workspace or the mix, and how many questions at most."""

    name: str
    leg: str = VECTOR
    where: Where | None = None
    mixed: bool = False
    questions: int = 300
    alternatives: Mapping[str, str] = field(default_factory=dict)
    """Engines that answer with another leg, because it is the whole of what they offer."""


@dataclass(kw_only=True)
class _Turn:
    worker: WorkerProcess
    leg: str
    asked: list[int] = field(default_factory=list)
    wall_ms: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)
    found: list[list[int]] = field(default_factory=list)
    over: bool = False


def run_case(
    case: Case,
    workers: dict[str, WorkerProcess],
    stores: Mapping[str, Built],
    dataset: Dataset,
    truth: Truth,
    outcome: Outcome,
    *,
    budget_s: float,
) -> None:
    """Ask all engines that can answer, block by block in turn, and note times and recall of each.

    An engine stops when it has spent `budget_s`. One that fails is left out of this case and the later ones.
    """
    turns = {}
    for name, worker in workers.items():
        leg = case.alternatives.get(name, case.leg)
        if leg not in stores[name].legs:
            continue
        if case.where is not None and case.where.field not in stores[name].fields:
            outcome.leave_out(name, f"cannot filter by {case.where.field}", case.name)
            continue
        turns[name] = _Turn(worker=worker, leg=leg)
    total = min(case.questions, len(dataset.questions) - WARM_QUESTIONS)
    warm = list(range(total, total + WARM_QUESTIONS))
    if case.mixed:
        # One question for each workspace, since engines open a workspace when it is first asked for.
        warm = list({place: item for item, place in enumerate(dataset.questions.workspaces)}.values())
    for name, turn in list(turns.items()):
        if not _ask(turn, case, warm, _WARM_BUDGETS * budget_s, keep=False, name=name, outcome=outcome):
            del turns[name]
            workers.pop(name)
    for number, start in enumerate(range(0, total, BLOCK_QUESTIONS)):
        items = list(range(start, min(start + BLOCK_QUESTIONS, total)))
        # Every other round goes backwards, so that nobody always comes after the same neighbour.
        for name in list(turns) if number % 2 == 0 else list(reversed(turns)):
            turn = turns[name]
            left_s = budget_s - sum(turn.wall_ms) / 1000
            if turn.over or left_s <= 0:
                continue
            if not _ask(turn, case, items, left_s, keep=True, name=name, outcome=outcome):
                del turns[name]
                workers.pop(name)
    for name, turn in turns.items():
        outcome.measurements.append(_measure(case, name, turn, stores[name], dataset, truth))


def _ask(
    turn: _Turn, case: Case, items: Sequence[int], budget_s: float, *, keep: bool, name: str, outcome: Outcome
) -> bool:
    try:
        answer = turn.worker.ask(
            "search",
            leg=turn.leg,
            items=list(items),
            limit=LIMIT,
            mixed=case.mixed,
            where=None if case.where is None else asdict(case.where),
            budget_s=budget_s,
            # A first question may load a workspace; a single slow answer must still come home.
            timeout_s=_GRACE * max(budget_s, _LEAST_S),
        )
    except (EngineFailed, EngineTooSlow) as fault:
        outcome.leave_out(name, str(fault), case.name)
        turn.worker.kill()
        return False
    if keep:
        turn.asked += items[: len(answer["found"])]
        turn.wall_ms += answer["wall_ms"]
        turn.cpu_ms += answer["cpu_ms"]
        turn.found += answer["found"]
        turn.over = len(answer["found"]) < len(items)
    return True


def _measure(case: Case, name: str, turn: _Turn, built: Built, dataset: Dataset, truth: Truth) -> Measurement:
    values = {**summarise(turn.wall_ms), **summarise(turn.cpu_ms, "cpu_")}
    rows = built.rows
    if turn.leg == VECTOR or case.where is not None:
        expected = truth.expect(turn.asked, case.where, mixed=case.mixed, rows=rows, limit=LIMIT)
        if turn.leg == VECTOR:
            values["recall"] = round(
                truth.recall(turn.asked, turn.found, expected, case.where, mixed=case.mixed, rows=rows), 4
            )
    if case.where is None:
        values["own_found"] = round(truth.share_found(turn.asked, turn.found), 4)
    note = "" if rows == dataset.count else f"holds {rows:,} of {dataset.count:,} rows"
    return Measurement(case=case.name, engine=name, rows=rows, values=values, note=note)


def compare(outcome: Outcome, case: str, value: str) -> dict[str, float]:
    """Each engine's figure as a multiple of ours; above 1 means that ours is quicker."""
    own = outcome.find(case, OURS)
    if own is None or not own.values.get(value):
        return {}
    return {
        one.engine: one.values[value] / own.values[value]
        for one in outcome.measurements
        if one.case == case and value in one.values
    }
