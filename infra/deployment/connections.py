"""What asks each cloud: of its registries, and of its balancers for the health of a version."""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from infra.deployment.alicloud_registry import AcrRepository
from infra.deployment.errors import DeploymentError
from infra.deployment.registries import ConnectRepository, EcrRepository
from infra.deployment.server_groups import connect_server_group
from infra.deployment.target_groups import connect_target_group
from infra.deployment.weights import Look
from infra.settings import Cloud

ConnectGroup = Callable[[str, str], Look]
"""From an item of the output `target_groups` and its region."""

REPOSITORIES: Mapping[Cloud, ConnectRepository] = {"aws": EcrRepository, "alicloud": AcrRepository}
GROUPS: Mapping[Cloud, ConnectGroup] = {"aws": connect_target_group, "alicloud": connect_server_group}

Servers = Literal["healthy", "unhealthy", "unknown", "none"]
"""Of a region's servers: one version at least is healthy, none is, nobody can tell, or there is no balancer."""


def look_at_servers(groups: Sequence[object], cloud: Cloud, region: str) -> tuple[Servers, str]:
    """How the servers behind a region's balancer are, as its cloud tells it, and why that is not known."""
    if not groups:
        return "none", ""
    unknown = ""
    for group in groups:
        try:
            if GROUPS[cloud](str(group), region)().healthy:
                return "healthy", ""
        except DeploymentError as error:
            unknown = str(error)
    return ("unknown", unknown) if unknown else ("unhealthy", "")
