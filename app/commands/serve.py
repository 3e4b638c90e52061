"""``reme serve``: run the service over HTTP."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click

from app.commands.opening import read_settings
from app.commands.options import place_options

if TYPE_CHECKING:
    import socket

    from app.settings import Settings


@click.command()
@click.argument("settings", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--host", help="Address to listen at.  [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65_535), help="Port to listen at; 0 takes a free one.  [default: 8002]")
@click.option("--workers", type=click.IntRange(1, 64), help="Processes that answer.  [default: 1]")
@place_options
def serve(
    settings: tuple[str, ...],
    host: str | None,
    port: int | None,
    workers: int | None,
    working_dir: Path | None,
    config_file: Path | None,
) -> None:
    """Run the service over HTTP until it is stopped with Ctrl-C or SIGTERM.

    \b
      reme serve
      reme serve --host 0.0.0.0 --workers 2 --working-dir /var/lib/reme
      reme serve embedding.threads=2 log.level=WARNING --config reme.toml

    KEY=VALUE is any setting of `reme config`. While no key exists, callers on this machine need none; an address that
    others reach is not served then. `reme backend=http http.port=8002` starts the service too.
    """
    options = {"http.host": host, "http.port": port, "http.workers": workers}
    given = [f"{name}={value}" for name, value in options.items() if value is not None]
    run_service(read_settings(working_dir, config_file, arguments=[*settings, *given]))


def run_service(settings: "Settings") -> None:
    """Listen and answer until a signal comes; returns when the last request is answered.

    Raises `SettingsError` where the service would stand open to a network, `EmbeddingMismatch` for a store of another
    embedding, another `StoreError`, or a `ClickException` where the address cannot be had.
    """
    from app.commands.listening import listen, serve_alone, serve_with_workers

    with _stoppable(), listen(settings.http.host, settings.http.port) as door:
        if settings.http.workers > 1:
            _announce(settings, door, *_prepare(settings))
            serve_with_workers(settings, door)
            return
        from app.main import create_app

        app = create_app(settings)
        api = app.state.api
        announce = partial(_announce, settings, door, api.facts["embedder"])
        serve_alone(app, door, started=lambda: announce(keys_exist=api.services.keys.exist()))


def _prepare(settings: "Settings") -> tuple[str, bool]:
    """Check what workers cannot report, and leave them their settings; returns the embedder and whether keys exist."""
    from app.assembly import prepare_workers
    from app.telemetry.logs import configure_logs

    configure_logs(settings.log)
    prepared = prepare_workers(settings)
    os.environ.update(prepared.variables)
    for warning in settings.warnings:
        click.echo(f"reme: {warning}", err=True)
    return prepared.embedder, prepared.keys_exist


@contextmanager
def _stoppable() -> Iterator[None]:
    """End with code 0 on the signals that ask for an end; while it serves, uvicorn's handlers stand before ours."""

    def stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        raise SystemExit(0)

    former = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def _announce(settings: "Settings", door: "socket.socket", embedder: str, keys_exist: bool) -> None:
    """Print where the service is and who may use it."""
    port = door.getsockname()[1]
    for name, value in describe_service(settings, port=port, embedder=embedder, keys_exist=keys_exist):
        click.echo(f"{name:<9} {value}")


def describe_service(
    settings: "Settings", *, port: int, embedder: str, keys_exist: bool
) -> tuple[tuple[str, str], ...]:
    """What to know of a service at a port: addresses, store, embedder, access."""
    from app.api.authentication import is_loopback

    host = settings.http.host
    everywhere = host in ("0.0.0.0", "::")  # noqa: S104 - compared, not listened at
    name = "127.0.0.1" if everywhere else f"[{host}]" if ":" in host else host
    address = f"http://{name}:{port}"
    if keys_exist:
        access = "with an API key"
    elif settings.access.mode == "required":
        access = "with an API key, and there is none yet: reme keys issue NAME"
    elif is_loopback(host):
        access = "open to callers on this machine until a key exists: reme keys issue NAME"
    else:
        access = "OPEN to whoever reaches the address (http.allow_open) until a key exists"
    return (
        ("API", address + (" and every other address of this machine" if everywhere else "")),
        ("Docs", f"{address}/docs"),
        ("Metrics", f"{address}/metrics"),
        ("Store", _describe_store(settings)),
        ("Embedder", embedder),
        ("Access", access),
    )


def _describe_store(settings: "Settings") -> str:
    places = {"memory": "in memory, gone at the end", "postgres": "in PostgreSQL"}
    place = places.get(settings.store.backend, str(settings.store_path))
    beside = settings.vector_index.backend
    return place if beside == "store" else f"{place}, with {beside} beside it"
