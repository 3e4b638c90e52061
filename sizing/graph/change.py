"""What happens to one resource between two states of a stack."""

from dataclasses import dataclass, field
from typing import Any, Literal

from sizing.graph.resources import Resource

Action = Literal["create", "update", "replace", "delete", "same"]
ACTIONS: tuple[Action, ...] = ("delete", "replace", "update", "create", "same")
"""In the order of what a reader must see first."""

HIDDEN = "[secret]"
"""What stands in place of a secret: the engine's own mark (pulumi v3.200, backend/display/json.go)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PropertyChange:
    """One property before and after; of a secret both are `HIDDEN`.

    `path` is in the engine's form, such as `rootBlockDevice.volumeSize` or `subnets[1]`. A side that does not have the
    property is None. `forces` tells whether this property makes the engine replace the resource, None where nobody
    said it.
    """

    path: str
    before: Any = field(repr=False)
    after: Any = field(repr=False)
    forces: bool | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """What happens to one resource.

    `before` is None of a resource that is created, `after` of one that is deleted; a replacement is one change.
    `certain` is false where a replacement rests on a type that no table knows: it reads "may replace". `loses_data` is
    true where a resource that keeps data is deleted or replaced, and its deletion is not left out
    (`retainOnDelete`). `former_urn` is the URN before a rename, empty where it is the same.
    """

    urn: str
    type: str
    name: str
    action: Action
    before: Resource | None
    after: Resource | None
    changed: tuple[PropertyChange, ...] = ()
    certain: bool = True
    loses_data: bool = False
    former_urn: str = ""

    @property
    def destructive(self) -> bool:
        """Whether what is there now goes away."""
        return self.action in ("delete", "replace")

    @property
    def forcing(self) -> tuple[str, ...]:
        """The paths of the properties that force the replacement, where they are known."""
        return tuple(each.path for each in self.changed if each.forces)
