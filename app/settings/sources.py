"""Where settings come from: a file, the environment, `key=value` arguments."""

import os
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from app.errors import SettingsError
from app.settings.document import setting_names
from app.settings.upstream import UPSTREAM_PREFIXES, UPSTREAM_VARIABLES

MAX_FILE_BYTES = 1_000_000
MOST_ALIASES = 20
"""In a YAML file: a settings file needs a few, while each may double what the file says."""
ENVIRONMENT_PREFIX = "REME_"
WORKER_SETTINGS = "REME_WORKER_SETTINGS"
"""The variable by which a parent process hands its settings, secrets included, to its workers."""

_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_LIKE_A_NAME = re.compile(r"[a-z0-9_.]{1,80}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Given:
    """A value as a source gives it. `shown` is the name there, `name` the dotted one that it is looked up by.

    `origin` is "argument", "environment" or "file", `source` says which variable or file. Of two values for one
    setting in a source, the lower `rank` is the stronger. The value may be a secret and stays out of the repr.
    """

    shown: str
    name: str
    value: object = field(repr=False)
    origin: str
    source: str
    rank: int = 0


def variable_of(name: str) -> str:
    """The environment variable of a setting."""
    return f"{ENVIRONMENT_PREFIX}{name.replace('.', '__')}".upper()


def read_arguments(arguments: Sequence[str]) -> list[Given]:
    """What `key=value` arguments give; `null` is nothing. Raises `SettingsError` for one without an equals sign."""
    found = []
    for argument in arguments:
        name, equals, value = argument.partition("=")
        name = name.strip().lstrip("-").strip()
        # What is no name may be a secret that went astray.
        shown = repr(name) if _LIKE_A_NAME.fullmatch(name) else "an argument"
        if not equals:
            raise SettingsError(f"{shown} is not a setting: write key=value, such as http.port=8002")
        if not _LIKE_A_NAME.fullmatch(name):
            raise SettingsError(f"{shown} is not a setting: names are such as http.port, in small letters")
        found.append(
            Given(shown=name, name=name, value=None if value == "null" else value, origin="argument", source="argument")
        )
    return found


def read_environment() -> list[Given]:
    """What the variables of ours and of upstream's give; an empty one counts as not set, `null` is nothing."""
    ours = {variable_of(name): name for name in setting_names()}
    theirs = list(UPSTREAM_VARIABLES)
    found = []
    for variable, value in sorted(os.environ.items()):
        named = variable.startswith((*UPSTREAM_PREFIXES, ENVIRONMENT_PREFIX)) or variable.upper() in ours
        if not value or not named or variable == WORKER_SETTINGS:
            continue
        own = ours.get(variable.upper())
        found.append(
            Given(
                shown=variable,
                name=own or UPSTREAM_VARIABLES.get(variable, variable),
                value=None if value == "null" else value,
                origin="environment",
                source=f"variable {variable}",
                rank=0 if own or variable not in theirs else 1 + theirs.index(variable),
            )
        )
    return found


def read_file(path: Path) -> list[Given]:
    """What a .toml or .yaml file gives. Raises `SettingsError`, which shows no line of the file."""
    if path.suffix not in (".toml", ".yaml", ".yml"):
        raise SettingsError(f"settings file {path} is neither .toml nor .yaml")
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise SettingsError(f"settings file {path} is larger than {MAX_FILE_BYTES} bytes")
        text = path.read_text(encoding="utf-8")
        document = tomllib.loads(text) if path.suffix == ".toml" else _read_yaml(text)
        pairs = list(_flatten(document)) if isinstance(document, dict) else []
    except OSError as error:
        raise SettingsError(f"settings file {path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, yaml.YAMLError, ValueError) as error:
        raise SettingsError(f"settings file {path} is malformed: {_name_place(error)}") from None
    except RecursionError:
        raise SettingsError(f"settings file {path} is malformed: it contains itself, or is nested too deep") from None
    if not isinstance(document, dict | None):
        raise SettingsError(f"settings file {path} must hold a table of settings")
    return [Given(shown=name, name=name, value=value, origin="file", source=f"file {path}") for name, value in pairs]


def fill_references(given: Given, *, strict: bool) -> object:
    """The value with each `${VARIABLE}` of a file replaced from the environment.

    Raises `SettingsError` with the names alone for a variable that is not set, where `strict`.
    """
    value = given.value
    if given.origin != "file" or not isinstance(value, str) or "${" not in value:
        return value
    missing = [name for name in _REFERENCE.findall(value) if not os.environ.get(name)]
    if not missing and "${" not in _REFERENCE.sub("", value):
        return _REFERENCE.sub(lambda found: os.environ[found[1]], value)
    if not strict:
        return value
    if missing:
        raise SettingsError(
            f"{given.shown} in {given.source} names the environment variable {missing[0]}, which is not set: "
            "set it, or leave the setting out"
        )
    raise SettingsError(f"{given.shown} in {given.source} holds a '${{' that names no variable: write ${{NAME}}")


class _Loader(yaml.SafeLoader):
    """Takes a few aliases only."""

    aliases = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """The next node. Raises `MarkedYAMLError` for an alias too many."""
        self.aliases += self.check_event(yaml.AliasEvent)
        if self.aliases > MOST_ALIASES:
            raise yaml.MarkedYAMLError(problem=f"more than {MOST_ALIASES} aliases: write the settings out")
        return super().compose_node(parent, index)


def _read_yaml(text: str) -> object:
    """A YAML document; raises `YAMLError`, `ValueError` or `RecursionError`."""
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader
    except (LookupError, AttributeError, TypeError):  # how values that their tag does not fit fail, such as !!int ""
        raise ValueError from None


def _name_place(error: Exception) -> str:
    """What is wrong with a file and where, without its text, which may hold keys."""
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        place = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        return f"{_without_quotes(error.problem or error.context or 'not YAML')}{place}"
    if isinstance(error, yaml.reader.ReaderError):
        return f"a character that YAML does not allow, at position {error.position}"
    if isinstance(error, UnicodeDecodeError):
        return f"not UTF-8, at byte {error.start}"
    return _without_quotes(str(error).splitlines()[0]) if isinstance(error, tomllib.TOMLDecodeError) else "a bad value"


def _without_quotes(text: str) -> str:
    """A parser's complaint without what it quotes of the file."""
    return re.sub(r"(['\"]).{4,}\1", "…", text)


def _flatten(document: Mapping[Any, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in document.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            str(value)  # raises ValueError for a number of more digits than Python shows
            yield f"{prefix}{key}", value
