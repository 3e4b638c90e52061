"""The bill of a region's plan on AWS."""

from sizing.billing import aws, aws_monitoring
from sizing.billing.charge import Bill
from sizing.billing.plan_usage import (
    MONITORING_CLASSES,
    MONITORING_DISK_GB,
    SERVER_LOG_GB,
    Span,
    bill_hosts,
    bill_managed_qdrant,
    cross_zone_gb,
    evaluated_samples,
    firewall_log_gb,
    flow_log_gb,
    index_backup_gb,
    index_snapshots_gb,
    log_gb,
    scraped_samples,
    stored_logs_gb,
)
from sizing.footprint import ARCHIVE_AFTER_DAYS
from sizing.measures import HOURS_PER_MONTH
from sizing.plan import RegionPlan
from sizing.sizer import SizedRegion

KMS_REQUEST_SHARE = 0.01
"""Bucket keys cut the requests to KMS by some 99 % (S3's documentation says up to 99 %)."""


def bill_aws(bill: Bill, region: SizedRegion, span: Span | None) -> None:
    """Charge everything that a region\'s stack creates and uses on AWS."""
    plan, load = region.plan, region.load
    compute = plan.compute
    aws.instance(bill, "compute/node", compute.instance_class, compute.nodes)
    aws.volume(bill, "compute/root-disk", compute.root_disk_gb, compute.nodes)
    aws.volume(bill, "compute/data-disk", compute.data_disk_gb, iops=compute.disk_iops)
    database = plan.database
    if database.engine == "postgresql":
        aws.database(
            bill,
            "database/instance",
            database.instance_class,
            multi_zone=database.multi_zone,
            storage_gb=database.storage_gb,
            backup_gb=max(0.0, plan.backup.stock_gb - database.storage_gb),
        )
    else:
        aws.snapshots(bill, "backup/disk", plan.backup.stock_gb)
    _bill_vector_store_aws(bill, region)
    if plan.cache.nodes:
        aws.cache(bill, "cache/node", plan.cache.engine, plan.cache.node_class, plan.cache.nodes)
    _bill_objects_aws(bill, region)
    if plan.balancer.kind != "none":
        aws.balancer(bill, "balancer/balancer", plan.balancer.lcu_hours, plan.balancer.kind)
        aws.firewall(bill, "balancer/firewall", plan.balancer.waf_rules, load.requests)
    aws.nat(bill, "network/nat", plan.network.nat_gateways, load.model_traffic_gb + log_gb(plan))
    aws.addresses(bill, "network/address", plan.network.public_addresses)
    outward = load.model_outbound_gb
    if span is not None:
        aws.distribution(bill, "network/cdn", load.egress_gb, load.requests)
        if span.dns_queries:
            aws.hosted_zone(bill, "network/dns", span.dns_queries)
            # the CDN's own firewall sees every region's requests
            aws.firewall(bill, "network/cdn-firewall", plan.balancer.waf_rules, span.dns_queries)
            _bill_firewall_log(bill, plan, "logs/cdn-firewall", span.dns_queries)
        aws.health_check(bill, "network/health-check")
        inside = load.replicated_gb * span.peers_same_cloud / span.peers
        aws.cross_region(bill, "network/replication", inside)
        _bill_replicas_aws(bill, region, span)
        outward += load.replicated_gb - inside
    else:
        outward += load.egress_gb
    aws.egress(bill, "network/egress", outward)
    aws.cross_zone(bill, "network/cross-zone", cross_zone_gb(region))
    _bill_monitoring_aws(bill, plan)
    if plan.compute.placement == "cluster":
        _bill_server_logs_aws(bill, region)
    if plan.security.keys:
        calls = (load.object_puts + load.object_gets) * KMS_REQUEST_SHARE
        aws.keys(bill, "security/key", plan.security.keys, calls)
    aws.secrets(bill, "security/secret", plan.security.secrets, plan.security.secrets * compute.nodes * HOURS_PER_MONTH)
    aws.images(bill, "registry/image", plan.security.image_gb)


def _bill_vector_store_aws(bill: Bill, region: SizedRegion) -> None:
    store = region.plan.vector_store
    if store.engine == "elasticsearch":
        aws.search_domain(bill, "vector_store/node", store.instance_class, store.nodes, store.disk_gb)
    elif store.placement == "own-nodes":
        aws.instance(bill, "vector_store/node", store.instance_class, store.nodes, driver="memories")
        aws.volume(bill, "vector_store/root-disk", region.plan.compute.root_disk_gb, store.nodes)
        aws.volume(bill, "vector_store/disk", store.disk_gb, store.nodes, driver="memories")
        # the nodes' names
        aws.hosted_zone(bill, "vector_store/dns", 0.0)
        aws.snapshots(bill, "backup/vectors", index_backup_gb(region))
    elif store.placement == "managed":
        bill_managed_qdrant(bill, region)


