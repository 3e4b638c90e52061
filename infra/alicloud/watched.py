"""Whose metrics, lines and events are watched: CloudMonitor's and the log service's names for the parts of a stack."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from infra.errors import InfraError


class NotWatched(InfraError):
    """An alarm asks for a resource that was not named."""

    def __init__(self, watched: str, field: str, *, owner: str = "Watched") -> None:
        super().__init__(f"an alarm watches {watched!r} and {owner}.{field} was not given: name the resource")


@dataclass(frozen=True, kw_only=True)
class Watched:
    """The resources of a stack as CloudMonitor names them, each by its id; None or nothing for what the plan does not
    make.

    `server_group_id` is the one of `balancer_id`'s that takes requests. The vector store's are all of its machines and
    of its data disks. A cluster's machines come and go, so they are found by their tag and not named.
    """

    instance_id: pulumi.Input[str] | None = None
    disk_id: pulumi.Input[str] | None = None
    database_id: pulumi.Input[str] | None = None
    cache_id: pulumi.Input[str] | None = None
    balancer_id: pulumi.Input[str] | None = None
    server_group_id: pulumi.Input[str] | None = None
    vector_instance_ids: Sequence[pulumi.Input[str]] = ()
    vector_disk_ids: Sequence[pulumi.Input[str]] = ()

    def dimensions_of(self, watched: str) -> list[dict[str, pulumi.Input[str]]]:
        """The dimensions of each resource that the tables call `watched`, such as ``database`` or ``vector-nodes``.

        Raises NotWatched where one was not named.
        """
        fields = _FIELDS[watched]
        columns = [self._find(watched, field) for field in fields.values()]
        return [dict(zip(fields, each, strict=True)) for each in zip(*columns, strict=True)]

    def ids_of(self, watched: str) -> list[pulumi.Input[str]]:
        """The ids of those resources, one after the other. Raises NotWatched where one was not named."""
        return [named for each in self.dimensions_of(watched) for named in each.values()]

    def _find(self, watched: str, field: str) -> Sequence[pulumi.Input[str]]:
        value = getattr(self, field)
        found: Sequence[pulumi.Input[str]] = value if isinstance(value, list | tuple) else [value]
        if not found or value is None:
            raise NotWatched(watched, field)
        return found


_FIELDS = {
    "instance": {"instanceId": "instance_id"},
    "disk": {"diskId": "disk_id"},
    "database": {"instanceId": "database_id"},
    "cache": {"instanceId": "cache_id"},
    "targets": {"loadBalancerId": "balancer_id", "serverGroupId": "server_group_id"},
    "vector-nodes": {"instanceId": "vector_instance_ids"},
    "vector-disks": {"diskId": "vector_disk_ids"},
}
"""What the tables say, as CloudMonitor names what a metric or an event is of (infra/data/alicloud_metrics.csv)."""
