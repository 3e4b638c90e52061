"""Loading in batches, single acknowledged writes, what it takes on disk, start-up and memory."""

from typing import Any

from benchmarks.corpus.datasets import Dataset
from benchmarks.engines.contract import PIPELINE, VECTOR
from benchmarks.errors import EngineFailed, EngineTooSlow
from benchmarks.measurement import SIZES, Measurement, Outcome, summarise
from benchmarks.processes import WorkerProcess
from benchmarks.stand import BATCH, Built, Stand

_SINGLE_WRITES = 200
_STARTS = 3
_WARM_QUESTIONS = 50
_FIRST_ANSWER_S = 300
_START_LEGS = {"start": VECTOR, "start, with embedder": PIPELINE}


def ingest(stand: Stand, size: str) -> Outcome:
    """Rows a second in batches of 1,000 without embedding, file size, and single writes, reads and deletions."""
    outcome = Outcome(suite="ingest", size=size)
    dataset = stand.dataset(SIZES[size])
    stores = stand.stores(dataset, mixed=False, outcome=outcome)
    outcome.facts["loaded"] = {name: built.loaded for name, built in stores.items()}
    for name, built in stores.items():
        values = {
            "rows_per_s": round(built.measured_rows / built.wall_s, 1),
            "rows_per_s_with_index": round(built.measured_rows / (built.wall_s + built.settle_s), 1),
            "rows_per_cpu_s": round(built.measured_rows / built.cpu_s, 1),
            "file_mb": round(built.file_mb, 1),
            **summarise(built.batch_ms, "batch_"),
        }
        note = "" if built.measured_rows == dataset.count else f"stopped after {built.measured_rows:,} rows"
        outcome.measurements.append(
            Measurement(case=f"batches of {BATCH:,}", engine=name, rows=built.rows, values=values, note=note)
        )
    with stand.opened(stores, dataset, outcome) as workers:
        for name, worker in workers.items():
            stand.say(f"ingest {size}: single writes, {name}")
            rows = stores[name].rows
            try:
                worker.ask(
                    "arrange",
                    memories=str(dataset.corpus.memories),
                    vectors=str(dataset.corpus.vectors),
                    dimensions=dataset.corpus.dimensions,
                    count=dataset.count,
                    mixed=False,
                )
                answer = worker.ask(
                    "write",
                    start=dataset.count,
                    stop=dataset.count + _SINGLE_WRITES,
                    budget_s=stand.budget_s,
                    timeout_s=20 * stand.budget_s,
                )
            except (EngineFailed, EngineTooSlow) as fault:
                outcome.leave_out(name, str(fault), "single writes")
                continue
            for case, key in (("single write", "add_ms"), ("read by id", "read_ms"), ("single deletion", "remove_ms")):
                if answer[key]:
                    outcome.measurements.append(
                        Measurement(case=case, engine=name, rows=rows, values=summarise(answer[key]))
                    )
    return outcome


def startup(stand: Stand, size: str) -> Outcome:
    """A new process of each engine: imports, opening, the first answer, and memory after some more; in turn."""
    outcome = Outcome(suite="startup", size=size)
    dataset = stand.dataset(SIZES[size])
    stores = stand.stores(dataset, mixed=False, outcome=outcome)
    times: dict[tuple[str, str], list[dict[str, float]]] = {}
    for _ in range(_STARTS):
        for entry in stand.entries:
            if entry.name not in stores or entry.name in {one["engine"] for one in outcome.left_out}:
                continue
            built = stores[entry.name]
            for case, leg in _START_LEGS.items():
                if leg not in built.legs:
                    continue
                stand.say(f"startup {size}: {entry.name}, {case}")
                with stand.start(entry) as worker:
                    try:
                        started = _start(worker, built, dataset, leg, stand.budget_s)
                    except (EngineFailed, EngineTooSlow) as fault:
                        outcome.leave_out(entry.name, str(fault), case)
                        break
                times.setdefault((case, entry.name), []).append(started)
    for (case, name), starts in sorted(times.items(), key=lambda pair: pair[0][0]):
        values = {key: round(sorted(one[key] for one in starts)[len(starts) // 2], 3) for key in starts[0]}
        outcome.measurements.append(Measurement(case=case, engine=name, rows=stores[name].rows, values=values))
    return outcome


def _start(worker: WorkerProcess, built: Built, dataset: Dataset, leg: str, budget_s: float) -> dict[str, float]:
    """Seconds until the store is open and until the first answer, the time to load questions left out; then memory."""
    worker.ask("open", folder=str(built.folder), dimensions=dataset.corpus.dimensions, timeout_s=_FIRST_ANSWER_S)
    opened_s = worker.age_s
    worker.ask("questions", path=str(dataset.questions_path))
    before_s = worker.age_s
    asked: dict[str, Any] = {"leg": leg, "limit": 10, "mixed": False, "where": None, "timeout_s": _FIRST_ANSWER_S}
    worker.ask("search", items=[0], budget_s=0, **asked)
    answered_s = opened_s + worker.age_s - before_s
    worker.ask("search", items=list(range(1, 1 + _WARM_QUESTIONS)), budget_s=budget_s, **asked)
    usage = worker.ask("usage")
    return {
        "opened_s": opened_s,
        "answered_s": answered_s,
        "rss_mb": usage["rss_mb"],
        "anonymous_mb": usage["anonymous_mb"],
    }
