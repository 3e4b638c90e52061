"""What Alibaba Cloud would bill for the resources that a stack registers, in the units of the catalogue's SKUs."""

from collections.abc import Callable, Mapping
from typing import Any

from sizing.measures import HOURS_PER_MONTH
from tests.infra.recorder import Recorded, Recording

Sku = tuple[str, str]

FREE_PREFIXES = (
    "alicloud:ecs/securityGroup",
    "alicloud:oss/bucketA",
    "alicloud:oss/bucketObject:",
    "alicloud:oss/bucketP",
    "alicloud:oss/bucketS",
    "alicloud:oss/bucketV",
    "alicloud:oss/bucketW",
    "alicloud:ram/",
    "alicloud:vpc/network:",
    "alicloud:vpc/routeTable",
    "alicloud:vpc/switch:",
)
"""Free of charge, or a part of what is billed by use."""
FREE = {
    "alicloud:alb/listener:Listener": "part of the balancer",
    "alicloud:alb/loadBalancerSecurityGroupAttachment:LoadBalancerSecurityGroupAttachment": "free",
    "alicloud:alb/rule:Rule": "part of the balancer",
    "alicloud:alb/serverGroup:ServerGroup": "part of the balancer",
    "alicloud:cdn/domainConfig:DomainConfig": "a setting of the domain",
    "alicloud:cdn/domainNew:DomainNew": "billed by use",
    "alicloud:actiontrail/trail:Trail": "one trail is free; what it delivers is billed by its bucket",
    "alicloud:cms/alarmContact:AlarmContact": "part of the alarm",
    "alicloud:cms/alarmContactGroup:AlarmContactGroup": "part of the alarm",
    "alicloud:cms/dynamicTagGroup:DynamicTagGroup": "part of the alarms of its templates",
    "alicloud:cr/namespace:Namespace": "the personal edition is free",
    "alicloud:cr/repo:Repo": "billed by use",
    "alicloud:dns/alidnsRecord:AlidnsRecord": "a record in a zone that is there already",
    "alicloud:ecs/autoSnapshotPolicy:AutoSnapshotPolicy": "its snapshots are billed by use",
    "alicloud:ecs/command:Command": "Cloud Assistant is free (ECS, billing overview)",
    "alicloud:ecs/ecsAutoSnapshotPolicyAttachment:EcsAutoSnapshotPolicyAttachment": "as the policy",
    "alicloud:ecs/ecsDiskAttachment:EcsDiskAttachment": "free",
    "alicloud:ecs/eipAddress:EipAddress": "bound to a machine and paid by traffic, so billed by use",
    "alicloud:ecs/eipAssociation:EipAssociation": "free",
    "alicloud:ecs/ecsInvocation:EcsInvocation": "as the command",
    "alicloud:ecs/ramRoleAttachment:RamRoleAttachment": "free",
    "alicloud:ess/lifecycleHook:LifecycleHook": "Auto Scaling is free",
    "alicloud:ess/scalingConfiguration:ScalingConfiguration": "its machines are billed with the group",
    "alicloud:ess/scalingRule:ScalingRule": "Auto Scaling is free",
    "alicloud:vpc/flowLog:FlowLog": "billed by use, as the lines of its store",
    "alicloud:kms/alias:Alias": "part of the key",
    "alicloud:kvstore/backupPolicy:BackupPolicy": "part of the cache; backups of Tair are free",
    "alicloud:log/alertResource:AlertResource": "sets up the account's alerts",
    "alicloud:log/logTailAttachment:LogTailAttachment": "part of the store",
    "alicloud:log/logTailConfig:LogTailConfig": "part of the store",
    "alicloud:log/machineGroup:MachineGroup": "part of the store",
    "alicloud:log/project:Project": "billed by its stores",
    "alicloud:log/store:Store": "billed by use",
    "alicloud:log/storeIndex:StoreIndex": "billed by use",
    "alicloud:log/resourceRecord:ResourceRecord": "who is told of alerts",
    "alicloud:oos/execution:Execution": "asks and waits; nothing is published about a price",
    "alicloud:oos/template:Template": "as the execution",
    "alicloud:oss/bucket:Bucket": "billed by use",
    "alicloud:oss/bucketHttpsConfig:BucketHttpsConfig": "part of the bucket",
    "alicloud:oss/bucketLogging:BucketLogging": "part of the bucket",
    "alicloud:pvtz/zoneAttachment:ZoneAttachment": "part of the zone",
    "alicloud:pvtz/zoneRecord:ZoneRecord": "part of the zone",
    "alicloud:rds/backupPolicy:BackupPolicy": "its backups are billed by use",
    "alicloud:rds/database:Database": "part of the instance",
    "alicloud:rds/rdsAccount:RdsAccount": "part of the instance",
    "alicloud:vpc/routeEntry:RouteEntry": "part of the route table",
    "alicloud:vpc/snatEntry:SnatEntry": "part of the gateway",
}
"""Types that cost nothing by being there, with the reason."""


