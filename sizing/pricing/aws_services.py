"""What AWS bills for databases, caches, search, balancers, network, keys and watching."""

from sizing.billing import aws, aws_monitoring
from sizing.billing.aws_monitoring import log_group, metrics_workspace
from sizing.pricing.draft import Draft, read_number

DATABASE_SERVICES = {"postgres": "rds-postgres", "mysql": "rds-mysql"}
"""Engines by their service in the catalogue; another is looked for as `rds-ENGINE`, and has no price today."""
FREE_DASHBOARDS = 3
"""Of an account (CloudWatch price page)."""
FREE_DATABASE_IOPS = 12_000
"""gp3 storage of RDS includes at most this many (RDS user guide, storage types)."""
STANDARD_PERIOD_S = 60
"""An alarm of a shorter period is of high resolution and costs more (CloudWatch price page)."""
AMAZON_POOL = "amazon"


def price_database(draft: Draft) -> None:
    """An RDS instance, with the address of a public one; a replica that names no engine has its source's.

    One of Aurora has no storage of its own.
    """
    inputs = draft.resource.inputs
    engine = draft.text("engine", _inherit(draft, "engine"))
    name = draft.text("instanceClass")
    multi_zone = draft.is_set("multiAz")
    storage = draft.number("allocatedStorage", _inherit(draft, "allocatedStorage"))
    kind = "io1" if inputs.get("iops") and not inputs.get("storageType") else draft.text("storageType")
    if kind not in ("gp2", "gp3", None):
        draft.gaps.append(f"storage of type {kind} has no list price")
        storage = 0.0 if storage is not None else None
    if kind == "gp3" and (read_number(inputs.get("iops")) or 0) > FREE_DATABASE_IOPS:
        draft.gaps.append(f"IOPS above {FREE_DATABASE_IOPS} have no list price")
    if engine is not None and name is not None:
        aws.database(
            draft.bill,
            "database/instance",
            name,
            multi_zone=multi_zone,
            storage_gb=storage or 0.0,
            backup_gb=draft.use("backup_gb"),
            service=DATABASE_SERVICES.get(engine, f"rds-{engine}"),
        )
    _add_address(draft)


def _add_address(draft: Draft) -> None:
    """A public database's address is billed as any other (VPC price page, public IPv4 addresses)."""
    if draft.is_set("publiclyAccessible"):
        aws.addresses(draft.bill, "database/address", 1)


def _inherit(draft: Draft, prop: str) -> dict[str, object]:
    """The instance's inputs, with its source's property where it is a replica without it."""
    inputs = dict(draft.resource.inputs)
    if inputs.get(prop) is None and inputs.get("replicateSourceDb") is not None:
        for source in draft.graph.referred(draft.resource, "replicateSourceDb", draft.type):
            inputs[prop] = source.inputs.get(prop)
    return inputs


def price_database_node(draft: Draft) -> None:
    """An instance of an Aurora cluster."""
    engine, name = draft.text("engine"), draft.text("instanceClass")
    if name == "db.serverless":
        draft.gaps.append("capacity units of Aurora Serverless have no list price")
    elif engine is not None and name is not None:
        aws.database(draft.bill, "database/instance", name, multi_zone=False, storage_gb=0.0, service=f"rds-{engine}")
    _add_address(draft)


def price_database_cluster(draft: Draft) -> None:
    """A Multi-AZ cluster has instances and storage of its own; Aurora's are other resources."""
    if draft.resource.inputs.get("dbClusterInstanceClass") is not None:
        draft.gaps.append("Multi-AZ clusters have no list price")


def price_cache(draft: Draft) -> None:
    """An ElastiCache group or cluster: all its nodes."""
    engine, name = draft.resource.inputs.get("engine"), draft.text("nodeType")
    groups = draft.find("numNodeGroups")
    alone = draft.type.endswith(":Cluster")
    if alone and draft.resource.inputs.get("replicationGroupId") is not None:
        draft.notes.append("a member of a group, whose nodes are billed with it")
        return
    if alone:
        nodes = draft.number("numCacheNodes")
    elif groups is not None:
        replicas = draft.number("replicasPerNodeGroup")
        nodes = None if replicas is None else (read_number(groups) or 0.0) * (1 + replicas)
    else:
        given = draft.find("numCacheClusters")
        nodes = 1.0 if given is None else draft.number("numCacheClusters")
    kind = engine if isinstance(engine, str) else draft.text("engine")
    if name is not None and nodes is not None and kind is not None:
        aws.cache(draft.bill, "cache/node", kind, name, int(nodes), draft.use("backup_gb"))


