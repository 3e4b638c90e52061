"""What AWS bills for machines: instances, groups of them, their disks, containers.

All machines are taken to run Linux: which system an image has is not known before it runs. Spot prices, dedicated
hardware and reservations are not in the catalogue.
"""

from collections.abc import Mapping
from typing import Any

from sizing.billing import aws, aws_monitoring
from sizing.graph.resources import UNKNOWN, Resource, is_unknown
from sizing.pricing.draft import Draft, find_default, look_up, read_number
from sizing.pricing.machines import count_nodes

INSTANCE = "aws:ec2/instance:Instance"
GROUP = "aws:autoscaling/group:Group"
TEMPLATES = ("aws:ec2/launchTemplate:LaunchTemplate", "aws:ec2/launchConfiguration:LaunchConfiguration")
TASK = "aws:ecs/taskDefinition:TaskDefinition"
SCALABLE = "aws:appautoscaling/target:Target"
ADDRESS = "aws:ec2/eip:Eip"
SUBNETS = ("aws:ec2/subnet:Subnet", "aws:ec2/defaultSubnet:DefaultSubnet")

DETAILED_METRICS = 7
"""Metrics that EC2's detailed monitoring publishes of an instance (Infracost's instance example)."""
PRICED_DISKS = ("gp2", "gp3", "st1", "sc1", "standard")
"""Types that are billed by GB alone, gp3 also by what lies above its free IOPS and throughput (EBS price page)."""
CPU_UNITS, MB_PER_GB = 1024.0, 1024.0
"""A task's `cpu` of 1024 is one vCPU, its `memory` is in MB (ECS task definition parameters)."""
NODE_TYPE = "t3.medium"
"""Of a node group that names none (pulumi-aws 7.51.1 SDK, eks.NodeGroup instance_types)."""
NODE_DISK_GB = 20.0


def price_instance(draft: Draft) -> None:
    """An instance: its class, detailed monitoring, its disks, and a public address, by its own word or its subnet's."""
    template = _find_template(draft, "launchTemplate")
    properties = _merge(template.inputs if template else {}, draft.resource.inputs)
    name = draft.text("instanceType", properties)
    _refuse_others(draft, properties)
    if name is not None:
        aws.instance(draft.bill, "compute/instance", name)
    _watch(draft, properties, 1)
    root = look_up(properties, "rootBlockDevice") or {}
    if template is not None and not root and properties.get("blockDeviceMappings"):
        _add_mapped_disks(draft, properties, 1)
    else:
        _add_disk(draft, "compute/root-disk", _default_root(root), 1)
    for disk in draft.each("ebsBlockDevices"):
        _add_disk(draft, "compute/disk", disk, 1)
    if not draft.graph.dependents(draft.resource, ADDRESS):
        _add_addresses(draft, properties, "subnetId", 1)
    aws.cpu_credits(draft.bill, "compute/instance", draft.use("cpu_credit_hours"))
    aws.egress(draft.bill, "compute/egress", draft.use("egress_gb"))


def price_group(draft: Draft) -> None:
    """A group: its nodes by its launch template or configuration, at its least, desired and largest size."""
    nodes = count_nodes(draft, "minSize", "desiredCapacity", "maxSize")
    template = next(
        (
            found
            for path in ("launchTemplate", "launchConfiguration", "mixedInstancesPolicy")
            if draft.resource.inputs.get(path) is not None and (found := _find_template(draft, path)) is not None
        ),
        None,
    )
    if template is None:
        draft.unknowns.append("its launch template is not in the stack")
        return
    if draft.resource.inputs.get("mixedInstancesPolicy") is not None:
        spot = look_up(
            draft.resource.inputs, "mixedInstancesPolicy.instancesDistribution.onDemandPercentageAboveBaseCapacity"
        )
        if spot is not None and read_number(spot) != 100:
            draft.gaps.append("spot instances have no list price")
    if nodes is not None:
        _add_nodes(draft, template.inputs, nodes)
        _add_addresses(draft, template.inputs, "vpcZoneIdentifiers", nodes)
    aws.cpu_credits(draft.bill, "compute/instance", draft.use("cpu_credit_hours"))
    aws.egress(draft.bill, "compute/egress", draft.use("egress_gb"))


