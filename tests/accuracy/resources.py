"""The resources of Infracost's examples, billed by our own functions.

One builder per resource type takes the arguments (``resources.csv``, in Terraform's and Infracost's
words) and calls the billing function of that kind. A builder names what our function cannot express:
such a line never counts as reproduced, whatever its figure.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sizing.billing import aws, aws_monitoring
from sizing.billing.aws import lcu_hours
from sizing.billing.charge import CLASS, Bill
from sizing.measures import HOURS_PER_MONTH
from sizing.regions import Region, regions

Arguments = Mapping[str, Any]

DETAILED_METRICS = 7
"""Metrics that EC2's detailed monitoring publishes per instance (Infracost's instance example)."""

DEFAULT_DATABASE_GB = 20
"""Size that Infracost assumes for a database without ``allocated_storage``."""

DATABASE_SERVICES = {"postgres": "rds-postgres", "mysql": "rds-mysql"}
"""Engines whose classes are in our catalogue."""

EDGES = {"us": "US, Mexico, Canada", "europe": "Europe, Israel"}
"""Edge regions that our distribution bills, by their names in the usage file and in the figures."""

FIRST_ENDPOINT_STEP_GB = 1_000_000
FIRST_QUERY_STEP = 1_000_000_000
"""Where a price that we do not bill begins: 1 PB of an endpoint, 1000 M DNS queries."""


@dataclass(frozen=True, slots=True)
class Built:
    """The bill of one example, and what of it our functions cannot express: reason by service and slot."""

    bill: Bill
    unsupported: dict[tuple[str, str], str] = field(default_factory=dict)

    def refuse(self, service: str, slot: str, reason: str) -> None:
        """Note that lines of this service and slot ("*" for all) ask for more than we bill."""
        self.unsupported[service, slot] = reason

    def refusal(self, service: str, slot: str) -> str:
        """Return why a line is not supported, "" where it is."""
        return self.unsupported.get((service, slot)) or self.unsupported.get((service, "*")) or ""


def build(resource: str, region: str, arguments: Arguments) -> Built:
    """Bill one example in its region."""
    built = Built(Bill(find_or_make_region(region)))
    BUILDERS[resource.partition(".")[0]](built, arguments)
    return built


def find_or_make_region(name: str) -> Region:
    """Return our region, or a stand-in of that name for one that we do not offer (it has no prices)."""
    known = regions().get(("aws", name))
    return known or replace(regions()["aws", "us-east-1"], region=name, price_group=name, name_en=name, name_zh=name)


def _instance(built: Built, arguments: Arguments) -> None:
    for part, disk in arguments["volumes"].items():
        aws.volume(built.bill, part, disk["gb"], kind=disk["type"], iops=disk.get("iops", 0))
    if "host" in arguments:
        return
    purchase = _purchase(arguments)
    if purchase not in {"", "reserved-1yr"}:
        built.refuse("ec2", CLASS, purchase)
        purchase = ""
    if arguments.get("tenancy", "default") != "default":
        built.refuse("ec2", CLASS, f"{arguments['tenancy']} tenancy")
    hours = arguments.get("monthly_hrs", HOURS_PER_MONTH)
    aws.instance(built.bill, "", arguments["instance_type"], hours=hours, purchase=purchase)
    if arguments.get("monitoring"):
        aws_monitoring.alarms(built.bill, "", 0, metrics=DETAILED_METRICS)
    if arguments.get("cpu_credits") == "unlimited":
        hours = arguments.get("monthly_cpu_credit_hrs", 0) * arguments.get("vcpu_count", 0)
        aws.cpu_credits(built.bill, "", hours)


def _purchase(arguments: Arguments) -> str:
    """Name a reservation: ours for standard, one year, nothing upfront; else why it is not ours."""
    if "reserved_instance_term" not in arguments:
        return ""
    term, payment = arguments["reserved_instance_term"], arguments["reserved_instance_payment_option"]
    ours = (arguments["reserved_instance_type"], term, payment) == ("standard", "1_year", "no_upfront")
    return "reserved-1yr" if ours else "reservations other than standard for a year with nothing upfront"


def _volume(built: Built, arguments: Arguments) -> None:
    iops, throughput = arguments.get("iops", 0), arguments.get("throughput", 0)
    aws.volume(built.bill, "", arguments["gb"], kind=arguments["type"], iops=iops, throughput_mbps=throughput)


def _snapshots(built: Built, arguments: Arguments) -> None:
    aws.snapshots(built.bill, "", arguments["volume_gb"])


def _database(built: Built, arguments: Arguments) -> None:
    engine = arguments["engine"]
    service = DATABASE_SERVICES.get(engine, f"rds-{engine}")
    if engine not in DATABASE_SERVICES:
        built.refuse(service, CLASS, f"engine {engine}")
        built.refuse("rds", "*", f"engine {engine}")
    if "reserved_instance_term" in arguments:
        built.refuse(service, CLASS, "reserved databases")
    if arguments.get("storage_type", "gp2") not in {"gp2", "gp3"}:
        for zone in ("single-az", "multi-az"):
            built.refuse("rds", f"storage:{zone}", f"storage of type {arguments['storage_type']}")
    aws.database(
        built.bill,
        "",
        arguments["instance_class"],
        multi_zone=arguments.get("multi_az", False),
        storage_gb=arguments.get("allocated_storage", DEFAULT_DATABASE_GB),
        backup_gb=arguments.get("additional_backup_storage_gb", 0),
        service=service,
    )


def _cache(built: Built, arguments: Arguments) -> None:
    if arguments["engine"] not in {"redis", "valkey"}:
        built.refuse("elasticache", "*", f"engine {arguments['engine']}")
    if "reserved_instance_term" in arguments:
        built.refuse("elasticache", CLASS, "reserved nodes")
    nodes = arguments.get("num_cache_nodes") or arguments.get("num_cache_clusters")
    if nodes is None:
        nodes = arguments["num_node_groups"] * (1 + arguments["replicas_per_node_group"])
    backup = arguments.get("snapshot_storage_size_gb", 0)
    aws.cache(built.bill, "", arguments["engine"], arguments["node_type"], nodes, backup)


def _balancer(built: Built, arguments: Arguments) -> None:
    kind = "alb" if arguments["load_balancer_type"] == "application" else "nlb"
    aws.balancer(built.bill, "", capacity_unit_hours(arguments), kind)


def capacity_unit_hours(arguments: Arguments) -> float:
    """Return LCU-hours or NLCU-hours: connections are rates, the month's GB are spread over its hours."""
    new, active = arguments.get("new_connections", 0), arguments.get("active_connections", 0)
    gb_per_hour = arguments.get("processed_bytes_gb", 0) / HOURS_PER_MONTH
    if arguments["load_balancer_type"] != "application":
        return aws.nlcu_hours(new_per_second=new, active=active, gb_per_hour=gb_per_hour)
    rules = arguments.get("rule_evaluations", 0)
    return lcu_hours(new_per_second=new, active=active, gb_per_hour=gb_per_hour, rule_evaluations_per_second=rules)


