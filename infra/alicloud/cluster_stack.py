"""The stack of a cluster: nodes behind a balancer, with database, cache, vectors and objects beside them."""

from collections.abc import Mapping

import pulumi

from infra.alicloud import roles
from infra.alicloud.access_logs import AccessLogs, AccessLogsArgs
from infra.alicloud.balancer import Balancer, BalancerArgs, BalancerZone
from infra.alicloud.cluster import ClusterArgs, ServiceCluster
from infra.alicloud.cluster_stores import Stores, make_stores
from infra.alicloud.entrance import Entrance, find_entrance, lead_to
from infra.alicloud.foundation import Foundation, lay_foundation, make_trail
from infra.alicloud.monitoring import Monitoring, MonitoringArgs
from infra.alicloud.registry import Registry, RegistryArgs
from infra.alicloud.watched import Watched
from infra.outputs import StackOutputs
from infra.planning import StackPlan
from infra.service.cluster_node import ClusterNodeDelivery, write_cluster_node_user_data
from infra.service.configuration import (
    AUTHORITY_SECRET,
    ServiceAddresses,
    configure_service,
)
from infra.service.container import describe_container
from infra.service.dumps import write_dump_variables
from infra.service.model_settings import find_moderation_region
from infra.service.rendering import encode_user_data
from infra.settings import StackSettings
from infra.tagging import Tags
from infra.traffic_weights import weigh_versions


def deploy_cluster(settings: StackSettings, planned: StackPlan, tags: Tags) -> StackOutputs:
    """Make a cluster's resources. Raises MissingSetting where it has no domain or no certificate."""
    plan = planned.region
    base = lay_foundation(settings, planned, tags=tags)
    registry = make_registry(settings, tags, base.account)
    entrance = find_entrance(base)
    balancer = _make_balancer(base, entrance)
    access_logs = AccessLogs(
        "access-logs",
        AccessLogsArgs(
            spec=plan.log_store,
            account=base.account,
            region=settings.region,
            tags=tags,
            protect=settings.protect,
            keeps_copies=settings.keeps_copies,
        ),
    )
    stores = make_stores(base, access_logs.bucket)
    cluster = _make_cluster(base, registry, balancer, stores)
    Monitoring(
        "monitoring",
        MonitoringArgs(
            plan=plan,
            region=settings.region,
            watched=Watched(
                database_id=stores.database.instance_id,
                cache_id=stores.cache.instance_id if stores.cache else None,
                balancer_id=balancer.id,
                server_group_id=balancer.server_group_ids[balancer.active],
                vector_instance_ids=stores.vectors.instance_ids,
                vector_disk_ids=stores.vectors.disk_ids,
            ),
            log_project=base.logs.project,
            log_store=base.logs.names["access"],
            dump_store=base.logs.names["application"],
            balancer_store=base.logs.names["balancer"],
            topic_arn=base.notices.topic_arn,
            action_policy_id=base.notices.action_policy_id,
            tags=tags,
        ),
    )
    trail = make_trail(base, access_logs.bucket)
    lead_to(base, entrance, balancer)
    url = f"https://{entrance.public_name}"
    return StackOutputs(
        service_url=url,
        health_url=f"{url}{plan.balancer.health_path}",
        name_servers=entrance.name_servers,
        zone_id=entrance.zone_name,
        entrance_address=balancer.dns_name,
        outbound_addresses=base.network.nat_addresses,
        services=[name for name in (cluster.scaling_group_id, cluster.green_scaling_group_id) if name is not None],
        target_groups=list(balancer.server_group_ids.values()),
        secret_addresses=base.credentials.secret_arns,
        database_host=stores.database.endpoint,
        vector_url=stores.vectors.url or "",
        cache_host=stores.cache.address if stores.cache else "",
        bucket=stores.objects.bucket,
        bucket_key=base.keys.data_key_arn or "",
        backup_bucket=stores.backup.dumps_bucket,
        archive_bucket=stores.backup.archive_bucket,
        audit_bucket=trail.audit_bucket if trail else "",
        registry_url=registry.url,
        cluster=cluster.scaling_group_name,
        alarm_topic=base.notices.topic_arn,
    )


def make_registry(settings: StackSettings, tags: Tags, account: str) -> Registry:
    """The registry of the stack's images, which `reme-deploy` makes before all else."""
    return Registry(
        "registry",
        RegistryArgs(
            region=settings.region,
            account=account,
            tags=tags,
            protect=settings.protect,
            host=settings.service.registry_host,
        ),
    )


