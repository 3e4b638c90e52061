"""Services under load: starts them in a group of their own, waits until they answer, reads what they use."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchmarks.errors import BenchmarkError
from benchmarks.load import HOST, Plan
from benchmarks.processes import ROOT

_STOP_S = 15
_TICKS = os.sysconf("SC_CLK_TCK")
_SPARE_S = 60


def find_port() -> int:
    """A free port of this machine."""
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        return int(listener.getsockname()[1])


class ServiceProcess:
    """A service and its worker processes. Raises `BenchmarkError` if it does not get ready in time."""

    def __init__(
        self, command: Sequence[str], *, port: int, ready: str, log: Path, variables: Mapping[str, str], folder: Path
    ) -> None:
        self.port = port
        self._ready = ready
        self._log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        self._started = time.perf_counter()
        with log.open("wb") as file:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                cwd=folder,
                start_new_session=True,
                env={**os.environ, "PYTHONPATH": str(ROOT), **variables},
            )

    def wait(self, timeout_s: float) -> float:
        """Seconds from the start of the process until it answered that it is ready."""
        what = f"was not ready within {timeout_s:.0f} s"
        while time.perf_counter() - self._started < timeout_s:
            if self._process.poll() is not None:
                what = f"ended with exit code {self._process.returncode}"
                break
            if self._answers():
                return time.perf_counter() - self._started
            time.sleep(0.02)
        lines = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        raise BenchmarkError(f"the service {what}: {' / '.join(lines[-3:])[:400]}")

    def _answers(self) -> bool:
        connection = HTTPConnection(HOST, self.port, timeout=5)
        try:
            connection.request("GET", self._ready)
            return connection.getresponse().status == 200
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()

    def processes(self) -> list[int]:
        """The ids of the processes of its group."""
        group = self._process.pid
        found = []
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit():
                try:
                    fields = (folder / "stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
                except OSError:
                    continue
                if int(fields[2]) == group:
                    found.append(int(folder.name))
        return sorted(found)

    def resident_mb(self) -> list[float]:
        """Resident memory of each process, the largest first."""
        found = []
        for pid in self.processes():
            try:
                lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines()
            except OSError:
                continue
            found += [int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS")]
        return sorted(found, reverse=True)

    def cpu_s(self) -> float:
        """Seconds of CPU time that its processes have used."""
        total = 0
        for pid in self.processes():
            try:
                fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
            except OSError:
                continue
            parts = fields.rpartition(")")[2].split()
            total += int(parts[11]) + int(parts[12])
        return total / _TICKS

    def stop(self) -> None:
        """End the group that this started."""
        for name in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self._process.pid, name)
            except ProcessLookupError:
                break
            try:
                self._process.wait(timeout=_STOP_S)
            except subprocess.TimeoutExpired:
                continue

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def run_load(plan: Plan) -> dict[str, Any]:
    """Run the load generator in a process of its own and return its tally."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.load", json.dumps(asdict(plan))],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=plan.seconds + plan.warm_s + _SPARE_S,
        check=False,
    )
    if done.returncode:
        raise BenchmarkError(f"the load generator failed: {done.stderr.strip()[-400:]}")
    tally: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return tally
