"""``reme config``: the settings in force, where each comes from, and what was given without taking effect."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from app.commands.opening import read_settings
from app.commands.options import json_option, place_options
from app.commands.printing import print_json, print_table

if TYPE_CHECKING:
    from app.settings import Settings


@click.command()
@click.argument("settings", nargs=-1, metavar="[show | schema] [KEY=VALUE...]")
@click.option("--format", "form", type=click.Choice(("table", "json")), default="table", help="Form of the output.")
@json_option
@place_options
def config(
    settings: tuple[str, ...], form: str, as_json: bool, working_dir: Path | None, config_file: Path | None
) -> None:
    """Show every setting in force and where it comes from; `schema` prints the JSON Schema of a settings file.

    \b
      reme config
      reme config show --format json
      reme config --config reme.toml http.port=9000
      reme config schema > reme.schema.json

    The strongest source wins: KEY=VALUE, environment, file, default. A second table lists what was given and is not
    used, and what replaces it. Values of secrets are not shown.
    """
    if settings == ("schema",):
        from app.settings import Settings

        print_json(Settings.model_json_schema())
        return
    found = read_settings(working_dir, config_file, arguments=settings[1:] if settings[:1] == ("show",) else settings)
    values, sources = list_values(found), found.sources
    if as_json or form == "json":
        print_json(
            {
                "settings": {name: {"value": values[name], "source": sources[name]} for name in values},
                "notices": [
                    {
                        "name": notice.name,
                        "kind": notice.kind,
                        "meaning": notice.meaning,
                        "text": notice.text,
                        "section": notice.section,
                    }
                    for notice in found.notices
                ],
            }
        )
        return
    print_table(("Setting", "Value", "Source"), [(name, _show(values[name]), sources[name]) for name in values])
    if found.notices:
        click.echo()
        rows = [
            (notice.name, notice.meaning, notice.text, f"§{notice.section}" if notice.section else "")
            for notice in found.notices
        ]
        print_table(("Given", "Meaning", "Instead", "Requirements"), rows)


def list_values(settings: "Settings") -> dict[str, object]:
    """Every setting's dotted name and its value as plain data, secrets masked."""
    return dict(_flatten(settings.model_dump(mode="json")))


def _flatten(values: Mapping[str, object], prefix: str = "") -> list[tuple[str, object]]:
    found: list[tuple[str, object]] = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            found += _flatten(value, f"{prefix}{name}.")
        else:
            found.append((f"{prefix}{name}", value))
    return found


def _show(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    # One a line, so that the table stays narrow enough to show names whole.
    return "\n".join(str(part) for part in value) if isinstance(value, list) else str(value)
