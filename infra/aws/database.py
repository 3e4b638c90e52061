"""PostgreSQL with pgvector, managed by RDS."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.aws.fixed_names import make_log_group
from infra.aws.roles import describe_trust, make_role
from infra.aws.traffic import admit_group, make_group
from infra.facts import POSTGRES_DATABASE, POSTGRES_USER
from infra.naming import fix_name
from infra.tagging import Tags
from sizing.plan import DatabaseSpec

VERSION = "17"
"""pgvector 0.8 is among its extensions (RDS's release notes). RDS chooses the newest minor version."""
PORT = 5433
"""Not PostgreSQL's own, so that a scan for 5432 finds nothing (AWS FSBP RDS.23)."""
GROWTH_FACTOR = 2
"""RDS may enlarge the disk to this many times the plan's size before it is full (ours)."""
BACKUP_WINDOW, MAINTENANCE_WINDOW = "05:30-06:00", "sun:07:00-sun:08:00"
"""UTC, after the backups of §10.4 (02:00, Sunday 03:00), which RDS refuses while one of these is open."""
MONITORING_S = 60
"""Interval of enhanced monitoring, the longest and cheapest that RDS has."""
INSIGHTS_DAYS = 7
"""Retention of performance insights that is free of charge."""
LONGEST_NAME = 63
LOGS = ("postgresql", "upgrade")
_MONITORING_POLICY = "arn:aws:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole"

PARAMETERS = {
    "rds.force_ssl": "1",
    "log_connections": "1",
    "log_disconnections": "1",
    "log_lock_waits": "1",
    "log_statement": "ddl",
    "log_min_duration_statement": "1000",
    # Slow statements are logged without their parameters: those are memories.
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
}
"""Settings that take effect at once (RDS's and PostgreSQL's documentation); 1000 ms is ours."""
PRELOADED = "pg_stat_statements"


@dataclass(frozen=True, kw_only=True)
class DatabaseArgs:
    """`subnet_ids` lie in two zones at least; members of `client_security_group_ids` may connect.

    `password` is a secret of 8 to 128 printable characters without / @ " and spaces (RDS). `log_days` is how long
    its logs are kept, under `log_key_arn` where the stack has one. With `keeps_copies` a deleted instance leaves a
    final snapshot and its automated backups.
    """

    spec: DatabaseSpec
    vpc_id: pulumi.Input[str]
    subnet_ids: Sequence[pulumi.Input[str]]
    client_security_group_ids: Sequence[pulumi.Input[str]]
    password: pulumi.Input[str]
    kms_key_arn: pulumi.Input[str] | None
    log_key_arn: pulumi.Input[str] | None
    log_days: int
    tags: Tags
    protect: bool
    keeps_copies: bool


class Database(pulumi.ComponentResource):
    """One PostgreSQL instance, with a standby in another zone where the plan says so; TLS is required.

    It goes back to any minute of the plan's days. The logical name is part of the instance's identifier.
    Attributes: `endpoint` (host), `port`, `name` (database), `user`, `instance_id` (identifier), `arn`,
    `security_group_id`.
    """

    endpoint: pulumi.Output[str]
    port: int
    name: str
    user: str
    instance_id: pulumi.Output[str]
    arn: pulumi.Output[str]
    security_group_id: pulumi.Output[str]

    def __init__(self, name: str, args: DatabaseArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("reme:aws:Database", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        tags = args.tags.named("database")
        identifier = fix_name(args.tags.stack, name, LONGEST_NAME)
        subnets = aws.rds.SubnetGroup(f"{name}-subnets", subnet_ids=list(args.subnet_ids), tags=tags, opts=child)
        group = self._make_group(name, args)
        logs = [
            make_log_group(
                f"{name}-{log}-log",
                f"/aws/rds/instance/{identifier}/{log}",
                days=args.log_days,
                kms_key_arn=args.log_key_arn,
                component="database",
                tags=args.tags,
                parent=self,
            )
            for log in LOGS
        ]
        watcher = make_role(
            f"{name}-monitoring",
            trust=describe_trust("monitoring.rds"),
            statements=[],
            managed=[_MONITORING_POLICY],
            component="database",
            tags=args.tags,
            parent=self,
        )
        instance = aws.rds.Instance(
            f"{name}-instance",
            identifier=identifier,
            engine="postgres",
            engine_version=VERSION,
            instance_class=args.spec.instance_class,
            allocated_storage=args.spec.storage_gb,
            max_allocated_storage=args.spec.storage_gb * GROWTH_FACTOR,
            storage_type="gp3",
            storage_encrypted=True,
            kms_key_id=args.kms_key_arn,
            db_name=POSTGRES_DATABASE,
            username=POSTGRES_USER,
            password=pulumi.Output.secret(args.password),
            iam_database_authentication_enabled=True,
            port=PORT,
            multi_az=args.spec.multi_zone,
            db_subnet_group_name=subnets.name,
            vpc_security_group_ids=[group.id],
            publicly_accessible=False,
            parameter_group_name=self._make_parameters(name, tags).name,
            backup_retention_period=args.spec.backup_retention_days,
            backup_window=BACKUP_WINDOW,
            maintenance_window=MAINTENANCE_WINDOW,
            copy_tags_to_snapshot=True,
            delete_automated_backups=not args.keeps_copies,
            deletion_protection=args.protect,
            skip_final_snapshot=not args.keeps_copies,
            final_snapshot_identifier=f"{identifier}-final" if args.keeps_copies else None,
            auto_minor_version_upgrade=True,
            apply_immediately=False,
            monitoring_interval=MONITORING_S,
            monitoring_role_arn=watcher.arn,
            performance_insights_enabled=True,
            performance_insights_kms_key_id=args.kms_key_arn,
            performance_insights_retention_period=INSIGHTS_DAYS,
            enabled_cloudwatch_logs_exports=list(LOGS),
            tags=tags,
            opts=pulumi.ResourceOptions(parent=self, protect=args.protect, depends_on=logs),
        )
        self.endpoint, self.arn, self.instance_id = instance.address, instance.arn, instance.identifier
        self.port, self.name, self.user = PORT, POSTGRES_DATABASE, POSTGRES_USER
        self.security_group_id = group.id
        self.register_outputs({"endpoint": self.endpoint, "port": self.port})

    def _make_group(self, name: str, args: DatabaseArgs) -> aws.ec2.SecurityGroup:
        group = make_group(
            f"{name}-group",
            vpc_id=args.vpc_id,
            purpose="The database",
            component="database",
            tags=args.tags,
            parent=self,
        )
        for number, client in enumerate(args.client_security_group_ids, start=1):
            admit_group(
                f"{name}-client-{number}", group, source_id=client, port=PORT, purpose="The service", parent=self
            )
        return group

    def _make_parameters(self, name: str, tags: dict[str, str]) -> aws.rds.ParameterGroup:
        at_once = [
            aws.rds.ParameterGroupParameterArgs(name=key, value=value, apply_method="immediate")
            for key, value in sorted(PARAMETERS.items())
        ]
        at_start = aws.rds.ParameterGroupParameterArgs(
            name="shared_preload_libraries", value=PRELOADED, apply_method="pending-reboot"
        )
        return aws.rds.ParameterGroup(
            f"{name}-parameters",
            family=f"postgres{VERSION}",
            description="TLS required, slow statements logged without their parameters",
            parameters=[*at_once, at_start],
            tags=tags,
            opts=pulumi.ResourceOptions(parent=self),
        )
