"""The bill of a region's plan: every resource that the stack creates, its usage, its models."""

from collections.abc import Iterable

from sizing.billing import alicloud, aws
from sizing.billing import models as providers
from sizing.billing.charge import Bill, Charge
from sizing.design import Design
from sizing.footprint import RESULTS_PER_RETRIEVE, qdrant_disk_gb
from sizing.measures import BYTES_PER_GB, DAYS_PER_MONTH, HOURS_PER_MONTH
from sizing.plan import RegionPlan
from sizing.regions import regions
from sizing.sizer import SizedRegion

MONTHS_IN_VIEW = 12
"""Long-lived logs and archives are billed as they stand after the first year."""

KMS_REQUEST_SHARE = 0.01
"""Bucket keys cut the requests to KMS by some 99 % (S3's documentation says up to 99 %)."""

NAT_GB_PER_CU = 1.0
"""A capacity unit of Alibaba's NAT gateway carries 1 GB an hour (its billing page)."""


def bill_regions(drawn: Design, sized: Iterable[SizedRegion]) -> list[Charge]:
    """Return the charges of all regions, and of what spans them."""
    charges: list[Charge] = []
    spanning = drawn.tier.name == "multi-region"
    for index, region in enumerate(sized):
        bill = Bill(regions()[region.plan.cloud, region.plan.region])
        write = _bill_aws if region.plan.cloud == "aws" else _bill_alicloud
        write(bill, region, spanning=spanning, first=index == 0)
        providers.language_models(
            bill,
            region.plan.models.tasks,
            region.load.input_tokens,
            region.load.output_tokens,
            region.load.cached_share,
        )
        providers.embeddings(bill, region.plan.models.embedding, region.load.embedding_tokens)
        charges.extend(bill)
    return charges


def cross_zone_gb(region: SizedRegion) -> float:
    """GB that cross zones in a month: what retrievals read and writes store, times the share of the
    partners that sit in another zone. Error: upper bound for zone-aware clients."""
    load, zones = region.load, region.plan.network.zones
    text_bytes = load.text_gb * BYTES_PER_GB / load.memories if load.memories else 0.0
    vector_bytes = 4.0 * load.dimensions
    read = load.retrieves * (RESULTS_PER_RETRIEVE * text_bytes + vector_bytes)
    written = load.writes * (text_bytes + vector_bytes) * 2
    return (read + written) / BYTES_PER_GB * (zones - 1) / zones


def stored_logs_gb(gb_per_month: float, days: float) -> float:
    """GB of a log that lie in the store after the first year: inflow x the months kept by then."""
    return gb_per_month * min(days / DAYS_PER_MONTH, MONTHS_IN_VIEW)


def _bill_aws(bill: Bill, region: SizedRegion, *, spanning: bool, first: bool) -> None:
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
    aws.nat(bill, "network/nat", plan.network.nat_gateways, load.model_traffic_gb + _log_gb(plan))
    aws.addresses(bill, "network/address", plan.network.public_addresses)
    if spanning:
        aws.distribution(bill, "network/cdn", load.egress_gb, load.requests)
        if first:
            aws.hosted_zone(bill, "network/dns", load.requests / load.users * _all_users(region) if load.users else 0.0)
        aws.cross_region(bill, "network/replication", load.replicated_gb)
    else:
        aws.egress(bill, "network/egress", load.egress_gb)
    aws.cross_zone(bill, "network/cross-zone", cross_zone_gb(region))
    _bill_monitoring_aws(bill, plan)
    if plan.security.keys:
        calls = (load.object_puts + load.object_gets) * KMS_REQUEST_SHARE
        aws.keys(bill, "security/key", plan.security.keys, calls)
    aws.secrets(bill, "security/secret", plan.security.secrets, plan.security.secrets * compute.nodes * HOURS_PER_MONTH)
    aws.images(bill, "registry/image", plan.security.image_gb)


def _all_users(region: SizedRegion) -> float:
    return region.load.users / region.plan.share if region.plan.share else region.load.users


def _log_gb(plan: RegionPlan) -> float:
    logs = plan.log_store
    return logs.application_gb + logs.access_gb + logs.audit_gb


def _bill_vector_store_aws(bill: Bill, region: SizedRegion) -> None:
    store = region.plan.vector_store
    if store.engine == "elasticsearch":
        aws.search_domain(bill, "vector_store/node", store.instance_class, store.nodes, store.disk_gb)
    elif store.placement == "own-nodes":
        aws.instance(bill, "vector_store/node", store.instance_class, store.nodes)
        aws.volume(bill, "vector_store/root-disk", region.plan.compute.root_disk_gb, store.nodes)
        aws.volume(bill, "vector_store/disk", store.disk_gb, store.nodes)
        aws.snapshots(bill, "backup/vectors", qdrant_disk_gb(store.vectors, store.dimensions) / 1.5)
    elif store.placement == "managed":
        _bill_managed_qdrant(bill, region)


def _bill_managed_qdrant(bill: Bill, region: SizedRegion) -> None:
    store = region.plan.vector_store
    bill.add_external(
        "vector_store/managed",
        "qdrant",
        "qdrant-cloud",
        "cluster",
        store.memory_needed_gb * HOURS_PER_MONTH,
        "GB-hour",
        "*",
        "memories",
    )


