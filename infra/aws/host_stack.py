"""The stack of a single host: the service with SQLite, and Qdrant beside it where the plan says so."""

import json
from collections.abc import Mapping
from dataclasses import replace

import pulumi
import pulumi_aws as aws
import yaml

from infra.aws.agent import agent_configuration, scrape_configuration
from infra.aws.backup import BackupArgs, BackupPlan
from infra.aws.database import Database, DatabaseArgs
from infra.aws.foundation import Foundation, lay_foundation, make_keys
from infra.aws.host import HostArgs, ServiceHost
from infra.aws.host_changes import HostChanges, HostChangesArgs
from infra.aws.monitoring import Monitoring, MonitoringArgs
from infra.aws.releases import Releases, ReleasesArgs
from infra.aws.routing import Endpoint, Routing, RoutingArgs
from infra.aws.traffic import admit_members
from infra.aws.watched import Watched
from infra.images import find_image
from infra.machine_watching import refuse_clusters_only, watch_machine
from infra.outputs import StackOutputs
from infra.planning import StackPlan
from infra.service.configuration import DATABASE_SECRET, RDS_AUTHORITIES_URL, ServiceAddresses, configure_service
from infra.service.delivery import Release
from infra.service.dumps import write_dump_variables
from infra.service.host_start import SCRAPE_PATH, HostDelivery, write_host_user_data
from infra.service.rendering import encode_user_data
from infra.service.upkeep import write_change_parameters
from infra.settings import StackSettings
from infra.tagging import Tags


def deploy_host(settings: StackSettings, planned: StackPlan, tags: Tags) -> StackOutputs:
    """Make a single host's resources. Raises InvalidStack for what watches clusters only."""
    refuse_clusters_only(planned.region)
    base = lay_foundation(
        settings, planned, flow_log_bucket_arn=None, keys=make_keys(settings, planned.region, tags), tags=tags
    )
    plan = base.plan
    database = _make_database(base)
    backup = BackupPlan(
        "backup",
        BackupArgs(
            spec=plan.backup,
            database=plan.database,
            database_arns=[database.arn] if database else [],
            kms_key_arn=base.keys.data_key_arn,
            access_log_bucket=None,
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
            describe_change=lambda release: _describe_change(base, database, backup, release),
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
            dump_key_arn=base.keys.data_key_arn,
            inner_ports=[database.port] if database else [],
            log_group_arns=list(base.logs.arns.values()),
            image_id=settings.service.machine_image or None,
        ),
    )
    changes = HostChanges("changes", HostChangesArgs(host=host, parameters=releases.change, tags=tags))
    if database is not None:
        admit_members(
            "database-from-service", database.security_group_id, host.security_group_id, ports=(database.port,)
        )
    account = aws.get_caller_identity().account_id
    backup.cover_disks([pulumi.Output.concat(f"arn:aws:ec2:{settings.region}:{account}:volume/", host.data_volume_id)])
    Monitoring(
        "monitoring",
        MonitoringArgs(
            plan=plan,
            region=settings.region,
            watched=Watched(
                instance_id=host.instance_id,
                database_id=database.instance_id if database else None,
                backup_vault_name=backup.vault_name,
            ),
            log_group_name=base.application_log,
            topic_arn=base.notices.topic_arn,
            tags=tags,
            scraped=True,
        ),
    )
    if settings.domain and settings.zone_id:
        Routing(
            "routing",
            RoutingArgs(
                record_name=settings.domain,
                zone_id=settings.zone_id,
                endpoint=Endpoint(addresses=[host.public_ip]),
                region=settings.region,
                tags=tags,
            ),
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
        host_id=host.instance_id,
        host_changes=changes.association_id,
        database_host=database.endpoint if database else "",
        alarm_topic=base.notices.topic_arn,
    )


def _make_database(base: Foundation) -> Database | None:
    """The managed database beside the host, where the plan has one."""
    if base.plan.database.engine == "sqlite":
        return None
    return Database(
        "database",
        DatabaseArgs(
            spec=base.plan.database,
            vpc_id=base.network.vpc_id,
            subnet_ids=base.network.data_subnet_ids,
            client_security_group_ids=(),
            password=base.credentials.values[DATABASE_SECRET],
            kms_key_arn=base.keys.data_key_arn,
            log_key_arn=base.keys.log_key_arn,
            log_days=base.plan.log_store.application_days,
            tags=base.tags,
            protect=base.settings.protect,
            keeps_copies=base.settings.keeps_copies,
        ),
    )


def _describe_change(
    base: Foundation, database: Database | None, backup: BackupPlan, release: pulumi.Output[Release]
) -> pulumi.Output[Mapping[str, str]]:
    """The release and the settings of the host, known once the addresses are."""
    service = base.settings.service

    def write(found: dict[str, str], release: Release) -> Mapping[str, str]:
        addresses = ServiceAddresses(
            vector_url=service.vector_url,
            database_host=found["database"],
            database_port=database.port if database else 0,
            database_authorities_url=RDS_AUTHORITIES_URL,
        )
        configured = configure_service(base.plan, addresses, overrides=service.settings)
        sources = {name: found[f"secret {name}"] for name in base.credentials.secret_arns}
        dumps = write_dump_variables({name: found[name] for name in ("dumps", "archive")}, region=base.settings.region)
        told = replace(configured, preparation={**configured.preparation, **dumps})
        return write_change_parameters(release, told, sources)

    found = pulumi.Output.all(
        database=database.endpoint if database else "",
        dumps=backup.dumps_bucket,
        archive=backup.archive_bucket,
        **_locate_secrets(base),
    )
    return pulumi.Output.all(found, release).apply(lambda known: write(*known))


def _locate_secrets(base: Foundation) -> dict[str, pulumi.Output[str]]:
    return {f"secret {name}": arn for name, arn in base.credentials.secret_arns.items()}


def _write_user_data(base: Foundation, releases: Releases, volume_id: pulumi.Output[str]) -> pulumi.Output[str]:
    """The user data, known once the addresses are."""
    settings, plan = base.settings, base.plan
    agent = agent_configuration(
        plan,
        stack=settings.stack,
        role="service",
        log_files={"/var/log/reme/reme.log": base.logs.names["application"]},
        scrape=SCRAPE_PATH if plan.monitoring.kind == "cloud" else None,
        scrape_log_group=base.logs.names["application"],
    )
    scrape = ""
    if plan.monitoring.kind == "cloud":
        scrape = yaml.safe_dump(scrape_configuration(plan, stack=settings.stack), sort_keys=True)

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
                    agent_configuration=json.dumps(agent, sort_keys=True),
                    scrape_configuration=scrape,
                    datadog=watch_machine(plan, settings, found, port=plan.balancer.target_port),
                )
            )
        )

    return pulumi.Output.all(volume=volume_id, arguments=releases.arguments_url, **_locate_secrets(base)).apply(write)
