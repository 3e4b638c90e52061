"""Which resource belongs to which: a bucket's policy to its bucket."""

from collections.abc import Iterator

from policies.properties import read
from sizing.graph.resources import Resource, ResourceGraph, is_unknown

_NAMES = ("bucket", "domainName", "name", "arn", "id")


def satellites(graph: ResourceGraph, kind: str, path: str, target: Resource) -> tuple[list[Resource], bool]:
    """The resources of a kind that belong to a target, and whether others may too, which is not known yet."""
    answers = [(each, belongs(graph, each, path, target)) for each in graph.of(kind)]
    return [each for each, answer in answers if answer], any(answer is None for _, answer in answers)


def belongs(graph: ResourceGraph, satellite: Resource, path: str, target: Resource) -> bool | None:
    """Whether a resource names another at a property; None where the property is unknown and nothing says whose it is.

    The engine's record of what a property came from decides, where there is one; else the values.
    """
    origins = _origins(graph, satellite, path.partition(".")[0].removesuffix("[]"), target.type)
    if target.urn in origins:
        return True
    values = [value for _, value in read(satellite.inputs, path)]
    names = set(_names_of(target))
    if any(not is_unknown(value) and value in names for value in values):
        return True
    if any(is_unknown(value) for value in values):
        return False if origins else None
    return False


def _origins(graph: ResourceGraph, satellite: Resource, prop: str, kind: str) -> frozenset[str]:
    """Where a property came from; the name of a bucket may come through its policy, so that this is made first."""
    direct = frozenset(satellite.property_dependencies.get(prop, ()))
    through = (graph.find(urn) for urn in direct)
    return direct | {
        urn
        for each in through
        if each is not None and each.type != kind
        for urn in each.property_dependencies.get("bucket", ())
    }


def _names_of(resource: Resource) -> Iterator[str]:
    """The names that other resources can call a resource by."""
    if resource.id:
        yield resource.id
    for source in (resource.outputs, resource.inputs):
        for name in _NAMES:
            value = source.get(name)
            if isinstance(value, str) and value:
                yield value
