"""What AWS bills for each kind of resource, per month of 730 hours.

Free allowances (100 GB of egress, free tiers of new accounts) are not deducted: they belong to the
account, not to the stack.
"""

from sizing.billing.charge import CLASS, Bill
from sizing.footprint import billed_stock_gb
from sizing.measures import HOURS_PER_MONTH

EGRESS_STEPS = (
    ("internet:first-10tb", 10_240.0),
    ("internet:next-40tb", 40_960.0),
    ("internet:next-100tb", 102_400.0),
    ("internet:over-150tb", float("inf")),
)
"""Steps of the internet egress price, in TB of 1024 GB (EC2 data transfer price page)."""

GP3_FREE_IOPS = 3000
GP3_FREE_MBPS = 125
"""gp3 includes 3000 IOPS and 125 MB/s (EBS price page)."""

IA_MINIMUM_DAYS = 30.0
IA_MINIMUM_KB = 128.0
"""S3 bills an object in Standard-IA for 30 days and as 128 KB at least."""

CHECK_OPTIONS = 2
"""Of a health check over HTTPS every 10 s: both are optional features (Route 53 price page)."""

CDN_STEPS = (
    ("egress:first-10tb", 10_240.0),
    ("egress:next-40tb", 40_960.0),
    ("egress:next-100tb", 102_400.0),
    ("egress:next-350tb", 358_400.0),
    ("egress:over-500tb", float("inf")),
)
"""Steps of CloudFront's traffic price, in TB of 1024 GB (its price page); prices differ by edge region."""


def instance(
    bill: Bill,
    resource: str,
    name: str,
    count: int = 1,
    hours: float = HOURS_PER_MONTH,
    purchase: str = "",
    driver: str = "nodes",
) -> None:
    """EC2 instances, Linux; ``purchase`` is "" (on demand) or "reserved-1yr" (standard, nothing upfront)."""
    bill.add(
        resource, "ec2", f"{name}:{purchase}" if purchase else name, count * hours, "hour", slot=CLASS, driver=driver
    )


def cpu_credits(bill: Bill, resource: str, vcpu_hours: float) -> None:
    """CPU credits that burstable instances use beyond their baseline, in vCPU-hours."""
    bill.add(resource, "ec2", "t3-cpu-credits", vcpu_hours, "vCPU-hour", kind="usage", driver="requests")


def volume(
    bill: Bill,
    resource: str,
    gb: float,
    count: int = 1,
    kind: str = "gp3",
    iops: int = 0,
    throughput_mbps: int = 0,
    driver: str = "nodes",
) -> None:
    """EBS volumes: GB, and for gp3 the IOPS and MB/s above what is included."""
    bill.add(resource, "ebs", kind, gb * count, "GB-month", driver=driver)
    if kind == "gp3":
        bill.add(resource, "ebs", "gp3-iops", max(0, iops - GP3_FREE_IOPS) * count, "IOPS-month")
        bill.add(resource, "ebs", "gp3-throughput", max(0, throughput_mbps - GP3_FREE_MBPS) * count, "MBps-month")


def snapshots(bill: Bill, resource: str, gb: float, driver: str = "memories") -> None:
    """EBS snapshots: GB of changed blocks kept."""
    bill.add(resource, "ebs", "snapshot", gb, "GB-month", kind="usage", driver=driver)


def database(
    bill: Bill,
    resource: str,
    name: str,
    *,
    multi_zone: bool,
    storage_gb: float,
    backup_gb: float = 0.0,
    service: str = "rds-postgres",
) -> None:
    """An RDS instance with gp3 storage; ``backup_gb`` is what lies above the free size of the database."""
    zone = "multi-az" if multi_zone else "single-az"
    bill.add(resource, service, f"{name}:{zone}", HOURS_PER_MONTH, "hour", slot=CLASS, driver="memories")
    bill.add(resource, "rds", f"storage:{zone}", storage_gb, "GB-month", driver="memories")
    bill.add("backup/database", "rds", "backup", backup_gb, "GB-month", kind="usage", driver="memories")


def cache(bill: Bill, resource: str, engine: str, node: str, nodes: int, backup_gb: float = 0.0) -> None:
    """ElastiCache nodes; ``engine`` is valkey or redis."""
    bill.add(resource, "elasticache", f"{engine}:{node}", nodes * HOURS_PER_MONTH, "node-hour", slot=CLASS)
    bill.add(resource, "elasticache", "backup", backup_gb, "GB-month", kind="usage", driver="requests")


def search_domain(bill: Bill, resource: str, name: str, nodes: int, disk_gb: float) -> None:
    """An OpenSearch domain's data nodes and their gp3 volumes."""
    bill.add(resource, "opensearch", name, nodes * HOURS_PER_MONTH, "hour", slot=CLASS)
    bill.add(resource, "opensearch", "gp3", nodes * disk_gb, "GB-month")