def _level(value: object) -> str:
    return str(value or "PL1")


def _instance(resource: Recorded, _: Recording) -> dict[Sku, float]:
    props = resource.props
    return {
        ("ecs", str(props["instanceType"])): HOURS_PER_MONTH,
        ("essd", _level(props.get("systemDiskPerformanceLevel"))): float(props["systemDiskSize"]),
    }


def _nodes(resource: Recorded, recording: Recording) -> dict[Sku, float]:
    """The machines that a group starts with; none for a version that is not tried."""
    nodes = float(resource.props["minSize"])
    made = recording.of("alicloud:ess/scalingConfiguration:ScalingConfiguration")
    [configuration] = [each.props for each in made if each.parent == resource.parent]
    if not nodes:
        return {}
    return {
        ("ecs", str(configuration["instanceType"])): nodes * HOURS_PER_MONTH,
        ("essd", _level(configuration.get("systemDiskPerformanceLevel"))): nodes * configuration["systemDiskSize"],
    }


def _disk(resource: Recorded, _: Recording) -> dict[Sku, float]:
    return {("essd", _level(resource.props.get("performanceLevel"))): float(resource.props["size"])}


def _key(resource: Recorded, _: Recording) -> dict[Sku, float]:
    """Keys are made in an instance of the account's alone, and paid beside the bill, as the plan's warnings say; the
    services' own are made by nobody and free."""
    assert resource.props["dkmsInstanceId"]
    return {}


def _database(resource: Recorded, _: Recording) -> dict[Sku, float]:
    """A serverless one is billed twice where it has a standby, by its least units here; a class includes it."""
    props = resource.props
    gb = float(props["instanceStorage"])
    if props["instanceChargeType"] != "Serverless":
        return {("rds-postgres", str(props["instanceType"])): HOURS_PER_MONTH, ("rds-postgres", "storage"): gb}
    hours = HOURS_PER_MONTH * (1 if props["category"] == "serverless_basic" else 2)
    (units,) = props["serverlessConfigs"]
    return {
        ("rds-postgres-serverless", "rcu"): float(units["minCapacity"]) * hours,
        ("rds-postgres-serverless", "storage"): gb * hours,
    }


def _cache(resource: Recorded, _: Recording) -> dict[Sku, float]:
    """A class is a primary and its replica."""
    return {("tair", str(resource.props["instanceClass"])): HOURS_PER_MONTH}


def _balancer(resource: Recorded, _: Recording) -> dict[Sku, float]:
    firewall = resource.props["loadBalancerEdition"] == "StandardWithWaf"
    return {("alb", "balancer:waf" if firewall else "balancer:standard"): HOURS_PER_MONTH}


def _one(service: str, sku: str, quantity: float = 1) -> Callable[[Recorded, Recording], dict[Sku, float]]:
    return lambda *_: {(service, sku): quantity}


COUNTS: Mapping[str, Callable[[Recorded, Recording], Mapping[Any, float]]] = {
    "alicloud:alb/loadBalancer:LoadBalancer": _balancer,
    "alicloud:cms/alarm:Alarm": _one("cloudmonitor", "alarm"),
    "alicloud:cms/eventRule:EventRule": _one("cloudmonitor", "alarm"),
    "alicloud:cms/metricRuleTemplate:MetricRuleTemplate": _one("cloudmonitor", "alarm"),
    "alicloud:log/alert:Alert": _one("cloudmonitor", "alarm"),
    "alicloud:dns/alidnsDomain:AlidnsDomain": _one("dns", "zone"),
    "alicloud:ecs/ecsDisk:EcsDisk": _disk,
    "alicloud:ecs/instance:Instance": _instance,
    "alicloud:ess/scalingGroup:ScalingGroup": _nodes,
    "alicloud:kms/key:Key": _key,
    "alicloud:oos/secretParameter:SecretParameter": _one("oos", "secret-parameter"),
    "alicloud:pvtz/zone:Zone": _one("dns", "private-zone"),
    "alicloud:rds/instance:Instance": _database,
    "alicloud:redis/tairInstance:TairInstance": _cache,
    "alicloud:vpc/natGateway:NatGateway": _one("nat", "gateway", HOURS_PER_MONTH),
}
