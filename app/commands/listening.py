"""The HTTP server: its socket, and uvicorn around the application, in one process or several."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from time import monotonic
from typing import TYPE_CHECKING, Any

import click
import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess
from uvicorn.supervisors.multiprocess import Process

from app.errors import SettingsError

if TYPE_CHECKING:
    from fastapi import FastAPI

    from app.settings import Settings

BACKLOG = 2048
"""Connections that wait to be accepted; uvicorn's own figure."""
KEEP_ALIVE_S = 75
"""Longer than the 60 s of the load balancers of AWS and Alibaba Cloud, so that it is they who close a connection."""
PATIENCE_S = 20
"""How long a stop waits for requests under way; orchestrators kill after 30 s (Kubernetes), podman after 10 s unless
it is told --stop-timeout."""
SILENCE_S = 60
"""How long a worker may not answer its parent before it is taken to hang, ended and replaced. On a busy machine one
that is well may be silent for longer than uvicorn's 5 s, and its requests would be lost."""
GLANCE_S = 0.1
"""How long a signal to stop may wait while a worker is silent."""


@contextmanager
def listen(host: str, port: int) -> Iterator[socket.socket]:
    """A listening socket. Raises `SettingsError` for a host without an address, `ClickException` for one in use."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError):
        raise SettingsError(f"http.host={host!r} has no address: give one of this machine, such as 127.0.0.1") from None
    family, _, _, _, address = found[0]
    try:
        door = socket.create_server(address, family=family, backlog=BACKLOG)
    except OSError as error:
        raise click.ClickException(
            f"cannot listen at port {port} of {host}: {error.strerror or error}. "
            "Stop what listens there, or take another with --port (0 takes a free one)."
        ) from None
    with door:
        door.set_inheritable(True)
        yield door


def serve_alone(app: "FastAPI", door: socket.socket, *, started: Callable[[], None]) -> None:
    """Answer in this process; `started` is called when requests are taken. Raises `ClickException`."""
    server = _Announcing(uvicorn.Config(app, **_options()), started)
    try:
        server.run(sockets=[door])
    except SystemExit as stop:
        if stop.code == STARTUP_FAILURE:
            raise click.ClickException("the service did not start; the reason is in the log above") from None
        raise


def serve_with_workers(settings: "Settings", door: socket.socket) -> None:
    """Answer in several processes, started by this one and again when one dies. Raises `ClickException`."""
    config = uvicorn.Config(
        "app.main:create_worker_app",
        factory=True,
        workers=settings.http.workers,
        timeout_worker_healthcheck=SILENCE_S // 2,
        **_options(),
    )
    supervisor = _Workers(config, sockets=[door])
    supervisor.run()
    if any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes):
        raise click.ClickException("the workers did not start; the reason is in the log above")


def _options() -> dict[str, Any]:
    """What both ways of serving have in common. The service writes its own log lines, also one a request."""
    return {
        "loop": "uvloop",
        "http": "httptools",
        "ws": "none",
        "lifespan": "on",
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "backlog": BACKLOG,
        "timeout_keep_alive": KEEP_ALIVE_S,
        "timeout_graceful_shutdown": PATIENCE_S,
    }


class _Announcing(uvicorn.Server):
    """Calls back when it takes requests."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then say so."""
        await super().startup(sockets=sockets)
        if self.started:
            self._announce()


class _Workers(Multiprocess):
    """Stops also while a worker is silent, as one is that starts: uvicorn's own parent is deaf until it answers."""

    def keep_subprocess_alive(self) -> None:
        """Replace workers that died or hang; returns early, to be called again, where a signal has come."""
        if self.should_exit.is_set():  # uvicorn calls this once more after the signal was heard
            return
        until = monotonic() + SILENCE_S / 2
        for process in self.processes:
            with suppress(OSError, EOFError):
                self._hear(process, until)
        if not self.signal_queue:
            super().keep_subprocess_alive()  # asks again, and is as patient again with one that was silent

    def _hear(self, process: Process, until: float) -> None:
        """Wait until a worker answers, ends, a signal comes or patience is over."""
        process.parent_conn.send(b"ping")
        while not process.parent_conn.poll(GLANCE_S):
            if self.signal_queue or monotonic() > until or not process.process.is_alive():
                return
        process.parent_conn.recv()
