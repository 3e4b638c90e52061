"""The stack of a cluster: tasks behind a balancer, with database, cache, vectors and objects beside them."""

import pulumi

from infra.aws.balancer import Balancer, BalancerArgs
from infra.aws.cluster import ClusterArgs, ServiceCluster
from infra.aws.cluster_stores import Stores, admit_service, make_stores
from infra.aws.dumps import ClusterDumps, DumpsArgs
from infra.aws.entrance import Entrance, find_zone, lead_to
from infra.aws.foundation import Foundation, lay_foundation, make_keys
from infra.aws.keys import Keys
from infra.aws.log_buckets import LogBuckets, LogBucketsArgs
from infra.aws.monitoring import Monitoring, MonitoringArgs
from infra.aws.registry import Registry, RegistryArgs
from infra.aws.watched import Watched
from infra.aws.watching import Watching, prepare_watching, watch_cluster
from infra.outputs import StackOutputs
from infra.peers import list_callers
from infra.planning import StackPlan
from infra.service.configuration import (
    AUTHORITY_SECRET,
    RDS_AUTHORITIES_URL,
    ServiceAddresses,
    configure_service,
)
from infra.service.container import ContainerContent, describe_container
from infra.settings import StackSettings
from infra.tagging import Tags
from infra.traffic_weights import weigh_versions


def deploy_cluster(settings: StackSettings, planned: StackPlan, tags: Tags) -> StackOutputs:
    """Make a cluster's resources. Raises MissingSetting where it has no domain."""
    plan = planned.region
    keys = make_keys(settings, plan, tags)
    log_buckets = LogBuckets(
        "log-buckets",
        LogBucketsArgs(
            spec=plan.log_store,
            region=settings.region,
            kms_key_arn=keys.log_key_arn,
            tags=tags,
            protect=settings.protect,
            keeps_copies=settings.keeps_copies,
        ),
    )
    base = lay_foundation(settings, planned, flow_log_bucket_arn=log_buckets.access_arn, keys=keys, tags=tags)
    registry = make_registry(settings, keys, tags)
    entrance = find_zone(base)
    balancer = _make_balancer(base, log_buckets, entrance)
    stores = make_stores(base, log_buckets)
    watching = prepare_watching(base)
    cluster = _make_cluster(base, registry, balancer, stores, watching)
    log_buckets.let_add(cluster.task_role_name)
    admit_service(stores, cluster)
    _schedule_dumps(base, registry, stores, cluster)
    Monitoring(
        "monitoring",
        MonitoringArgs(
            plan=plan,
            region=settings.region,
            watched=Watched(
                cluster_name=cluster.cluster_name,
                service_name=cluster.service_name,
                database_id=stores.database.instance_id,
                cache_node_id=stores.cache.member_ids[0] if stores.cache else None,
                balancer_suffix=balancer.arn_suffix,
                target_group_suffix=balancer.target_group_suffixes[balancer.active],
                certificate_arn=entrance.certificate_arn,
                backup_vault_name=stores.backup.vault_name,
            ),
            log_group_name=base.application_log,
            topic_arn=base.notices.topic_arn,
            tags=tags,
        ),
    )
    watch_cluster(base, cluster)
    lead_to(base, entrance, balancer, log_buckets)
    url = f"https://{settings.domain}"
    return StackOutputs(
        service_url=url,
        health_url=f"{url}{plan.balancer.health_path}",
        zone_id=entrance.zone_id,
        entrance_address=balancer.dns_name,
        outbound_addresses=base.network.nat_addresses,
        name_servers=entrance.name_servers,
        services=[name for name in (cluster.service_name, cluster.green_service_name) if name is not None],
        target_groups=list(balancer.target_group_arns.values()),
        secret_addresses=base.credentials.secret_arns,
        database_host=stores.database.endpoint,
        vector_url=stores.vectors.url or "",
        cache_host=stores.cache.address if stores.cache else "",
        bucket=stores.objects.bucket,
        bucket_key=keys.data_key_arn or "",
        backup_bucket=stores.backup.dumps_bucket,
        archive_bucket=stores.backup.archive_bucket,
        audit_bucket=log_buckets.audit_bucket,
        registry_url=registry.url,
        cluster=cluster.cluster_name,
        alarm_topic=base.notices.topic_arn,
        metrics_url=watching.metrics_url,
        grafana_url=watching.grafana_url,
    )


def make_registry(settings: StackSettings, keys: Keys, tags: Tags) -> Registry:
    """The registry of the stack's images, which `reme-deploy` makes before all else."""
    return Registry("registry", RegistryArgs(tags=tags, protect=settings.protect, kms_key_arn=keys.data_key_arn))