def _nat(built: Built, arguments: Arguments) -> None:
    aws.nat(built.bill, "", 1, arguments.get("monthly_data_processed_gb", 0))


def _address(built: Built, _: Arguments) -> None:
    aws.addresses(built.bill, "", 1)


def _transfer(built: Built, arguments: Arguments) -> None:
    internet_gb = arguments["monthly_outbound_internet_gb"]
    aws.cross_zone(built.bill, "", arguments["monthly_intra_region_gb"])
    aws.egress(built.bill, "", internet_gb)
    aws.cross_region(built.bill, "", arguments["monthly_outbound_other_regions_gb"])


def _bucket(built: Built, arguments: Arguments) -> None:
    standard = arguments.get("standard", {})
    aws.bucket(
        built.bill,
        "Standard",
        standard_gb=standard.get("storage_gb", 0),
        puts=standard.get("monthly_tier_1_requests", 0),
        gets=standard.get("monthly_tier_2_requests", 0),
    )
    tiers = arguments.get("intelligent_tiering", {})
    for access in ("frequent", "infrequent"):
        gb = tiers.get(f"{access}_access_storage_gb", 0)
        aws.stored_class(built.bill, "Intelligent tiering", f"intelligent-{access}", gb=gb)
    for key, part, name in (
        ("standard_infrequent_access", "Standard - infrequent access", "standard-ia"),
        ("one_zone_infrequent_access", "One zone - infrequent access", "one-zone-ia"),
        ("glacier_flexible_retrieval", "Glacier flexible retrieval", "glacier"),
        ("glacier_deep_archive", "Glacier deep archive", "deep-archive"),
    ):
        stored = arguments.get(key, {})
        aws.stored_class(
            built.bill,
            part,
            name,
            gb=stored.get("storage_gb", 0),
            puts=stored.get("monthly_tier_1_requests", 0),
            gets=stored.get("monthly_tier_2_requests", 0),
            transitions=stored.get("monthly_lifecycle_transition_requests", 0),
            retrieved_gb=stored.get("monthly_data_retrieval_gb") or stored.get("monthly_standard_data_retrieval_gb", 0),
        )


