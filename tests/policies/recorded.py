"""Stacks of the repository as graphs: recorded without an engine, with what each property came from."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any

import pytest

from policies.settings import PolicySettings, find_environment, find_residency, read_waivers
from sizing.graph.resources import Resource, ResourceGraph, build_graph
from tests.conftest import TODAY
from tests.infra import recorder
from tests.infra.recorder import Recording
from tests.infra.stacks import ALTERNATIVES, STACKS, find_cloud, find_region, read_stack, record_stack

LASTING: tuple[str, Mapping[str, Any]] = (
    "alicloud-team",
    {"reme-cloud:key-instance-id": "kst-0123456789abcdef", "reme-cloud:keep-copies": "true"},
)
"""A host with keys of its own, a trail and a lock, which no host has as it lies in the repository."""
CHOICES: Mapping[str, tuple[str, Mapping[str, Any]]] = (
    {stack: (stack, {}) for stack in STACKS} | dict(ALTERNATIVES) | {"a lasting host on alibaba cloud": LASTING}
)
"""Each stack, and each that it can be changed to: the stack's file and what is said over it."""
ALICLOUD_CHOICES = tuple(name for name, (stack, _) in CHOICES.items() if find_cloud(read_stack(stack)) == "alicloud")

_Origins = dict[str, Mapping[str, tuple[str, ...]]]


@contextmanager
def _keeping_origins() -> Iterator[_Origins]:
    """Keep the URNs that each property of a resource came from, which the recorder does not."""
    found: _Origins = {}
    keep = recorder._Monitor._keep

    def remember(monitor: recorder._Monitor, request: Any, urn: str) -> None:
        found[urn] = {name: tuple(each.urns) for name, each in request.propertyDependencies.items()}
        keep(monitor, request, urn)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recorder._Monitor, "_keep", remember)
        yield found


@cache
def graph_of(choice: str) -> ResourceGraph:
    """The graph of a stack, or of an alternative."""
    stack, more = CHOICES[choice]
    return graph_with(stack, more, choice)


def graph_with(stack: str, more: Mapping[str, Any], name: str = "") -> ResourceGraph:
    """The graph of a stack with `more` said over its file."""
    with _keeping_origins() as origins:
        recording = record_stack(stack, more)
    region = find_region(read_stack(stack) | dict(more))
    return _build(name or stack, recording, origins, region)


def _build(name: str, recording: Recording, origins: _Origins, region: str) -> ResourceGraph:
    regions = {
        each.urn: str(each.props.get("region", "")) for each in recording if each.type.startswith("pulumi:providers:")
    }
    return build_graph(
        name,
        (
            Resource(
                urn=each.urn,
                type=each.type,
                name=each.name,
                inputs=each.props,
                parent=each.parent,
                provider=each.provider,
                custom=each.custom,
                protected=each.protect,
                retained=each.retain,
                region=_region(each, regions, region),
                secrets=each.secret,
                property_dependencies=origins[each.urn],
            )
            for each in recording
        ),
    )


def _region(each: recorder.Recorded, regions: Mapping[str, str], usual: str) -> str:
    if not each.type.startswith(("aws:", "alicloud:")):
        return ""
    return str(each.props.get("region") or regions.get(each.provider.rpartition("::")[0]) or usual)


def settings_of(choice: str) -> PolicySettings:
    """What the stack's policies are told, with the repository's waivers on the day of the tests: they end some day."""
    stack, more = CHOICES[choice]
    config = read_stack(stack) | {key: str(value) for key, value in more.items()}
    return PolicySettings.model_validate(
        {
            "environment": find_environment(stack, config),
            "residency": find_residency(stack, config),
            "waivers": read_waivers(),
            "today": TODAY,
        }
    )
