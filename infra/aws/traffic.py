"""Security groups and their rules, each rule with a port and a partner: none lets all traffic pass."""

from collections.abc import Sequence

import pulumi
import pulumi_aws as aws

from infra.tagging import Tags

ANYWHERE = "0.0.0.0/0"
"""The internet, for answers to clients and for calls to models. The networks have no IPv6."""

HTTPS_PORT = 443


def make_group(
    name: str, *, vpc_id: pulumi.Input[str], purpose: str, component: str, tags: Tags, parent: pulumi.Resource
) -> aws.ec2.SecurityGroup:
    """A security group without rules; AWS's own rule that lets everything out is removed with it.

    ``purpose`` is its description: letters, digits, spaces and ``._-:/()#,@[]+=&;{}!$*`` (EC2's API), and a
    change of it replaces the group.
    """
    return aws.ec2.SecurityGroup(
        name,
        vpc_id=vpc_id,
        description=purpose,
        tags=tags.named(component),
        opts=pulumi.ResourceOptions(parent=parent),
    )


def admit_ranges(
    name: str,
    group: aws.ec2.SecurityGroup,
    *,
    cidrs: Sequence[pulumi.Input[str]],
    port: int,
    purpose: str,
    parent: pulumi.Resource,
) -> None:
    """Let address ranges reach a TCP port of a group's members, one rule a range."""
    for number, cidr in enumerate(cidrs, start=1):
        _admit(f"{name}-{number}", group.id, port=port, purpose=purpose, parent=parent, cidr=cidr)


def admit_group(
    name: str,
    group: aws.ec2.SecurityGroup,
    *,
    source_id: pulumi.Input[str],
    port: int,
    purpose: str,
    parent: pulumi.Resource,
) -> None:
    """Let the members of another group reach a TCP port of a group's members."""
    _admit(name, group.id, port=port, purpose=purpose, parent=parent, source_id=source_id)


def release_port(
    name: str,
    group: aws.ec2.SecurityGroup,
    *,
    cidr: pulumi.Input[str],
    port: int,
    purpose: str,
    parent: pulumi.Resource,
) -> None:
    """Let a group's members call a TCP port in an address range.

    The VPC's resolver and clock (169.254.169.253 and .123) need no rule: groups do not filter them.
    """
    aws.vpc.SecurityGroupEgressRule(
        name,
        security_group_id=group.id,
        cidr_ipv4=cidr,
        ip_protocol="tcp",
        from_port=port,
        to_port=port,
        description=purpose,
        opts=pulumi.ResourceOptions(parent=parent),
    )


def release_calls(
    name: str,
    group: aws.ec2.SecurityGroup,
    *,
    cidr: pulumi.Input[str],
    inner_ports: Sequence[int],
    parent: pulumi.Resource,
) -> None:
    """Let the service call models and AWS by HTTPS, and its stores at ``inner_ports`` of the network's range."""
    release_port(name, group, cidr=ANYWHERE, port=HTTPS_PORT, purpose="Models, images and AWS", parent=parent)
    for port in sorted(set(inner_ports) - {HTTPS_PORT}):
        release_port(f"{name}-{port}", group, cidr=cidr, port=port, purpose="Stores", parent=parent)


def admit_members(
    name: str, group_id: pulumi.Input[str], source_id: pulumi.Input[str], *, ports: Sequence[int]
) -> None:
    """Let the service, which is made after its stores, reach ports of a store's group."""
    for port in ports:
        _admit(f"{name}-{port}", group_id, port=port, purpose="The service", source_id=source_id)


def _admit(
    name: str,
    group_id: pulumi.Input[str],
    *,
    port: int,
    purpose: str,
    parent: pulumi.Resource | None = None,
    cidr: pulumi.Input[str] | None = None,
    source_id: pulumi.Input[str] | None = None,
) -> None:
    """One rule: an address range or the members of a group may reach a TCP port."""
    aws.vpc.SecurityGroupIngressRule(
        name,
        security_group_id=group_id,
        cidr_ipv4=cidr,
        referenced_security_group_id=source_id,
        ip_protocol="tcp",
        from_port=port,
        to_port=port,
        description=purpose,
        opts=pulumi.ResourceOptions(parent=parent),
    )
