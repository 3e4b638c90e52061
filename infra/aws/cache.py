"""The cache that the service's nodes share, managed by ElastiCache."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.aws.fixed_names import make_log_group
from infra.aws.traffic import admit_group, make_group
from infra.naming import fix_name
from infra.tagging import Tags
from sizing.plan import CacheSpec

VERSIONS = {"valkey": ("8.0", "valkey8"), "redis": ("7.1", "redis7")}
"""Version and family of parameters by the plan's engine (ElastiCache's supported versions)."""
PORT = 6379
SNAPSHOT_DAYS = 1
"""What the cache holds can be computed again; one snapshot is the least that FSBP ElastiCache.1 takes."""
SNAPSHOT_WINDOW, MAINTENANCE_WINDOW = "03:30-04:30", "sun:07:00-sun:08:00"
EVICTION = "volatile-lru"
"""Memory that runs out costs the keys that expire anyway, the least used first."""
LONGEST_NAME = 40


@dataclass(frozen=True, kw_only=True)
class CacheArgs:
    """`password` is a secret of 16 to 128 printable characters without @ " / (ElastiCache's AUTH tokens).

    Members of `client_security_group_ids` may connect. `log_days` is how long the engine's log is kept.
    """

    spec: CacheSpec
    vpc_id: pulumi.Input[str]
    subnet_ids: Sequence[pulumi.Input[str]]
    client_security_group_ids: Sequence[pulumi.Input[str]]
    password: pulumi.Input[str]
    kms_key_arn: pulumi.Input[str] | None
    log_key_arn: pulumi.Input[str] | None
    log_days: int
    tags: Tags


class Cache(pulumi.ComponentResource):
    """A primary and replicas in other zones, over TLS and with a password; a replica takes over by itself.

    The service finds the primary by one name, so its mode is `single`. Slow commands are not logged: their arguments
    may be texts of users. Attributes: `address`, `port`, `replication_group_id`, `member_ids`, `security_group_id`.
    """

    address: pulumi.Output[str]
    port: int
    replication_group_id: pulumi.Output[str]
    member_ids: tuple[str, ...]
    security_group_id: pulumi.Output[str]

    def __init__(self, name: str, args: CacheArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("reme:aws:Cache", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        tags = args.tags.named("cache")
        version, family = VERSIONS[args.spec.engine]
        identifier = fix_name(args.tags.stack, name, LONGEST_NAME)
        group = make_group(
            f"{name}-group", vpc_id=args.vpc_id, purpose="The cache", component="cache", tags=args.tags, parent=self
        )
        for number, client in enumerate(args.client_security_group_ids, start=1):
            admit_group(
                f"{name}-client-{number}", group, source_id=client, port=PORT, purpose="The service", parent=self
            )
        subnets = aws.elasticache.SubnetGroup(
            f"{name}-subnets", subnet_ids=list(args.subnet_ids), tags=tags, opts=child
        )
        parameters = aws.elasticache.ParameterGroup(
            f"{name}-parameters",
            family=family,
            description="Evicts keys that expire, the least used first",
            parameters=[aws.elasticache.ParameterGroupParameterArgs(name="maxmemory-policy", value=EVICTION)],
            tags=tags,
            opts=child,
        )
        log = make_log_group(
            f"{name}-log",
            f"/aws/vendedlogs/elasticache/{identifier}/engine",
            days=args.log_days,
            kms_key_arn=args.log_key_arn,
            component="cache",
            tags=args.tags,
            parent=self,
        )
        several = args.spec.nodes > 1
        made = aws.elasticache.ReplicationGroup(
            f"{name}-nodes",
            replication_group_id=identifier,
            description="What the nodes of the service share",
            engine=args.spec.engine,
            engine_version=version,
            node_type=args.spec.node_class,
            num_cache_clusters=args.spec.nodes,
            automatic_failover_enabled=several,
            multi_az_enabled=several,
            port=PORT,
            parameter_group_name=parameters.name,
            subnet_group_name=subnets.name,
            security_group_ids=[group.id],
            at_rest_encryption_enabled=True,
            kms_key_id=args.kms_key_arn,
            transit_encryption_enabled=True,
            transit_encryption_mode="required",
            auth_token=pulumi.Output.secret(args.password),
            snapshot_retention_limit=SNAPSHOT_DAYS,
            snapshot_window=SNAPSHOT_WINDOW,
            maintenance_window=MAINTENANCE_WINDOW,
            auto_minor_version_upgrade=True,
            apply_immediately=False,
            log_delivery_configurations=[
                aws.elasticache.ReplicationGroupLogDeliveryConfigurationArgs(
                    destination=log.name,
                    destination_type="cloudwatch-logs",
                    log_format="json",
                    log_type="engine-log",
                )
            ],
            tags=tags,
            # Its name is fixed, so an old group must go before a new one can come.
            opts=pulumi.ResourceOptions(parent=self, delete_before_replace=True),
        )
        self.address, self.port = made.primary_endpoint_address, PORT
        self.replication_group_id = made.replication_group_id
        # ElastiCache numbers the members of a group from one.
        self.member_ids = tuple(f"{identifier}-{number:03d}" for number in range(1, args.spec.nodes + 1))
        self.security_group_id = group.id
        self.register_outputs({"address": self.address, "port": self.port})
