"""Reading the settings: every source, which wins, what is refused, and what is to be said about the rest."""

import difflib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from app.domain.language import ModelTask
from app.errors import SettingsError
from app.settings.answers import find_answer
from app.settings.document import Settings, setting_names
from app.settings.sources import Given, fill_references, read_arguments, read_environment, read_file
from app.settings.upstream import (
    LOCAL_STORE,
    Notice,
    correct_base,
    is_vector_store,
    place_vector_store,
    translate_name,
    translate_value,
)

PROVIDER_ONLY = ("model_name", "api_base", "api_key", "dimensions", "batch_texts", "batch_tokens")
"""Settings of the embedding that the backends on this machine without a model of one's choice do not use."""
INDEX_SECTIONS = ("qdrant", "elasticsearch", "chroma")
_SECRET = re.compile(r".*(key|secret|password|token|api_base|connection_string|hosts|nodes|url|endpoint)")
"""Names of settings whose value may be a secret, or hold one as a wrong address does."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Choice:
    """What a source says about one setting."""

    given: Given
    value: object = field(repr=False)
    rank: int


def receive_settings(text: str) -> Settings:
    """The settings that `hand_over` wrote."""
    return _build(json.loads(text), {})


def load_settings(arguments: Sequence[str] = (), *, config: Path | None = None) -> Settings:
    """Read the settings: `key=value` arguments, then the environment, then a .toml or .yaml file, then defaults.

    The names and values of upstream and of the requirements' files are accepted. What is known and not used is told
    in `Settings.notices`, with what replaces it; what would keep data elsewhere, longer or less protected than was
    asked for is refused, and so is what is not known. Raises `SettingsError`, never with a secret in it.
    """
    notices: list[Notice] = []
    chosen: dict[str, _Choice] = {}
    for layer in _place_vector_stores(
        [] if config is None else read_file(config),
        read_environment(),
        read_arguments(arguments),
    ):
        chosen |= _recognise(layer, notices)
    values = {setting: choice.value for setting, choice in chosen.items()}
    for setting, value in values.items():
        corrected = correct_base(value) if setting.endswith("api_base") else None
        if corrected is not None:
            values[setting] = corrected
            text = f"the provider answers like OpenAI at {corrected}, which is used"
            notices.append(
                Notice(kind="corrected", name=chosen[setting].given.shown, meaning=setting, text=text, section="5.1")
            )
    inferred = (
        "embedding.backend" not in values and values.get("embedding.model_name") and values.get("embedding.api_base")
    )
    if inferred:
        values["embedding.backend"] = "openai_compatible"
    settings = _build(_grow(values), chosen)
    notices += _tell_unused(settings, chosen)
    settings._notices = tuple(dict.fromkeys(notices))
    settings._origins = {setting: choice.given.origin for setting, choice in chosen.items()}
    settings._sources = {setting: choice.given.source for setting, choice in chosen.items()}
    if inferred:
        origin = chosen["embedding.api_base"].given
        settings._origins["embedding.backend"] = origin.origin
        settings._sources["embedding.backend"] = f"embedding.api_base by {origin.source}"
    return settings


def _place_vector_stores(*layers: list[Given]) -> list[list[Given]]:
    """What is said of upstream's vector store, under the name of the backend that the strongest layer gives it."""
    backend = LOCAL_STORE
    for given in (given for layer in layers for given in layer if is_vector_store(given.name)):
        backend = str(fill_references(given, strict=False) or LOCAL_STORE)
    return [[replace(given, name=place_vector_store(given.name, backend)) for given in layer] for layer in layers]


def _recognise(layer: Iterable[Given], notices: list[Notice]) -> dict[str, _Choice]:
    """Sort what one source gives into settings, names that are answered, and refusals. Raises `SettingsError`."""
    known = frozenset(setting_names())
    candidates: dict[str, list[_Choice]] = {}
    refusals: list[str] = []
    for given in layer:
        value = fill_references(given, strict=False)
        answer = find_answer(given.name, value)
        meanings = translate_name(given.name, known)
        if answer is not None and answer.kind == "refused":
            refusals.append(f"{answer.show(given.shown, value)}: {answer.replacement}")
        elif meanings:
            value = fill_references(given, strict=True)
            for setting, rank in meanings:
                choice = _Choice(
                    given=given, value=translate_value(given.name, setting, value), rank=max(rank, given.rank)
                )
                candidates.setdefault(setting, []).append(choice)
        elif answer is not None:
            notices.append(answer.tell(given.shown, value))
        elif value is not None or not any(name.startswith(f"{given.name}.") for name in known):
            raise SettingsError(_describe_unknown(given))
    if refusals:
        raise SettingsError(f"settings cannot be used: {'; '.join(refusals)}")
    return {setting: _choose(setting, choices, notices) for setting, choices in candidates.items()}


