"""``reme index``: how the vector index beside the store stands, and making it anew."""

from pathlib import Path
from time import sleep
from typing import Any

import click

from app.commands.main import EXIT_FINDING
from app.commands.opening import open_services, read_settings
from app.commands.options import json_option, place_options
from app.commands.printing import print_json, print_table
from app.commands.progress import track
from app.errors import SettingsError

LOOK_S = 0.2


@click.command()
@click.option("--rebuild", is_flag=True, help="Make the index anew from the store; the service may run.")
@json_option
@place_options
def index(rebuild: bool, as_json: bool, working_dir: Path | None, config_file: Path | None) -> None:
    """Show how the vector index beside the store stands (`vector_index.backend`), or make it anew.

    \b
      reme index
      reme index --rebuild

    The store has every vector, so an index that was lost or damaged is made anew without embedding anything. Until it
    is whole the store searches by itself. The exit code is 3 while searches do not ask the index.
    """
    settings = read_settings(working_dir, config_file)
    if settings.vector_index.backend == "store":
        raise SettingsError(
            "there is no vector index beside the store: vector_index.backend=qdrant, elasticsearch or chroma makes one"
        )
    with open_services(settings, make=False) as services:
        store: Any = services.store  # what stands beside it shows and mends itself
        if rebuild:
            _rebuild(store)
        state = store.state()
    shown = {"backend": settings.vector_index.backend, **_describe(state)}
    if as_json:
        print_json(shown)
    else:
        print_table(("Index", "State"), [(name, str(value)) for name, value in shown.items()])
    if not state.is_used:
        raise SystemExit(EXIT_FINDING)


def _rebuild(store: Any) -> None:
    noted = store.rebuild()
    with track("telling the index", "memories") as show:
        while True:
            state = store.state()
            show(noted - min(state.waiting, noted), noted)
            if not state.waiting or state.error:
                return
            sleep(LOOK_S)


def _describe(state: Any) -> dict[str, object]:
    return {
        "waiting": state.waiting,
        "built": round(state.built, 4),
        "used": state.is_used,
        "breaker": state.breaker,
        "error": state.error,
    }