def balancer(bill: Bill, resource: str, lcu_hours: float, kind: str = "alb") -> None:
    """An application or network balancer and the capacity units that it used, summed over the hours."""
    bill.add(resource, kind, "balancer", HOURS_PER_MONTH, "hour")
    unit = "LCU-hour" if kind == "alb" else "NLCU-hour"
    bill.add(resource, kind, "lcu" if kind == "alb" else "nlcu", lcu_hours, unit, kind="usage", driver="requests")


def lcu_hours(
    *,
    new_per_second: float,
    active: float,
    gb_per_hour: float,
    rule_evaluations_per_second: float,
    hours: float = HOURS_PER_MONTH,
) -> float:
    """Capacity-unit hours of an application balancer, of hours that are all alike; sum over hours that differ.

    One LCU is 25 new connections a second, 3000 active ones, 1 GB in the hour, 1000 rule evaluations a
    second beyond ten rules (ELB price page, quoted as for ``nlcu_hours``).
    """
    return hours * max(new_per_second / 25.0, active / 3000.0, gb_per_hour, rule_evaluations_per_second / 1000.0)


def nlcu_hours(*, new_per_second: float, active: float, gb_per_hour: float, hours: float = HOURS_PER_MONTH) -> float:
    """Capacity-unit hours of a network balancer for TCP, of hours that are all alike.

    One NLCU is 800 new connections a second, 100,000 active ones, 1 GB in the hour (ELB price page, as
    quoted in github:api-evangelist/amazon-elastic-load-balancing plans, read 2026-09-20).
    """
    return hours * max(new_per_second / 800.0, active / 100_000.0, gb_per_hour)


def firewall(bill: Bill, resource: str, rules: int, requests: float) -> None:
    """A WAF web ACL, its rules and the requests that it inspects."""
    if rules:
        bill.add(resource, "wafv2", "web-acl", 1, "month")
        bill.add(resource, "wafv2", "rule", rules, "month")
        bill.add(resource, "wafv2", "requests", requests / 1e6, "1M requests", kind="usage", driver="requests")


def nat(bill: Bill, resource: str, gateways: int, gb: float) -> None:
    """NAT gateways and the GB that pass them."""
    bill.add(resource, "nat", "gateway", gateways * HOURS_PER_MONTH, "hour")
    if gateways:
        bill.add(resource, "nat", "data", gb, "GB", kind="usage", driver="tokens")


def addresses(bill: Bill, resource: str, count: int) -> None:
    """Public IPv4 addresses, in use or not."""
    bill.add(resource, "public-ipv4", "address", count * HOURS_PER_MONTH, "hour")


def egress(bill: Bill, resource: str, gb: float) -> None:
    """Traffic to the internet in the price's steps: 10 TB, 40 TB, 100 TB, and what lies above."""
    start = 0.0
    for sku, size_gb in EGRESS_STEPS:
        bill.add(resource, "egress", sku, min(gb - start, size_gb), "GB", kind="usage", driver="requests")
        start += size_gb


def cross_zone(bill: Bill, resource: str, gb: float) -> None:
    """Traffic between zones: billed where it leaves and where it arrives."""
    bill.add(resource, "egress", "cross-az", gb * 2, "GB", kind="usage", driver="requests")


def cross_region(bill: Bill, resource: str, gb: float) -> None:
    """Traffic to another region of AWS."""
    bill.add(resource, "egress", "inter-region", gb, "GB", kind="usage", driver="memories")


def bucket(
    bill: Bill,
    resource: str,
    *,
    standard_gb: float = 0.0,
    infrequent_gb: float = 0.0,
    glacier_gb: float = 0.0,
    deep_archive_gb: float = 0.0,
    puts: float = 0.0,
    gets: float = 0.0,
    infrequent_transitions: float = 0.0,
    driver: str = "objects",
) -> None:
    """An S3 bucket: GB by class, requests, and the objects that a lifecycle moves to Standard-IA."""
    for sku, gb in (
        ("standard", standard_gb),
        ("standard-ia", infrequent_gb),
        ("glacier", glacier_gb),
        ("deep-archive", deep_archive_gb),
    ):
        bill.add(resource, "s3", sku, gb, "GB-month", kind="usage", driver=driver)
    bill.add(resource, "s3", "standard-put", puts / 1000, "1k requests", kind="usage", driver=driver)
    bill.add(resource, "s3", "standard-get", gets / 1000, "1k requests", kind="usage", driver=driver)
    bill.add(
        resource, "s3", "standard-ia-put", infrequent_transitions / 1000, "1k requests", kind="usage", driver=driver
    )


