"""The stack of a single host: the service with SQLite, and Qdrant beside it where the plan says so."""

from collections.abc import Mapping
from dataclasses import replace

import pulumi

from infra.alicloud import roles
from infra.alicloud.backup import BackupArgs, BackupPlan
from infra.alicloud.foundation import Foundation, lay_foundation, locate_secrets, make_trail
from infra.alicloud.host import HostArgs, ServiceHost
from infra.alicloud.host_changes import HostChanges, HostChangesArgs
from infra.alicloud.monitoring import Monitoring, MonitoringArgs
from infra.alicloud.releases import Releases, ReleasesArgs
from infra.alicloud.routing import Routing, RoutingArgs
from infra.alicloud.watched import Watched
from infra.errors import InvalidStack
from infra.images import find_image
from infra.outputs import StackOutputs
from infra.planning import StackPlan
from infra.service.configuration import ServiceAddresses, configure_service
from infra.service.delivery import Release
from infra.service.dumps import write_dump_variables
from infra.service.host_start import HostDelivery, write_host_user_data
from infra.service.model_settings import find_moderation_region
from infra.service.rendering import encode_user_data
from infra.service.upkeep import write_change_parameters
from infra.settings import StackSettings
from infra.tagging import Tags
from sizing.plan import RegionPlan


def deploy_host(settings: StackSettings, planned: StackPlan, tags: Tags) -> StackOutputs:
    """Make a single host's resources. Raises InvalidStack for what would stand beside a host."""
    refuse_stores_beside(planned.region)
    base = lay_foundation(settings, planned, tags=tags)
    plan = base.plan
    backup = BackupPlan(
        "backup",
        BackupArgs(
            spec=plan.backup,
            kms_key_id=base.keys.data_key_id,
            account=base.account,
            tags=tags,
            protect=settings.protect,
            keeps_copies=settings.keeps_copies,
        ),
    )
    releases = Releases(
        "releases",
        ReleasesArgs(
            version=settings.service.version,
            wheel=settings.service.wheel,
            describe_change=lambda release: _describe_change(base, backup, release),
            account=base.account,
            tags=tags,
            protect=settings.protect,
            keeps_copies=settings.keeps_copies,
        ),
    )
    host = ServiceHost(
        "host",
        HostArgs(
            spec=plan.compute,
            vpc_id=base.network.vpc_id,
            cidr=base.network.cidr,
            subnet_id=base.network.public_subnet_ids[0],
            zone_name=base.network.zone_names[0],
            write_user_data=lambda volume_id: _write_user_data(base, releases, volume_id),
            tags=tags,
            protect=settings.protect,
            keeps_copies=settings.keeps_copies,
            allowed_cidrs=settings.network.allowed_cidrs if settings.domain else (),
            secret_arns=list(base.credentials.secret_arns.values()),
            release_bucket_arns=[releases.arn],
            dump_bucket_arns=[backup.dumps_arn, backup.archive_arn],
            statements=roles.judge_texts() if find_moderation_region(plan) else (),
            kms_key_id=base.keys.data_key_id,
            kms_key_arn=base.keys.data_key_arn,
            image_id=settings.service.machine_image or None,
        ),
    )
    changes = HostChanges("changes", HostChangesArgs(host=host, parameters=releases.change, tags=tags))
    backup.cover_disks([host.data_volume_id])
    Monitoring(
        "monitoring",
        MonitoringArgs(
            plan=plan,
            region=settings.region,
            watched=Watched(instance_id=host.instance_id, disk_id=host.data_volume_id),
            log_project=base.logs.project,
            log_store=base.logs.names["access"],
            dump_store=base.logs.names["application"],
            topic_arn=base.notices.topic_arn,
            action_policy_id=base.notices.action_policy_id,
            tags=tags,
        ),
    )
    trail = make_trail(base)
    if settings.domain and settings.zone_id:
        Routing(
            "routing",
            RoutingArgs(record_name=settings.domain, zone_name=settings.zone_id, address=host.public_ip),
        )
    url = f"https://{settings.domain}" if settings.domain else f"http://127.0.0.1:{plan.balancer.target_port}"
    return StackOutputs(
        service_url=url,
        health_url=f"{url}{plan.balancer.health_path}",
        name_servers=[],
        services=[],
        target_groups=[],
        secret_addresses=base.credentials.secret_arns,
        backup_bucket=backup.dumps_bucket,
        archive_bucket=backup.archive_bucket,
        audit_bucket=trail.audit_bucket if trail else "",
        host_id=host.instance_id,
        host_changes=changes.association_id,
        alarm_topic=base.notices.topic_arn,
    )


def refuse_stores_beside(plan: RegionPlan) -> None:
    """Raise InvalidStack for a store that would stand beside the host: this cloud has no stack of one yet."""
    if plan.database.engine != "sqlite":
        raise InvalidStack("workload.overrides.database", plan.database.engine, "sqlite for a host on Alibaba Cloud")
    if plan.vector_store.placement == "own-nodes":
        raise InvalidStack(
            "workload.overrides.vector_store",
            plan.vector_store.engine,
            "one inside the service, on the same host or managed, for a host on Alibaba Cloud",
        )


def _describe_change(
    base: Foundation, backup: BackupPlan, release: pulumi.Output[Release]
) -> pulumi.Output[Mapping[str, str]]:
    """The release and the settings of the host, known once the addresses are."""
    service = base.settings.service

    def write(found: dict[str, str], release: Release) -> Mapping[str, str]:
        configured = configure_service(
            base.plan, ServiceAddresses(vector_url=service.vector_url), overrides=service.settings
        )
        sources = {name: found[f"secret {name}"] for name in base.credentials.secret_arns}
        dumps = write_dump_variables(
            {name: found[name] for name in ("dumps", "archive")}, region=base.settings.region, cloud="alicloud"
        )
        told = replace(configured, preparation={**configured.preparation, **dumps})
        return write_change_parameters(release, told, sources, cloud="alicloud")

    found = pulumi.Output.all(dumps=backup.dumps_bucket, archive=backup.archive_bucket, **locate_secrets(base))
    return pulumi.Output.all(found, release).apply(lambda known: write(*known))


def _write_user_data(base: Foundation, releases: Releases, volume_id: pulumi.Output[str]) -> pulumi.Output[str]:
    """The user data, known once the addresses are."""
    settings, plan = base.settings, base.plan

    def write(found: dict[str, str]) -> str:
        return encode_user_data(
            write_host_user_data(
                HostDelivery(
                    plan=plan,
                    arguments_url=found["arguments"],
                    secret_sources={name: found[f"secret {name}"] for name in base.credentials.secret_arns},
                    volume_id=found["volume"],
                    domain=settings.domain,
                    email=settings.service.email,
                    package_index=settings.service.package_index,
                    proxy_image=find_image("caddy", settings.service.image_mirror),
                    vector_image=find_image("qdrant", settings.service.image_mirror),
                    machine_group=base.logs.machine_group,
                )
            ),
            cloud="alicloud",
        )

    return pulumi.Output.all(volume=volume_id, arguments=releases.arguments_url, **locate_secrets(base)).apply(write)
