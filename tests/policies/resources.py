"""Resources for tests of rules, and how one of their properties is spoiled."""

import copy
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sizing.graph.resources import Resource, ResourceGraph, build_graph

TAGS = {"project": "p", "environment": "prod", "stack": "s", "component": "c", "managed-by": "pulumi"}


def make(
    type_: str, logical: str, /, *, of: Mapping[str, str] | None = None, region: str = "", **inputs: Any
) -> Resource:
    """A resource; `of` names the resource that a property came from."""
    return Resource(
        urn=f"urn:pulumi:test::reme::{type_}::{logical}",
        type=type_,
        name=logical,
        inputs=inputs,
        protected=True,
        region=region,
        property_dependencies={prop: (urn,) for prop, urn in (of or {}).items()},
    )


def graph_of(*resources: Resource) -> ResourceGraph:
    return build_graph("test", resources)


def put(resource: Resource, path: str, value: Any) -> Resource:
    """The same resource with another value at a path such as `rules[0].status`."""
    inputs: Any = copy.deepcopy(dict(resource.inputs))
    steps = [int(step) if step.isdigit() else step for step in re.findall(r"[^.\[\]]+", path)]
    place = inputs
    for step in steps[:-1]:
        place = place[step] if isinstance(step, int) else place.setdefault(step, {})
    place[steps[-1]] = value
    return replace(resource, inputs=inputs)
