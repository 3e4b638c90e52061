"""Settings of the service: `key=value` arguments, environment variables, a file, defaults; the first found wins.

Constructing `Settings` reads nothing; `load_settings` is the only place that looks at the environment.
"""

import difflib
import json
import os
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, ValidationError
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)
from pydantic_settings.exceptions import SettingsError as UnreadableVariable

from app.errors import SettingsError

MAX_FILE_BYTES = 1_000_000
ENVIRONMENT_PREFIX = "REME_"
WORKER_SETTINGS = "REME_WORKER_SETTINGS"
"""The variable by which a parent process hands its settings to its workers."""

UPSTREAM_VARIABLES: Mapping[str, str] = {
    "REME_HOST": "http.host",
    "REME_PORT": "http.port",
    "REME_COMPAT_REPR": "compat.repr",
}
"""Variables of upstream's containers that mean something here, and the one that the 0.2 API is documented with."""
UPSTREAM_PREFIXES = ("FLOW_", "LLM_", "EMBEDDING_")
UPSTREAM_NAMES: Mapping[str, str] = {
    "service.host": "http.host",
    "service.port": "http.port",
    "database.synchronous": "store.synchronous",
    "logging.fields_to_mask": "log.mask",
}
"""Upstream's names, and those of the requirements' configuration files, with what they are called here."""
UPSTREAM_SECTIONS = re.compile(
    r"(backend|cache|components|config|database|disabled_flows|embedding_models?|enable_logo|enabled_flows|file_stores?|"
    r"flow|jobs|language|llms?|logging|mcp|metadata|op|service|storage|thread_pool_max_workers|vector_db|"
    r"vector_stores?|working_memory|workspace_dir)(\..*)?|http\.(limit_concurrency|timeout_\w+)"
)
UPSTREAM_STORES: Mapping[str, str] = {"memory": "memory", "local": "sqlite", "sqlite": "sqlite"}
"""Values of `vector_store.default.backend` that exist here; upstream's `local` keeps files in the working directory."""


def _split(value: object) -> object:
    """A text is a JSON array, or names with commas between."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        return json.loads(value)
    return [part.strip() for part in value.split(",") if part.strip()]


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class StoreSettings(_Section):
    """The embedded store. `synchronous=NORMAL` may lose the last acknowledged writes at a power loss."""

    backend: Literal["sqlite", "memory"] = "sqlite"
    synchronous: Literal["FULL", "NORMAL"] = "FULL"
    busy_timeout_ms: int = Field(default=5000, ge=0, le=600_000)
    cache_mb: int = Field(default=64, ge=1, le=65_536)


class HttpSettings(_Section):
    """The server. `allow_open` serves without keys on an address that others reach; leave it off."""

    host: str = Field(default="127.0.0.1", min_length=1, max_length=253)
    port: int = Field(default=8002, ge=0, le=65_535)
    workers: int = Field(default=1, ge=1, le=64)
    max_body_bytes: int = Field(default=1_048_576, ge=1024, le=1_073_741_824)
    max_import_bytes: int = Field(default=1_073_741_824, ge=1024, le=1_099_511_627_776)
    key_in_path: bool = False
    cors_origins: Names = ()
    allow_open: bool = False


class AccessSettings(_Section):
    """Keys and limits. `auto` is open for callers on this machine while no key exists."""

    mode: Literal["auto", "required"] = "auto"
    requests_per_minute: int = Field(default=6000, ge=1, le=10_000_000)
    key_days: int = Field(default=90, ge=1, le=3650)
    overlap_days: int = Field(default=7, ge=0, le=90)
    max_top_k: int = Field(default=200, ge=1, le=200)
    max_page: int = Field(default=1000, ge=1, le=1000)


class EmbeddingSettings(_Section):
    """What makes vectors. `hashing` needs no weights and understands nothing: for tests."""

    backend: Literal["local", "hashing"] = "local"
    threads: int = Field(default=1, ge=1, le=64)
    cache_entries: int = Field(default=10_000, ge=0, le=10_000_000)


class SearchSettings(_Section):
    """How results are ranked where a query does not say; null leaves age out."""

    half_life_days: float | None = Field(default=None, gt=0, le=36_500)


class RetentionSettings(_Section):
    """How long a deleted memory can be restored (requirements §10.2: 30 days)."""

    purge_after_days: int = Field(default=30, ge=0, le=3650)


class LogSettings(_Section):
    """Log lines: JSON to standard error, or to a file. `mask` names fields whose values never appear (§7.3)."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    file: Path | None = None
    mask: Names = ("api_key", "password", "user_email", "credit_card")