def _bill_objects_aws(bill: Bill, region: SizedRegion) -> None:
    plan, load = region.plan, region.load
    logs = plan.log_store
    if plan.object_store.kind != "local":
        aws.bucket(
            bill,
            "object_store/bucket",
            standard_gb=load.objects_hot_gb + load.profiles_gb + plan.object_store.model_weights_gb,
            infrequent_gb=load.objects_archive_gb,
            puts=load.object_puts,
            gets=load.object_gets,
            infrequent_transitions=load.object_puts if load.objects_archive_gb else 0.0,
        )
        stored = stored_logs_gb(logs.access_gb, logs.access_days) + stored_logs_gb(logs.audit_gb, logs.audit_days)
        aws.bucket(bill, "logs/bucket", standard_gb=stored, driver="requests")
    aws.bucket(bill, "backup/archive", glacier_gb=plan.backup.archive_gb, driver="memories")


def _bill_monitoring_aws(bill: Bill, plan: RegionPlan) -> None:
    logs = plan.log_store
    ingested, stored = logs.application_gb, stored_logs_gb(logs.application_gb, logs.application_days)
    if plan.object_store.kind == "local":
        ingested += logs.access_gb + logs.audit_gb
        stored += stored_logs_gb(logs.access_gb, logs.access_days) + stored_logs_gb(logs.audit_gb, logs.audit_days)
    aws.log_group(bill, "logs/group", ingested, stored)
    _bill_own_monitoring(bill, plan)
    if plan.monitoring.kind == "cloud":
        aws.alarms(bill, "monitoring/alarm", plan.monitoring.alarms, plan.monitoring.metrics)
    elif plan.monitoring.kind == "prometheus":
        aws.instance(bill, "monitoring/server", "t3.medium")
        aws.volume(bill, "monitoring/disk", 50)


def _bill_own_monitoring(bill: Bill, plan: RegionPlan) -> None:
    if plan.monitoring.kind == "datadog":
        hosts = plan.compute.nodes + plan.vector_store.nodes
        bill.add_external(
            "monitoring/hosts", "datadog", "monitoring", "infra-pro:host", hosts, "host-month", "*", "nodes"
        )


def _bill_alicloud(bill: Bill, region: SizedRegion, *, spanning: bool, first: bool) -> None:
    plan, load = region.plan, region.load
    compute, database, logs = plan.compute, plan.database, plan.log_store
    alicloud.instance(bill, "compute/node", compute.instance_class, compute.nodes)
    alicloud.disk(bill, "compute/root-disk", compute.root_disk_gb, compute.nodes)
    alicloud.disk(bill, "compute/data-disk", compute.data_disk_gb)
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
        alicloud.instance(bill, "vector_store/node", store.instance_class, store.nodes)
        alicloud.disk(bill, "vector_store/root-disk", compute.root_disk_gb, store.nodes)
        alicloud.disk(bill, "vector_store/disk", store.disk_gb, store.nodes)
        alicloud.snapshots(bill, "backup/vectors", qdrant_disk_gb(store.vectors, store.dimensions) / 1.5)
    elif store.placement == "managed":
        _bill_managed_qdrant(bill, region)
    alicloud.cache(bill, "cache/node", plan.cache.node_class, plan.cache.nodes)
    if plan.object_store.kind != "local":
        alicloud.bucket(
            bill,
            "object_store/bucket",
            standard_gb=load.objects_hot_gb + load.profiles_gb + plan.object_store.model_weights_gb,
            infrequent_gb=load.objects_archive_gb,
            requests=load.object_puts + load.object_gets,
            infrequent_requests=load.object_puts if load.objects_archive_gb else 0.0,
        )
    alicloud.bucket(bill, "backup/archive", archive_gb=plan.backup.archive_gb, driver="memories")
    if plan.balancer.kind != "none":
        alicloud.balancer(bill, "balancer/balancer", plan.balancer.lcu_hours, firewall=plan.balancer.waf_rules > 0)
    outbound = load.model_traffic_gb + _log_gb(plan)
    alicloud.nat(bill, "network/nat", plan.network.nat_gateways, outbound / NAT_GB_PER_CU)
    if spanning:
        alicloud.distribution(bill, "network/cdn", load.egress_gb)
        if first:
            alicloud.hosted_zone(bill, "network/dns", load.requests)
        alicloud.egress(bill, "network/replication", load.replicated_gb)
    else:
        alicloud.egress(bill, "network/egress", load.egress_gb)
    ingested = _log_gb(plan)
    stored = (
        stored_logs_gb(logs.application_gb, logs.application_days)
        + stored_logs_gb(logs.access_gb, logs.access_days)
        + stored_logs_gb(logs.audit_gb, logs.audit_days)
    )
    alicloud.log_store(bill, "logs/store", ingested, stored)
    _bill_own_monitoring(bill, plan)
    if plan.monitoring.kind == "cloud":
        alicloud.alarms(bill, "monitoring/alarm", plan.monitoring.alarms)
    elif plan.monitoring.kind == "prometheus":
        alicloud.instance(bill, "monitoring/server", "ecs.c7.large")
        alicloud.disk(bill, "monitoring/disk", 50)
    alicloud.keys(bill, "security/key", max(1, plan.security.keys))
    alicloud.images(bill, "registry/image", plan.security.image_gb)
