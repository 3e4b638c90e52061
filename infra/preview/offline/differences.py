"""Which properties differ between two sets of inputs, by the path that the engine prints."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from infra.preview.offline.values import is_special, is_unknown

Kind = Literal["ADD", "DELETE", "UPDATE"]
Path = tuple[str | int, ...]
_NOTHING: Any = object()


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A property that differs. `whole` is set where what lies beneath is unknown, so more may differ than is said."""

    path: Path
    kind: Kind
    whole: bool = False

    @property
    def text(self) -> str:
        """The path as the engine writes it, such as `ingress[0].cidrBlocks[1]`."""
        return write_path(self.path)

    @property
    def pattern(self) -> str:
        """The path with `[*]` for each place in a list, as tables name properties."""
        return write_path(tuple("*" if isinstance(step, int) else step for step in self.path))


def write_path(path: Path) -> str:
    """A path as text."""
    text = ""
    for step in path:
        if isinstance(step, int) or step == "*":
            text += f"[{step}]"
        elif step.replace("_", "").replace("-", "").isalnum():
            text += f".{step}" if text else step
        else:
            text += f"[{json.dumps(step)}]"
    return text


def compare(before: Mapping[str, Any], after: Mapping[str, Any], ignored: Iterable[str] = ()) -> tuple[Difference, ...]:
    """What differs, down to the leaves, in the order of the names, without the paths that are to be ignored.

    Names that begin with two underscores are the provider's own and never differ.
    """
    skipped = tuple(_plain(each) for each in ignored)
    return tuple(
        each
        for name in sorted(before.keys() | after.keys())
        if not name.startswith("__")
        for each in _compare((name,), before.get(name, _NOTHING), after.get(name, _NOTHING))
        if not any(_lies_in(each.text, skip) or _lies_in(each.pattern, skip) for skip in skipped)
    )


def _plain(ignored: str) -> str:
    return ignored.replace('["', ".").replace('"]', "")


def _lies_in(path: str, place: str) -> bool:
    path = _plain(path)
    return path == place or path.startswith((f"{place}.", f"{place}["))


def _compare(path: Path, before: Any, after: Any) -> Iterator[Difference]:
    if before is None:
        before = _NOTHING
    if after is None:
        after = _NOTHING
    if before is after or _same(before, after):
        return
    if _is_open(before, after) or _is_open(after, before):
        left, right = _steps(before), _steps(after)
        for step in [*left, *(each for each in right if each not in left)]:
            yield from _compare((*path, step), left.get(step, _NOTHING), right.get(step, _NOTHING))
        if not left and not right:
            yield Difference(path=path, kind="ADD" if before is _NOTHING else "DELETE")
        return
    kind: Kind = "ADD" if before is _NOTHING else "DELETE" if after is _NOTHING else "UPDATE"
    yield Difference(path=path, kind=kind, whole=is_unknown(after) and not isinstance(before, str | bool | int | float))


def _is_open(value: Any, other: Any) -> bool:
    """Whether to look into a value: a collection beside another one of its kind, or beside nothing."""
    kind = dict if isinstance(value, dict) else list if isinstance(value, list) else None
    return kind is not None and not is_special(value) and (other is _NOTHING or isinstance(other, kind))


def _steps(value: Any) -> dict[str | int, Any]:
    if isinstance(value, dict):
        return dict(value)
    return dict(enumerate(value)) if isinstance(value, list) else {}


def _same(before: Any, after: Any) -> bool:
    if is_special(before) and is_special(after) and before.get("hash") and after.get("hash"):
        return bool(before["hash"] == after["hash"])
    if before == after:
        return True
    # Providers take two texts of the same JSON for the same, as in policies.
    if (
        isinstance(before, str)
        and isinstance(after, str)
        and before[:1] in "{["
        and after[:1] in "{["
        and before
        and after
    ):
        try:
            return bool(json.loads(before) == json.loads(after))
        except ValueError:
            return False
    return False
