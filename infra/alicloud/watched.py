"""Whose metrics, lines and events are watched: CloudMonitor's and the log service's names for the parts of a stack."""

from dataclasses import dataclass

import pulumi

from infra.errors import InfraError


class NotWatched(InfraError):
    """An alarm asks for a resource that was not named."""

    def __init__(self, watched: str, field: str) -> None:
        super().__init__(f"an alarm watches {watched!r} and Watched.{field} was not given: name the resource")


@dataclass(frozen=True, kw_only=True)
class Watched:
    """The resources of a stack as CloudMonitor names them, each by its id; None for what the plan does not make."""

    instance_id: pulumi.Input[str] | None = None
    disk_id: pulumi.Input[str] | None = None

    def id_of(self, watched: str) -> pulumi.Input[str]:
        """The id of what the tables call `watched`, such as ``instance``. Raises NotWatched where it was not named."""
        field = _FIELDS[watched]
        found: pulumi.Input[str] | None = getattr(self, field)
        if found is None:
            raise NotWatched(watched, field)
        return found


_FIELDS = {"instance": "instance_id", "disk": "disk_id"}
DIMENSIONS = {"instance": "instanceId"}
"""How CloudMonitor names what a metric is of (its appendix of metrics)."""