class CompatSettings(_Section):
    """`repr` prints `action_result` of `/vector_store` as upstream 0.2 did: as Python, not as JSON."""

    repr: bool = False


class Settings(BaseSettings):
    """All settings. `ignored` names what upstream knows and this service does not use."""

    model_config = SettingsConfigDict(
        env_prefix=ENVIRONMENT_PREFIX,
        env_nested_delimiter="__",
        env_ignore_empty=True,
        env_parse_none_str="null",
        extra="forbid",
        frozen=True,
    )

    working_dir: Path = Path()
    store: StoreSettings = StoreSettings()
    http: HttpSettings = HttpSettings()
    access: AccessSettings = AccessSettings()
    embedding: EmbeddingSettings = EmbeddingSettings()
    search: SearchSettings = SearchSettings()
    retention: RetentionSettings = RetentionSettings()
    log: LogSettings = LogSettings()
    compat: CompatSettings = CompatSettings()

    _ignored: tuple[str, ...] = PrivateAttr(default=())
    _origins: dict[str, str] = PrivateAttr(default_factory=dict)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take what the caller gives and nothing else."""
        return (init_settings,)

    @property
    def ignored(self) -> tuple[str, ...]:
        """Names of settings that were given and mean nothing here."""
        return self._ignored

    @property
    def origins(self) -> Mapping[str, str]:
        """Where each setting comes from: "argument", "environment", "file" or "default"."""
        return {name: self._origins.get(name, "default") for name in setting_names()}

    @property
    def data_dir(self) -> Path:
        """Where the service keeps its files."""
        return self.working_dir.expanduser() / ".reme"

    @property
    def store_path(self) -> Path:
        """The embedded store's file."""
        return self.data_dir / "memory.db"

    def hand_over(self) -> str:
        """The settings as JSON, for a worker process; `receive_settings` reads it."""
        return self.model_dump_json()


def receive_settings(text: str) -> Settings:
    """The settings that `hand_over` wrote."""
    return _build(json.loads(text))


def load_settings(arguments: Sequence[str] = (), *, config: Path | None = None) -> Settings:
    """Read the settings: `key=value` arguments, then the environment, then a .toml or .yaml file, then defaults.

    Upstream's arguments and variables (`vector_store.default.backend=local`, `FLOW_*`, `LLM_*`, `EMBEDDING_*`) are
    accepted: those that mean something here apply, the others are named in `Settings.ignored`. Raises `SettingsError`.
    """
    ignored: list[str] = []
    layers = {
        "file": _read_file(config, ignored) if config is not None else {},
        "environment": _read_environment(ignored),
        "argument": _read_arguments(arguments, ignored),
    }
    merged: dict[str, Any] = {}
    for layer in layers.values():
        for name, value in layer.items():
            _place(merged, name, value)
    settings = _build(merged)
    settings._ignored = tuple(dict.fromkeys(ignored))
    settings._origins = {name: origin for origin, layer in layers.items() for name in layer}
    return settings


def setting_names() -> tuple[str, ...]:
    """Every setting's dotted name, in order."""
    names: list[str] = []
    for name, field in Settings.model_fields.items():
        section = field.annotation
        if isinstance(section, type) and issubclass(section, BaseModel):
            names += [f"{name}.{inner}" for inner in section.model_fields]
        else:
            names.append(name)
    return tuple(names)