def price_node_group(draft: Draft) -> None:
    """An EKS node group: as a group, with a class and a disk of its own where no template has them."""
    nodes = count_nodes(draft, "scalingConfig.minSize", "scalingConfig.desiredSize", "scalingConfig.maxSize")
    if draft.find("capacityType") == "SPOT":
        draft.gaps.append("spot instances have no list price")
    template = _find_template(draft, "launchTemplate") if draft.resource.inputs.get("launchTemplate") else None
    named = draft.find("instanceTypes")
    name = (named[0] if named else None) if isinstance(named, list) else None
    properties = _merge(template.inputs if template else {}, {"instanceType": name} if name else {})
    if not properties.get("instanceType"):
        properties = {**properties, "instanceType": NODE_TYPE}
    if nodes is None:
        return
    if template is not None:
        _add_nodes(draft, properties, nodes)
    else:
        size = read_number(draft.find("diskSize")) or NODE_DISK_GB
        kind = draft.text("instanceType", properties)
        if kind is not None:
            aws.instance(draft.bill, "compute/instance", kind, nodes)
        aws.volume(draft.bill, "compute/root-disk", size, nodes, kind="gp2")
    _add_addresses(draft, properties, "subnetIds", nodes)
    aws.egress(draft.bill, "compute/egress", draft.use("egress_gb"))


def price_cluster(draft: Draft) -> None:
    """An EKS cluster's control plane."""
    aws.kubernetes_cluster(draft.bill, "compute/control-plane")


def price_container_cluster(draft: Draft) -> None:
    """An ECS cluster: the metrics of its insights, with one service; each further service adds to them."""
    settings = {str(each.get("name")): each.get("value") for each in draft.each("settings")}
    if settings.get("containerInsights") in ("enabled", "enhanced"):
        aws_monitoring.alarms(draft.bill, "monitoring/insights", 0, metrics=aws_monitoring.INSIGHTS_METRICS)
    else:
        draft.notes.append("on instances ECS is free, on Fargate its tasks are billed with their services")


def price_volume(draft: Draft) -> None:
    """A volume of its own."""
    _add_disk(draft, "compute/disk", draft.resource.inputs, 1, size="size", kind="type")
    aws.snapshots(draft.bill, "backup/disk", draft.use("snapshot_gb"))


def price_service(draft: Draft) -> None:
    """An ECS service: on Fargate its tasks, between the limits of its scaling; on instances nothing of its own."""
    aws.egress(draft.bill, "compute/egress", draft.use("egress_gb"))
    strategies = [str(each.get("capacityProvider")) for each in draft.each("capacityProviderStrategies")]
    if "FARGATE_SPOT" in strategies:
        draft.gaps.append("spot tasks have no list price")
        return
    launch = draft.text("launchType")
    if "FARGATE" not in (launch, *strategies):
        if launch is not None:
            draft.notes.append("its instances are billed with their group")
        return
    tasks = _count_tasks(draft)
    definition = _find(draft, "taskDefinition", (TASK,))
    if definition is None:
        draft.unknowns.append("its task definition is not in the stack")
        return
    cpu, memory = (draft.number(path, definition.inputs) for path in ("cpu", "memory"))
    if look_up(definition.inputs, "runtimePlatform.cpuArchitecture") == "ARM64":
        draft.gaps.append("tasks on ARM are not billed yet")
    elif tasks is not None and cpu is not None and memory is not None:
        aws.fargate(draft.bill, "compute/task", tasks, cpu / CPU_UNITS, memory / MB_PER_GB)
    if tasks is not None and draft.is_set("networkConfiguration.assignPublicIp"):
        aws.addresses(draft.bill, "compute/address", tasks)


def _count_tasks(draft: Draft) -> int | None:
    for target in draft.graph.of(SCALABLE):
        if draft.resource in draft.graph.referred(target, "resourceId") or draft.resource.name in str(
            target.inputs.get("resourceId")
        ):
            path = {"low": "minCapacity", "high": "maxCapacity"}.get(draft.corner)
            if path is not None:
                number = draft.number(path, target.inputs)
                return None if number is None else int(number)
    number = draft.number("desiredCount")
    return None if number is None else int(number)


def _add_nodes(draft: Draft, properties: Mapping[str, Any], nodes: int) -> None:
    name = draft.text("instanceType", properties)
    _refuse_others(draft, properties)
    if name is not None:
        aws.instance(draft.bill, "compute/instance", name, nodes)
    _watch(draft, properties, nodes)
    if properties.get("blockDeviceMappings"):
        _add_mapped_disks(draft, properties, nodes)
    else:
        _add_disk(draft, "compute/root-disk", _default_root(look_up(properties, "rootBlockDevice") or {}), nodes)
    for disk in properties.get("ebsBlockDevices") or ():
        _add_disk(draft, "compute/disk", disk, nodes)


