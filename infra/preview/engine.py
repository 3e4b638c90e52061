"""Runs of the engine for a preview: one command each, with a limit of time, in a process group of its own."""

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from infra.deployment.engine import LAST_LINES

_GRACE_S = 10.0
"""How long the engine may take to end after an interrupt, before it is killed."""


@dataclass(frozen=True, kw_only=True)
class EngineRun:
    """A command of the engine that has ended. `errors` are its reasons where it failed, else empty."""

    action: str
    seconds: float
    output: str
    errors: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Engine:
    """The engine's command, and what each of its runs sees; `limit_s` is of one run."""

    command: Path
    environment: Mapping[str, str]
    limit_s: float
    _running: "set[subprocess.Popen[str]]" = field(default_factory=set, init=False)
    _stopped: threading.Event = field(default_factory=threading.Event, init=False)
    _starting: threading.Lock = field(default_factory=threading.Lock, init=False)

    def stop(self) -> None:
        """End what runs, from another thread; nothing is run afterwards."""
        # What is being started now runs when the lock is free, and is ended as well.
        with self._starting:
            self._stopped.set()
            running = tuple(self._running)
        for process in running:
            # Its own thread reads what it prints.
            _end(process, process.wait)

    def run(self, action: str, folder: Path, *arguments: str, events: Path | None = None) -> EngineRun:
        """Run a command in a project's folder; a failure is in the answer, not raised.

        `events` is a file in which the engine writes what happens, for its diagnostics.
        """
        command = [str(self.command), *arguments, "--non-interactive", "--color", "never"]
        if events is not None:
            command += ["--event-log", str(events)]
        started = time.monotonic()
        with self._starting:
            if self._stopped.is_set():
                return EngineRun(action=action, seconds=0.0, output="", errors=("it was stopped",))
            process = subprocess.Popen(
                command,
                cwd=folder,
                # Only with its commands for debugging has the engine `--event-log`, as Pulumi's automation uses it.
                env={**self.environment, "PULUMI_DEBUG_COMMANDS": "true"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
            self._running.add(process)
        try:
            output, said = process.communicate(timeout=self.limit_s)
        except subprocess.TimeoutExpired:
            _end(process, process.communicate)
            reason = f"the engine took more than {self.limit_s:.0f} s and was stopped: raise the limit with --timeout"
            return EngineRun(action=action, seconds=time.monotonic() - started, output="", errors=(reason,))
        except BaseException:
            _end(process, process.communicate)
            raise
        finally:
            self._running.discard(process)
        seconds = time.monotonic() - started
        errors = () if process.returncode == 0 else _explain(events, output, said)
        return EngineRun(action=action, seconds=seconds, output=output, errors=errors)


def _end(process: "subprocess.Popen[str]", wait: Callable[..., object]) -> None:
    """End the engine and what it started; `wait` ends with it, or after the seconds of its `timeout`."""
    for number, wait_s in ((signal.SIGINT, _GRACE_S), (signal.SIGKILL, _GRACE_S)):
        try:
            os.killpg(process.pid, number)
            wait(timeout=wait_s)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue


def _explain(events: Path | None, output: str, said: str) -> tuple[str, ...]:
    """The engine's reasons: its diagnostics, else the end of what it printed."""
    found = []
    if events is not None and events.is_file():
        for line in events.read_text(encoding="utf-8", errors="replace").splitlines():
            event = json.loads(line).get("diagnosticEvent") or {}
            if event.get("severity") == "error":
                found.append(_tidy(event))
    # The engine ends with a sentence that says only that there was an error.
    telling = [each for each in found if "update failed" not in each and "preview failed" not in each]
    return tuple(dict.fromkeys(telling or found)) or (_last_lines(said or output),)


def _tidy(event: Mapping[str, str]) -> str:
    name = event.get("urn", "").rpartition("::")[2]
    lines = [line for line in event.get("message", "").splitlines() if line.strip()]
    # Of a traceback its last line says what is wrong.
    text = " ".join(lines[-1:] if any(line.startswith("Traceback") for line in lines) else lines)
    text = " ".join(text.split())
    return f"{name}: {text}" if name else text


def _last_lines(said: str) -> str:
    return " ".join(" ".join(said.splitlines()[-LAST_LINES:]).split()) or "the engine gave no reason"
