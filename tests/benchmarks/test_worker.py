"""The worker times an engine's calls, keeps to its budget and answers errors instead of dying of them."""

import io
import json
import signal
import sys
import types
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from benchmarks.corpus.blocks import Matrix
from benchmarks.corpus.datasets import Dataset
from benchmarks.corpus.memories import Generated
from benchmarks.engines.contract import EVERYONE, VECTOR, Query
from benchmarks.engines.roster import ROSTER
from benchmarks.errors import EngineFailed, EngineTooSlow
from benchmarks.processes import WorkerProcess
from benchmarks.worker import Worker, serve
from tests.servers.waiting import PATIENCE_S


class Recorder:
    """An engine that keeps what it is given and finds the latest."""

    packages = ("numpy", "there-is-no-such-package")
    legs = (VECTOR,)
    fields = ("kind",)

    def __init__(self) -> None:
        self.held: dict[str, list[int]] = {}
        self.batches: list[tuple[str, int]] = []
        self.asked: list[Query] = []

    def open(self, folder: Path, dimensions: int) -> None:
        self.dimensions = dimensions

    def add(self, rows: Sequence[Generated], vectors: Matrix, workspace: str) -> None:
        assert vectors.shape == (len(rows), self.dimensions)
        self.held.setdefault(workspace, []).extend(row.number for row in rows)
        self.batches.append((workspace, len(rows)))

    def settle(self) -> None:
        self.settled = True

    def search(self, leg: str, query: Query) -> list[int]:
        if query.text == "":
            raise ValueError("no text")
        self.asked.append(query)
        return self.held.get(query.workspace, [])[-query.limit :]

    def remove(self, rows: Sequence[Generated], workspace: str) -> None:
        for row in rows:
            self.held[workspace].remove(row.number)

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch, dataset: Dataset) -> Iterator[tuple[Worker, Recorder]]:
    module = types.ModuleType("benchmarks.engines.recorder")
    engine = Recorder()
    module.Recorder = lambda: engine  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "benchmarks.engines.recorder", module)
    made = Worker("recorder", "Recorder")
    made.open(folder="", dimensions=dataset.corpus.dimensions)
    yield made, engine


def arrange(worker: Worker, dataset: Dataset, *, mixed: bool) -> None:
    worker.arrange(
        memories=str(dataset.corpus.memories),
        vectors=str(dataset.corpus.vectors),
        dimensions=dataset.corpus.dimensions,
        count=dataset.count,
        mixed=mixed,
    )
    worker.questions(str(dataset.questions_path))


def ask(worker: Worker, items: Sequence[int], **changed: Any) -> dict[str, Any]:
    arguments: dict[str, Any] = {"leg": VECTOR, "limit": 10, "mixed": False, "where": None, "budget_s": 60}
    return worker.search(items=items, **{**arguments, **changed})


def test_one_workspace_is_loaded_in_batches(worker: tuple[Worker, Recorder], dataset: Dataset) -> None:
    made, engine = worker
    arrange(made, dataset, mixed=False)
    answer = made.ingest(0, 500, 200)
    assert (answer["rows"], len(answer["wall_ms"])) == (500, 3)
    assert engine.held == {EVERYONE: list(range(500))}
    assert made.fill(0, 500, 200) == {"rows": 0}


def test_the_mix_is_loaded_workspace_by_workspace(
    worker: tuple[Worker, Recorder], dataset: Dataset, generated: list[Generated]
) -> None:
    made, engine = worker
    arrange(made, dataset, mixed=True)
    assert made.ingest(0, 250, 50)["rows"] + made.ingest(250, 500, 50)["rows"] == 500
    for row in generated[:500]:
        assert row.number in engine.held[row.workspace]
    assert max(count for _, count in engine.batches) <= 50


def test_questions_carry_their_place_and_their_condition(worker: tuple[Worker, Recorder], dataset: Dataset) -> None:
    made, engine = worker
    arrange(made, dataset, mixed=True)
    made.ingest(0, 500, 100)
    answer = ask(made, [3, 4], mixed=True, where={"field": "kind", "value": "tool"})
    assert len(answer["wall_ms"]) == len(answer["cpu_ms"]) == len(answer["found"]) == 2
    assert [query.workspace for query in engine.asked] == list(dataset.questions.workspaces[3:5])
    assert engine.asked[0].where is not None
    assert engine.asked[0].where.value == "tool"


def test_a_budget_ends_the_questions(worker: tuple[Worker, Recorder], dataset: Dataset) -> None:
    made, _ = worker
    arrange(made, dataset, mixed=False)
    assert len(ask(made, range(40), budget_s=0)["found"]) == 1


def test_single_writes_leave_nothing_behind(worker: tuple[Worker, Recorder], dataset: Dataset) -> None:
    made, engine = worker
    arrange(made, dataset, mixed=False)
    answer = made.write(start=500, stop=505, budget_s=60)
    assert len(answer["add_ms"]) == len(answer["remove_ms"]) == 5
    assert answer["read_ms"] == []
    assert engine.held == {EVERYONE: []}


def test_errors_are_answered_and_close_ends_it(worker: tuple[Worker, Recorder]) -> None:
    made, engine = worker
    commands = [{"do": "settle"}, {"do": "nonsense"}, {"do": "usage"}, {"do": "close"}, {"do": "usage"}]
    answers = io.StringIO()
    serve(made, io.StringIO("\n".join(json.dumps(one) for one in commands) + "\n"), answers)
    lines = [json.loads(line) for line in answers.getvalue().splitlines()]
    assert len(lines) == 4
    assert "AttributeError" in lines[1]["error"]
    assert lines[2]["rss_mb"] > lines[2]["anonymous_mb"] > 0
    assert engine.closed
    assert engine.settled
    assert "there-is-no-such-package" not in made.describe()["versions"]


@pytest.mark.slow
def test_our_own_engine_answers_in_its_process(tmp_path: Path, dataset: Dataset) -> None:
    with WorkerProcess(ROSTER[0], tmp_path, tmp_path / "logs") as process:
        process.ask("open", timeout_s=PATIENCE_S, folder=str(tmp_path / "store"), dimensions=dataset.corpus.dimensions)
        process.ask(
            "arrange",
            memories=str(dataset.corpus.memories),
            vectors=str(dataset.corpus.vectors),
            dimensions=dataset.corpus.dimensions,
            count=dataset.count,
            mixed=False,
        )
        process.ask("questions", path=str(dataset.questions_path))
        assert process.ask("ingest", start=0, stop=500, batch=100)["rows"] == 500
        asked: dict[str, Any] = {"leg": VECTOR, "limit": 10, "mixed": False, "where": None, "budget_s": 60}
        found = process.ask("search", items=[0, 1], **asked)["found"]
        assert [numbers[0] for numbers in found] == list(dataset.questions.numbers[:2])
        with pytest.raises(EngineFailed, match="nonsense"):
            process.ask("nonsense")
        assert process.ask("write", start=500, stop=503, budget_s=30)["read_ms"]


@pytest.mark.slow
def test_a_worker_that_is_late_is_ended(tmp_path: Path) -> None:
    with WorkerProcess(ROSTER[0], tmp_path, tmp_path / "logs") as process:
        process._process.send_signal(signal.SIGSTOP)
        with pytest.raises(EngineTooSlow, match="no answer to describe"):
            process.ask("describe", timeout_s=0.1)
        with pytest.raises(EngineFailed, match="ended"):
            process.ask("describe")