def stored_class(
    bill: Bill,
    resource: str,
    name: str,
    *,
    gb: float = 0.0,
    puts: float = 0.0,
    gets: float = 0.0,
    transitions: float = 0.0,
    retrieved_gb: float = 0.0,
    driver: str = "objects",
) -> None:
    """One S3 storage class: GB kept, requests, objects that a lifecycle moves into it, GB read back.

    ``name`` is the SKU of its GB, such as ``standard-ia``. A transition costs what a PUT into the class
    costs (S3 price page), and is a line of its own.
    """
    bill.add(resource, "s3", name, gb, "GB-month", kind="usage", driver=driver)
    for sku, slot, requests in (
        (f"{name}-put", f"{name}-put", puts),
        (f"{name}-get", f"{name}-get", gets),
        (f"{name}-put", f"{name}-transition", transitions),
    ):
        bill.add(resource, "s3", sku, requests / 1000, "1k requests", kind="usage", driver=driver, slot=slot)
    bill.add(resource, "s3", f"{name}-retrieval", retrieved_gb, "GB", kind="usage", driver=driver)


def keys(bill: Bill, resource: str, count: int, requests: float = 0.0) -> None:
    """KMS keys of our own and the requests to them."""
    bill.add(resource, "kms", "key", count, "key-month")
    bill.add(resource, "kms", "requests", requests / 10_000, "10k requests", kind="usage", driver="objects")


def secrets(bill: Bill, resource: str, count: int, requests: float = 0.0) -> None:
    """Secrets and the calls that read them."""
    bill.add(resource, "secretsmanager", "secret", count, "secret-month")
    bill.add(resource, "secretsmanager", "requests", requests / 10_000, "10k requests", kind="usage", driver="nodes")


def images(bill: Bill, resource: str, gb: float) -> None:
    """A container registry's storage."""
    bill.add(resource, "ecr", "storage", gb, "GB-month", kind="usage")


def hosted_zone(bill: Bill, resource: str, queries: float, zones: int = 1) -> None:
    """A DNS zone and its standard queries."""
    bill.add(resource, "route53", "hosted-zone", zones, "zone-month")
    bill.add(resource, "route53", "queries", queries / 1e6, "1M queries", kind="usage", driver="requests")


def health_check(bill: Bill, resource: str, options: int = CHECK_OPTIONS) -> None:
    """A health check of an endpoint in AWS, and its options: fast and over HTTPS where nothing else is said."""
    bill.add(resource, "route53", "health-check", 1, "check-month")
    bill.add(resource, "route53", "health-check-option", options, "option-month")


def distribution(bill: Bill, resource: str, gb: float, requests: float) -> None:
    """A CloudFront distribution: GB to the internet in the price's steps, at the price of the region's
    edges, and HTTPS requests at the US price (other edges cost a little more).
    """
    start = 0.0
    for sku, size_gb in CDN_STEPS:
        bill.add(resource, "cloudfront", sku, min(gb - start, size_gb), "GB", kind="usage", driver="requests")
        start += size_gb
    bill.add(
        resource, "cloudfront", "https-requests", requests / 10_000, "10k requests", kind="usage", driver="requests"
    )


def infrequent_gb(inflow_gb: float, from_day: float, to_day: float, object_kb: float) -> float:
    """GB-months that Standard-IA bills for objects that lie there between two ages.

    An object is billed for IA_MINIMUM_DAYS and as IA_MINIMUM_KB at least.
    """
    return billed_stock_gb(
        inflow_gb, from_day, to_day, object_kb=object_kb, minimum_days=IA_MINIMUM_DAYS, minimum_kb=IA_MINIMUM_KB
    )


def fargate(bill: Bill, resource: str, tasks: int, vcpu: float, memory_gb: float) -> None:
    """Fargate tasks that run all month."""
    bill.add(resource, "fargate", "vcpu", tasks * vcpu * HOURS_PER_MONTH, "vCPU-hour")
    bill.add(resource, "fargate", "memory", tasks * memory_gb * HOURS_PER_MONTH, "GB-hour")


def endpoint(bill: Bill, resource: str, interfaces: int, gb: float) -> None:
    """Interface endpoints of a VPC, one per service and zone, and the GB that pass them."""
    bill.add(resource, "vpc-endpoint", "interface", interfaces * HOURS_PER_MONTH, "hour")
    bill.add(resource, "vpc-endpoint", "interface-data", gb, "GB", kind="usage", driver="requests")


def kubernetes_cluster(bill: Bill, resource: str) -> None:
    """An EKS cluster's control plane, of a version in standard support."""
    bill.add(resource, "eks", "cluster", HOURS_PER_MONTH, "hour")
