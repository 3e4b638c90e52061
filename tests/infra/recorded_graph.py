"""A recording as a resource graph: what the engine's files would say of the same program."""

from collections.abc import Iterator
from typing import Any

from sizing.graph.resources import Resource, ResourceGraph, build_graph
from tests.infra.recorder import Recorded, Recording


def read_recording(recording: Recording, stack: str, region: str) -> ResourceGraph:
    """The graph of a recording; `region` is that of the default provider.

    The recorder keeps no dependencies: a property depends on the resource whose id it holds, as the recorder makes it
    up of the name. Of names that stand twice the last one's resource is taken.
    """
    regions = {
        each.urn: str(each.props.get("region") or region)
        for each in recording
        if each.type.startswith("pulumi:providers:")
    }
    owners = {f"{each.name}-id": each.urn for each in recording if each.custom}
    return build_graph(stack, (_read(each, regions, owners, region) for each in recording), recording.outputs)


def _read(each: Recorded, regions: dict[str, str], owners: dict[str, str], region: str) -> Resource:
    provider = each.provider.rpartition("::")[0]
    own = each.props.get("region")
    found = {key: tuple(dict.fromkeys(_owners(value, owners, each.urn))) for key, value in each.props.items()}
    return Resource(
        urn=each.urn,
        type=each.type,
        name=each.name,
        inputs=each.props,
        id=f"{each.name}-id" if each.custom else "",
        parent=each.parent,
        provider=provider,
        custom=each.custom,
        protected=each.protect,
        retained=each.retain,
        region=own if isinstance(own, str) and own else regions.get(provider, region) if each.custom else "",
        secrets=each.secret,
        dependencies=tuple(dict.fromkeys(urn for urns in found.values() for urn in urns)),
        property_dependencies=found,
    )


def _owners(value: Any, owners: dict[str, str], me: str) -> Iterator[str]:
    if isinstance(value, dict):
        for each in value.values():
            yield from _owners(each, owners, me)
    elif isinstance(value, list):
        for each in value:
            yield from _owners(each, owners, me)
    elif isinstance(value, str) and owners.get(value, me) != me:
        yield owners[value]