def price_search_domain(draft: Draft) -> None:
    """An OpenSearch domain: data nodes with their disks, and masters without."""
    name, count = draft.text("clusterConfig.instanceType"), draft.number("clusterConfig.instanceCount")
    size, kind = draft.find("ebsOptions.volumeSize"), draft.find("ebsOptions.volumeType")
    disk_gb = read_number(size) or 0.0
    if disk_gb and kind != "gp3":
        draft.gaps.append(f"search storage of type {kind or 'that is not given'} has no list price")
        disk_gb = 0.0
    if draft.is_set("clusterConfig.warmEnabled"):
        draft.gaps.append("warm nodes have no list price")
    if name is not None and count is not None:
        aws.search_domain(draft.bill, "vector_store/node", _search_class(name), int(count), disk_gb)
    if draft.is_set("clusterConfig.dedicatedMasterEnabled"):
        master = draft.text("clusterConfig.dedicatedMasterType")
        masters = draft.number("clusterConfig.dedicatedMasterCount")
        if master is not None and masters is not None:
            aws.search_domain(draft.bill, "vector_store/master", _search_class(master), int(masters), 0.0)


def _search_class(name: str) -> str:
    return name.removesuffix(".elasticsearch") + ".search" if name.endswith(".elasticsearch") else name


def price_balancer(draft: Draft) -> None:
    """A balancer, and the public addresses of one that faces the internet: one in each zone without an own address."""
    kind = {"application": "alb", "network": "nlb"}.get(draft.text("loadBalancerType") or "")
    if kind is None:
        draft.gaps.append("gateway balancers have no list price")
        return
    aws.balancer(draft.bill, "balancer/balancer", draft.use("lcu_hours"), kind)
    aws.egress(draft.bill, "balancer/egress", draft.use("egress_gb"))
    if not draft.is_set("internal"):
        mappings = draft.each("subnetMappings")
        own = sum(each.get("allocationId") is not None for each in mappings)
        aws.addresses(draft.bill, "balancer/address", (len(mappings) or draft.count("subnets")) - own)


def price_address(draft: Draft) -> None:
    """An elastic address; one of a range that was brought along is free."""
    pool = draft.find("publicIpv4Pool")
    if pool not in (None, AMAZON_POOL):
        draft.notes.append("an address of one's own range is free")
        return
    aws.addresses(draft.bill, "network/address", 1)


def price_nat(draft: Draft) -> None:
    """A NAT gateway."""
    aws.nat(draft.bill, "network/nat", 1, draft.use("data_gb"))


def price_endpoint(draft: Draft) -> None:
    """A VPC endpoint: an interface one in each of its subnets, a gateway one free."""
    kind = draft.text("vpcEndpointType")
    if kind == "Gateway":
        draft.notes.append("gateway endpoints are free")
    elif kind == "Interface":
        aws.endpoint(draft.bill, "network/endpoint", max(1, draft.count("subnetIds")), draft.use("data_gb"))
    elif kind is not None:
        draft.gaps.append(f"endpoints of type {kind} have no list price")


def price_key(draft: Draft) -> None:
    """A key of KMS."""
    aws.keys(draft.bill, "security/key", 1, draft.use("requests"))


def price_secret(draft: Draft) -> None:
    """A secret and its copies in other regions."""
    aws.secrets(draft.bill, "security/secret", 1 + draft.count("replicas"), draft.use("requests"))


def price_alarm(draft: Draft) -> None:
    """An alarm: each metric that it reads."""
    period = read_number(draft.find("period"))
    if period is not None and period < STANDARD_PERIOD_S:
        draft.gaps.append("alarms of high resolution have no list price")
        return
    queries = [each for each in draft.each("metricQueries") if each.get("metric") is not None]
    aws_monitoring.alarms(draft.bill, "monitoring/alarm", max(1, len(queries)))


def price_dashboard(draft: Draft) -> None:
    """A dashboard: three of an account are free, and the stack's first are taken to be those."""
    if list(draft.graph.of(draft.resource.type)).index(draft.resource) < FREE_DASHBOARDS:
        draft.notes.append("three of an account are free")
    else:
        draft.gaps.append("dashboards above three of an account have no list price")


