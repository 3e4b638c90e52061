"""What Alibaba Cloud bills for each kind of resource, pay as you go, per month of 730 hours.

Where no list price can be had the charge is still made: the report then says "no list price".
"""

from sizing.billing.charge import CLASS, Bill
from sizing.footprint import billed_stock_gb
from sizing.measures import DAYS_PER_MONTH, HOURS_PER_MONTH

IA_MINIMUM_DAYS = 30.0
IA_MINIMUM_KB = 64.0
"""OSS bills an object in Infrequent Access for 30 days and as 64 KB at least."""


def instance(bill: Bill, resource: str, name: str, count: int = 1, driver: str = "nodes") -> None:
    """ECS instances, Linux."""
    bill.add(resource, "ecs", name, count * HOURS_PER_MONTH, "hour", slot=CLASS, driver=driver)


def disk(bill: Bill, resource: str, gb: float, count: int = 1, level: str = "PL1") -> None:
    """ESSD disks."""
    bill.add(resource, "essd", level, gb * count, "GB-month")


def snapshots(bill: Bill, resource: str, gb: float) -> None:
    """Disk snapshots kept."""
    bill.add(resource, "essd", "snapshot", gb, "GB-month", kind="usage", driver="memories")


def serverless_database(bill: Bill, resource: str, units: float, storage_gb: float, *, multi_zone: bool) -> None:
    """Serverless RDS for PostgreSQL: the high-availability edition bills two instances.

    ``units`` are the RCUs of every hour: an upper bound for an instance that scales down at night.
    """
    copies = 2 if multi_zone else 1
    bill.add(
        resource, "rds-postgres-serverless", "rcu", units * copies * HOURS_PER_MONTH, "RCU-hour", driver="memories"
    )
    bill.add(
        resource,
        "rds-postgres-serverless",
        "storage",
        storage_gb * copies * HOURS_PER_MONTH,
        "GB-hour",
        driver="memories",
    )


def database(bill: Bill, resource: str, name: str, storage_gb: float) -> None:
    """Provisioned RDS for PostgreSQL."""
    bill.add(resource, "rds-postgres", name, HOURS_PER_MONTH, "hour", slot=CLASS)
    bill.add(resource, "rds-postgres", "storage", storage_gb, "GB-month")


def database_backup(bill: Bill, resource: str, gb: float) -> None:
    """Database backups kept beyond the free size."""
    bill.add(resource, "rds-postgres", "backup", gb, "GB-month", kind="usage", driver="memories")


def cache(bill: Bill, resource: str, name: str, nodes: int) -> None:
    """A Tair (Redis) instance; ``nodes`` counts master and replicas of one instance."""
    bill.add(resource, "tair", name, HOURS_PER_MONTH if nodes else 0, "hour", slot=CLASS)


def balancer(bill: Bill, resource: str, lcu_hours: float, *, firewall: bool) -> None:
    """An ALB instance (standard, or the edition with a web firewall) and its capacity units."""
    bill.add(resource, "alb", "balancer:waf" if firewall else "balancer:standard", HOURS_PER_MONTH, "hour")
    bill.add(resource, "alb", "lcu", lcu_hours, "LCU-hour", kind="usage", driver="requests")


def network_balancer(bill: Bill, resource: str, lcu_hours: float) -> None:
    """An NLB instance and its capacity units."""
    bill.add(resource, "nlb", "balancer", HOURS_PER_MONTH, "hour")
    bill.add(resource, "nlb", "lcu", lcu_hours, "LCU-hour", kind="usage", driver="requests")


def nat(bill: Bill, resource: str, gateways: int, cu_hours: float) -> None:
    """Internet NAT gateways and the capacity units that they used."""
    bill.add(resource, "nat", "gateway", gateways * HOURS_PER_MONTH, "hour")
    if gateways:
        bill.add(resource, "nat", "cu", cu_hours, "CU-hour", kind="usage", driver="tokens")


def egress(bill: Bill, resource: str, gb: float) -> None:
    """Traffic to the internet through elastic addresses, paid by traffic."""
    bill.add(resource, "eip", "internet", gb, "GB", kind="usage", driver="requests")


