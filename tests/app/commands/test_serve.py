"""`reme serve`: a real process on a port of this machine."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import Pipe, current_process
from pathlib import Path
from threading import Event
from types import SimpleNamespace

import httpx
import pytest

from app.commands.listening import _Workers
from app.commands.serve import describe_service
from app.settings import load_settings
from tests.app.commands.conftest import Runner
from tests.servers.waiting import PATIENCE_S, wait_until

pytestmark = pytest.mark.slow
EVERYWHERE = "0.0.0.0"  # noqa: S104 - refused, or answered with a key only


class Service:
    """A running service: its process, its address, and what it printed."""

    def __init__(self, process: "subprocess.Popen[str]", log: Path) -> None:
        self.process, self.log = process, log
        self.printed: dict[str, str] = {}
        assert process.stdout is not None
        for line in process.stdout:
            name, _, value = line.partition(" ")
            self.printed[name] = value.strip()
            if name == "Access":
                break
        self.address = self.printed.get("API", "").split(" ")[0]

    def get(self, path: str, key: str = "") -> tuple[int, str]:
        answer = httpx.get(self.address + path, headers={"X-API-Key": key} if key else {}, timeout=PATIENCE_S)
        return answer.status_code, answer.text

    def get_when_up(self, path: str, key: str = "") -> tuple[int, str]:
        answers: list[tuple[int, str]] = []

        def is_up() -> bool:
            with suppress(httpx.TransportError):
                answers.append(self.get(path, key))
            return bool(answers)

        wait_until(is_up, self.log.read_text)
        return answers[0]

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)


@contextmanager
def serving(place: Path, *arguments: str, form: str = "serve") -> Iterator[Service]:
    log = place / "service.log"
    with log.open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "app", *([form] if form else []), *arguments],
            cwd=place,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    try:
        yield Service(process, log)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_says_where_it_is_answers_and_stops_cleanly(place: Path, number: int) -> None:
    with serving(place, "--port", "0") as service:
        assert set(service.printed) == {"API", "Docs", "Metrics", "Store", "Embedder", "Access"}
        assert service.printed["Store"].endswith(".reme/memory.db")
        assert service.printed["Embedder"].startswith("hashed-words")
        assert service.printed["Access"].startswith("open to callers on this machine")
        assert service.get("/livez")[0] == 200
        assert service.get("/v1/workspaces")[0] == 200
        for name in ("Docs", "Metrics"):
            assert service.get(service.printed[name].removeprefix(service.address))[0] == 200
        assert service.stop(number) == 0
        lines = [json.loads(line) for line in service.log.read_text().splitlines()]
        assert {"ready", "stopped"} <= {line["message"] for line in lines}
        assert not [line for line in lines if line["level"] in ("ERROR", "WARNING")]


def test_upstream_s_command_starts_it(place: Path, free_port: int) -> None:
    arguments = (f"http.port={free_port}", "llm.default.model_name=qwen3", "vector_store.default.backend=local")
    with serving(place, *arguments, form="backend=http") as service:
        assert service.address == f"http://127.0.0.1:{free_port}"
        assert service.get("/health") == (200, '{"status":"healthy"}')
        assert "llm.default.model_name" in service.log.read_text()
        assert service.stop() == 0


def test_a_key_closes_the_door_of_a_running_service(place: Path, reme: Runner) -> None:
    with serving(place, "--port", "0") as service:
        assert service.get("/v1/workspaces")[0] == 200
        secret = reme("keys", "issue", "laptop").out.strip()
        time.sleep(1.1)
        assert service.get("/v1/workspaces")[0] == 401
        assert service.get("/v1/workspaces", secret)[0] == 200
        key_id = json.loads(reme("keys", "list", "--json").out)["items"][0]["id"]
        reme("keys", "revoke", key_id)
        assert service.get("/v1/workspaces", secret)[0] == 401
        assert secret not in service.log.read_text()


def test_commands_work_beside_the_service(place: Path, reme: Runner) -> None:
    with serving(place, "--port", "0") as service:
        reme("add", "written by a command while the service runs", "--workspace", "team")
        assert "written by a command" in service.get("/v1/workspaces/team/memories")[1]
        assert reme("doctor").code == 0


def test_several_workers_share_the_store_and_stop_cleanly(place: Path) -> None:
    with serving(place, "--port", "0", "--workers", "2") as service:
        assert service.get_when_up("/livez")[0] == 200
        assert service.stop() == 0


def test_a_worker_that_is_silent_delays_no_stop(place: Path) -> None:
    """As one is that just starts: a stop that waited for it would be cut short by a kill."""
    with serving(place, "--port", "0", "--workers", "2") as service:
        assert service.get_when_up("/livez")[0] == 200
        wait_until(lambda: service.log.read_text().count('"message":"ready"') == 2, service.log.read_text)
        started = re.findall(r"Started server process \[(\d+)\]", service.log.read_text())
        os.kill(int(started[0]), signal.SIGSTOP)
        time.sleep(1.5)  # the parent asks each every half second, and waits for this one now
        service.process.send_signal(signal.SIGTERM)
        wait_until(lambda: f"Terminated child process [{started[0]}]" in service.log.read_text(), service.log.read_text)
        os.kill(int(started[0]), signal.SIGCONT)
        assert service.stop() == 0
        assert "died" not in service.log.read_text()


def test_no_worker_is_asked_any_more_once_a_stop_is_wanted() -> None:
    workers = object.__new__(_Workers)
    workers.should_exit, workers.signal_queue = Event(), []
    workers.should_exit.set()
    asked, answers = Pipe()
    workers.processes = [SimpleNamespace(parent_conn=asked, process=current_process())]  # type: ignore[list-item]
    with asked, answers:
        workers.keep_subprocess_alive()
        assert not answers.poll()


def test_workers_end_with_a_parent_that_was_killed(place: Path) -> None:
    with serving(place, "--port", "0", "--workers", "2") as service:
        assert service.get_when_up("/livez")[0] == 200
        wait_until(lambda: service.log.read_text().count('"message":"ready"') == 2, service.log.read_text)
        assert service.stop(signal.SIGKILL) == -signal.SIGKILL
        wait_until(lambda: service.log.read_text().count('"message":"stopped"') == 2, service.log.read_text)
        with pytest.raises(httpx.ConnectError):
            service.get("/livez")


def test_an_open_address_is_refused_without_keys(place: Path, reme: Runner) -> None:
    done = reme("serve", "--host", EVERYWHERE, "--port", 0)
    assert done.code == 2
    assert "reme keys issue" in done.err
    assert reme("serve", "--host", EVERYWHERE, "--port", 0, "--workers", 2).code == 2
    secret = reme("keys", "issue", "laptop").out.strip()
    with serving(place, "--host", EVERYWHERE, "--port", "0") as service:
        assert service.printed["Access"] == "with an API key"
        assert service.get("/v1/workspaces")[0] == 401
        assert service.get("/v1/workspaces", secret)[0] == 200


def test_a_store_of_another_embedding_is_refused(place: Path, reme: Runner) -> None:
    reme("add", "one")
    for more in ((), ("--workers", 2)):
        done = reme("serve", "--port", 0, "embedding.backend=local", *more)
        assert done.code == 1
        assert "reme reembed" in done.err
        assert "universal-sentence-encoder" in done.err


def test_a_port_in_use_is_named(place: Path, reme: Runner) -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]
        done = reme("serve", "--port", port)
    assert done.code == 1
    assert f"port {port} of 127.0.0.1" in done.err
    assert "--port" in done.err
    assert reme("serve", "--host", "no.such.host.invalid").code == 2


@pytest.mark.parametrize(
    ("arguments", "keys_exist", "access", "address"),
    [
        ([], False, "open to callers", "http://127.0.0.1:8002"),
        ([], True, "with an API key", "http://127.0.0.1:8002"),
        (["access.mode=required"], False, "there is none yet", "http://127.0.0.1:8002"),
        (["http.host=0.0.0.0", "http.allow_open=true"], False, "OPEN", "http://127.0.0.1:8002 and every other"),
        (["http.host=::1"], False, "open to callers", "http://[::1]:8002"),
        (["store.backend=memory"], False, "open to callers", "http://127.0.0.1:8002"),
    ],
)
def test_who_may_call_is_told(place: Path, arguments: list[str], keys_exist: bool, access: str, address: str) -> None:
    told = dict(describe_service(load_settings(arguments), port=8002, embedder="e", keys_exist=keys_exist))
    assert access in told["Access"]
    assert told["API"].startswith(address)
    assert re.match(r"in memory|.*memory\.db$", told["Store"])
