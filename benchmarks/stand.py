"""What a run stands on: the data sets, the engines' environments, and the stores that they built."""

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from benchmarks.corpus.datasets import Dataset, prepare_dataset
from benchmarks.corpus.preparation import EMBEDDED, USE_DIMENSIONS, Say
from benchmarks.corpus.truth import Truth
from benchmarks.engines.roster import Entry
from benchmarks.environments import PEERS, prepare_environment
from benchmarks.errors import BenchmarkError, EngineFailed, EngineTooSlow
from benchmarks.measurement import Outcome, stamp
from benchmarks.processes import ROOT, WorkerProcess

BATCH = 1000
_FORMAT = 2
"""Of the manifests; another number makes every store be loaded anew."""
_SLICE = 10_000
_FILL_LIMIT_S = 600
_SETTLE_LIMIT_S = 1200
"""Building an index may take longer than loading; an engine that is not done by then is left out."""
_OPEN_LIMIT_S = 300


@dataclass(frozen=True, kw_only=True, slots=True)
class Built:
    """A store on disk and how loading it went. `filled` says that rows were laid down without being measured."""

    folder: Path
    rows: int
    measured_rows: int
    wall_s: float
    cpu_s: float
    batch_ms: Sequence[float]
    settle_s: float
    file_mb: float
    filled: bool
    versions: Mapping[str, str]
    legs: Sequence[str]
    fields: Sequence[str]
    loaded: str