def _make_balancer(base: Foundation, entrance: Entrance) -> Balancer:
    settings, network = base.settings, base.network
    zones = base.plan.balancer.zones
    return Balancer(
        "balancer",
        BalancerArgs(
            spec=base.plan.balancer,
            vpc_id=network.vpc_id,
            zones=[
                BalancerZone(zone_name=zone, subnet_id=subnet)
                for zone, subnet in zip(network.zone_names[:zones], network.public_subnet_ids[:zones], strict=True)
            ],
            certificate_id=entrance.certificate_id,
            log_project=base.logs.project,
            log_store=base.logs.names["balancer"],
            allowed_cidrs=settings.network.allowed_cidrs,
            edge_secret=entrance.edge_secret,
            weights=weigh_versions(settings.service),
            tags=base.tags,
            protect=settings.protect,
        ),
    )


def _make_cluster(base: Foundation, registry: Registry, balancer: Balancer, stores: Stores) -> ServiceCluster:
    settings, plan, keys = base.settings, base.plan, base.keys
    service = settings.service
    rolling = service.strategy == "rolling"
    green = service.green_version if not rolling else ""
    return ServiceCluster(
        "service",
        ClusterArgs(
            spec=plan.compute,
            balancer=plan.balancer,
            region=settings.region,
            vpc_id=base.network.vpc_id,
            cidr=base.network.cidr,
            private_subnet_ids=base.network.private_subnet_ids[: plan.network.zones],
            user_data=_write_user_data(base, registry, stores, service.image, service.version, dumps=True),
            # one colour makes the dumps
            green_user_data=None
            if rolling
            else _write_user_data(
                base, registry, stores, "" if green else service.image, green or service.version, dumps=False
            ),
            green_nodes=plan.compute.nodes if green else 0,
            server_group_ids=balancer.server_group_ids,
            # it calls from addresses of its vSwitches, and no rule can name its group
            balancer_cidrs=base.network.public_cidrs[: plan.balancer.zones],
            strategy=service.strategy,
            secret_arns=_find_sources(base, stores).values(),
            bucket_arns=[stores.objects.arn],
            dump_bucket_arns=[stores.backup.dumps_arn, stores.backup.archive_arn],
            repository_arns=[registry.arn],
            kms_key_id=keys.data_key_id,
            kms_key_arn=keys.data_key_arn,
            inner_ports=stores.ports,
            machine_image=service.machine_image or None,
            listeners=[balancer],
            statements=roles.judge_texts() if find_moderation_region(plan) else (),
            tags=base.tags,
        ),
    )


def _find_sources(base: Foundation, stores: Stores) -> Mapping[str, pulumi.Input[str]]:
    """The address of each secret that the nodes read, by the secret's name."""
    sources: dict[str, pulumi.Input[str]] = dict(base.credentials.secret_arns)
    if stores.vectors.authority_arn is not None:
        sources[AUTHORITY_SECRET] = stores.vectors.authority_arn
    return sources


def _write_user_data(
    base: Foundation, registry: Registry, stores: Stores, image: str, version: str, *, dumps: bool
) -> pulumi.Output[str]:
    """A node's user data, known once the addresses are: another version or other settings are other user data."""
    plan, service = base.plan, base.settings.service
    sources = _find_sources(base, stores)

    def write(known: dict[str, str]) -> str:
        settings = configure_service(
            plan,
            ServiceAddresses(
                database_host=known["database"],
                database_port=stores.database.port,
                database_tls=stores.database.tls,
                database_authorities_url=stores.database.authorities_url,
                cache_host=known["cache"],
                cache_port=stores.cache.port if stores.cache else 0,
                cache_authorities_url=stores.cache.authorities_url if stores.cache else "",
                vector_url=known["vectors"],
                vector_user=stores.vectors.user or "",
                vector_authority=stores.vectors.authority_arn is not None,
                bucket=known["bucket"],
                bucket_key=known["key"],
            ),
            overrides=service.settings,
        )
        variables = write_dump_variables(
            {name: known[name] for name in ("dumps", "archive")}, region=base.settings.region, cloud="alicloud"
        )
        return encode_user_data(
            write_cluster_node_user_data(
                ClusterNodeDelivery(
                    plan=plan,
                    image=image or f"{known['registry']}:{version}",
                    content=describe_container(settings, {name: known[f"secret {name}"] for name in sources}),
                    machine_group=base.logs.machine_group,
                    dump_variables=variables if dumps else {},
                )
            ),
            cloud="alicloud",
        )

    return pulumi.Output.all(
        database=stores.database.endpoint,
        cache=stores.cache.address if stores.cache else "",
        vectors=stores.vectors.url or "",
        bucket=stores.objects.bucket,
        key=base.keys.data_key_id or "",
        dumps=stores.backup.dumps_bucket,
        archive=stores.backup.archive_bucket,
        registry=registry.inner_url,
        **{f"secret {name}": arn for name, arn in sources.items()},
    ).apply(write)
