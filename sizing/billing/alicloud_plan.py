"""The bill of a region's plan on Alibaba Cloud."""

from sizing.billing import alicloud
from sizing.billing.charge import Bill
from sizing.billing.plan_usage import (
    MONITORING_CLASSES,
    MONITORING_DISK_GB,
    Span,
    bill_hosts,
    bill_managed_qdrant,
    index_backup_gb,
    index_snapshots_gb,
    log_gb,
    scraped_samples,
    stored_logs_gb,
)
from sizing.footprint import ARCHIVE_AFTER_DAYS
from sizing.plan import RegionPlan
from sizing.sizer import SizedRegion

NAT_GB_PER_CU = 1.0
"""A capacity unit of Alibaba's NAT gateway carries 1 GB an hour (its billing page)."""


def bill_alicloud(bill: Bill, region: SizedRegion, span: Span | None) -> None:
    """Charge everything that a region\'s stack creates and uses on Alibaba Cloud."""
    plan, load = region.plan, region.load
    compute = plan.compute
    alicloud.instance(bill, "compute/node", compute.instance_class, compute.nodes)
    alicloud.disk(bill, "compute/root-disk", compute.root_disk_gb, compute.nodes)
    alicloud.disk(bill, "compute/data-disk", compute.data_disk_gb)
    _bill_stores(bill, region)
    alicloud.cache(bill, "cache/node", plan.cache.node_class, plan.cache.nodes)
    _bill_objects(bill, region)
    if plan.balancer.kind != "none":
        if plan.balancer.kind == "nlb":
            alicloud.network_balancer(bill, "balancer/balancer", plan.balancer.lcu_hours)
        else:
            firewall = plan.balancer.waf_rules > 0
            alicloud.balancer(bill, "balancer/balancer", plan.balancer.lcu_hours, firewall=firewall)
    outbound = load.model_traffic_gb + log_gb(plan)
    alicloud.nat(bill, "network/nat", plan.network.nat_gateways, outbound / NAT_GB_PER_CU)
    outward = load.model_outbound_gb
    if span is not None:
        alicloud.distribution(bill, "network/cdn", load.egress_gb)
        if span.dns_queries:
            alicloud.hosted_zone(bill, "network/dns", span.dns_queries)
        outward += load.replicated_gb
    else:
        outward += load.egress_gb
    alicloud.egress(bill, "network/egress", outward)
    _bill_monitoring(bill, plan)
    alicloud.keys(bill, "security/key", max(1, plan.security.keys))
    alicloud.secrets(bill, "security/secret", plan.security.secrets)
    alicloud.images(bill, "registry/image", plan.security.image_gb)


def _bill_stores(bill: Bill, region: SizedRegion) -> None:
    plan = region.plan
    database = plan.database
    if database.engine == "sqlite":
        alicloud.snapshots(bill, "backup/disk", plan.backup.stock_gb)
    else:
        if database.edition == "serverless":
            alicloud.serverless_database(
                bill, "database/instance", database.capacity_units, database.storage_gb, multi_zone=database.multi_zone
            )
        else:
            alicloud.database(bill, "database/instance", database.instance_class, database.storage_gb)
        alicloud.database_backup(bill, "backup/database", max(0.0, plan.backup.stock_gb - database.storage_gb))
    store = plan.vector_store
    if store.placement == "own-nodes":
        alicloud.instance(bill, "vector_store/node", store.instance_class, store.nodes, driver="memories")
        alicloud.disk(bill, "vector_store/root-disk", plan.compute.root_disk_gb, store.nodes)
        alicloud.disk(bill, "vector_store/disk", store.disk_gb, store.nodes)
        # the nodes' names
        alicloud.private_zone(bill, "vector_store/dns")
        alicloud.snapshots(bill, "backup/vectors", index_backup_gb(region))
    elif store.placement == "managed":
        bill_managed_qdrant(bill, region)


def _bill_objects(bill: Bill, region: SizedRegion) -> None:
    plan, load = region.plan, region.load
    if plan.object_store.kind != "local":
        alicloud.bucket(
            bill,
            "object_store/bucket",
            standard_gb=load.objects_hot_gb + load.profiles_gb + plan.object_store.model_weights_gb,
            infrequent_gb=alicloud.infrequent_gb(
                load.object_inflow_gb, ARCHIVE_AFTER_DAYS, load.objects_kept_days, load.object_kb
            ),
            requests=load.object_puts + load.object_gets,
            infrequent_requests=load.object_puts if load.objects_archive_gb else 0.0,
        )
    copies_gb = plan.backup.dumps_gb + index_snapshots_gb(region)
    alicloud.bucket(bill, "backup/dumps", standard_gb=copies_gb, driver="memories")
    alicloud.bucket(bill, "backup/archive", archive_gb=plan.backup.archive_gb, driver="memories")


def _bill_monitoring(bill: Bill, plan: RegionPlan) -> None:
    logs = plan.log_store
    ingested = log_gb(plan)
    stored = (
        stored_logs_gb(logs.application_gb, logs.application_days)
        + stored_logs_gb(logs.access_gb, logs.access_days)
        + stored_logs_gb(logs.audit_gb, logs.audit_days)
    )
    alicloud.log_store(bill, "logs/store", ingested, stored)
    bill_hosts(bill, plan)
    if plan.monitoring.kind == "cloud":
        # no metric of one's own: the log service counts lines where they lie
        alicloud.alarms(bill, "monitoring/alarm", plan.monitoring.alarms)
    elif plan.monitoring.kind == "prometheus":
        alicloud.instance(bill, "monitoring/server", MONITORING_CLASSES["alicloud", plan.compute.architecture])
        alicloud.disk(bill, "monitoring/disk", MONITORING_DISK_GB)
    elif plan.monitoring.kind == "managed-prometheus":
        # Grafana of its Prometheus is shared and free; a workspace of one's own is not planned
        bill.add("monitoring/workspace", "arms", "samples", scraped_samples(plan) / 1e6, "1M samples", kind="usage")
