"""The service over HTTP: two workers, a load generator in its own process, and upstream ReMe beside it.

The query cache is off, questions are distinct, the rate limit is lifted and the log is at WARNING;
all else is as it comes.
"""

import json
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.corpus.datasets import Dataset
from benchmarks.corpus.preparation import choose_questions
from benchmarks.engines.contract import EVERYONE
from benchmarks.engines.roster import OURS, find_python
from benchmarks.errors import BenchmarkError
from benchmarks.load import LATE_MS, Plan
from benchmarks.measurement import SIZES, Measurement, Outcome, summarise
from benchmarks.services import ServiceProcess, find_port, run_load
from benchmarks.stand import Built, Stand

WORKERS = 2
CLIENTS = 100
HALF_OF_THE_GOAL = {"mix": 300, "single": 100}
"""Requests a second at which times are held against the goal: half of the rates that are the goals themselves."""
_QUESTIONS = 60_000
_SECONDS = 20.0
_SHORT_SECONDS = 10.0
_READY_S = 60
_UPSTREAM = "reme-0.2"
_UPSTREAM_ROWS = 10_000
"""Upstream compares every vector in Python, about 0.05 ms each: more rows than this would take seconds a question."""

Line = list[Any]


def http(stand: Stand, size: str) -> Outcome:
    """Throughput with 100 clients, times at half of that, writes, summaries, start-up and memory of a worker."""
    outcome = Outcome(suite="http", size=size)
    dataset = stand.dataset(SIZES[size])
    asked = choose_questions(dataset.corpus, dataset.count, _QUESTIONS)
    outcome.facts["distinct_questions"] = len(asked)
    outcome.facts["workers"] = WORKERS
    for mixed in (True, False):
        built = stand.stores(dataset, mixed=mixed, outcome=outcome, only=(OURS,)).get(OURS)
        if built is None:
            outcome.leave_out(OURS, "its store could not be loaded", "mix" if mixed else "single")
            continue
        name = "mix" if mixed else "single"
        lines = [_search(workspace if mixed else EVERYONE, text) for text, _, workspace in asked]
        with _serving(stand, built, outcome, name) as service:
            if service is None:
                continue
            _measure_retrieval(stand, service, outcome, name, built.rows, lines)
            if not mixed:
                _measure_writes(stand, service, outcome, dataset, built.rows)
            resident = service.resident_mb()[:WORKERS]
            outcome.measurements.append(
                Measurement(
                    case=f"{name}: memory of a worker",
                    engine=OURS,
                    rows=built.rows,
                    values={"rss_mb": round(max(resident), 1), "processes": len(service.processes())},
                )
            )
    _measure_upstream(stand, outcome, size)
    return outcome


def _search(workspace: str, text: str) -> Line:
    return ["POST", f"/v1/workspaces/{workspace}/search", {"query": text, "top_k": 10}]


@contextmanager
def _serving(stand: Stand, built: Built, outcome: Outcome, name: str) -> Iterator[ServiceProcess | None]:
    """Our service on a copy of a store, so that what is written does not touch the store."""
    folder = stand.data / "service" / name
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(built.folder, folder)
    port = find_port()
    arguments = {
        "working_dir": str(folder),
        "http.port": port,
        "http.workers": WORKERS,
        "embedding.cache_entries": 0,
        "access.requests_per_minute": 10_000_000,
        "log.level": "WARNING",
    }
    command = [sys.executable, "-m", "app", "serve", *(f"{key}={value}" for key, value in arguments.items())]
    with ServiceProcess(
        command,
        port=port,
        ready="/readyz",
        log=stand.data / "logs" / f"service-{name}.log",
        variables={},
        folder=folder,
    ) as service:
        try:
            ready_s = service.wait(_READY_S)
        except BenchmarkError as fault:
            outcome.leave_out(OURS, str(fault), f"{name}: start")
            yield None
            return
        stand.say(f"http {outcome.size}: {name} ready after {ready_s:.2f} s")
        outcome.measurements.append(
            Measurement(case=f"{name}: start", engine=OURS, rows=built.rows, values={"ready_s": round(ready_s, 3)})
        )
        yield service
    shutil.rmtree(folder, ignore_errors=True)