def _bill_objects_aws(bill: Bill, region: SizedRegion) -> None:
    plan, load = region.plan, region.load
    logs = plan.log_store
    if plan.object_store.kind != "local":
        aws.bucket(
            bill,
            "object_store/bucket",
            standard_gb=load.objects_hot_gb + load.profiles_gb + plan.object_store.model_weights_gb,
            infrequent_gb=aws.infrequent_gb(
                load.object_inflow_gb, ARCHIVE_AFTER_DAYS, load.objects_kept_days, load.object_kb
            ),
            puts=load.object_puts,
            gets=load.object_gets,
            infrequent_transitions=load.object_puts if load.objects_archive_gb else 0.0,
        )
        stored = stored_logs_gb(logs.access_gb, logs.access_days) + stored_logs_gb(logs.audit_gb, logs.audit_days)
        aws.bucket(bill, "logs/bucket", standard_gb=stored, driver="requests")
    copies_gb = plan.backup.dumps_gb + index_snapshots_gb(region)
    aws.bucket(bill, "backup/dumps", standard_gb=copies_gb, driver="memories")
    aws.bucket(bill, "backup/archive", glacier_gb=plan.backup.archive_gb, driver="memories")


def _bill_replicas_aws(bill: Bill, region: SizedRegion, span: Span) -> None:
    """Charge the copies of working memory and profiles in the other open regions of AWS: sent, written and kept.

    A copy costs about as much where it lies as the original does here, and lies in the class of the original.
    """
    load, copies = region.load, span.peers_same_cloud
    if region.plan.role == "isolated" or region.plan.object_store.kind == "local":
        return
    aws.cross_region(bill, "object_store/replication", load.object_inflow_gb * copies)
    aws.bucket(
        bill,
        "object_store/replica",
        standard_gb=(load.objects_hot_gb + load.profiles_gb) * copies,
        infrequent_gb=copies
        * aws.infrequent_gb(load.object_inflow_gb, ARCHIVE_AFTER_DAYS, load.objects_kept_days, load.object_kb),
        puts=load.object_puts * copies,
        infrequent_transitions=load.object_puts * copies if load.objects_archive_gb else 0.0,
    )


def _bill_server_logs_aws(bill: Bill, region: SizedRegion) -> None:
    """Charge the logs of what stands around the service: flows, firewall, database, cache."""
    plan, days = region.plan, region.plan.log_store.application_days
    flows = flow_log_gb(region.load.requests)
    aws_monitoring.delivered_logs(bill, "logs/flow", flows)
    aws.bucket(bill, "logs/flow", standard_gb=stored_logs_gb(flows, plan.log_store.access_days), driver="requests")
    servers = (plan.database.engine == "postgresql") + (plan.cache.nodes > 0)
    written = SERVER_LOG_GB * servers
    aws_monitoring.log_group(bill, "logs/servers", written, stored_logs_gb(written, days))
    _bill_firewall_log(bill, plan, "logs/firewall", region.load.requests)


def _bill_firewall_log(bill: Bill, plan: RegionPlan, resource: str, requests: float) -> None:
    if plan.balancer.waf_rules:
        written = firewall_log_gb(requests)
        aws_monitoring.log_group(bill, resource, written, stored_logs_gb(written, plan.log_store.access_days))


def _bill_monitoring_aws(bill: Bill, plan: RegionPlan) -> None:
    logs = plan.log_store
    ingested, stored = logs.application_gb, stored_logs_gb(logs.application_gb, logs.application_days)
    if plan.object_store.kind == "local":
        ingested += logs.access_gb + logs.audit_gb
        stored += stored_logs_gb(logs.access_gb, logs.access_days) + stored_logs_gb(logs.audit_gb, logs.audit_days)
    aws_monitoring.log_group(bill, "logs/group", ingested, stored)
    bill_hosts(bill, plan)
    if plan.monitoring.kind != "datadog":
        aws_monitoring.alarms(bill, "monitoring/alarm", plan.monitoring.alarms, plan.monitoring.metrics)
    if plan.monitoring.kind == "prometheus":
        aws.instance(bill, "monitoring/server", MONITORING_CLASSES["aws", plan.compute.architecture])
        aws.volume(bill, "monitoring/disk", MONITORING_DISK_GB)
    elif plan.monitoring.kind == "managed-prometheus":
        aws_monitoring.metrics_workspace(bill, "monitoring/workspace", scraped_samples(plan), evaluated_samples(plan))
        aws_monitoring.grafana(bill, "monitoring/grafana")
    if plan.compute.placement == "cluster":
        aws_monitoring.container_insights(bill, "monitoring/insights", plan.compute.nodes)
