"""What Alibaba Cloud bills for each kind of resource, pay as you go.

Machines are taken to run Linux; subscriptions and preemptible instances are not in the catalogue.
"""

from collections.abc import Mapping
from typing import Any

from sizing.billing import alicloud
from sizing.pricing.draft import Draft, find_default, look_up, read_number
from sizing.pricing.machines import count_nodes

INSTANCE = "alicloud:ecs/instance:Instance"
CONFIGURATION = "alicloud:ess/scalingConfiguration:ScalingConfiguration"
ESSD = "cloud_essd"
_SUBSCRIPTIONS = ("PrePaid", "Subscription", "Prepaid", "prepaid")
_EDITIONS = {"Standard": False, "StandardWithWaf": True}
"""Editions of ALB that the billing function knows, and whether they have a firewall."""
_SERVERLESS_PAIRS = ("serverless_standard", "serverless_ha")
"""Categories of serverless instances with a standby (RDS, CreateDBInstance); the second is SQL Server's."""


def price_instance(draft: Draft) -> None:
    """An ECS instance with its disks."""
    inputs = draft.resource.inputs
    if _is_subscription(draft, "instanceChargeType"):
        return
    if str(inputs.get("spotStrategy") or "NoSpot") != "NoSpot":
        draft.gaps.append("preemptible instances have no list price")
    name = draft.text("instanceType")
    if name is not None:
        alicloud.instance(draft.bill, "compute/instance", name)
    _add_disk(draft, "compute/root-disk", inputs, 1, prefix="systemDisk")
    for index, disk in enumerate(draft.each("dataDisks")):
        _add_disk(draft, f"compute/disk-{index}", disk, 1)
    alicloud.egress(draft.bill, "compute/egress", draft.use("egress_gb"))


def price_group(draft: Draft) -> None:
    """A scaling group: its nodes by its first configuration, at its least, desired and largest size."""
    nodes = count_nodes(draft, "minSize", "desiredCapacity", "maxSize")
    found = draft.graph.dependents(draft.resource, CONFIGURATION)
    if not found:
        draft.unknowns.append("its scaling configuration is not in the stack")
        return
    _add_nodes(draft, found[0].inputs, nodes)


def price_node_pool(draft: Draft) -> None:
    """A node pool: its own size and class."""
    scaling = draft.resource.inputs.get("scalingConfig")
    if scaling is not None:
        nodes = count_nodes(draft, "scalingConfig.minSize", "desiredSize", "scalingConfig.maxSize")
    else:
        size = draft.number("desiredSize")
        nodes = None if size is None else int(size)
    _add_nodes(draft, draft.resource.inputs, nodes)


def _add_nodes(draft: Draft, properties: Mapping[str, Any], nodes: int | None) -> None:
    types = draft.find("instanceTypes", properties)
    name = types[0] if isinstance(types, list) and types else draft.text("instanceType", properties)
    if nodes is None:
        return
    if isinstance(name, str):
        alicloud.instance(draft.bill, "compute/instance", name, nodes)
    _add_disk(draft, "compute/root-disk", properties, nodes, prefix="systemDisk")
    for index, disk in enumerate(properties.get("dataDisks") or ()):
        _add_disk(draft, f"compute/disk-{index}", disk, nodes)
    alicloud.egress(draft.bill, "compute/egress", draft.use("egress_gb"))


def price_disk(draft: Draft) -> None:
    """A disk of its own."""
    if not _is_subscription(draft, "paymentType"):
        _add_disk(draft, "compute/disk", draft.resource.inputs, 1)
    alicloud.snapshots(draft.bill, "backup/disk", draft.use("snapshot_gb"))


def _add_disk(draft: Draft, role: str, disk: Any, nodes: int, *, prefix: str = "") -> None:
    if not isinstance(disk, Mapping):
        draft.unknowns.append(role.partition("/")[2])
        return
    names = [
        f"{prefix}{key[0].upper()}{key[1:]}" if prefix else key for key in ("size", "category", "performanceLevel")
    ]
    kind = draft.find(names[1], disk)
    size = draft.find(names[0], disk) or find_default(INSTANCE, names[0])
    level = draft.find(names[2], disk) or find_default(INSTANCE, "systemDiskPerformanceLevel")
    gb = read_number(size)
    if gb is None:
        draft.unknowns.append(f"{names[0]} is not given")
    elif kind is None:
        draft.unknowns.append(f"{names[1]} is not given")
    elif kind != ESSD:
        draft.gaps.append(f"disks of category {kind} have no list price")
    else:
        alicloud.disk(draft.bill, role, gb, nodes, str(level))


def price_snapshots(draft: Draft) -> None:
    """Snapshots of disks."""
    alicloud.snapshots(draft.bill, "backup/snapshot", draft.use("snapshot_gb"))


def price_address(draft: Draft) -> None:
    """An elastic address: traffic by use; kept bandwidth is due always and has no price."""
    if draft.text("internetChargeType") == "PayByBandwidth":
        draft.gaps.append("kept bandwidth has no list price")
    alicloud.egress(draft.bill, "network/egress", draft.use("egress_gb"))


