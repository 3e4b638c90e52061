"""Reads what `pulumi stack export` prints: the stack as it stands."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sizing.graph.errors import InvalidGraph
from sizing.graph.recorded_state import Places, RecordedState, read_resource, stack_of
from sizing.graph.resources import ResourceGraph, build_graph

STATE_VERSION = 3
"""The version of deployments that engines write since 2019 (pulumi v3.200, sdk/go/common/apitype/core.go)."""


class _Deployment(BaseModel):
    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)

    resources: list[RecordedState] | None = None


class _Export(BaseModel):
    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)

    version: int = Field(ge=1)
    deployment: _Deployment


def read_state(document: Mapping[str, Any], file: str, regions: Mapping[str, str] | None = None) -> ResourceGraph:
    """The graph of an exported state; `regions` are those of default providers whose region no file tells.

    What waits for its deletion, or was deleted for a replacement that has not come, is left out. Raises InvalidGraph
    for another version and for a document of another shape.
    """
    try:
        export = _Export.model_validate(document)
    except ValidationError as error:
        raise InvalidGraph(file, explain(error), "Write it with `pulumi stack export`") from None
    if export.version != STATE_VERSION:
        problem = f"its version is {export.version}, and only {STATE_VERSION} is read"
        raise InvalidGraph(file, problem, "Bring the stack up to date with a current `pulumi`, and export it again")
    states = export.deployment.resources or []
    places = Places(regions or {})
    for each in states:
        places.learn(each)
    found = [read_resource(each, places) for each in states if not each.delete and not each.pending_replacement]
    outputs = next((each.outputs for each in found if each.type == "pulumi:pulumi:Stack"), {})
    try:
        return build_graph(stack_of(states[0].urn) if states else "", found, outputs)
    except ValueError as error:
        raise InvalidGraph(file, str(error), "Repair the stack's state with `pulumi state`") from None


def explain(error: ValidationError) -> str:
    """The first complaint in words, without the value: it may be secret."""
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    return f"{place}: {first['msg'].lower()}" if place else str(first["msg"])
