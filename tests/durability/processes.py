"""Child processes that can be killed: forked from a server that has everything imported, reporting through a pipe."""

import multiprocessing
import os
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from threading import Lock
from typing import Any, TypeAlias
from unittest.mock import patch

from tests.servers.waiting import PATIENCE_S

Message: TypeAlias = tuple[Any, ...]


def make_context() -> ForkServerContext:
    """The fork server, started at the first use; its children start in milliseconds and share no connection."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["pytest", "tests.durability.children"])
    with patch.dict(os.environ, {"OPENBLAS_NUM_THREADS": "1"}):  # a pool of threads would not outlive the fork
        forkserver.ensure_running()
    return context


@dataclass(frozen=True, kw_only=True)
class Child:
    """A running child and the pipe that it reports to."""

    process: BaseProcess
    reports: Connection

    def receive(self) -> Message | None:
        """The next report; None when the child has ended and all was read."""
        assert self.reports.poll(PATIENCE_S), f"the child said nothing for {PATIENCE_S:.0f} s"
        try:
            message: Message = self.reports.recv()
        except (EOFError, OSError):  # cut off in the middle of a report: it was not made
            return None
        assert message[0] != "failed", message[1]
        return message

    def expect(self, kind: str) -> Message:
        """The next report, which must be of this kind."""
        message = self.receive()
        assert message is not None, f"the child ended with {self.process.exitcode}, {kind!r} was expected"
        assert message[0] == kind, message
        return message

    def kill(self) -> None:
        """End it by SIGKILL and wait until it is gone; what it reported before can still be received."""
        self.process.kill()
        self.process.join(PATIENCE_S)

    def finish(self) -> None:
        """Wait until it ended by itself, without a failure."""
        assert self.receive() is None
        self.process.join(PATIENCE_S)
        assert self.process.exitcode == 0, self.process.exitcode


def start_child(target: Callable[..., None], *arguments: object) -> Child:
    """Run a function of this package in a child; its first argument is its `Reporter`."""
    context = make_context()
    receiving, sending = context.Pipe(duplex=False)
    process = context.Process(target=_run_child, args=(target, sending, arguments), daemon=True)
    process.start()
    sending.close()
    return Child(process=process, reports=receiving)


class Reporter:
    """Sends reports to the parent, whole ones from several threads."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe, self._lock = pipe, Lock()

    def send(self, *message: object) -> None:
        """Report; when this returns, the parent will read it even if this process is killed."""
        with self._lock:
            self._pipe.send(message)


def _run_child(target: Callable[..., None], pipe: Connection, arguments: Sequence[object]) -> None:
    reporter = Reporter(pipe)
    try:
        target(reporter, *arguments)
    except Exception:
        reporter.send("failed", traceback.format_exc())
