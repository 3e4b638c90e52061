"""PostgreSQL with pgvector, managed by ApsaraDB RDS."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_alicloud as alicloud

from infra.alicloud.database_disk import encrypt_by_service, find_own_key, takes_own_key
from infra.facts import POSTGRES_DATABASE, POSTGRES_USER
from infra.naming import fix_name
from infra.service.configuration import APSARADB_AUTHORITIES_URL
from infra.tagging import Tags
from sizing.capacity import SERVERLESS_MAX_UNITS
from sizing.plan import DatabaseSpec

VERSION = "17.0"
"""pgvector 0.8.0 is among its extensions, and serverless instances run it too (RDS, "Extensions supported by ApsaraDB
RDS for PostgreSQL" and "Create a serverless ApsaraDB RDS for PostgreSQL instance"; read 2026-11). RDS chooses the
newest minor version."""
PORT = 5432
STORAGE = "cloud_essd"
"""An ESSD of level PL1, which every edition takes."""
GROWTH_FACTOR = 2
"""Disk and serverless units may grow to this many times the plan's (ours)."""
LEAST_FREE_PERCENT = 20
"""RDS enlarges the disk when less of it is free (ours; RDS takes 10 to 50 by tens)."""
BACKUP_WINDOW, MAINTENANCE_WINDOW = "18:00Z-19:00Z", "19:00Z-20:00Z"
"""UTC: at night in China, and away from the backups of §10.4 (02:00, Sunday 03:00)."""
EVERY_DAY = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
BACKUP_DAYS_LIMITS = (7, 730)
MONITORING_S = 60
COLLECTED_DAYS = (180, 365, 1095, 1825)
"""What the collector of statements can keep; 30 too, which is less than an audit asks for (CKV_ALI_25)."""
SERVERLESS = {True: ("serverless_standard", "pg.n2.serverless.2c"), False: ("serverless_basic", "pg.n2.serverless.1c")}
"""Category and class with and without a standby (RDS, CreateDBInstance; `serverless_ha` is SQL Server's)."""
CATEGORY = "HighAvailability"
"""Of the planned classes, which end in .2c; without a second zone the standby is in the first."""
CHARACTERS = "UTF8,C,en_US.utf8"
"""Characters, order and classes of letters (RDS's own default beside UTF8). The service's tables name their order."""
LONGEST_NAME = 64

PARAMETERS = {
    "log_connections": "on",
    "log_disconnections": "on",
    # How long a statement took; with the next, never its text, which may be a memory.
    "log_duration": "on",
    "log_min_duration_statement": "-1",
    "log_statement": "ddl",
}
"""Settings that take effect at once (PostgreSQL's documentation; CKV_ALI_35 to 37)."""


@dataclass(frozen=True, kw_only=True)
class DatabaseArgs:
    """`subnet_ids` are data vSwitches in `zone_names`, in the same order; the standby is in the second.

    Whoever calls from `client_cidrs` may connect, and nobody else. `password` is a secret of 8 to 32 characters of
    three kinds (RDS, CreateAccount). `kms_key_id` is a key of ours. `log_days` is how long the collector keeps
    statements, or the next longer time that it knows. With `keeps_copies` a destroyed stack leaves the instance, since
    backups of PostgreSQL do not outlive it (the provider's page of Instance, released_keep_policy).
    """

    spec: DatabaseSpec
    zone_names: Sequence[str]
    subnet_ids: Sequence[pulumi.Input[str]]
    vpc_id: pulumi.Input[str]
    client_cidrs: Sequence[str]
    password: pulumi.Input[str]
    kms_key_id: pulumi.Input[str] | None
    log_days: int
    tags: Tags
    protect: bool
    keeps_copies: bool


class Database(pulumi.ComponentResource):
    """One PostgreSQL instance, with a standby in another zone where the plan says so; it has no public address.

    It goes back to any minute of the plan's days. The disk of an instance of a fixed class is encrypted, by our key
    where its class takes one and by RDS's own else. A serverless instance has at least the plan's units. RDS gives it
    neither TLS nor an encrypted disk (RDS for PostgreSQL, "Configure SSL encryption", "Configure disk encryption"): it
    is reached in the clear inside the network, `tls` is False and `authorities_url` empty. TDE is on where no key of
    ours encrypts the disk; a table is encrypted by it only once somebody alters the table (RDS, "Configure TDE").

    The service's account is privileged: pgvector is not a trusted extension, so RDS lets no other create it (RDS, "Use
    pgvector"); it is made before the database, whose schema `public` is then its own. The instance holds nothing else,
    and RDS has no superusers.

    Attributes: `instance_id`, `endpoint` (host), `port`, `name` (database), `user`, `tls`, `authorities_url`.
    """

    instance_id: pulumi.Output[str]
    endpoint: pulumi.Output[str]
    port: int
    name: str
    user: str
    tls: bool
    authorities_url: str

    def __init__(self, name: str, args: DatabaseArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("reme:alicloud:Database", name, {}, opts)
        self.tls = args.spec.edition == "instance"
        self.authorities_url = APSARADB_AUTHORITIES_URL if self.tls else ""
        own_key = args.kms_key_id if self.tls and takes_own_key(args.spec.instance_class) else None
        instance = self._make_instance(name, args, own_key)
        encrypted: Sequence[pulumi.Resource] = ()
        if self.tls and own_key is None:
            encrypted = encrypt_by_service(
                f"{name}-encryption",
                instance.id,
                stack=args.tags.stack,
                tags=args.tags.named("database"),
                parent=self,
            )
        kept = pulumi.ResourceOptions(parent=self, retain_on_delete=args.keeps_copies)
        retention = min(max(args.spec.backup_retention_days, BACKUP_DAYS_LIMITS[0]), BACKUP_DAYS_LIMITS[1])
        backups = alicloud.rds.BackupPolicy(
            f"{name}-backups",
            instance_id=instance.id,
            preferred_backup_periods=list(EVERY_DAY),
            preferred_backup_time=BACKUP_WINDOW,
            backup_retention_period=retention,
            enable_backup_log=True,
            log_backup_retention_period=retention,
            # One after the other: the instance takes no change while it is being changed.
            opts=pulumi.ResourceOptions.merge(kept, pulumi.ResourceOptions(depends_on=encrypted)),
        )
        account = alicloud.rds.RdsAccount(
            f"{name}-account",
            db_instance_id=instance.id,
            account_name=POSTGRES_USER,
            account_password=pulumi.Output.secret(args.password),
            account_type="Super",
            account_description="The memory service",
            opts=pulumi.ResourceOptions.merge(kept, pulumi.ResourceOptions(depends_on=[backups])),
        )
        database = alicloud.rds.Database(
            f"{name}-database",
            instance_id=instance.id,
            data_base_name=POSTGRES_DATABASE,
            character_set=CHARACTERS,
            opts=pulumi.ResourceOptions.merge(kept, pulumi.ResourceOptions(protect=args.protect, depends_on=[account])),
        )
        self.instance_id = instance.id
        # Known once the service can use it.
        self.endpoint = pulumi.Output.all(instance.connection_string, database.id).apply(lambda known: str(known[0]))
        self.port, self.name, self.user = PORT, POSTGRES_DATABASE, POSTGRES_USER
        self.register_outputs({"endpoint": self.endpoint, "port": self.port})

    def _make_instance(self, name: str, args: DatabaseArgs, own_key: pulumi.Input[str] | None) -> alicloud.rds.Instance:
        spec = args.spec
        # An instance has one standby, whatever the number of zones.
        places = 2 if spec.multi_zone else 1
        category, instance_class = SERVERLESS[spec.multi_zone]
        if self.tls:
            category, instance_class = CATEGORY, spec.instance_class
        key = find_own_key(own_key, self)
        return alicloud.rds.Instance(
            f"{name}-instance",
            instance_name=fix_name(args.tags.stack, name, LONGEST_NAME),
            engine="PostgreSQL",
            engine_version=VERSION,
            instance_charge_type="Postpaid" if self.tls else "Serverless",
            category=category,
            instance_type=instance_class,
            serverless_configs=None if self.tls else [_describe_units(spec.capacity_units)],
            instance_storage=spec.storage_gb,
            db_instance_storage_type=STORAGE,
            # The disk of a serverless instance grows by itself.
            storage_auto_scale="Enable" if self.tls else None,
            storage_threshold=LEAST_FREE_PERCENT if self.tls else None,
            storage_upper_bound=spec.storage_gb * GROWTH_FACTOR if self.tls else None,
            encryption_key=key.id if key else None,
            role_arn=key.role_arn if key else None,
            tde_status=None if key else "Enabled",
            ssl_action="Open" if self.tls else None,
            ca_type="aliyun" if self.tls else None,
            vpc_id=args.vpc_id,
            vswitch_id=pulumi.Output.all(*args.subnet_ids[:places]).apply(",".join),
            zone_id=args.zone_names[0],
            zone_id_slave_a=args.zone_names[1] if spec.multi_zone else None,
            port=str(PORT),
            security_ips=sorted(args.client_cidrs),
            parameters=[
                alicloud.rds.InstanceParameterArgs(name=each, value=value) for each, value in sorted(PARAMETERS.items())
            ],
            sql_collector_status="Enabled",
            sql_collector_config_value=choose_collected_days(args.log_days),
            monitoring_period=MONITORING_S,
            auto_upgrade_minor_version="Auto",
            maintain_time=MAINTENANCE_WINDOW,
            deletion_protection=args.protect,
            released_keep_policy="All" if args.keeps_copies else None,
            tags=args.tags.named("database"),
            opts=pulumi.ResourceOptions(parent=self, protect=args.protect, retain_on_delete=args.keeps_copies),
        )


def choose_collected_days(days: int) -> int:
    """The shortest time that the collector of statements knows, and that is no shorter than `days`."""
    return next((each for each in COLLECTED_DAYS if each >= days), COLLECTED_DAYS[-1])


def _describe_units(units: float) -> alicloud.rds.InstanceServerlessConfigArgs:
    """The plan's units are the least, since their memory is what the indexes need."""
    most = max(units, min(units * GROWTH_FACTOR, SERVERLESS_MAX_UNITS))
    return alicloud.rds.InstanceServerlessConfigArgs(
        min_capacity=units, max_capacity=most, auto_pause=False, switch_force=False
    )