def _measure_retrieval(
    stand: Stand, service: ServiceProcess, outcome: Outcome, name: str, rows: int, lines: Sequence[Line]
) -> None:
    path = _write_lines(stand, lines)
    stand.say(f"http {outcome.size}: {name}, {CLIENTS} clients")
    plan = Plan(port=service.port, requests=str(path), seconds=_SECONDS, clients=CLIENTS)
    rate = _run(service, outcome, plan, f"{name}: {CLIENTS} clients", OURS, rows)
    if not rate:
        return
    stand.say(f"http {outcome.size}: {name}, {rate / 2:.0f} requests a second")
    plan = Plan(port=service.port, requests=str(path), seconds=_SECONDS, clients=32, rate=rate / 2, seed=2)
    _run(service, outcome, plan, f"{name}: half of that rate", OURS, rows)
    half = HALF_OF_THE_GOAL[name]
    stand.say(f"http {outcome.size}: {name}, {half} requests a second")
    plan = Plan(port=service.port, requests=str(path), seconds=_SECONDS, clients=32, rate=half, seed=3)
    _run(service, outcome, plan, f"{name}: {half} requests/s", OURS, rows)
    plan = Plan(port=service.port, requests=str(path), seconds=_SHORT_SECONDS, clients=1)
    _run(service, outcome, plan, f"{name}: one client", OURS, rows)


def _measure_writes(stand: Stand, service: ServiceProcess, outcome: Outcome, dataset: Dataset, rows: int) -> None:
    """Acknowledged writes, embedding included, and conversations that are summed up by rules; a few clients."""
    stand.say(f"http {outcome.size}: writes")
    spare = list(dataset.corpus.rows(dataset.count, dataset.count + 5000))
    writes: list[Line] = [
        ["POST", f"/v1/workspaces/{EVERYONE}/memories", {"type": row.kind, "content": f"{row.text} (HTTP)"}]
        for row in spare
    ]
    talks: list[Line] = [
        [
            "POST",
            "/summary_personal_memory",
            {
                "workspace_id": "talks",
                "trajectories": [
                    {
                        "messages": [
                            {"role": "user", "content": row.text},
                            {"role": "assistant", "content": row.question},
                        ]
                    }
                ],
            },
        ]
        for row in spare
    ]
    for case, lines in (("single: write, 4 clients", writes), ("summary, 4 clients", talks)):
        plan = Plan(
            port=service.port,
            requests=str(_write_lines(stand, lines)),
            seconds=_SHORT_SECONDS,
            clients=4,
            warm_s=1.0,
        )
        _run(service, outcome, plan, case, OURS, rows)


