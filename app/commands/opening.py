"""Opening the store for a command that works on it without the service."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from app.domain.access import LOCAL_ADMIN, Principal
from app.domain.identifiers import check_workspace_id
from app.errors import InvalidRequest, SettingsError

if TYPE_CHECKING:
    from app.service.suite import Services
    from app.settings import Settings


def read_settings(
    working_dir: Path | None, config_file: Path | None = None, *, arguments: Sequence[str] = ()
) -> "Settings":
    """The settings in force; `arguments` are `key=value` and win over everything."""
    from app.settings import load_settings

    place = [] if working_dir is None else [f"working_dir={working_dir}"]
    return load_settings([*place, *arguments], config=config_file)


@contextmanager
def open_services(settings: "Settings", *, make: bool) -> "Iterator[Services]":
    """The services over the configured store, closed afterwards.

    An embedded store that is missing is made with `make`; else it is an `InvalidRequest`, since the folder is most
    likely the wrong one. Raises `SettingsError` for a store in memory, which no other process sees.
    """
    if settings.store.backend != "postgres":
        check_embedded(settings, make=make)
    from app.assembly import build_services

    services = build_services(settings)
    try:
        yield services
    finally:
        services.close()


def check_embedded(settings: "Settings", *, make: bool) -> Path:
    """The path of the embedded store, or an error that says why a command cannot use it."""
    if settings.store.backend == "postgres":
        raise SettingsError(
            "this command examines files, and store.backend=postgres has none: PostgreSQL's own tools examine a "
            "database (pg_amcheck), `reme index` a vector index"
        )
    if settings.store.backend != "sqlite":
        raise SettingsError(
            f"store.backend={settings.store.backend} keeps nothing between commands: "
            "use store.backend=sqlite, or ask the running service over HTTP"
        )
    path = settings.store_path
    if not make and not path.is_file():
        raise InvalidRequest(
            f"there is no store at {path}: name the folder that holds .reme with --working-dir, "
            "or make a store with `reme add` or `reme serve`"
        )
    return path


def local_admin(tenant_id: str) -> Principal:
    """The administrator of a tenant on this machine: whoever can open the file may do everything."""
    return replace(LOCAL_ADMIN, tenant_id=check_workspace_id(tenant_id))
