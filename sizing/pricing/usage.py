"""The usage file: quantities of what is billed by use, which no resource shows.

YAML or TOML:

    version: 1
    types:                       # for every resource of a type
      aws:lb/loadBalancer:LoadBalancer:
        lcu_hours: 730
    resources:                   # for one resource, by its URN or its logical name, over its type's
      uploads:
        standard_gb: 40..50..80  # low, expected, high
        gets: {expected: 100000, high: 400000}

The keys of each type are those of `data/resource_kinds.csv`; all quantities are of a month. A key that is not given is
unknown, and never zero.
"""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sizing.errors import InvalidWorkload, SizingError, shorten
from sizing.estimate import Corner, Estimate, parse_estimate
from sizing.graph.kinds import find_kind, kinds
from sizing.graph.resources import Resource, ResourceGraph
from sizing.workload_document import load_document

MAX_QUANTITY = 1e15
"""Ours: more than any month of any resource; above it a figure is a slip."""


class InvalidUsage(SizingError):
    """A usage file is unusable."""

    def __init__(self, field: str, value: object, valid: str) -> None:
        self.field = field
        super().__init__(f"usage: {field} = {shorten(value)} is not usable. Valid: {valid}.")


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    version: int = Field(ge=1, le=1)
    types: dict[str, dict[str, object]] = {}
    resources: dict[str, dict[str, object]] = {}


@dataclass(frozen=True, kw_only=True)
class Usage:
    """Quantities a month by type, and by URN or logical name."""

    by_type: Mapping[str, Mapping[str, Estimate]] = field(default_factory=dict)
    by_name: Mapping[str, Mapping[str, Estimate]] = field(default_factory=dict)

    def of(self, resource: Resource, corner: Corner) -> Mapping[str, float]:
        """The quantities of one resource at one corner: of its type, with its own over them."""
        given = {
            **self.by_type.get(find_kind(resource.type).type, {}),
            **self.by_name.get(resource.name, {}),
            **self.by_name.get(resource.urn, {}),
        }
        return {key: estimate.at(corner) for key, estimate in given.items()}

    def check(self, *graphs: ResourceGraph) -> None:
        """Raise InvalidUsage for a name that no graph has, that two types share, or whose type has not the key."""
        for name, given in self.by_name.items():
            found = [each for graph in graphs for each in graph.custom if name in (each.urn, each.name)]
            types = sorted({find_kind(each.type).type for each in found})
            if not found:
                near = difflib.get_close_matches(name, [each.name for graph in graphs for each in graph.custom], n=3)
                hint = f" (did you mean {', '.join(near)}?)" if near else ""
                raise InvalidUsage("resources", name, f"a URN or a logical name of the stack{hint}")
            if len(types) > 1:
                raise InvalidUsage("resources", name, f"a URN: the name stands for {' and '.join(types)}")
            _check_keys(f"resources.{name}", types[0], given)


NO_USAGE = Usage()
"""Nothing is known about use."""


def load_usage(path: Path) -> Usage:
    """Read a usage file. Raises InvalidUsage, or InvalidWorkload where the file itself cannot be read."""
    return read_usage(load_document(path))


def read_usage(document: Mapping[str, object]) -> Usage:
    """Check a document; raises InvalidUsage that names the key, the value and what would be valid."""
    try:
        checked = _Document.model_validate(dict(document))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        raise InvalidUsage(place, first["input"], first["msg"].lower()) from None
    by_type = {}
    for token, given in checked.types.items():
        kind = kinds().get(token)
        if kind is None or not kind.usage:
            raise InvalidUsage("types", token, "a type of data/resource_kinds.csv that has keys of usage")
        by_type[kind.type] = _read(f"types.{token}", given)
        _check_keys(f"types.{token}", kind.type, given)
    by_name = {name: _read(f"resources.{name}", given) for name, given in checked.resources.items()}
    return Usage(by_type=by_type, by_name=by_name)


def _read(place: str, given: Mapping[str, object]) -> dict[str, Estimate]:
    found = {}
    for key, raw in given.items():
        try:
            found[key] = parse_estimate(f"{place}.{key}", raw)
        except InvalidWorkload as error:
            raise InvalidUsage(error.field, raw, error.valid) from None
        if found[key].low < 0 or found[key].high > MAX_QUANTITY:
            raise InvalidUsage(f"{place}.{key}", raw, f"a number from 0 to {MAX_QUANTITY:.0e}")
    return found


def _check_keys(place: str, type_: str, given: Mapping[str, object]) -> None:
    known = find_kind(type_).usage
    for key in given:
        if key not in known:
            valid = f"one of {', '.join(known)}" if known else f"nothing: {type_} takes no usage"
            raise InvalidUsage(f"{place}.{key}", given[key], valid)