@dataclass(kw_only=True)
class Stand:
    """Prepares and remembers what suites share. `limit_s` bounds the loading of one engine."""

    environments: Path
    entries: Sequence[Entry]
    say: Say
    limit_s: float
    budget_s: float
    embedded: int = EMBEDDED
    rebuild: bool = False
    _datasets: dict[tuple[int, int], Dataset] = field(default_factory=dict)
    _truths: dict[str, Truth] = field(default_factory=dict)
    _built: dict[tuple[int, int, bool], dict[str, Built]] = field(default_factory=dict)
    _missing: dict[tuple[int, int, bool], dict[str, str]] = field(default_factory=dict)
    _ready: dict[str, str] = field(default_factory=dict)

    @property
    def data(self) -> Path:
        """Where corpora and stores lie."""
        return self.environments / "bench-data"

    def dataset(self, count: int, dimensions: int = USE_DIMENSIONS) -> Dataset:
        """A data set, made once."""
        key = (count, dimensions)
        if key not in self._datasets:
            self._datasets[key] = prepare_dataset(
                self.data, count, dimensions=dimensions, embedded=self.embedded, say=self.say
            )
        return self._datasets[key]

    def truth(self, dataset: Dataset) -> Truth:
        """The exact answers of a data set; of several sizes only the latest is kept in memory."""
        key = f"{dataset.name}-{dataset.count}"
        if key not in self._truths:
            self._truths.clear()
            self._truths[key] = Truth(dataset)
        return self._truths[key]

    def available(self, outcome: Outcome) -> Iterator[Entry]:
        """The engines whose environments can be had; the others are left out by name."""
        for entry in self.entries:
            if entry.name not in self._ready:
                try:
                    prepare_environment(entry, self.environments, self.say)
                    self._ready[entry.name] = ""
                except BenchmarkError as fault:
                    self._ready[entry.name] = f"cannot be installed: {fault}"
            if self._ready[entry.name]:
                outcome.leave_out(entry.name, self._ready[entry.name])
            else:
                yield entry

    def start(self, entry: Entry) -> WorkerProcess:
        """A worker of an engine, with nothing opened."""
        return WorkerProcess(entry, self.environments, self.data / "logs")

    def stores(self, dataset: Dataset, *, mixed: bool, outcome: Outcome, only: Sequence[str] = ()) -> dict[str, Built]:
        """The engines' stores of a data set: those on disk that are still right, the others loaded now, in turn.

        With `only` those of the engines named, where that is enough.
        """
        key = (dataset.count, dataset.corpus.dimensions, mixed)
        built, missing = self._built.setdefault(key, {}), self._missing.setdefault(key, {})
        wanted = []
        for entry in self.available(outcome):
            if only and entry.name not in only:
                continue
            if dataset.count > entry.most_rows:
                outcome.leave_out(entry.name, f"more than {entry.most_rows:,} memories: {entry.too_many}")
            else:
                wanted.append(entry)
        self._load(
            [entry for entry in wanted if entry.name not in built and entry.name not in missing], dataset, mixed=mixed
        )
        names = [entry.name for entry in wanted]
        for name in names:
            if name in missing:
                outcome.leave_out(name, missing[name], f"loading {dataset.count:,}")
        # In the order of the roster, whether loaded now or found on disk.
        found = {name: built[name] for name in names if name in built}
        for name, one in found.items():
            outcome.versions[name] = dict(one.versions)
        return found

    def _load(self, entries: Sequence[Entry], dataset: Dataset, *, mixed: bool) -> None:
        key = (dataset.count, dataset.corpus.dimensions, mixed)
        waiting: list[Loading] = []
        for entry in entries:
            folder = self.data / "stores" / f"{entry.name}-{dataset.count}-{dataset.name}{'-mix' if mixed else ''}"
            manifest = folder / "manifest.json"
            mark = _mark(entry, dataset)
            if manifest.exists() and not self.rebuild:
                document = json.loads(manifest.read_text(encoding="utf-8"))
                if document.pop("mark") == mark:
                    self._built[key][entry.name] = Built(**{**document, "folder": folder / "data"})
                    continue
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            waiting.append(Loading(entry=entry, folder=folder, mark=mark, worker=self.start(entry)))
        try:
            self._load_in_turn(waiting, dataset, mixed=mixed)
        finally:
            for loading in waiting:
                loading.worker.close()
        for loading in waiting:
            if loading.reason:
                self._missing[key][loading.entry.name] = loading.reason
                shutil.rmtree(loading.folder, ignore_errors=True)
            else:
                self._built[key][loading.entry.name] = loading.finish()

    def _load_in_turn(self, waiting: Sequence["Loading"], dataset: Dataset, *, mixed: bool) -> None:
        if not waiting:
            return
        for loading in waiting:
            loading.guard(lambda one=loading: one.begin(dataset, mixed=mixed))
        step = min(_SLICE, max(BATCH, dataset.count // 10))
        for start in range(0, dataset.count, step):
            for loading in waiting:
                if loading.going and loading.wall_s <= self.limit_s:
                    stop = min(start + step, dataset.count)
                    loading.guard(lambda one=loading, at=start, to=stop: one.advance(at, to, self.limit_s))
            self.say(f"loaded {min(start + step, dataset.count):,} of {dataset.count:,}")
        for loading in waiting:
            if loading.going:
                self.say(f"settling {loading.entry.name} ({loading.rows:,} rows in {loading.wall_s:.1f} s)")
                loading.guard(lambda one=loading: one.settle(dataset.count))

    @contextmanager
    def opened(
        self, stores: Mapping[str, Built], dataset: Dataset, outcome: Outcome
    ) -> Iterator[dict[str, WorkerProcess]]:
        """A fresh worker of each engine with its store opened and the questions loaded."""
        with ExitStack() as stack:
            workers = {}
            for entry in self.entries:
                if entry.name not in stores:
                    continue
                worker = stack.enter_context(self.start(entry))
                try:
                    built = stores[entry.name]
                    worker.ask(
                        "open", folder=str(built.folder), dimensions=dataset.corpus.dimensions, timeout_s=_OPEN_LIMIT_S
                    )
                    worker.ask("questions", path=str(dataset.questions_path))
                except (EngineFailed, EngineTooSlow) as fault:
                    outcome.leave_out(entry.name, str(fault), "opening")
                    continue
                workers[entry.name] = worker
            yield workers


@dataclass(kw_only=True)
class Loading:
    """One engine's loading under way. `reason` is why it was given up."""

    entry: Entry
    folder: Path
    mark: str
    worker: WorkerProcess
    reason: str = ""
    rows: int = 0
    measured_rows: int = 0
    wall_s: float = 0.0
    cpu_s: float = 0.0
    settle_s: float = 0.0
    batch_ms: list[float] = field(default_factory=list)
    described: dict[str, object] = field(default_factory=dict)

    @property
    def going(self) -> bool:
        """Whether nothing went wrong so far."""
        return not self.reason

    def guard(self, step: object) -> None:
        """Do a step, and give the engine up if it fails."""
        try:
            if callable(step):
                step()
        except (EngineFailed, EngineTooSlow) as fault:
            self.reason = str(fault)

    def begin(self, dataset: Dataset, *, mixed: bool) -> None:
        """Open an empty store and say what will be loaded."""
        self.described = self.worker.ask("describe")
        data = self.folder / "data"
        self.worker.ask("open", folder=str(data), dimensions=dataset.corpus.dimensions, timeout_s=_OPEN_LIMIT_S)
        self.worker.ask(
            "arrange",
            memories=str(dataset.corpus.memories),
            vectors=str(dataset.corpus.vectors),
            dimensions=dataset.corpus.dimensions,
            count=dataset.count,
            mixed=mixed,
        )

    def advance(self, start: int, stop: int, limit_s: float) -> None:
        """Load a slice."""
        answer = self.worker.ask("ingest", start=start, stop=stop, batch=BATCH, timeout_s=3 * limit_s)
        self.batch_ms += answer["wall_ms"]
        self.wall_s = sum(self.batch_ms) / 1000
        self.cpu_s += answer["cpu_s"]
        self.rows = self.measured_rows = stop

    def settle(self, count: int) -> None:
        """Lay down what is missing, if the engine can, and let it build its indexes."""
        if self.rows < count:
            answer = self.worker.ask("fill", start=self.rows, stop=count, batch=BATCH, timeout_s=_FILL_LIMIT_S)
            self.rows += answer["rows"]
        answer = self.worker.ask("settle", timeout_s=_SETTLE_LIMIT_S)
        self.settle_s = answer["wall_s"]
        self.cpu_s += answer["cpu_s"]

    def finish(self) -> Built:
        """Write the manifest; the worker has closed by now, so the files are whole."""
        data = self.folder / "data"
        file_bytes = sum(path.stat().st_blocks * 512 for path in data.rglob("*") if path.is_file())
        fields: dict[str, object] = {
            "rows": self.rows,
            "measured_rows": self.measured_rows,
            "wall_s": self.wall_s,
            "cpu_s": self.cpu_s,
            "batch_ms": self.batch_ms,
            "settle_s": self.settle_s,
            "file_mb": file_bytes / 2**20,
            "filled": self.rows > self.measured_rows,
            "loaded": stamp(),
            **self.described,
        }
        document = json.dumps({"mark": self.mark, **fields})
        (self.folder / "manifest.json").write_text(document, encoding="utf-8")
        return Built(folder=data, **json.loads(json.dumps(fields)))


def _mark(entry: Entry, dataset: Dataset) -> str:
    """Changes when a store would have to be loaded anew: with the engine's pins or code, the adapter or the data."""
    parts = [f"{_FORMAT} {dataset.name} {dataset.count} {dataset.embedded}"]
    paths = [ROOT / "benchmarks" / "engines" / f"{entry.module}.py", ROOT / "benchmarks" / "corpus" / "memories.py"]
    if entry.requirements:
        paths.append(PEERS / f"{entry.requirements}.txt")
    else:
        paths += sorted((ROOT / "app" / "backends" / "sqlite").glob("*"))
        if entry.module != "ours":
            paths += sorted((ROOT / "app" / "backends").glob("*/*.py"))
    parts += [sha256(path.read_bytes()).hexdigest() for path in paths if path.is_file()]
    return sha256(" ".join(parts).encode()).hexdigest()
