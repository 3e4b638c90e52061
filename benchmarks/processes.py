"""The runner's end of a worker: starts the process, asks it one thing at a time, ends it."""

import json
import os
import selectors
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchmarks.engines.roster import Entry, find_python
from benchmarks.errors import EngineFailed, EngineTooSlow

ROOT = Path(__file__).parents[1]
_END_S = 20


class WorkerProcess:
    """A worker of one engine. Raises `EngineFailed` and `EngineTooSlow`; after either it is gone."""

    def __init__(self, entry: Entry, environments: Path, logs: Path) -> None:
        self.entry = entry
        logs.mkdir(parents=True, exist_ok=True)
        self._log = logs / f"{entry.name}.log"
        started = time.perf_counter()
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [str(find_python(entry, environments)), "-m", "benchmarks.worker", entry.module, entry.class_name],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT), "ANONYMIZED_TELEMETRY": "False"},
            )
        self._started = started
        self._rest = b""

    @property
    def age_s(self) -> float:
        """Seconds since the process was started."""
        return time.perf_counter() - self._started

    def ask(self, do: str, *, timeout_s: float = 60, **arguments: Any) -> dict[str, Any]:
        """One command and its answer."""
        if self._process.stdin is None or self._process.poll() is not None:
            raise EngineFailed(self._reason("its process has ended"))
        try:
            self._process.stdin.write(json.dumps({"do": do, **arguments}).encode() + b"\n")
            self._process.stdin.flush()
        except OSError as fault:
            raise EngineFailed(self._reason(f"its process has ended ({fault})")) from fault
        answer: dict[str, Any] = json.loads(self._read_line(do, timeout_s))
        if "error" in answer:
            raise EngineFailed(f"{do}: {answer['error']}")
        return answer

    def _read_line(self, do: str, timeout_s: float) -> bytes:
        stream = self._process.stdout
        if stream is None:
            raise EngineFailed("its process has no output")
        ends = time.monotonic() + timeout_s
        parts = [self._rest]
        with selectors.DefaultSelector() as selector:
            selector.register(stream, selectors.EVENT_READ)
            while b"\n" not in parts[-1]:
                if not selector.select(max(ends - time.monotonic(), 0)):
                    self.kill()
                    raise EngineTooSlow(f"no answer to {do} within {timeout_s:.0f} s")
                part = os.read(stream.fileno(), 1 << 20)
                if not part:
                    raise EngineFailed(self._reason(f"its process ended during {do}"))
                parts.append(part)
        line, _, self._rest = b"".join(parts).partition(b"\n")
        return line

    def _reason(self, what: str) -> str:
        lines = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return f"{what}: {lines[-1][:300]}" if lines else what

    def kill(self) -> None:
        """End the process at once."""
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """Close the engine and end the process."""
        if self._process.poll() is None:
            try:
                self.ask("close", timeout_s=_END_S)
                self._process.wait(timeout=_END_S)
            except (EngineFailed, EngineTooSlow, subprocess.TimeoutExpired):
                self.kill()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
