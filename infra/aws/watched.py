"""Whose metrics are watched: CloudWatch's dimensions for the parts of a stack."""

from dataclasses import dataclass

import pulumi

from infra.errors import InfraError

HOST_NAMESPACE = "ReMe"
"""Metrics that the agent publishes; the instances' roles may publish in no other."""

SERVICE_ROLE = "service"
VECTORS_ROLE = "vectors"
SERVICE_DATA_PATH = "/var/lib/reme"
VECTORS_DATA_PATH = "/var/lib/qdrant"
"""Where the data volumes are mounted."""
FILESYSTEM = "xfs"
"""What Amazon Linux has for its system and the data volumes are made with."""


class NotWatched(InfraError):
    """An alarm asks for a resource that was not named."""

    def __init__(self, dimensions: str, field: str) -> None:
        super().__init__(f"an alarm watches {dimensions!r} and Watched.{field} was not given: name the resource")


@dataclass(frozen=True, kw_only=True)
class Watched:
    """The resources of a stack as CloudWatch names them; None for what the plan does not make.

    `cache_node_id` is the first member of the replication group, `<group>-001`. Suffixes are the ends of ARNs.
    """

    instance_id: pulumi.Input[str] | None = None
    cluster_name: pulumi.Input[str] | None = None
    service_name: pulumi.Input[str] | None = None
    database_id: pulumi.Input[str] | None = None
    cache_node_id: pulumi.Input[str] | None = None
    balancer_suffix: pulumi.Input[str] | None = None
    target_group_suffix: pulumi.Input[str] | None = None
    certificate_arn: pulumi.Input[str] | None = None
    backup_vault_name: pulumi.Input[str] | None = None

    def dimensions(self, source: str, stack: str) -> dict[str, pulumi.Input[str]]:
        """The dimensions that the tables call `source`, such as ``service`` or ``disk:vectors``.

        Raises NotWatched where the resource was not named.
        """
        kind, _, role = source.partition(":")
        if kind in ("memory", "disk", "process"):
            return dict(name_agent_dimensions(kind, role, stack))
        if kind == "scrape":
            return {"Stack": stack}
        fields = _FIELDS[kind]
        found: dict[str, pulumi.Input[str]] = {}
        for dimension, field in fields.items():
            value: pulumi.Input[str] | None = getattr(self, field)
            if value is None:
                raise NotWatched(source, field)
            found[dimension] = value
        return found


_FIELDS = {
    "log": {},
    "instance": {"InstanceId": "instance_id"},
    "service": {"ClusterName": "cluster_name", "ServiceName": "service_name"},
    "database": {"DBInstanceIdentifier": "database_id"},
    "cache": {"CacheClusterId": "cache_node_id"},
    "targets": {"TargetGroup": "target_group_suffix", "LoadBalancer": "balancer_suffix"},
    "balancer": {"LoadBalancer": "balancer_suffix"},
    "certificate": {"CertificateArn": "certificate_arn"},
    "vault": {"BackupVaultName": "backup_vault_name"},
}


def name_agent_dimensions(kind: str, role: str, stack: str) -> dict[str, str]:
    """The dimensions under which the agent publishes a metric of memory, of a disk, or of a process.

    Nodes of one role publish under the same, so that one alarm watches the worst of them.
    """
    if kind == "process":
        return {"Stack": stack, "Role": SERVICE_ROLE, "exe": role}
    role, _, root = role.partition("-")
    found = {"Stack": stack, "Role": role}
    if kind == "disk":
        data_path = SERVICE_DATA_PATH if role == SERVICE_ROLE else VECTORS_DATA_PATH
        found |= {"path": "/" if root else data_path, "fstype": FILESYSTEM}
    return found


def name_log_namespace(stack: str) -> str:
    """The namespace of metrics counted from log lines; a line has no dimension that names the stack."""
    return f"{HOST_NAMESPACE}/{stack}"
