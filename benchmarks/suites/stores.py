"""The service over every store that it can have, on the same data: latency, recall, loading, memory."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.corpus.synthetic import DIMENSIONS
from benchmarks.engines.contract import HYBRID, Where
from benchmarks.engines.roster import EMBEDDED_STORE, STORES
from benchmarks.engines.stores import CHROMA, ELASTICSEARCH, POSTGRES, QDRANT
from benchmarks.errors import BenchmarkError
from benchmarks.measurement import SIZES, Measurement, Outcome
from benchmarks.rounds import Case, run_case
from benchmarks.stand import Stand
from tests.servers.chroma import ChromaServer
from tests.servers.elasticsearch import ElasticsearchServer
from tests.servers.installation import ServerMissing
from tests.servers.postgres import PostgresServer
from tests.servers.server import Server, ServerFailed

_FILTER = Where(field="kind", value="tool")
"""Met by a tenth of the memories."""
_LIMITS_S = {"1k": 120.0, "10k": 300.0, "100k": 1500.0, "1m": 1500.0}
_URL = "QDRANT_URL"


def stores(stand: Stand, size: str) -> Outcome:
    """1,024 dimensions, one workspace: the vector leg, hybrid, a filter of a tenth, loading, and RAM of the servers."""
    outcome = Outcome(suite="stores", size=size)
    dataset = stand.dataset(SIZES[size], DIMENSIONS)
    outcome.facts["data"] = dataset.describe()
    with _serving(stand, outcome) as servers:
        entries = [entry for entry in STORES if entry.name in servers]
        own = Stand(
            environments=stand.environments,
            entries=entries,
            say=stand.say,
            limit_s=_LIMITS_S[size],
            budget_s=stand.budget_s,
            embedded=stand.embedded,
            rebuild=True,
        )
        built = own.stores(dataset, mixed=False, outcome=outcome)
        if EMBEDDED_STORE not in built:
            raise BenchmarkError("the embedded store could not be loaded: there is nothing to compare with")
        truth = stand.truth(dataset)
        with own.opened(built, dataset, outcome) as workers:
            for case in (Case(name="vector"), Case(name="hybrid", leg=HYBRID), Case(name="type, 10 %", where=_FILTER)):
                stand.say(f"stores {size}: {case.name}")
                run_case(case, workers, built, dataset, truth, outcome, budget_s=own.budget_s)
            for name, worker in workers.items():
                store, server = built[name], servers[name]
                values = {
                    "rows_per_s": store.measured_rows / store.wall_s,
                    "rows_per_s_with_index": store.measured_rows / (store.wall_s + store.settle_s),
                    "rss_mb": round(worker.ask("usage")["rss_mb"], 1),
                    "server_mb": round(_resident_mb(server), 1),
                    "file_mb": round(store.file_mb + _file_mb(server), 1),
                }
                outcome.measurements.append(
                    Measurement(case="loading and memory", engine=name, rows=store.rows, values=values)
                )
    return outcome


@contextmanager
def _serving(stand: Stand, outcome: Outcome) -> Iterator[Mapping[str, Server | None]]:
    """The servers by the names of the stores that need them; a store without a server has none."""
    makers: Mapping[str, tuple[str, Callable[[], Server]]] = {
        "postgres": (POSTGRES, lambda: PostgresServer(fsync=True)),
        "elasticsearch": (ELASTICSEARCH, ElasticsearchServer),
        "chroma": (CHROMA, ChromaServer),
    }
    running: dict[str, Server | None] = {EMBEDDED_STORE: None, "qdrant": None}
    before = dict(os.environ)
    with ExitStack() as stack:
        for name, (variable, make) in makers.items():
            try:
                server = stack.enter_context(make())
            except (ServerMissing, ServerFailed) as fault:
                outcome.leave_out(name, str(fault).splitlines()[0])
                continue
            running[name] = server
            os.environ[variable] = _address(server)
            stand.say(f"{name} runs")
        if os.environ.get(_URL):
            os.environ[QDRANT] = os.environ[_URL]
        try:
            yield running
        finally:
            os.environ.clear()
            os.environ.update(before)


def _address(server: Server) -> str:
    if isinstance(server, PostgresServer):
        return server.new_database()
    return f"{server.host}:{server.port}" if isinstance(server, ChromaServer) else f"http://{server.host}:{server.port}"


def _resident_mb(server: Server | None) -> float:
    """RAM of a server's processes: of each its own pages, and of shared ones its part (PSS)."""
    total = 0
    for process in server.processes() if server is not None else ():
        try:
            lines = Path(f"/proc/{process.pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
        except OSError:
            continue
        total += next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)
    return total / 1024


def _file_mb(server: Server | None) -> float:
    if server is None:
        return 0.0
    return sum(path.stat().st_blocks * 512 for path in server.folder.rglob("*") if path.is_file()) / 2**20
