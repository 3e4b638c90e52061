"""``reme config``: the settings in force and where each comes from."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from app.commands.opening import read_settings
from app.commands.options import json_option, place_options
from app.commands.printing import print_json, print_table

if TYPE_CHECKING:
    from pydantic import BaseModel

    from app.settings import Settings

MASK = "********"
SECRET_ENDINGS = ("api_key", "password", "secret", "token")
"""How the names of settings end whose values are never shown."""


@click.command()
@click.argument("settings", nargs=-1, metavar="[schema | KEY=VALUE...]")
@json_option
@place_options
def config(settings: tuple[str, ...], as_json: bool, working_dir: Path | None, config_file: Path | None) -> None:
    """Show every setting in force and where it comes from; `schema` prints the JSON Schema of a settings file.

    \b
      reme config
      reme config --config reme.toml http.port=9000
      reme config schema > reme.schema.json

    The strongest source wins: KEY=VALUE, environment, file, default. Values of secrets are not shown.
    """
    if settings == ("schema",):
        from app.settings import Settings

        print_json(Settings.model_json_schema())
        return
    found = read_settings(working_dir, config_file, arguments=settings)
    values = list_values(found)
    sources = find_sources(found, arguments=settings, working_dir=working_dir, config_file=config_file)
    if as_json:
        print_json(
            {
                "settings": {name: {"value": values[name], "source": sources[name]} for name in values},
                "ignored": list(found.ignored),
            }
        )
        return
    print_table(("Setting", "Value", "Source"), [(name, _show(values[name]), sources[name]) for name in values])
    if found.ignored:
        click.echo(f"reme: without a meaning here: {', '.join(found.ignored)}", err=True)


def list_values(settings: "Settings") -> dict[str, object]:
    """Every setting's dotted name and its value as plain data, secrets masked."""
    return {
        name: MASK if name.endswith(SECRET_ENDINGS) and value else value
        for name, value in _flatten(settings.model_dump(mode="json"))
    }


def _flatten(values: Mapping[str, object], prefix: str = "") -> list[tuple[str, object]]:
    found: list[tuple[str, object]] = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            found += _flatten(value, f"{prefix}{name}.")
        else:
            found.append((f"{prefix}{name}", value))
    return found


def find_sources(
    settings: "Settings", *, arguments: Sequence[str], working_dir: Path | None, config_file: Path | None
) -> dict[str, str]:
    """The source of every setting: "argument", the variable or the file that gives it, or "default"."""
    from app.settings import UPSTREAM_NAMES, load_settings

    given = [argument.partition("=")[0].strip().lstrip("-") for argument in arguments]
    stated = {UPSTREAM_NAMES.get(name, name) for name in given}
    if working_dir is not None:
        stated.add("working_dir")
    if "vector_store.default.backend" in given:
        stated.add("store.backend")
    in_environment = _given(load_settings())
    return {
        name: _name_source(name, stated, in_environment, _given(settings), config_file)
        for name in list_values(settings)
    }


def _given(settings: "BaseModel", prefix: str = "") -> set[str]:
    """The names of settings that some source gave a value to."""
    from pydantic import BaseModel

    found: set[str] = set()
    for name in settings.model_fields_set:
        value = getattr(settings, name)
        found |= _given(value, f"{prefix}{name}.") if isinstance(value, BaseModel) else {f"{prefix}{name}"}
    return found


def _name_source(
    name: str, stated: set[str], in_environment: set[str], given: set[str], config_file: Path | None
) -> str:
    if name not in given:
        return "default"
    if name in stated:
        return "argument"
    if name in in_environment:
        return _find_variable(name)
    return f"file {config_file}"


def _find_variable(name: str) -> str:
    from app.settings import ENVIRONMENT_PREFIX, UPSTREAM_VARIABLES

    own = f"{ENVIRONMENT_PREFIX}{name.replace('.', '__')}".upper()
    theirs = [variable for variable, setting in UPSTREAM_VARIABLES.items() if setting == name]
    found = [variable for variable in os.environ if variable.upper() == own or variable in theirs]
    # Ours wins over upstream's where both are set.
    found.sort(key=lambda variable: variable in theirs)
    return f"variable {found[0]}" if found else "environment"


def _show(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    return ", ".join(str(part) for part in value) if isinstance(value, list) else str(value)
