"""What changes between two graphs of a stack, resource by resource."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from sizing.graph.change import ACTIONS, HIDDEN, Action, Change, PropertyChange
from sizing.graph.kinds import find_kind
from sizing.graph.preview_file import Preview, Step
from sizing.graph.resources import Resource, ResourceGraph, is_unknown

_SEGMENT = re.compile(r'\["((?:[^"\\]|\\.)*)"\]|\[(\d+)\]|([^.\[\]]+)')
"""A step of a property's path: `["a.b"]`, `[0]` or a name (pulumi v3.200, sdk/go/common/resource/property_path.go)."""


def find_changes(
    before: ResourceGraph, after: ResourceGraph, steps: Mapping[str, Step] | None = None
) -> tuple[Change, ...]:
    """One change for each resource of either graph, providers and components too, what is destroyed first.

    `steps` are the engine's: their action, paths and forcing properties are taken as they are. Without them the
    inputs are compared; a resource of two different ids is a replacement, and which property forced it is not known.
    Values that are unknown or encrypted on both sides are taken to be the same.
    """
    known = steps or {}
    former = {step.former_urn: urn for urn, step in known.items() if step.former_urn}
    olds = {former.get(each.urn, each.urn): each for each in before if not each.external}
    news = {each.urn: each for each in after if not each.external}
    found = [_compare(olds.get(urn), news.get(urn), known.get(urn)) for urn in dict.fromkeys((*olds, *news))]
    return tuple(sorted(found, key=lambda each: (not each.loses_data, ACTIONS.index(each.action))))


def preview_changes(preview: Preview) -> tuple[Change, ...]:
    """What a preview would change, as the engine says it; also of a partial one, then without what stays."""
    return find_changes(preview.before, preview.after, preview.steps)


def _compare(before: Resource | None, after: Resource | None, step: Step | None) -> Change:
    shown = after or before
    assert shown is not None, "a resource is in one of the graphs at least"  # noqa: S101
    changed: tuple[PropertyChange, ...] = ()
    if before is not None and after is not None:
        changed = _given(before, after, step) if step is not None and step.paths else tuple(_differ(before, after))
    action = step.action if step is not None and before and after else _tell(before, after, bool(changed))
    goes = action in ("delete", "replace") and before is not None
    return Change(
        urn=shown.urn,
        type=shown.type,
        name=shown.name,
        action=action,
        before=before,
        after=after,
        changed=changed if action != "same" else (),
        loses_data=bool(
            goes and before and before.custom and not before.retained and find_kind(before.type).keeps_data
        ),
        former_urn=before.urn if before and after and before.urn != after.urn else "",
    )


def _tell(before: Resource | None, after: Resource | None, differs: bool) -> Action:
    if before is None or after is None:
        return "create" if before is None else "delete"
    if (before.id and after.id and before.id != after.id) or before.type != after.type:
        return "replace"
    return "update" if differs else "same"


def _given(before: Resource, after: Resource, step: Step) -> tuple[PropertyChange, ...]:
    """The engine's paths with their values; those of a secret property are not given away."""
    found = []
    for path in step.paths:
        sides = (_look_up(each.inputs, each.outputs, path) for each in (before, after))
        old, new = sides
        if _top(path) in before.secrets | after.secrets:
            old = new = HIDDEN
        found.append(PropertyChange(path=path, before=old, after=new, forces=path in step.forcing))
    return tuple(found)


def _look_up(inputs: Mapping[str, Any], outputs: Mapping[str, Any], path: str) -> Any:
    for values in (inputs, outputs):
        value: Any = values
        for key, index, name in _SEGMENT.findall(path):
            if isinstance(value, Mapping) and (key or name):
                value = value.get(key or name)
            elif isinstance(value, list) and index:
                value = value[int(index)] if int(index) < len(value) else None
            else:
                value = value if is_unknown(value) else None
        if value is not None:
            return value
    return None


def _top(path: str) -> str:
    found = _SEGMENT.match(path)
    return next((part for part in found.groups() if part), path) if found else path


def _differ(before: Resource, after: Resource) -> Iterator[PropertyChange]:
    """The inputs that differ, as deep as both sides have the same form."""
    secret = before.secrets | after.secrets
    for key in sorted(before.inputs.keys() | after.inputs.keys()):
        if key.startswith("__"):
            continue  # the SDK's own, such as __defaults
        for path, old, new in _walk(_name(key), before.inputs.get(key), after.inputs.get(key)):
            if key not in secret:
                yield PropertyChange(path=path, before=old, after=new)
            else:
                yield PropertyChange(path=key, before=HIDDEN, after=HIDDEN)
                break


def _walk(path: str, old: Any, new: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted(old.keys() | new.keys()):
            yield from _walk(f"{path}{_name(key, inner=True)}", old.get(key), new.get(key))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from _walk(f"{path}[{index}]", one, other)
    elif not _is_alike(old, new):
        yield path, old, new


def _is_alike(old: Any, new: Any) -> bool:
    if is_unknown(old) or is_unknown(new):
        return old is new
    # True is no 1
    return bool(old == new) and isinstance(old, bool) == isinstance(new, bool)


def _name(key: str, *, inner: bool = False) -> str:
    if re.fullmatch(r"\w[\w-]*", key):
        return f".{key}" if inner else key
    return '["' + key.replace("\\", "\\\\").replace('"', '\\"') + '"]'
