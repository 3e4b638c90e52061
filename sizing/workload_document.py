"""The edge where a workload enters: TOML or YAML files and flags, checked by pydantic.

A document's keys are the drivers' names and the wishes below; an unknown key is refused with the
nearest known one. Flags are merged over the file before the check, so that both obey one rule.
"""

import difflib
from collections import Counter
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema, create_model

from sizing.drivers import Driver, drivers
from sizing.errors import InvalidWorkload
from sizing.estimate import SYNTAX, Estimate, parse_estimate
from sizing.models import TASKS, find_model
from sizing.regions import CLOUDS, find_region, jurisdictions
from sizing.workload import (
    ARCHITECTURES,
    EMBEDDINGS,
    OVERRIDABLE,
    SCHEMA_VERSION,
    RegionRequest,
    Workload,
    default_drivers,
)

MAX_FILE_BYTES = 1_000_000


def _name_jurisdictions(schema: dict[str, Any]) -> None:
    """Fill in the known jurisdictions when the schema is asked for: they are read from a table."""
    schema["enum"] = [None, *jurisdictions()]


class RegionDocument(BaseModel):
    """A region in a file: ``cloud`` may be left out where the id is unambiguous."""

    model_config = ConfigDict(extra="forbid", strict=True)

    region: str
    cloud: str | None = None
    nodes: int | None = Field(default=None, ge=1, le=1000)
    llm: str | None = None
    embedding: str | None = None


class WorkloadWishes(BaseModel):
    """Everything of a workload that is not a driver."""

    model_config = ConfigDict(extra="forbid", strict=True, arbitrary_types_allowed=True)

    schema_version: int = Field(default=SCHEMA_VERSION, ge=1, le=SCHEMA_VERSION)
    name: str = Field(default="memory-service", min_length=1, max_length=63, pattern=r"^[A-Za-z0-9][\w .-]*$")
    clouds: list[str] = Field(default=list(CLOUDS), min_length=1, json_schema_extra={"items": {"enum": list(CLOUDS)}})
    regions: list[RegionDocument] = []
    availability_percent: float = Field(default=0.0, ge=0, le=99.999)
    residency: str | None = Field(default=None, json_schema_extra=_name_jurisdictions)
    gdpr: bool = False
    dimensions: int = Field(default=1024, ge=64, le=8192)
    embedding: str = Field(default="remote", json_schema_extra={"enum": list(EMBEDDINGS)})
    architecture: str = Field(default="x86_64", json_schema_extra={"enum": list(ARCHITECTURES)})
    models: dict[str, str] = Field(
        default={}, json_schema_extra={"propertyNames": {"enum": ["default", *TASKS, "embedding"]}}
    )
    overrides: dict[str, str] = Field(default={}, json_schema_extra={"propertyNames": {"enum": list(OVERRIDABLE)}})
    memories: Annotated[
        Estimate | None,
        BeforeValidator(lambda raw: None if raw is None else parse_estimate("memories", raw)),
        WithJsonSchema({"title": "Memories in total, instead of memories_per_user"}),
    ] = None


@cache
def document_model() -> type[WorkloadWishes]:
    """Return the pydantic model of a workload document: the wishes and one field per driver."""
    fields: dict[str, Any] = {name: (_field_type(driver), None) for name, driver in drivers().items()}
    model = create_model("WorkloadDocument", __base__=WorkloadWishes, **fields)
    model.__doc__ = "A workload for reme-size: who uses the memory service, how much, and where."
    return model


def _field_type(driver: Driver) -> Any:
    bounds = {"type": "number", "minimum": driver.minimum, "maximum": driver.maximum}
    shape = {
        "title": driver.help_en,
        "description": f"{driver.unit}; default from {driver.origin}",
        "anyOf": [
            bounds,
            {"type": "string", "description": SYNTAX},
            {
                "type": "object",
                "properties": {"low": bounds, "expected": bounds, "high": bounds},
                "required": ["expected"],
                "additionalProperties": False,
            },
        ],
    }
    return Annotated[
        Estimate | None,
        BeforeValidator(lambda raw: None if raw is None else parse_estimate(driver.name, raw)),
        WithJsonSchema(shape),
    ]


def read_workload(values: Mapping[str, object]) -> Workload:
    """Check a document (a file's content with flags merged over it) and return the Workload.

    Raises InvalidWorkload naming the field, the value and what would be valid.
    """
    try:
        document = document_model().model_validate(dict(values))
    except ValidationError as error:
        raise _explain(error) from None
    given = {name for name in drivers() if getattr(document, name) is not None}
    chosen = {**default_drivers(), **{name: getattr(document, name) for name in given}}
    if document.memories is not None:
        if "memories_per_user" in given:
            raise InvalidWorkload("memories", document.memories.expected, "memories or memories_per_user, not both")
        if "users" in chosen and chosen["users"].low > 0:
            chosen["memories_per_user"] = document.memories.scaled(1 / chosen["users"].expected)
            given.add("memories_per_user")
    return Workload(
        drivers=chosen,
        given=frozenset(given),
        name=document.name,
        clouds=tuple(dict.fromkeys(document.clouds)),
        regions=tuple(_region(entry, tuple(document.clouds)) for entry in document.regions),
        availability_percent=document.availability_percent,
        residency=document.residency,
        gdpr=document.gdpr,
        dimensions=document.dimensions,
        embedding=document.embedding,
        architecture=document.architecture,
        models=_task_models(document.models),
        overrides=_overrides(document.overrides),
        schema_version=document.schema_version,
    )