def _measure_upstream(stand: Stand, outcome: Outcome, size: str) -> None:
    """Upstream ReMe's own endpoint and ours, one client, on at most `_UPSTREAM_ROWS` memories, same embedder."""
    entries = {entry.name: entry for entry in stand.entries}
    if _UPSTREAM not in entries:
        return
    dataset = stand.dataset(min(SIZES[size], _UPSTREAM_ROWS))
    stores = stand.stores(dataset, mixed=False, outcome=outcome, only=(OURS, _UPSTREAM))
    if _UPSTREAM not in stores or OURS not in stores:
        return
    stand.say(f"http {size}: upstream ReMe beside ours, {dataset.count:,} memories")
    asked = choose_questions(dataset.corpus, dataset.count, 2000)
    case = f"own endpoint, one client, {dataset.count:,} memories"
    with _serving(stand, stores[OURS], outcome, "beside") as service:
        if service is not None:
            lines = [_search(EVERYONE, text) for text, _, _ in asked]
            plan = Plan(port=service.port, requests=str(_write_lines(stand, lines)), seconds=_SHORT_SECONDS)
            _run(service, outcome, plan, case, OURS, dataset.count)
    outcome.measurements = [one for one in outcome.measurements if one.case != "beside: start"]
    python = find_python(entries[_UPSTREAM], stand.environments)
    port, stub_port = find_port(), find_port()
    logs = stand.data / "logs"
    folder = stand.data / "service" / "upstream"
    folder.mkdir(parents=True, exist_ok=True)
    command = [
        str(python.with_name("reme")),
        "backend=http",
        f"http.port={port}",
        "http.host=127.0.0.1",
        "llm.default.model_name=stub",
        "embedding_model.default.model_name=stub",
        f"embedding_model.default.params={json.dumps({'dimensions': dataset.corpus.dimensions})}",
        "vector_store.default.backend=local",
        f"vector_store.default.params={json.dumps({'store_dir': str(stores[_UPSTREAM].folder)})}",
    ]
    variables = {
        "FLOW_LLM_API_KEY": "none-is-asked",
        "FLOW_LLM_BASE_URL": f"http://127.0.0.1:{stub_port}/v1",
        "FLOW_EMBEDDING_API_KEY": "none-is-asked",
        "FLOW_EMBEDDING_BASE_URL": f"http://127.0.0.1:{stub_port}/v1",
    }
    stub_command = [sys.executable, "-m", "benchmarks.embedding_stub", str(stub_port)]
    with (
        ServiceProcess(
            stub_command, port=stub_port, ready="/health", log=logs / "stub.log", variables={}, folder=folder
        ) as stub,
        ServiceProcess(
            command, port=port, ready="/health", log=logs / "upstream.log", variables=variables, folder=folder
        ) as upstream,
    ):
        try:
            stub.wait(_READY_S)
            ready_s = upstream.wait(_READY_S)
        except BenchmarkError as fault:
            outcome.leave_out(_UPSTREAM, str(fault), case)
            return
        lines = [["POST", "/v1/embeddings", {"model": "use", "input": text}] for text, _, _ in asked]
        plan = Plan(port=stub_port, requests=str(_write_lines(stand, lines)), seconds=5.0)
        _run(stub, outcome, plan, "the stub embedder, one client", "stub", 0)
        lines = [
            ["POST", "/retrieve_task_memory", {"query": text, "workspace_id": EVERYONE, "top_k": 10}]
            for text, _, _ in asked
        ]
        plan = Plan(
            port=port, requests=str(_write_lines(stand, lines)), seconds=2 * _SHORT_SECONDS, warm_s=_SHORT_SECONDS
        )
        _run(upstream, outcome, plan, case, _UPSTREAM, dataset.count)
        values = {"ready_s": round(ready_s, 3), "rss_mb": round(max(upstream.resident_mb()), 1)}
        outcome.measurements.append(
            Measurement(case="upstream: start and memory", engine=_UPSTREAM, rows=dataset.count, values=values)
        )


def _write_lines(stand: Stand, lines: Sequence[Line]) -> Path:
    path = stand.data / "requests.jsonl"
    path.write_text("\n".join(json.dumps(line, ensure_ascii=False) for line in lines), encoding="utf-8")
    return path


def _run(service: ServiceProcess, outcome: Outcome, plan: Plan, case: str, engine: str, rows: int) -> float:
    """Run a plan, note what came of it, and return the requests answered a second."""
    before_s = service.cpu_s()
    tally = run_load(plan)
    used_s = service.cpu_s() - before_s
    rate = float(len(tally["times_ms"]) / tally["seconds"])
    values = {
        **summarise(tally["times_ms"]),
        "requests_per_s": round(rate, 1),
        "failed": float(sum(tally["failed"].values()) + tally["unanswered"]),
        "generator_cpu": tally["own_cpu_share"],
        "service_cpu": round(used_s / (tally["seconds"] + plan.warm_s), 3),
        "repeats": float(tally["repeats"]),
    }
    if plan.rate:
        late = summarise(tally["late_ms"])
        values["wanted_per_s"] = round(plan.rate, 1)
        values["late_p95_ms"] = late.get("p95_ms", 0.0)
        values["late"] = float(sum(one > LATE_MS for one in tally["late_ms"]))
    note = "" if not tally["failed"] else f"failed: {json.dumps(tally['failed'])}"
    outcome.measurements.append(Measurement(case=case, engine=engine, rows=rows, values=values, note=note))
    return rate
