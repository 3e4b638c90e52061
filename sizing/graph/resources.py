"""A resource as the engine knows it, and the graph of a stack's resources."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final


class _Unknown:
    """The type of `UNKNOWN`."""

    _instance: "_Unknown | None" = None

    def __new__(cls) -> "_Unknown":
        if cls._instance is None:
            cls._instance = super().__new__(cls)
        return cls._instance

    def __repr__(self) -> str:
        return "UNKNOWN"

    def __bool__(self) -> bool:
        raise TypeError("an unknown value is neither true nor false: ask is_unknown() first")


UNKNOWN: Final = _Unknown()
"""A value that is known only once the program has run for real; it is never taken for zero or for nothing."""


def is_unknown(value: object) -> bool:
    """Whether this very value is unknown."""
    return value is UNKNOWN


def holds_unknown(value: object) -> bool:
    """Whether a value is unknown or holds an unknown one anywhere inside."""
    if isinstance(value, Mapping):
        return any(holds_unknown(each) for each in value.values())
    if isinstance(value, list | tuple):
        return any(holds_unknown(each) for each in value)
    return value is UNKNOWN


@dataclass(frozen=True, kw_only=True)
class Resource:
    """One resource of a stack.

    `inputs` are what the program asked for and `outputs` what the cloud answered, both by the provider's own names
    (camelCase), secrets unwrapped; `secrets` names the top-level properties that are secret, which must not be
    printed. `type` is Pulumi's token such as `aws:ec2/instance:Instance`. `parent` is a URN, `provider` the URN of
    the provider's resource; `region` is its region, empty where none is known. A component has `custom` false and
    never a price; an `external` one is read only and belongs to somebody else.
    """

    urn: str
    type: str
    name: str
    inputs: Mapping[str, Any] = field(repr=False)
    outputs: Mapping[str, Any] = field(default_factory=dict, repr=False)
    id: str = ""
    parent: str = ""
    provider: str = ""
    custom: bool = True
    protected: bool = False
    retained: bool = False
    external: bool = False
    region: str = ""
    secrets: frozenset[str] = frozenset()
    dependencies: tuple[str, ...] = ()
    property_dependencies: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def package(self) -> str:
        """The provider's name: the token's first part."""
        return self.type.partition(":")[0]

    @property
    def is_provider(self) -> bool:
        """Whether it stands for a provider and not for something in a cloud."""
        return self.type.startswith("pulumi:providers:")


@dataclass(frozen=True)
class ResourceGraph:
    """The resources of one stack, in the order in which they were registered; a URN stands once."""

    stack: str
    resources: tuple[Resource, ...]
    outputs: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def __iter__(self) -> Iterator[Resource]:
        return iter(self.resources)

    def __len__(self) -> int:
        return len(self.resources)

    @property
    def custom(self) -> tuple[Resource, ...]:
        """What the stack keeps in a cloud: neither components nor providers nor the stack itself nor what is read."""
        return tuple(
            each
            for each in self.resources
            if each.custom and not each.is_provider and not each.external and each.package != "pulumi"
        )

    def find(self, urn: str) -> Resource | None:
        """The resource of a URN, or None."""
        return self._by_urn().get(urn)

    def of(self, *types: str) -> tuple[Resource, ...]:
        """Every resource of one of these types."""
        return tuple(each for each in self.resources if each.type in types)

    def dependents(self, resource: Resource, *types: str) -> tuple[Resource, ...]:
        """Resources (of these types, or of any) with a property that comes from this resource."""
        return tuple(
            each
            for each in self.resources
            if (not types or each.type in types)
            and (
                resource.urn in each.dependencies
                or any(resource.urn in urns for urns in each.property_dependencies.values())
            )
        )

    def referred(self, resource: Resource, prop: str, *types: str) -> tuple[Resource, ...]:
        """The resources (of these types, or of any) that a property of a resource comes from."""
        found = (self.find(urn) for urn in resource.property_dependencies.get(prop, ()))
        return tuple(each for each in found if each is not None and (not types or each.type in types))

    def _by_urn(self) -> Mapping[str, Resource]:
        index: dict[str, Resource] | None = self.__dict__.get("_index")
        if index is None:
            index = {each.urn: each for each in self.resources}
            object.__setattr__(self, "_index", index)
        return index


def build_graph(stack: str, resources: Iterable[Resource], outputs: Mapping[str, Any] | None = None) -> ResourceGraph:
    """A graph of these resources. Raises ValueError where a URN stands twice."""
    found = tuple(resources)
    seen: set[str] = set()
    for each in found:
        if each.urn in seen:
            raise ValueError(f"the resource {each.urn} stands twice in {stack}")
        seen.add(each.urn)
    return ResourceGraph(stack, found, dict(outputs or {}))
