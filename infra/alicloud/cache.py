"""The cache that the service's nodes share, managed by Tair."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_alicloud as alicloud

from infra.alicloud.database import BACKUP_WINDOW, EVERY_DAY
from infra.alicloud.database_disk import find_own_key
from infra.naming import fix_name
from infra.service.configuration import APSARADB_AUTHORITIES_URL
from infra.tagging import Tags
from sizing.plan import CacheSpec

SERIES = "tair_rdb"
"""The series of the plan's classes (tair.rdb.1g): in memory, compatible with Redis (the provider's page)."""
VERSION = "7.0"
PORT = 6379
EVICTION = "volatile-lru"
"""Memory that runs out costs the keys that expire anyway, the least used first."""
MAINTENANCE_WINDOW = ("19:00Z", "20:00Z")
"""UTC, at night in China."""
LONGEST_NAME = 80


@dataclass(frozen=True, kw_only=True)
class CacheArgs:
    """`subnet_ids` are data vSwitches in `zone_names`, in the same order; the replica is in the second zone.

    `password` is a secret of 8 to 32 characters of three kinds (Tair, CreateInstance). Whoever calls from
    `client_cidrs` may connect, and nobody else. `kms_key_id` is a key of ours.
    """

    spec: CacheSpec
    zone_names: Sequence[str]
    subnet_ids: Sequence[pulumi.Input[str]]
    vpc_id: pulumi.Input[str]
    client_cidrs: Sequence[str]
    password: pulumi.Input[str]
    kms_key_id: pulumi.Input[str] | None
    tags: Tags
    protect: bool


class Cache(pulumi.ComponentResource):
    """A primary and a replica, over TLS and with a password; the replica takes over by itself.

    With one node in the plan the replica is in the same zone: Tair has TLS only where there is a replica ("Enable TLS
    encryption"), and sells both as one class. The service finds the primary by one name, so its mode is `single`.
    Commands are not logged: their arguments may be texts of users. Tair does not refuse a deletion by itself.

    Attributes: `instance_id`, `address`, `port`, `authorities_url`.
    """

    instance_id: pulumi.Output[str]
    address: pulumi.Output[str]
    port: int
    authorities_url: str

    def __init__(self, name: str, args: CacheArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("reme:alicloud:Cache", name, {}, opts)
        key = find_own_key(args.kms_key_id, self)
        made = alicloud.redis.TairInstance(
            f"{name}-nodes",
            tair_instance_name=fix_name(args.tags.stack, name, LONGEST_NAME),
            payment_type="PayAsYouGo",
            instance_type=SERIES,
            instance_class=args.spec.node_class,
            engine_version=VERSION,
            node_type="MASTER_SLAVE",
            vpc_id=args.vpc_id,
            vswitch_id=args.subnet_ids[0],
            zone_id=args.zone_names[0],
            secondary_zone_id=args.zone_names[1] if args.spec.nodes > 1 else None,
            port=PORT,
            password=pulumi.Output.secret(args.password),
            vpc_auth_mode="Open",
            security_ips=",".join(sorted(args.client_cidrs)),
            ssl_enabled="Enable",
            tde_status="enabled",
            encryption_key=key.id if key else None,
            role_arn=key.role_arn if key else None,
            config={"maxmemory-policy": EVICTION},
            maintain_start_time=MAINTENANCE_WINDOW[0],
            maintain_end_time=MAINTENANCE_WINDOW[1],
            effective_time="MaintainTime",
            tags=args.tags.named("cache"),
            opts=pulumi.ResourceOptions(parent=self, protect=args.protect),
        )
        alicloud.kvstore.BackupPolicy(
            f"{name}-backups",
            instance_id=made.id,
            backup_periods=list(EVERY_DAY),
            backup_time=BACKUP_WINDOW,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.instance_id, self.address, self.port = made.id, made.connection_domain, PORT
        self.authorities_url = APSARADB_AUTHORITIES_URL
        self.register_outputs({"address": self.address, "port": self.port})
