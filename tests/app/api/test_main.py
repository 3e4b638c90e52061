"""The composition root: what is put together, what is refused at the start, and servers with several workers."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from app.assembly import build_services, prepare_workers
from app.domain.access import LOCAL_ADMIN, Role
from app.domain.memory import MemoryDraft, MemoryKind
from app.domain.query import SearchQuery
from app.errors import EmbeddingMismatch, SettingsError
from app.main import create_app, create_worker_app
from app.settings import WORKER_SETTINGS, Settings
from app.telemetry.metrics import SHARED_DIRECTORY
from tests.servers.waiting import PATIENCE_S, wait_until

ROOT = Path(__file__).parents[3]


def make_settings(working_dir: Path, **sections: Any) -> Settings:
    return Settings(**{"working_dir": working_dir, "embedding": {"backend": "hashing"}, **sections})


def test_services_without_http(tmp_path: Path) -> None:
    services = build_services(make_settings(tmp_path))
    services.memories.add(LOCAL_ADMIN, "ws", [MemoryDraft(kind=MemoryKind.TASK, content="drain the node")])
    assert services.retrieval.search(LOCAL_ADMIN, "ws", SearchQuery(text="node")).hits
    services.close()
    assert (tmp_path / ".reme/memory.db").is_file()


def test_a_store_of_another_embedding_is_refused_and_let_go(tmp_path: Path) -> None:
    services = build_services(make_settings(tmp_path))
    services.memories.add(LOCAL_ADMIN, "ws", [MemoryDraft(kind=MemoryKind.TASK, content="drain the node")])
    services.close()
    other = make_settings(tmp_path, embedding={"backend": "local"})
    for start in (create_app, prepare_workers):
        with pytest.raises(EmbeddingMismatch, match="reme reembed"):
            start(other)
    build_services(other).close()


def test_workers_get_what_they_need(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = make_settings(tmp_path, http={"workers": 2}, embedding={"backend": "hashing", "threads": 2})
    counts = tmp_path / ".reme/metrics"
    counts.mkdir(parents=True)
    (counts / "counter_1.db").write_bytes(b"left over")
    variables = prepare_workers(settings).variables
    assert variables[SHARED_DIRECTORY] == str(counts)
    assert variables["OPENBLAS_NUM_THREADS"] == "2"
    assert list(counts.iterdir()) == []
    monkeypatch.setenv(WORKER_SETTINGS, variables[WORKER_SETTINGS])
    app = create_worker_app()
    assert app.state.api.settings.model_dump() == settings.model_dump()
    app.state.api.services.close()


def test_a_worker_without_a_parent_reads_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(WORKER_SETTINGS, raising=False)
    monkeypatch.setenv("REME_WORKING_DIR", str(tmp_path))
    monkeypatch.setenv("REME_EMBEDDING__BACKEND", "hashing")
    app = create_worker_app()
    assert app.state.api.settings.working_dir == tmp_path
    app.state.api.services.close()


def test_what_would_fail_in_every_worker_fails_in_the_parent(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="several workers"):
        prepare_workers(make_settings(tmp_path, store={"backend": "memory"}, http={"workers": 2}))
    with pytest.raises(SettingsError, match="reme keys issue"):
        prepare_workers(make_settings(tmp_path, http={"host": "0.0.0.0"}))  # noqa: S104


@dataclass
class Server:
    port: int
    process: subprocess.Popen[str]
    log: Path

    def ask(self, path: str, body: Any = None, headers: dict[str, str] | None = None) -> tuple[int, Any]:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json", "Connection": "close", **(headers or {})},
        )
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:  # noqa: S310
                text, status = answer.read().decode(), answer.status
        except urllib.error.HTTPError as error:
            with error:
                text, status = error.read().decode(), error.code
        return status, json.loads(text) if text.startswith(("{", "[")) else text


@pytest.fixture
def server(tmp_path: Path, free_port: int) -> Iterator[Server]:
    """A real server with two workers."""
    log = tmp_path / "reme.log"
    settings = make_settings(
        tmp_path, http={"workers": 2, "port": free_port, "key_in_path": True}, log={"file": log, "level": "DEBUG"}
    )
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "uvicorn",
            "app.main:create_worker_app",
            "--factory",
            "--workers",
            "2",
            "--port",
            str(free_port),
            "--timeout-worker-healthcheck",
            f"{PATIENCE_S:.0f}",
        ],
        cwd=ROOT,
        env={**os.environ, **prepare_workers(settings).variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    running = Server(port=free_port, process=process, log=log)

    def is_ready() -> bool:
        assert process.poll() is None, process.communicate()[0]
        try:
            return running.ask("/readyz")[0] == 200 and log.read_text().count('"message":"ready"') == 2
        except OSError:
            return False

    wait_until(is_ready, "two workers")
    yield running
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    process.communicate(timeout=PATIENCE_S)


@pytest.mark.slow
def test_two_workers_are_one_service(server: Server) -> None:
    """A key issued by one closes both, counts are those of both, no output holds the key, and the end is clean."""
    assert server.ask("/v1/workspaces/ws/memories", {"type": "task", "content": "drain the node"})[0] == 201
    for _ in range(20):
        status, found = server.ask("/v1/workspaces/ws/search", {"query": "node"})
        assert (status, found["hits"][0]["memory"]["content"]) == (200, "drain the node")
    counted = 'reme_http_requests_total{method="POST",operation="search_memories",status="200"} 20.0'
    wait_until(lambda: counted in server.ask("/metrics")[1], counted)  # a request is counted after it was answered
    assert all(counted in server.ask("/metrics")[1] for _ in range(6))
    body = {"name": "k", "role": Role.USER.value, "workspaces": ["ws"]}
    secret = server.ask("/v1/admin/keys", body)[1]["secret"]
    time.sleep(1.1)
    assert {server.ask("/v1/workspaces")[0] for _ in range(10)} == {401}
    assert {server.ask(f"/k/{secret}/v1/workspaces")[0] for _ in range(10)} == {200}
    assert server.ask(f"/k/{secret}/nowhere")[0] == 404
    server.process.send_signal(signal.SIGTERM)
    output = server.process.communicate(timeout=PATIENCE_S)[0]
    written = server.log.read_text()
    assert secret not in output + written
    assert written.count('"message":"stopped"') == 2
    assert "Traceback" not in output + written
    lines = [json.loads(line) for line in written.splitlines()]
    assert {line["operation"] for line in lines if line["logger"] == "reme.http"} >= {"search_memories", "unmatched"}
