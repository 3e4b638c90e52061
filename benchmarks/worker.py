"""The process that one engine is measured in: takes commands as JSON lines and answers each with one.

Runs in the engine's own environment (`python -m benchmarks.worker MODULE CLASS`), so that memory
and CPU time are the engine's. Times are taken here, around the engine's calls only.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import import_module, metadata
from pathlib import Path
from typing import Any, TextIO

from benchmarks.corpus.blocks import Corpus, Questions, load_questions
from benchmarks.corpus.memories import Generated
from benchmarks.engines.contract import EVERYONE, Engine, Query, Where

Answer = dict[str, Any]


class Worker:
    """An engine, the corpus it is given and the questions it is asked."""

    def __init__(self, module: str, name: str) -> None:
        started = time.perf_counter()
        self._engine: Engine = getattr(import_module(f"benchmarks.engines.{module}"), name)()
        self._import_s = time.perf_counter() - started
        self._corpus: Corpus | None = None
        self._order: Sequence[int] = ()
        self._workspaces: Sequence[str] = ()
        self._questions: Questions | None = None
        self._mixed = False

    def describe(self) -> Answer:
        """Versions, legs and filters."""
        versions = {}
        for package in self._engine.packages:
            try:
                versions[package] = metadata.version(package)
            except metadata.PackageNotFoundError:
                continue
        return {"versions": versions, "legs": list(self._engine.legs), "fields": list(self._engine.fields)}

    def open(self, folder: str, dimensions: int) -> Answer:
        """Open the store; says how long that and the imports took."""
        started = time.perf_counter()
        self._engine.open(Path(folder), dimensions)
        return {"open_s": time.perf_counter() - started, "import_s": self._import_s}

    def arrange(self, memories: str, vectors: str, dimensions: int, count: int, mixed: bool) -> Answer:
        """Say which memories are loaded, and whether into one workspace or each into its own."""
        self._corpus = Corpus(memories=Path(memories), vectors=Path(vectors), dimensions=dimensions)
        self._mixed = mixed
        if mixed:
            found = [(row.workspace, row.number) for row in self._corpus.rows(0, count)]
            found.sort()
            self._order = [number for _, number in found]
            self._workspaces = [workspace for workspace, _ in found]
        return {"count": count}

    def ingest(self, start: int, stop: int, batch: int) -> Answer:
        """Add memories start .. stop - 1 of the arrangement in batches; times cover the engine's calls only."""
        wall_ms, cpu_s, added = [], 0.0, 0
        for rows, vectors, workspace in self._batches(start, stop, batch):
            wall, cpu = time.perf_counter(), time.process_time()
            self._engine.add(rows, vectors, workspace)
            cpu_s += time.process_time() - cpu
            wall_ms.append((time.perf_counter() - wall) * 1000)
            added += len(rows)
        return {"rows": added, "wall_ms": wall_ms, "cpu_s": cpu_s}

    def fill(self, start: int, stop: int, batch: int) -> Answer:
        """Lay memories down in the engine's own format where it has a way to do so; not measured."""
        lay: Callable[..., None] | None = getattr(self._engine, "fill", None)
        if lay is None:
            return {"rows": 0}
        added = 0
        for rows, vectors, workspace in self._batches(start, stop, batch):
            lay(rows, vectors, workspace)
            added += len(rows)
        return {"rows": added}

    def _batches(self, start: int, stop: int, batch: int) -> Any:
        corpus = self._loaded()
        if not self._mixed:
            rows, vectors = list(corpus.rows(start, stop)), corpus.matrix(start, stop)
            for at in range(0, len(rows), batch):
                yield rows[at : at + batch], vectors[at : at + batch], EVERYONE
            return
        numbers = self._order[start:stop]
        wanted = set(numbers)
        lowest, highest = min(numbers), max(numbers) + 1
        found = {row.number: row for row in corpus.rows(lowest, highest) if row.number in wanted}
        vectors = corpus.matrix(lowest, highest)[[number - lowest for number in numbers]]
        at = 0
        while at < len(numbers):
            workspace = self._workspaces[start + at]
            end = at
            while end < len(numbers) and end - at < batch and self._workspaces[start + end] == workspace:
                end += 1
            yield [found[number] for number in numbers[at:end]], vectors[at:end], workspace
            at = end

    def _loaded(self) -> Corpus:
        if self._corpus is None:
            raise RuntimeError("arrange a corpus first")
        return self._corpus

    def settle(self) -> Answer:
        """Let the engine build what it builds after loading."""
        wall, cpu = time.perf_counter(), time.process_time()
        self._engine.settle()
        return {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}

    def questions(self, path: str) -> Answer:
        """Load the questions."""
        self._questions = load_questions(Path(path))
        return {"count": len(self._questions)}

    def search(
        self, leg: str, items: Sequence[int], limit: int, mixed: bool, where: Mapping[str, Any] | None, budget_s: float
    ) -> Answer:
        """Ask some of the questions, one after the other, until the budget is spent."""
        if self._questions is None:
            raise RuntimeError("load questions first")
        asked = self._questions
        condition = None if where is None else Where(**where)
        wall_ms, cpu_ms, found = [], [], []
        ends = time.perf_counter() + budget_s
        for item in items:
            query = Query(
                text=asked.texts[item],
                vector=asked.vectors[item],
                workspace=asked.workspaces[item] if mixed else EVERYONE,
                where=condition,
                limit=limit,
            )
            wall, cpu = time.perf_counter(), time.process_time()
            numbers = self._engine.search(leg, query)
            cpu_ms.append((time.process_time() - cpu) * 1000)
            wall_ms.append((time.perf_counter() - wall) * 1000)
            found.append(numbers)
            if time.perf_counter() > ends:
                break
        return {"wall_ms": wall_ms, "cpu_ms": cpu_ms, "found": found}

    def write(self, start: int, stop: int, budget_s: float) -> Answer:
        """Add memories one by one, read them if the engine reads by id, and delete them one by one."""
        corpus = self._loaded()
        rows, vectors = list(corpus.rows(start, stop)), corpus.matrix(start, stop)
        ends = time.perf_counter() + budget_s
        added: list[float] = []
        for row, vector in zip(rows, vectors, strict=True):
            added.append(_time(partial(self._engine.add, [row], vector[None, :], EVERYONE)))
            if time.perf_counter() > ends:
                break
        done = rows[: len(added)]
        read: Callable[[Sequence[Generated], str], None] | None = getattr(self._engine, "read", None)
        looked = [] if read is None else [_time(partial(read, [row], EVERYONE)) for row in done]
        removed = [_time(partial(self._engine.remove, [row], EVERYONE)) for row in done]
        return {"add_ms": added, "read_ms": looked, "remove_ms": removed}

    def usage(self) -> Answer:
        """The process's memory in MB: all that is resident, and what of it is not backed by files."""
        status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines())
        return {
            "rss_mb": int(status["VmRSS"].split()[0]) / 1024,
            "anonymous_mb": int(status["RssAnon"].split()[0]) / 1024,
            "cpu_s": time.process_time(),
        }

    def close(self) -> Answer:
        """Close the engine."""
        self._engine.close()
        return {}


def _time(call: Callable[[], None]) -> float:
    started = time.perf_counter()
    call()
    return (time.perf_counter() - started) * 1000


def serve(worker: Worker, commands: TextIO, answers: TextIO) -> None:
    """Answer commands until there are no more, or one says `close`."""
    for line in commands:
        command: dict[str, Any] = json.loads(line)
        name = command.pop("do")
        try:
            answer = getattr(worker, name)(**command)
        except Exception as fault:
            # An engine may raise anything; the runner leaves it out by name and goes on.
            answer = {"error": f"{type(fault).__name__}: {fault}"[:500]}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
        if name == "close":
            return


def main() -> int:
    """Keep the answers apart from whatever an engine prints, then serve."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    serve(Worker(sys.argv[1], sys.argv[2]), sys.stdin, answers)
    answers.close()
    # Engines leave threads behind that would keep the process alive.
    os._exit(0)


if __name__ == "__main__":
    main()