def price_metric_filter(draft: Draft) -> None:
    """The metric that a filter of logs publishes."""
    aws_monitoring.alarms(draft.bill, "monitoring/metric", 0, metrics=int(draft.use("metrics")))


def price_log_group(draft: Draft) -> None:
    """A log group."""
    log_group(draft.bill, "logs/group", draft.use("ingested_gb"), draft.use("stored_gb"), draft.use("scanned_gb"))


def price_metrics_workspace(draft: Draft) -> None:
    """A workspace of Managed Prometheus."""
    samples, queried = draft.use("samples"), draft.use("queried_samples")
    if samples or queried:
        metrics_workspace(draft.bill, "monitoring/workspace", samples, queried)


def price_grafana(draft: Draft) -> None:
    """A workspace of Managed Grafana: one editor at least."""
    aws_monitoring.grafana(draft.bill, "monitoring/grafana", max(1, int(draft.use("editors"))))


def price_bucket(draft: Draft) -> None:
    """A bucket of S3."""
    aws.bucket(
        draft.bill,
        "object_store/bucket",
        standard_gb=draft.use("standard_gb"),
        infrequent_gb=draft.use("infrequent_gb"),
        glacier_gb=draft.use("glacier_gb"),
        deep_archive_gb=draft.use("deep_archive_gb"),
        puts=draft.use("puts"),
        gets=draft.use("gets"),
        infrequent_transitions=draft.use("infrequent_transitions"),
    )


def price_snapshots(draft: Draft) -> None:
    """Snapshots of disks."""
    aws.snapshots(draft.bill, "backup/snapshot", draft.use("snapshot_gb"))


def price_vault(draft: Draft) -> None:
    """The points of disks in a vault of AWS Backup, which cost what snapshots cost (its price page)."""
    aws.snapshots(draft.bill, "backup/vault", draft.use("ebs_snapshot_gb"))


def price_images(draft: Draft) -> None:
    """A repository of images."""
    aws.images(draft.bill, "registry/image", draft.use("storage_gb"))


def price_zone(draft: Draft) -> None:
    """A zone of Route 53."""
    aws.hosted_zone(draft.bill, "network/dns", draft.use("queries"))


def price_health_check(draft: Draft) -> None:
    """A health check of an endpoint in AWS: HTTPS, a short interval, a searched text and latency are options."""
    kind = draft.text("type")
    if kind is None:
        return
    if kind in ("CALCULATED", "CLOUDWATCH_METRIC", "RECOVERY_CONTROL"):
        draft.gaps.append(f"health checks of type {kind} have no list price")
        return
    options = (
        kind.startswith("HTTPS")
        + kind.endswith("_STR_MATCH")
        + (read_number(draft.find("requestInterval")) == 10)
        + draft.is_set("measureLatency")
    )
    aws.health_check(draft.bill, "network/health-check", options)


def price_firewall(draft: Draft) -> None:
    """A web ACL with its rules, those of other resources too."""
    apart = draft.graph.dependents(draft.resource, "aws:wafv2/webAclRule:WebAclRule")
    rules = draft.count("rules") + len(apart)
    if rules:
        aws.firewall(draft.bill, "balancer/firewall", rules, draft.use("requests"))
    else:
        draft.gaps.append("an ACL without rules is not billed yet")


def price_distribution(draft: Draft) -> None:
    """A distribution of CloudFront."""
    aws.distribution(draft.bill, "network/cdn", draft.use("egress_gb"), draft.use("requests"))


def price_parameter(draft: Draft) -> None:
    """A parameter of Systems Manager: free but for the advanced tier."""
    if draft.text("tier") == "Advanced":
        draft.gaps.append("advanced parameters have no list price")
    else:
        draft.notes.append("standard parameters are free")


def price_table(draft: Draft) -> None:
    """A table of DynamoDB: kept capacity is due always, requests on demand by use; neither has a price."""
    if draft.text("billingMode") == "PROVISIONED":
        draft.gaps.append("kept capacity of DynamoDB has no list price")


def refuse(reason: str, draft: Draft) -> None:
    """A kind that the catalogue has no price of at all."""
    draft.gaps.append(reason)
