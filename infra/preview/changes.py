"""The changes of a stack's resources as the result tells them: short, and without a secret."""

import json
import re
from collections.abc import Iterable
from typing import Any

from infra.preview.result import ChangedResource, Property
from sizing.graph.change import HIDDEN, Change
from sizing.graph.resources import holds_unknown, is_unknown

KNOWN_LATER = "(known after it is deployed)"
NOT_KNOWN = "(not known here)"
"""Of a value before the change, which is deployed already: the provider of an offline run does not know it."""
MAX_VALUE = 200
"""Characters of a value; the engine's own preview has the whole."""
_SENSITIVE = re.compile(
    r"(?i)(pass(word|wd|phrase)|secret|token|api_?key|private_?key|credential)(?!.*(arn|id|name|length)s?$)"
)
"""Names of properties whose values are hidden although nobody marked them: a comment may be public."""
MAX_PROPERTIES = 50
"""Properties of one resource, the forcing ones first."""


def describe_changes(changes: Iterable[Change]) -> tuple[ChangedResource, ...]:
    """What happens to each resource that does not stay as it is; components, which stand for others, are left out."""
    return tuple(_describe(change) for change in changes if change.action != "same" and is_shown(change))


def count_unchanged(changes: Iterable[Change]) -> int:
    """How many resources stay as they are."""
    return sum(change.action == "same" and is_shown(change) for change in changes)


def is_shown(change: Change) -> bool:
    """Whether it is something in a cloud, or a provider that the program made itself."""
    resource = change.after or change.before
    if resource is None or not resource.custom:
        return False
    if resource.is_provider:
        return not resource.name.startswith("default")
    return resource.package != "pulumi"


def _describe(change: Change) -> ChangedResource:
    known = sorted(change.changed, key=lambda each: not each.forces)
    if change.action == "same":
        raise ValueError(f"{change.urn} does not change")
    before = change.before
    return ChangedResource(
        urn=change.urn[:1000],
        type=change.type[:1000],
        name=change.name[:1000],
        action=change.action,
        certain=change.certain,
        loses_data=change.loses_data,
        protected=before is not None and before.protected,
        forced_by=tuple(path[:1000] for path in change.forcing),
        properties=tuple(_describe_property(each) for each in known[:MAX_PROPERTIES]),
    )


def _describe_property(each: Any) -> Property:
    secret = HIDDEN in (each.before, each.after) or bool(_SENSITIVE.search(each.path))
    return Property(
        path=each.path[:1000],
        before="" if secret else show_value(each.before, NOT_KNOWN),
        after="" if secret else show_value(each.after),
        secret=secret,
        forces=each.forces,
    )


def show_value(value: Any, unknown: str = KNOWN_LATER) -> str:
    """A property's value on one line, cut where it is long; empty where there is none, `unknown` for an unknown one."""
    if value is None:
        return ""
    if is_unknown(value):
        return unknown
    if holds_unknown(value):
        text = json.dumps(_name_unknown(value, unknown), ensure_ascii=False, default=str)
    else:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    if isinstance(value, float) and value.is_integer():
        text = str(int(value))
    flat = " ".join(text.split())
    return flat if len(flat) <= MAX_VALUE else f"{flat[: MAX_VALUE - 1]}…"


def _name_unknown(value: Any, name: str) -> Any:
    if is_unknown(value):
        return name
    if isinstance(value, dict):
        return {key: _name_unknown(each, name) for key, each in value.items()}
    return [_name_unknown(each, name) for each in value] if isinstance(value, list | tuple) else value
