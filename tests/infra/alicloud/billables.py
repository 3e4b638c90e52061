"""What Alibaba Cloud would bill for the resources that a stack registers, in the units of the catalogue's SKUs."""

from collections.abc import Callable, Mapping
from typing import Any

from sizing.measures import DAYS_PER_MONTH, HOURS_PER_MONTH
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
    "alicloud:actiontrail/trail:Trail": "one trail is free; what it delivers is billed by its bucket",
    "alicloud:cms/alarmContact:AlarmContact": "part of the alarm",
    "alicloud:cms/alarmContactGroup:AlarmContactGroup": "part of the alarm",
    "alicloud:dns/alidnsRecord:AlidnsRecord": "a record in a zone that is there already",
    "alicloud:ecs/autoSnapshotPolicy:AutoSnapshotPolicy": "its snapshots are billed by use",
    "alicloud:ecs/command:Command": "Cloud Assistant is free (ECS, billing overview)",
    "alicloud:ecs/ecsAutoSnapshotPolicyAttachment:EcsAutoSnapshotPolicyAttachment": "as the policy",
    "alicloud:ecs/ecsDiskAttachment:EcsDiskAttachment": "free",
    "alicloud:ecs/eipAddress:EipAddress": "bound to a machine and paid by traffic, so billed by use",
    "alicloud:ecs/eipAssociation:EipAssociation": "free",
    "alicloud:ecs/ecsInvocation:EcsInvocation": "as the command",
    "alicloud:ecs/ramRoleAttachment:RamRoleAttachment": "free",
    "alicloud:kms/alias:Alias": "part of the key",
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


def _disk(resource: Recorded, _: Recording) -> dict[Sku, float]:
    return {("essd", _level(resource.props.get("performanceLevel"))): float(resource.props["size"])}


def _key(resource: Recorded, _: Recording) -> dict[Sku, float]:
    """A key in an instance is paid by the day; the service's own are made by nobody and free."""
    return {("kms", "key"): DAYS_PER_MONTH}


def _one(service: str, sku: str, quantity: float = 1) -> Callable[[Recorded, Recording], dict[Sku, float]]:
    return lambda *_: {(service, sku): quantity}


COUNTS: Mapping[str, Callable[[Recorded, Recording], Mapping[Any, float]]] = {
    "alicloud:cms/alarm:Alarm": _one("cloudmonitor", "alarm"),
    "alicloud:cms/eventRule:EventRule": _one("cloudmonitor", "alarm"),
    "alicloud:log/alert:Alert": _one("cloudmonitor", "alarm"),
    "alicloud:ecs/ecsDisk:EcsDisk": _disk,
    "alicloud:ecs/instance:Instance": _instance,
    "alicloud:kms/key:Key": _key,
    "alicloud:oos/secretParameter:SecretParameter": _one("oos", "secret-parameter"),
    "alicloud:vpc/natGateway:NatGateway": _one("nat", "gateway", HOURS_PER_MONTH),
}