def _read_arguments(arguments: Sequence[str], ignored: list[str]) -> dict[str, Any]:
    pairs: list[tuple[str, object]] = []
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if not equals:
            raise SettingsError(f"{argument!r} is not a setting: write key=value, such as http.port=8002")
        pairs.append((name.strip().lstrip("-"), None if value == "null" else value))
    return _recognise(pairs, ignored, "argument")


def _read_environment(ignored: list[str]) -> dict[str, Any]:
    known = {f"{ENVIRONMENT_PREFIX}{name.replace('.', '__')}".upper() for name in setting_names()}
    try:
        ours = EnvSettingsSource(Settings)()
    except UnreadableVariable as error:
        raise SettingsError(f"an environment variable cannot be read: {error}") from error
    named = {name: value for name, value in _flatten(ours) if name in setting_names()}
    theirs: dict[str, Any] = {}
    for variable in sorted(os.environ):
        if variable.upper() in known or not os.environ[variable]:
            continue
        if variable in UPSTREAM_VARIABLES:
            theirs[UPSTREAM_VARIABLES[variable]] = os.environ[variable]
        elif variable.startswith((*UPSTREAM_PREFIXES, ENVIRONMENT_PREFIX)) and variable != WORKER_SETTINGS:
            ignored.append(variable)
    return {**theirs, **named}


def _read_file(path: Path, ignored: list[str]) -> dict[str, Any]:
    if path.suffix not in (".toml", ".yaml", ".yml"):
        raise SettingsError(f"settings file {path} is neither .toml nor .yaml")
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise SettingsError(f"settings file {path} is larger than {MAX_FILE_BYTES} bytes")
        text = path.read_text(encoding="utf-8")
        document = tomllib.loads(text) if path.suffix == ".toml" else yaml.safe_load(text)
    except OSError as error:
        raise SettingsError(f"settings file {path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError(f"settings file {path} is malformed: {error}") from error
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise SettingsError(f"settings file {path} must hold a table of settings")
    try:
        pairs = list(_flatten(document))
    except RecursionError:
        raise SettingsError(f"settings file {path} is malformed: it contains itself") from None
    return _recognise(pairs, ignored, "file")


def _recognise(pairs: Sequence[tuple[str, object]], ignored: list[str], origin: str) -> dict[str, Any]:
    """Sort pairs into ours, upstream's that apply, and upstream's that don't; refuse the rest."""
    ours: dict[str, Any] = {}
    theirs: dict[str, Any] = {}
    for name, value in pairs:
        if name in setting_names():
            ours[name] = value
        elif name in UPSTREAM_NAMES:
            theirs[UPSTREAM_NAMES[name]] = value
        elif name == "vector_store.default.backend" and str(value) in UPSTREAM_STORES:
            theirs["store.backend"] = UPSTREAM_STORES[str(value)]
        elif UPSTREAM_SECTIONS.fullmatch(name):
            if (name, value) != ("backend", "http"):
                ignored.append(name)
        else:
            near = difflib.get_close_matches(name, setting_names(), n=1)
            hint = f"did you mean {near[0]}?" if near else f"the settings are {', '.join(setting_names())}"
            raise SettingsError(f"{origin} {name!r} is not a setting: {hint}")
    return {**theirs, **ours}


def _flatten(document: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in document.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _place(tree: dict[str, Any], name: str, value: object) -> None:
    section, _, inner = name.rpartition(".")
    if section:
        tree.setdefault(section, {})[inner] = value
    else:
        tree[inner] = value


def _build(tree: Mapping[str, Any]) -> Settings:
    try:
        return Settings(**tree)
    except ValidationError as error:
        complaints = [
            f"{'.'.join(str(part) for part in entry['loc'])}={str(entry['input'])[:80]!r}: {entry['msg']}"
            for entry in error.errors(include_url=False)
        ]
        raise SettingsError(f"settings cannot be used: {'; '.join(complaints)}") from None