def _choose(setting: str, choices: Sequence[_Choice], notices: list[Notice]) -> _Choice:
    """The strongest of what one source says about a setting; of equals, the last."""
    strongest = min(reversed(choices), key=lambda choice: choice.rank)
    for other in choices:
        if other.rank != strongest.rank and other.value != strongest.value:
            text = f"{strongest.given.shown} says it too and is stronger"
            notices.append(Notice(name=other.given.shown, meaning=setting, text=text))
    return strongest


def _describe_unknown(given: Given) -> str:
    setting = next((name for name in setting_names() if given.name.startswith(f"{name}.")), "")
    if setting:  # what stands below may be a key whose quotes were forgotten
        return f"{given.origin} has a table where {setting} takes one value: write the value alone, in quotes"
    near = difflib.get_close_matches(given.name, setting_names(), n=1)
    sections = dict.fromkeys(name.partition(".")[0] for name in setting_names())
    hint = (
        f"did you mean {near[0]}?"
        if near
        else f"the settings are those of {', '.join(sections)}, such as http.port; `reme config` lists them"
    )
    return f"{given.origin} {given.shown!r} is not a setting: {hint}"


def _tell_unused(settings: Settings, chosen: Mapping[str, _Choice]) -> list[Notice]:
    """What was given about models and servers and cannot take effect with the rest."""
    found: list[Notice] = []
    idle = _list_idle(settings)
    usable = {task: settings.llm.choice(task).usable for task in ModelTask}
    for setting, choice in chosen.items():
        section, _, field_name = setting.rpartition(".")
        if section in idle:
            found.append(Notice(name=choice.given.shown, meaning=setting, text=idle[section], section="3.2"))
        if section == "embedding":
            backend = settings.embedding.backend
            if field_name in PROVIDER_ONLY and backend in ("local", "hashing"):
                text = f"embedding.backend={backend} does not use it, openai_compatible and sentence_transformers do"
                found.append(Notice(name=choice.given.shown, meaning=setting, text=text, section="3.3"))
        elif section.startswith("llm."):
            task = section.removeprefix("llm.")
            if not (any(usable.values()) if task == "default" else usable[ModelTask(task)]):
                text = f"no model is asked, rules answer: {section}.model_name and {section}.api_base are both needed"
                found.append(Notice(name=choice.given.shown, meaning=setting, text=text, section="5.1"))
    return found


def _list_idle(settings: Settings) -> dict[str, str]:
    """The sections of servers that are not asked, each with what would have it asked."""
    choices = {
        "postgres": ("store.backend", settings.store.backend),
        **dict.fromkeys(INDEX_SECTIONS, ("vector_index.backend", settings.vector_index.backend)),
        "cache": ("cache.backend", "cache" if settings.cache.backend == "redis" else settings.cache.backend),
    }
    return {
        section: f"{setting}={chosen} does not use it"
        for section, (setting, chosen) in choices.items()
        if chosen != section
    }


def _grow(values: Mapping[str, object]) -> dict[str, Any]:
    """Nested tables of dotted names."""
    tree: dict[str, Any] = {}
    for name, value in values.items():
        *path, last = name.split(".")
        place = tree
        for part in path:
            place = place.setdefault(part, {})
        place[last] = value
    return tree


def _build(tree: Mapping[str, Any], chosen: Mapping[str, _Choice]) -> Settings:
    try:
        return Settings(**tree)
    except ValidationError as error:
        complaints = []
        for entry in error.errors(include_url=False):
            name = ".".join(str(part) for part in entry["loc"] if isinstance(part, str))
            shown = _show_input(name, entry["input"])
            given = f" ({chosen[name].given.shown})" if name in chosen and chosen[name].given.shown != name else ""
            complaints.append(f"{name}{shown}{given}: {entry['msg'].removeprefix('Value error, ')}")
        raise SettingsError(f"settings cannot be used: {'; '.join(complaints)}") from None


def _show_input(name: str, value: object) -> str:
    """A value for an error: short, and not at all where it may be a secret or hold one."""
    if _SECRET.fullmatch(name) or not isinstance(value, (str, int, float, bool, type(None))):
        return ""
    return f"={str(value)[:80]!r}"
