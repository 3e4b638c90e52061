"""Reading what a program asked of a resource, without ever taking an unknown value for an answer."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from policies.rule import Finding, Rule, Severity, breach, undecided
from policies.settings import PolicySettings
from sizing.graph.resources import UNKNOWN, Resource, is_unknown


def read(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Every value at a path such as `rootBlockDevice.encrypted` or `rules[].status`, with where it stands.

    A step that is absent gives None, an unknown step UNKNOWN; an absent or empty list gives nothing.
    """
    step, _, rest = path.partition(".")
    name, many = step.removesuffix("[]"), step.endswith("[]")
    found = value.get(name) if isinstance(value, Mapping) else None
    if is_unknown(value) or is_unknown(found):
        yield name, UNKNOWN
    elif many:
        items = found if isinstance(found, list | tuple) else [] if found is None else [found]
        for index, item in enumerate(items):
            where = f"{name}[{index}]"
            if rest:
                yield from ((f"{where}.{deeper}", each) for deeper, each in read(item, rest))
            else:
                yield where, item
    elif rest:
        yield from ((f"{name}.{deeper}", each) for deeper, each in read(found, rest))
    else:
        yield name, found


def read_one(resource: Resource, path: str) -> Any:
    """The value at a path without lists; None where it is absent."""
    return next(iter(read(resource.inputs, path)))[1]


def is_true(value: object) -> bool:
    """Whether a property says yes: a launch template writes "true" where others write a boolean."""
    return value is True or (isinstance(value, str) and value.lower() == "true")


def is_set(value: object) -> bool:
    """Whether a property says anything."""
    return value is not None and value not in ("", [], {})


def one_of(*accepted: object) -> Callable[[object], bool]:
    """Accepts these values alone; numbers may come as floats."""
    return lambda value: value in accepted


def at_least(limit: float) -> Callable[[object], bool]:
    """Accepts numbers from a limit on."""
    return lambda value: as_number(value) >= limit


def as_number(value: object) -> float:
    """A number, also where it is written as text; 0 for anything else."""
    try:
        return float(value) if isinstance(value, int | float | str) else 0.0
    except ValueError:
        return 0.0


def show(value: object) -> str:
    """A value for a message: short, and never more than a type of what is compound."""
    if value is None:
        return "not set"
    if value in ("", [], {}):
        return "empty"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, int | float | str):
        return str(value)[:80]
    return "set"


@dataclass(frozen=True, kw_only=True)
class Requirement:
    """Resources of a kind need a property's value to be accepted.

    `wanted` says in words what is accepted. `only` limits it to resources that it accepts: None of its answer means
    that this is not known yet.
    """

    kind: str
    path: str
    accepts: Callable[[object], bool]
    wanted: str
    only: Callable[[Resource], bool | None] = lambda _: True


def requiring(
    requirements: Collection[Requirement],
    *,
    id: str,
    family: str,
    title: str,
    severity: Severity,
    remedy: str,
    frameworks: tuple[str, ...] = (),
) -> Rule:
    """A rule that its requirements make."""

    def check(resource: Resource, _: PolicySettings) -> Iterable[Finding]:
        for each in requirements:
            if each.kind == resource.type:
                yield from meet(resource, each)

    return Rule(
        id=id,
        family=family,
        title=title,
        severity=severity,
        message="{where}: {property} is {found}, and must be {wanted}",
        remedy=remedy,
        kinds=frozenset(each.kind for each in requirements),
        reads=frozenset((each.kind, each.path) for each in requirements),
        frameworks=frameworks,
        check=check,
    )


def meet(resource: Resource, requirement: Requirement) -> Iterator[Finding]:
    """What a resource lacks of a requirement."""
    applies = requirement.only(resource)
    if applies is False:
        return
    for place, value in read(resource.inputs, requirement.path):
        if applies is None or is_unknown(value):
            yield undecided(resource, place)
        elif not requirement.accepts(value):
            yield breach(resource, property=place, found=show(value), wanted=requirement.wanted)