def price_nat(draft: Draft) -> None:
    """A NAT gateway."""
    if not _is_subscription(draft, "paymentType"):
        alicloud.nat(draft.bill, "network/nat", 1, draft.use("cu_hours"))


def price_balancer(draft: Draft) -> None:
    """An ALB instance."""
    edition = draft.text("loadBalancerEdition")
    if edition is not None and edition not in _EDITIONS:
        draft.gaps.append(f"the edition {edition} is not billed yet")
    elif edition is not None:
        alicloud.balancer(draft.bill, "balancer/balancer", draft.use("lcu_hours"), firewall=_EDITIONS[edition])
    alicloud.egress(draft.bill, "balancer/egress", draft.use("egress_gb"))


def price_network_balancer(draft: Draft) -> None:
    """An NLB instance."""
    alicloud.network_balancer(draft.bill, "balancer/balancer", draft.use("lcu_hours"))
    alicloud.egress(draft.bill, "balancer/egress", draft.use("egress_gb"))


def price_classic_balancer(draft: Draft) -> None:
    """A classic balancer."""
    alicloud.classic_balancer(draft.bill, "balancer/balancer")


def price_database(draft: Draft) -> None:
    """An RDS instance of PostgreSQL: serverless by its units, else by its class and storage."""
    engine = draft.text("engine")
    if engine is None or _is_subscription(draft, "instanceChargeType"):
        return
    if engine != "PostgreSQL":
        draft.gaps.append(f"databases of {engine} have no list price")
        return
    storage = draft.number("instanceStorage")
    category = str(draft.resource.inputs.get("category") or "")
    if category.startswith("serverless"):
        least, most = (
            read_number(look_up(draft.resource.inputs, f"serverlessConfigs.{key}Capacity")) for key in ("min", "max")
        )
        if least is None or most is None:
            draft.unknowns.append("serverlessConfigs is not given")
        elif storage is not None:
            # billed by the units of every hour, which lie between the limits; the middle is ours
            units = {"low": least, "expected": (least + most) / 2, "high": most}[draft.corner]
            alicloud.serverless_database(
                draft.bill, "database/instance", units, storage, multi_zone=category in _SERVERLESS_PAIRS
            )
    else:
        name = draft.text("instanceType")
        if name is not None and storage is not None:
            alicloud.database(draft.bill, "database/instance", name, storage)
    alicloud.database_backup(draft.bill, "backup/database", draft.use("backup_gb"))


def price_cache(draft: Draft) -> None:
    """A Redis or Tair instance by its class."""
    name = draft.text("instanceClass")
    if name is not None and not _is_subscription(draft, "paymentType"):
        alicloud.cache(draft.bill, "cache/node", name, 1)


def price_bucket(draft: Draft) -> None:
    """A bucket of OSS."""
    alicloud.bucket(
        draft.bill,
        "object_store/bucket",
        standard_gb=draft.use("standard_gb"),
        infrequent_gb=draft.use("infrequent_gb"),
        archive_gb=draft.use("archive_gb"),
        requests=draft.use("requests"),
        infrequent_requests=draft.use("infrequent_requests"),
    )


def price_log_store(draft: Draft) -> None:
    """A store of the log service."""
    alicloud.log_store(draft.bill, "logs/store", draft.use("ingested_gb"), draft.use("stored_gb"))


def price_alarm(draft: Draft) -> None:
    """An alarm: on a metric, on an event, or on what the log service finds in lines."""
    alicloud.alarms(draft.bill, "monitoring/alarm", 1)


def price_parameter(draft: Draft) -> None:
    """An encrypted parameter."""
    alicloud.secrets(draft.bill, "security/secret", 1)


def price_key(draft: Draft) -> None:
    """A key: the service's own are free, those in an instance are not."""
    if draft.resource.inputs.get("dkmsInstanceId") is not None:
        alicloud.instance_keys(draft.bill, "security/key", 1)
    else:
        draft.notes.append("keys outside an instance are free")


def price_secret(draft: Draft) -> None:
    """A secret of the key service, which lies in an instance."""
    alicloud.instance_secrets(draft.bill, "security/secret", 1)


def price_key_instance(draft: Draft) -> None:
    """An instance of the key service."""
    if not _is_subscription(draft, "paymentType"):
        hardware = draft.find("productVersion") in ("5", "hardware")
        alicloud.key_instance(draft.bill, "security/instance", "hardware" if hardware else "software")


def price_images(draft: Draft) -> None:
    """A repository of images."""
    alicloud.images(draft.bill, "registry/image", draft.use("storage_gb"))


def price_zone(draft: Draft) -> None:
    """A DNS zone."""
    alicloud.hosted_zone(draft.bill, "network/dns", draft.use("queries"))


def price_private_zone(draft: Draft) -> None:
    """A zone of names inside a network."""
    alicloud.private_zone(draft.bill, "network/dns")


def price_distribution(draft: Draft) -> None:
    """A domain of the CDN."""
    alicloud.distribution(draft.bill, "network/cdn", draft.use("egress_gb"))


def _is_subscription(draft: Draft, path: str) -> bool:
    paid_ahead = draft.find(path) in _SUBSCRIPTIONS
    if paid_ahead:
        draft.gaps.append("subscriptions have no list price")
    return paid_ahead