def _make_balancer(base: Foundation, log_buckets: LogBuckets, entrance: Entrance) -> Balancer:
    settings = base.settings
    return Balancer(
        "balancer",
        BalancerArgs(
            spec=base.plan.balancer,
            vpc_id=base.network.vpc_id,
            subnet_ids=list(base.network.public_subnet_ids)[: base.plan.balancer.zones],
            target_cidrs=[base.network.cidr],
            certificate_arn=entrance.certificate_arn,
            log_bucket=log_buckets.access_bucket,
            log_key_arn=base.keys.log_key_arn,
            allowed_cidrs=list_callers(settings.callers)
            if entrance.edge_secret is not None
            else settings.network.allowed_cidrs,
            allowed_prefix_list_ids=entrance.prefix_list_ids,
            edge_secret=entrance.edge_secret,
            weights=weigh_versions(settings.service),
            tags=base.tags,
            protect=settings.protect,
        ),
    )


def _make_cluster(
    base: Foundation, registry: Registry, balancer: Balancer, stores: Stores, watching: Watching
) -> ServiceCluster:
    settings, plan = base.settings, base.plan
    service = settings.service
    rolling = service.strategy == "rolling"
    ports = [stores.database.port, *([stores.cache.port] if stores.cache else []), *stores.vectors.ports]
    return ServiceCluster(
        "service",
        ClusterArgs(
            spec=plan.compute,
            balancer=plan.balancer,
            region=settings.region,
            vpc_id=base.network.vpc_id,
            cidr=base.network.cidr,
            private_subnet_ids=base.network.private_subnet_ids[: plan.network.zones],
            image=_name_image(base, registry),
            content=_describe_content(base, stores),
            secret_arns=list(base.credentials.secret_arns.values()),
            awaited_arns=[stores.vectors.authority_arn] if stores.vectors.authority_arn is not None else [],
            target_group_arn=balancer.target_group_arns["blue"],
            balancer_security_group_id=balancer.security_group_id,
            log_group_name=base.application_log,
            log_group_arn=base.logs.arns["application"],
            tags=base.tags,
            bucket_arns=[stores.objects.arn],
            repository_arns=[registry.arn],
            kms_key_arn=base.keys.data_key_arn,
            inner_ports=ports,
            machine_image=service.machine_image or None,
            beside=watching.beside,
            statements=watching.statements,
            listeners=[balancer],
            deploy=service.strategy,
            green_image=None
            if rolling or not service.green_version
            else pulumi.Output.concat(registry.url, ":", service.green_version),
            green_nodes=plan.compute.nodes if service.green_version and not rolling else 0,
            green_target_group_arn=None if rolling else balancer.target_group_arns["green"],
        ),
    )


def _name_image(base: Foundation, registry: Registry) -> pulumi.Input[str]:
    service = base.settings.service
    return service.image or pulumi.Output.concat(registry.url, ":", service.version)


def _schedule_dumps(base: Foundation, registry: Registry, stores: Stores, cluster: ServiceCluster) -> None:
    """Have the store copied to both buckets, with the service's own image and settings."""
    backup, plan = stores.backup, base.plan
    ClusterDumps(
        "dumps",
        DumpsArgs(
            cluster=cluster,
            spec=plan.compute,
            port=plan.balancer.target_port,
            region=base.settings.region,
            private_subnet_ids=base.network.private_subnet_ids[: plan.network.zones],
            image=_name_image(base, registry),
            content=_describe_content(base, stores),
            log_group_name=base.application_log,
            buckets={"dumps": backup.dumps_bucket, "archive": backup.archive_bucket},
            bucket_arns={"dumps": backup.dumps_arn, "archive": backup.archive_arn},
            kms_key_arn=base.keys.data_key_arn,
            topic_arn=base.notices.topic_arn,
            tags=base.tags,
        ),
    )


def _find_sources(base: Foundation, stores: Stores) -> dict[str, pulumi.Input[str]]:
    """The ARN of each secret that the service reads, by the secret's name."""
    sources: dict[str, pulumi.Input[str]] = dict(base.credentials.secret_arns)
    if stores.vectors.authority_arn is not None:
        sources[AUTHORITY_SECRET] = stores.vectors.authority_arn
    return sources


def _describe_content(base: Foundation, stores: Stores) -> pulumi.Output[ContainerContent]:
    """The containers' content, known once the addresses are."""
    sources = _find_sources(base, stores)

    def describe(known: dict[str, str]) -> ContainerContent:
        settings = configure_service(
            base.plan,
            ServiceAddresses(
                database_host=known["database"],
                database_port=stores.database.port,
                database_authorities_url=RDS_AUTHORITIES_URL,
                cache_host=known["cache"],
                cache_port=stores.cache.port if stores.cache else 0,
                vector_url=known["vectors"],
                vector_user=stores.vectors.user or "",
                vector_authority=stores.vectors.authority_arn is not None,
                bucket=known["bucket"],
                bucket_key=known["key"],
            ),
            overrides=base.settings.service.settings,
        )
        return describe_container(settings, {name: known[f"secret {name}"] for name in sources}, awaits=True)

    return pulumi.Output.all(
        database=stores.database.endpoint,
        cache=stores.cache.address if stores.cache else "",
        vectors=stores.vectors.url or "",
        bucket=stores.objects.bucket,
        key=base.keys.data_key_arn or "",
        **{f"secret {name}": arn for name, arn in sources.items()},
    ).apply(describe)