def _region(entry: RegionDocument, clouds: tuple[str, ...]) -> RegionRequest:
    name = f"{entry.cloud}:{entry.region}" if entry.cloud else entry.region
    return RegionRequest(
        region=find_region(name, clouds, "regions"), nodes=entry.nodes, llm=entry.llm, embedding=entry.embedding
    )


def _task_models(chosen: Mapping[str, str]) -> dict[str, str]:
    every = chosen.get("default")
    if every is not None:
        find_model(every, "llm", "models.default")
    models = dict.fromkeys(TASKS, every) if every else {}
    return {**models, **{task: name for task, name in chosen.items() if task != "default"}}


def _overrides(chosen: Mapping[str, str]) -> dict[str, str]:
    for component in chosen:
        if component not in OVERRIDABLE:
            raise InvalidWorkload("overrides", component, ", ".join(OVERRIDABLE))
    return dict(chosen)


def load_document(path: Path) -> dict[str, object]:
    """Read a TOML or YAML file into a mapping, unchecked; raises InvalidWorkload on a malformed one."""
    valid = "a TOML (.toml) or YAML (.yaml, .yml) file of drivers and wishes; `reme-size init` writes one"
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise InvalidWorkload("file", str(path), f"at most {MAX_FILE_BYTES:,} bytes")
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidWorkload("file", str(path), f"{valid} ({error})") from None
    if path.suffix == ".toml":
        import tomllib

        try:
            return tomllib.loads(text)
        except (tomllib.TOMLDecodeError, ValueError, RecursionError) as error:
            raise InvalidWorkload("file", str(path), f"valid TOML: {error}") from None
    if path.suffix in (".yaml", ".yml", ".json"):
        import yaml

        try:
            content = yaml.load(text, Loader=_strict_loader())  # noqa: S506 - a SafeLoader
        except (yaml.YAMLError, ValueError, IndexError, RecursionError) as error:
            reason = " ".join(str(error).split())
            raise InvalidWorkload("file", str(path), f"valid YAML: {reason}") from None
        if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
            raise InvalidWorkload("file", str(path), valid)
        return content
    raise InvalidWorkload("file", str(path), valid)


@cache
def _strict_loader() -> Any:
    """Return yaml's safe loader, refusing a key that stands twice: it would silently win."""
    import yaml

    class StrictLoader(yaml.SafeLoader):
        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
            names = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
            twice = next((name for name, count in Counter(names).items() if count > 1), None)
            if twice is not None:
                raise yaml.YAMLError(f"the key {twice!r} stands twice")
            return super().construct_mapping(node, deep)

    return StrictLoader


def workload_schema() -> dict[str, Any]:
    """Return the JSON Schema of a workload document."""
    schema = document_model().model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["required"] = ["users"]
    return schema


def describe_workload(workload: Workload) -> dict[str, object]:
    """Return the document that reads back as this workload: what was given, and every wish."""
    document: dict[str, object] = {"schema_version": workload.schema_version, "name": workload.name}
    for name in drivers():
        if name in workload.given:
            estimate = workload.drivers[name]
            document[name] = (
                estimate.expected
                if estimate.is_exact
                else {"low": estimate.low, "expected": estimate.expected, "high": estimate.high}
            )
    document["clouds"] = list(workload.clouds)
    if workload.regions:
        document["regions"] = [
            {key: value for key, value in _region_fields(request).items() if value is not None}
            for request in workload.regions
        ]
    document["availability_percent"] = workload.availability_percent
    if workload.residency:
        document["residency"] = workload.residency
    document.update(
        gdpr=workload.gdpr,
        dimensions=workload.dimensions,
        embedding=workload.embedding,
        architecture=workload.architecture,
        models=dict(workload.models),
        overrides=dict(workload.overrides),
    )
    return document


def _region_fields(request: RegionRequest) -> dict[str, object]:
    region = request.region
    return {
        "cloud": region.cloud,
        "region": region.region,
        "nodes": request.nodes,
        "llm": request.llm,
        "embedding": request.embedding,
    }


def _explain(error: ValidationError) -> InvalidWorkload:
    """Turn pydantic's first complaint into ours."""
    first = error.errors(include_url=False)[0]
    field = ".".join(str(part) for part in first["loc"]) or "workload"
    if first["type"] == "extra_forbidden":
        known = list(document_model().model_fields)
        near = difflib.get_close_matches(field, known, n=3, cutoff=0.5)
        return InvalidWorkload(
            field, first["input"], "a known field" + (f" (did you mean {', '.join(near)}?)" if near else "")
        )
    return InvalidWorkload(field, first["input"], first["msg"].removeprefix("Input should be ").rstrip("."))
