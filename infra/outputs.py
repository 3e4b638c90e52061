"""The outputs of a stack: one set for every cloud, which other tools rely on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import pulumi

from infra.planning import StackPlan


@dataclass(frozen=True, kw_only=True)
class StackOutputs:
    """What a stack made, empty where the plan has none of it. No output is a secret; secrets have their addresses.

    `entrance_address` is the name of the balancer, to which the world's name leads. `outbound_addresses` are those that
    the nodes' calls to the internet come from.
    """

    service_url: pulumi.Input[str]
    health_url: pulumi.Input[str]
    name_servers: pulumi.Input[Sequence[str]]
    services: Sequence[pulumi.Input[str]]
    target_groups: Sequence[pulumi.Input[str]]
    secret_addresses: Mapping[str, pulumi.Input[str]]
    database_host: pulumi.Input[str] = ""
    vector_url: pulumi.Input[str] = ""
    cache_host: pulumi.Input[str] = ""
    bucket: pulumi.Input[str] = ""
    bucket_key: pulumi.Input[str] = ""
    backup_bucket: pulumi.Input[str] = ""
    archive_bucket: pulumi.Input[str] = ""
    audit_bucket: pulumi.Input[str] = ""
    registry_url: pulumi.Input[str] = ""
    host_id: pulumi.Input[str] = ""
    host_changes: pulumi.Input[str] = ""
    cluster: pulumi.Input[str] = ""
    alarm_topic: pulumi.Input[str] = ""
    metrics_url: pulumi.Input[str] = ""
    grafana_url: pulumi.Input[str] = ""
    zone_id: pulumi.Input[str] = ""
    entrance_address: pulumi.Input[str] = ""
    outbound_addresses: Sequence[pulumi.Input[str]] = ()


def export_outputs(planned: StackPlan, made: StackOutputs) -> None:
    """Export what the plan decided, with its reasons and its price, and what was made."""
    usd = planned.monthly_usd
    pulumi.export("tier", planned.plan.tier)
    pulumi.export("reasons", list(planned.reasons))
    pulumi.export("warnings", list(planned.warnings))
    pulumi.export("monthly_usd", {corner: str(amount) for corner, amount in usd.items()})
    pulumi.export("unpriced_lines", planned.unpriced)
    for field in fields(made):
        value = getattr(made, field.name)
        pulumi.export(field.name, list(value) if isinstance(value, tuple) else value)