def _add_mapped_disks(draft: Draft, properties: Mapping[str, Any], nodes: int) -> None:
    for index, mapping in enumerate(properties["blockDeviceMappings"]):
        disk = mapping.get("ebs") if isinstance(mapping, Mapping) else mapping
        if disk is not None:
            role = "compute/root-disk" if index == 0 else f"compute/disk-{index}"
            _add_disk(draft, role, _default_root(disk) if index == 0 else disk, nodes)


def _default_root(disk: Any) -> Any:
    if not isinstance(disk, Mapping):
        return disk
    size, kind = (find_default(INSTANCE, f"rootBlockDevice.{key}") for key in ("volumeSize", "volumeType"))
    given = {key: value for key, value in disk.items() if value is not None}
    return {"volumeSize": size, "volumeType": kind} | given


def _add_disk(
    draft: Draft, role: str, disk: Any, nodes: int, *, size: str = "volumeSize", kind: str = "volumeType"
) -> None:
    if not isinstance(disk, Mapping):
        draft.unknowns.append(role.partition("/")[2])
        return
    gb, name = draft.number(size, disk), draft.find(kind, disk) or find_default("aws:ebs/volume:Volume", "type")
    if gb is None:
        return
    iops, throughput = (read_number(draft.find(key, disk)) or 0.0 for key in ("iops", "throughput"))
    if name not in PRICED_DISKS:
        draft.gaps.append(f"{name} volumes are billed by their IOPS too, which the catalogue has no price of")
    aws.volume(draft.bill, role, gb, nodes, kind=str(name), iops=int(iops), throughput_mbps=int(throughput))


def _watch(draft: Draft, properties: Mapping[str, Any], nodes: int) -> None:
    asked = properties.get("monitoring")
    detailed = look_up(properties, "monitoring.enabled") if isinstance(asked, Mapping) else asked
    if detailed is True:
        aws_monitoring.alarms(draft.bill, "monitoring/instance", 0, metrics=DETAILED_METRICS * nodes)


def _refuse_others(draft: Draft, properties: Mapping[str, Any]) -> None:
    tenancy = properties.get("tenancy") or look_up(properties, "placement.tenancy")
    if tenancy in ("dedicated", "host"):
        draft.gaps.append(f"{tenancy} tenancy has no list price")
    if look_up(properties, "instanceMarketOptions.marketType") == "spot" or properties.get("spotPrice"):
        draft.gaps.append("spot instances have no list price")


def _merge(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    return {**under, **{key: value for key, value in over.items() if value is not None}}


def _add_addresses(draft: Draft, properties: Mapping[str, Any], subnets: str, nodes: int) -> None:
    """The public addresses of machines: by their own word, else by their subnets'; another stack's have none."""
    asked = properties.get("associatePublicIpAddress")
    if asked is None:
        asked = look_up(properties, "networkInterfaces.associatePublicIpAddress")
    if asked is None:
        words = [each.inputs.get("mapPublicIpOnLaunch") for each in _find_all(draft, subnets, SUBNETS)]
        asked = UNKNOWN if any(is_unknown(each) for each in words) else any(each is True for each in words)
        if asked is True and any(each is not True for each in words):
            draft.unknowns.append("which machines are in a public subnet is not given")
            return
    if is_unknown(asked):
        draft.unknowns.append("associatePublicIpAddress")
    elif str(asked).lower() == "true":
        aws.addresses(draft.bill, "compute/address", nodes)


def _find_template(draft: Draft, prop: str) -> Resource | None:
    return _find(draft, prop, TEMPLATES)


def _find(draft: Draft, prop: str, types: tuple[str, ...]) -> Resource | None:
    found = _find_all(draft, prop, types)
    return found[0] if found else None


def _find_all(draft: Draft, prop: str, types: tuple[str, ...]) -> tuple[Resource, ...]:
    """The resources that a property names: by the engine's record of dependencies, else by id, ARN or name."""
    referred = draft.graph.referred(draft.resource, prop, *types)
    named = draft.resource.inputs.get(prop)
    if referred or named is None or is_unknown(named):
        return referred
    words = _words(named)
    return tuple(
        each
        for each in draft.graph.of(*types)
        if any(
            isinstance(one, str) and one and one in words
            for one in (each.id, *(each.outputs.get(key) for key in ("id", "arn", "name")), each.inputs.get("name"))
        )
    )


def _words(value: Any) -> set[str]:
    if isinstance(value, Mapping):
        return {word for each in value.values() for word in _words(each)}
    if isinstance(value, list):
        return {word for each in value for word in _words(each)}
    return {value} if isinstance(value, str) else set()