def bucket(
    bill: Bill,
    resource: str,
    *,
    standard_gb: float = 0.0,
    infrequent_gb: float = 0.0,
    archive_gb: float = 0.0,
    requests: float = 0.0,
    infrequent_requests: float = 0.0,
    driver: str = "objects",
) -> None:
    """An OSS bucket: GB by class and requests."""
    for sku, gb in (("standard-lrs", standard_gb), ("ia-lrs", infrequent_gb), ("archive-lrs", archive_gb)):
        bill.add(resource, "oss", sku, gb, "GB-month", kind="usage", driver=driver)
    bill.add(resource, "oss", "standard-requests", requests / 10_000, "10k requests", kind="usage", driver=driver)
    bill.add(resource, "oss", "ia-requests", infrequent_requests / 10_000, "10k requests", kind="usage", driver=driver)


def log_store(bill: Bill, resource: str, ingested_gb: float, stored_gb: float) -> None:
    """An SLS logstore: compressed traffic (a fifth of the text), index, storage."""
    bill.add(resource, "sls", "traffic", ingested_gb / 5, "GB", kind="usage", driver="requests")
    bill.add(resource, "sls", "index", ingested_gb, "GB", kind="usage", driver="requests")
    bill.add(resource, "sls", "storage", stored_gb, "GB-month", kind="usage", driver="requests")


def alarms(bill: Bill, resource: str, count: int) -> None:
    """Alarms: of CloudMonitor on metrics and events, of the log service on lines."""
    bill.add(resource, "cloudmonitor", "alarm", count, "alarm-month")


def secrets(bill: Bill, resource: str, count: int) -> None:
    """Encrypted parameters of the operations service; the key service's own secrets need an instance."""
    bill.add(resource, "oos", "secret-parameter", count, "secret-month")


def infrequent_gb(inflow_gb: float, from_day: float, to_day: float, object_kb: float) -> float:
    """GB-months that Infrequent Access bills for objects that lie there between two ages.

    An object is billed for IA_MINIMUM_DAYS and as IA_MINIMUM_KB at least.
    """
    return billed_stock_gb(
        inflow_gb, from_day, to_day, object_kb=object_kb, minimum_days=IA_MINIMUM_DAYS, minimum_kb=IA_MINIMUM_KB
    )


def keys(bill: Bill, resource: str, count: int) -> None:
    """Service-managed keys, which cost nothing; a KMS instance of one's own costs $500 a month."""
    bill.add(resource, "kms", "default-key", count, "key-month")


def images(bill: Bill, resource: str, gb: float) -> None:
    """A container registry's storage."""
    bill.add(resource, "acr", "storage", gb, "GB-month", kind="usage")


def hosted_zone(bill: Bill, resource: str, queries: float) -> None:
    """A DNS zone and its queries."""
    bill.add(resource, "dns", "zone", 1, "zone-month")
    bill.add(resource, "dns", "queries", queries / 1e6, "1M queries", kind="usage", driver="requests")


def private_zone(bill: Bill, resource: str) -> None:
    """A zone of names inside a network; its queries are few, since clients keep their connections."""
    bill.add(resource, "dns", "private-zone", 1, "zone-month")


def distribution(bill: Bill, resource: str, gb: float) -> None:
    """A CDN's traffic."""
    bill.add(resource, "cdn", "egress", gb, "GB", kind="usage", driver="requests")


def key_instance(bill: Bill, resource: str, kind: str = "software") -> None:
    """A KMS instance of one's own, software or hardware, paid by the day."""
    bill.add(resource, "kms", f"{kind}-instance", DAYS_PER_MONTH, "day")


def instance_keys(bill: Bill, resource: str, count: int) -> None:
    """Keys in a KMS instance, paid by the day."""
    bill.add(resource, "kms", "key", count * DAYS_PER_MONTH, "key-day")


def instance_secrets(bill: Bill, resource: str, count: int) -> None:
    """Secrets in a KMS instance, paid by the day."""
    bill.add(resource, "kms", "secret", count * DAYS_PER_MONTH, "secret-day")


def classic_balancer(bill: Bill, resource: str) -> None:
    """A classic balancer (CLB)."""
    bill.add(resource, "clb", "balancer", HOURS_PER_MONTH, "hour")
