"""Security groups and their rules. A basic group lets every call out by itself, so each group of ours ends with a rule
that drops what no other rule lets pass."""

from collections.abc import Sequence
from typing import Literal

import pulumi
import pulumi_alicloud as alicloud

from infra.tagging import Tags

ANYWHERE = "0.0.0.0/0"
"""The internet, for answers to clients and for calls to models. The networks have no IPv6."""

HTTPS_PORT = 443

CLOUD_SERVICES = "100.64.0.0/10"
"""Where Alibaba Cloud's own services answer inside every network: metadata, resolvers, clocks, mirrors of packages."""
CLOUD_PORTS = (("tcp", 80), ("tcp", 53), ("udp", 53), ("udp", 123))
"""Metadata and mirrors by HTTP, names, time. Groups filter these too, unlike AWS's."""

FIRST, LAST = 1, 100
"""Priorities of rules: the lowest number is looked at first (ECS user guide, "Security group rules")."""

Direction = Literal["ingress", "egress"]


def make_group(
    name: str, *, vpc_id: pulumi.Input[str], purpose: str, component: str, tags: Tags, parent: pulumi.Resource
) -> alicloud.ecs.SecurityGroup:
    """A basic security group whose members do not reach each other and call nobody, until a rule says so.

    An enterprise group would deny by itself, but cannot name another group in a rule.
    """
    child = pulumi.ResourceOptions(parent=parent)
    group = alicloud.ecs.SecurityGroup(
        name,
        vpc_id=vpc_id,
        security_group_name=f"{tags.stack}-{name}",
        security_group_type="normal",
        inner_access_policy="Drop",
        description=purpose,
        tags=tags.named(component),
        opts=child,
    )
    alicloud.ecs.SecurityGroupRule(
        f"{name}-drop-rest",
        security_group_id=group.id,
        type="egress",
        ip_protocol="all",
        port_range="-1/-1",
        cidr_ip=ANYWHERE,
        nic_type="intranet",
        policy="drop",
        priority=LAST,
        description="What no other rule lets out",
        opts=child,
    )
    return group


def admit_ranges(
    name: str,
    group: alicloud.ecs.SecurityGroup,
    *,
    cidrs: Sequence[pulumi.Input[str]],
    port: int,
    purpose: str,
    parent: pulumi.Resource,
) -> None:
    """Let address ranges reach a TCP port of a group's members, one rule a range."""
    for number, cidr in enumerate(cidrs, start=1):
        _accept(f"{name}-{number}", group, "ingress", port=port, purpose=purpose, parent=parent, cidr=cidr)


def admit_group(
    name: str,
    group: alicloud.ecs.SecurityGroup,
    *,
    source_id: pulumi.Input[str],
    port: int,
    purpose: str,
    parent: pulumi.Resource,
) -> None:
    """Let the members of another group reach a TCP port of a group's members."""
    _accept(name, group, "ingress", port=port, purpose=purpose, parent=parent, source_id=source_id)


def release_port(
    name: str,
    group: alicloud.ecs.SecurityGroup,
    *,
    cidr: pulumi.Input[str],
    port: int,
    purpose: str,
    parent: pulumi.Resource,
    protocol: str = "tcp",
) -> None:
    """Let a group's members call a port in an address range."""
    _accept(name, group, "egress", port=port, purpose=purpose, parent=parent, cidr=cidr, protocol=protocol)


def release_calls(
    name: str,
    group: alicloud.ecs.SecurityGroup,
    *,
    cidr: pulumi.Input[str],
    inner_ports: Sequence[int],
    parent: pulumi.Resource,
) -> None:
    """Let the service call models and Alibaba Cloud by HTTPS, what every machine needs of the cloud, and its stores at
    ``inner_ports`` of the network's range."""
    release_port(name, group, cidr=ANYWHERE, port=HTTPS_PORT, purpose="Models, images and Alibaba Cloud", parent=parent)
    for protocol, port in CLOUD_PORTS:
        release_port(
            f"{name}-cloud-{protocol}-{port}",
            group,
            cidr=CLOUD_SERVICES,
            port=port,
            purpose="Metadata, packages, names and time of Alibaba Cloud",
            parent=parent,
            protocol=protocol,
        )
    for port in sorted(set(inner_ports) - {HTTPS_PORT}):
        release_port(f"{name}-{port}", group, cidr=cidr, port=port, purpose="Stores", parent=parent)


def _accept(
    name: str,
    group: alicloud.ecs.SecurityGroup,
    direction: Direction,
    *,
    port: int,
    purpose: str,
    parent: pulumi.Resource,
    cidr: pulumi.Input[str] | None = None,
    source_id: pulumi.Input[str] | None = None,
    protocol: str = "tcp",
) -> None:
    """One rule: an address range or the members of a group, and one port."""
    alicloud.ecs.SecurityGroupRule(
        name,
        security_group_id=group.id,
        type=direction,
        ip_protocol=protocol,
        port_range=f"{port}/{port}",
        cidr_ip=cidr,
        source_security_group_id=source_id,
        nic_type="intranet",
        policy="accept",
        priority=FIRST,
        description=purpose,
        opts=pulumi.ResourceOptions(parent=parent),
    )