def _log_group(built: Built, arguments: Arguments) -> None:
    ingested, stored = arguments.get("monthly_data_ingested_gb", 0), arguments.get("storage_gb", 0)
    aws_monitoring.log_group(built.bill, "", ingested, stored, arguments.get("monthly_data_scanned_gb", 0))


def _alarm(built: Built, arguments: Arguments) -> None:
    aws_monitoring.alarms(built.bill, "", arguments["metrics"])


def _key(built: Built, _: Arguments) -> None:
    aws.keys(built.bill, "", 1)


def _secret(built: Built, arguments: Arguments) -> None:
    aws.secrets(built.bill, "", 1, arguments.get("monthly_requests", 0))


def _images(built: Built, arguments: Arguments) -> None:
    aws.images(built.bill, "", arguments.get("storage_gb", 0))


def _service(built: Built, arguments: Arguments) -> None:
    aws.fargate(built.bill, "", arguments["desired_count"], arguments["vcpu"], arguments["memory_gb"])


def _zone(built: Built, _: Arguments) -> None:
    aws.hosted_zone(built.bill, "", 0)


def _record(built: Built, arguments: Arguments) -> None:
    queries = arguments.get("monthly_standard_queries", 0)
    if queries > FIRST_QUERY_STEP:
        built.refuse("route53", "queries", "queries above 1000 million, which we leave at the price of the first")
    aws.hosted_zone(built.bill, "", queries, zones=0)


def _distribution(built: Built, arguments: Arguments) -> None:
    for key, part in EDGES.items():
        gb = arguments.get("monthly_data_transfer_to_internet_gb", {}).get(key, 0)
        aws.distribution(built.bill, part, gb, arguments.get("monthly_https_requests", {}).get(key, 0))


def _firewall(built: Built, arguments: Arguments) -> None:
    rules = arguments["rules"] + arguments.get("rule_group_rules", 0) + arguments.get("managed_rule_group_rules", 0)
    aws.firewall(built.bill, "", rules, arguments.get("monthly_requests", 0))


def _endpoint(built: Built, arguments: Arguments) -> None:
    gb = arguments.get("monthly_data_processed_gb", 0)
    if gb > FIRST_ENDPOINT_STEP_GB:
        built.refuse("vpc-endpoint", "interface-data", "traffic above 1 PB, which we leave at the price of the first")
    if arguments["vpc_endpoint_type"] == "Interface":
        aws.endpoint(built.bill, "", arguments["subnets"], gb)


def _search_domain(built: Built, arguments: Arguments) -> None:
    built.refuse("opensearch", "gp3", f"storage of type {arguments['volume_type']}")
    aws.search_domain(built.bill, "", arguments["instance_type"], arguments["instance_count"], arguments["volume_size"])


def _nothing(_: Built, __: Arguments) -> None:
    """Bill nothing: a kind of resource that our stacks never contain."""


BUILDERS: dict[str, Callable[[Built, Arguments], None]] = {
    "aws_ec2_host": _nothing,
    "aws_instance": _instance,
    "aws_ebs_volume": _volume,
    "aws_ebs_snapshot": _snapshots,
    "aws_db_instance": _database,
    "aws_elasticache_cluster": _cache,
    "aws_elasticache_replication_group": _cache,
    "aws_lb": _balancer,
    "aws_alb": _balancer,
    "aws_nat_gateway": _nat,
    "aws_eip": _address,
    "aws_data_transfer": _transfer,
    "aws_s3_bucket": _bucket,
    "aws_cloudwatch_log_group": _log_group,
    "aws_cloudwatch_metric_alarm": _alarm,
    "aws_kms_key": _key,
    "aws_secretsmanager_secret": _secret,
    "aws_ecr_repository": _images,
    "aws_ecs_service": _service,
    "aws_route53_zone": _zone,
    "aws_route53_record": _record,
    "aws_cloudfront_distribution": _distribution,
    "aws_wafv2_web_acl": _firewall,
    "aws_vpc_endpoint": _endpoint,
    "aws_opensearch_domain": _search_domain,
}
