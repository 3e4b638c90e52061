"""What an environment may be made of: regions, kinds, machines, and how much of each."""

import re
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from functools import cache

from policies import kinds
from policies.links import belongs, satellites
from policies.properties import as_number, read, read_one, show
from policies.rule import Finding, Rule, breach, undecided
from policies.settings import PolicySettings
from policies.tables import read_table
from sizing.graph.resources import UNKNOWN, Resource, ResourceGraph, is_unknown
from sizing.instances import instances

_FAMILY = "placement"
_CLOUDS = ("aws", "alicloud")


def _check_regions(graph: ResourceGraph, settings: PolicySettings) -> Iterable[Finding]:
    rows = read_table("regions.csv")
    allowed = set(settings.regions) or {
        f"{row['cloud']}/{row['region']}" for row in rows if row["environment"] == settings.environment
    }
    central = {(row["kind"], row["region"]) for row in read_table("central_regions.csv")}
    seen: set[str] = set()
    for resource in graph.custom:
        if resource.package not in _CLOUDS or (resource.type, resource.region) in central:
            continue
        place = f"{resource.package}/{resource.region}"
        if place in seen or place in allowed:
            continue
        seen.add(place)
        if resource.region:
            yield breach(resource, place=place, allowed=", ".join(sorted(allowed)) or "none")
        else:
            yield undecided(resource, "region (and of others of its cloud)")


REGIONS = Rule(
    id="allowed-regions",
    family=_FAMILY,
    title="Resources lie in regions that the environment may use",
    severity="high",
    message="{where}: it lies in {place}; this environment may use {allowed}",
    remedy="Use an allowed region, or add it to the settings' regions with the reason.",
    stack_check=_check_regions,
)


def _check_kinds(resource: Resource, settings: PolicySettings) -> Iterable[Finding]:
    for row in read_table("forbidden_kinds.csv"):
        if row["environment"] in ("*", settings.environment) and fnmatchcase(resource.type, row["kind"]):
            yield breach(resource, kind=resource.type, reason=row["reason"])
            return


KINDS = Rule(
    id="allowed-kinds",
    family=_FAMILY,
    title="Stacks are made of kinds that the environment may use",
    severity="medium",
    message="{where}: {kind} is not for this environment: {reason}",
    remedy="Use what the tier's plan names instead.",
    check=_check_kinds,
)
_MACHINES = {
    kinds.AWS_INSTANCE: "instanceType",
    kinds.AWS_LAUNCH_TEMPLATE: "instanceType",
    kinds.AWS_DATABASE: "instanceClass",
    kinds.AWS_CACHE: "nodeType",
    kinds.ALI_INSTANCE: "instanceType",
    kinds.ALI_LAUNCH_TEMPLATE: "instanceType",
    kinds.ALI_SCALING: "instanceType",
}


def _check_machines(resource: Resource, settings: PolicySettings) -> Iterable[Finding]:
    path = _MACHINES[resource.type]
    value = read_one(resource, path)
    if is_unknown(value):
        yield undecided(resource, path)
        return
    for row in read_table("forbidden_machines.csv"):
        here = row["environment"] in ("*", settings.environment) and row["cloud"] == resource.package
        if here and re.fullmatch(row["pattern"], str(value)):
            yield breach(resource, machine=show(value), reason=row["reason"])
            return


MACHINES = Rule(
    id="allowed-machines",
    family=_FAMILY,
    title="Machines are of classes that the environment may use",
    severity="medium",
    message="{where}: {machine} is not for this environment: {reason}",
    remedy="Use the class that the tier's plan names.",
    kinds=frozenset(_MACHINES),
    check=_check_machines,
)


@cache
def _vcpus() -> dict[str, int]:
    return {
        each.name: each.vcpu
        for cloud, service in (("aws", "ec2"), ("alicloud", "ecs"))
        for each in instances(cloud, service)
    }


def _count_machines(graph: ResourceGraph) -> Iterator[tuple[Resource, object, object]]:
    """Each machine or group of machines: the resource, how many at most, and the class of one."""
    for each in graph.of(kinds.AWS_INSTANCE, kinds.ALI_INSTANCE):
        yield each, 1, read_one(each, "instanceType")
    for group in graph.of(kinds.AWS_AUTOSCALING_GROUP):
        templates = [
            template
            for template in graph.of(kinds.AWS_LAUNCH_TEMPLATE)
            if belongs(graph, group, "launchTemplate.id", template)
        ]
        machine = read_one(templates[0], "instanceType") if len(templates) == 1 else UNKNOWN
        yield group, read_one(group, "maxSize"), machine
    for group in graph.of(kinds.ALI_SCALING_GROUP):
        found, _ = satellites(graph, kinds.ALI_SCALING, "scalingGroupId", group)
        for template in graph.of(kinds.ALI_LAUNCH_TEMPLATE):
            if belongs(graph, group, "launchTemplateId", template):
                found.append(template)
        machine = read_one(found[0], "instanceType") if len(found) == 1 else UNKNOWN
        yield group, read_one(group, "maxSize"), machine


def _check_instances(graph: ResourceGraph, settings: PolicySettings) -> Iterable[Finding]:
    limits = {name: settings.threshold(name) for name in ("instances", "vcpus", "storage_gb")}
    count = vcpus = 0.0
    for resource, number, machine in _count_machines(graph):
        if is_unknown(number):
            yield undecided(resource, "maxSize")
            continue
        count += as_number(number)
        if is_unknown(machine) or str(machine) not in _vcpus():
            yield undecided(resource, "the number of vCPU of its class")
        else:
            vcpus += as_number(number) * _vcpus()[str(machine)]
    storage = 0.0
    for resource, path, factor in _storage(graph):
        for place, size in read(resource.inputs, path):
            if is_unknown(size) or is_unknown(factor):
                yield undecided(resource, place)
            else:
                storage += as_number(size) * as_number(factor)
    for name, found, unit in (("instances", count, ""), ("vcpus", vcpus, ""), ("storage_gb", storage, " GB")):
        if found > limits[name]:
            what = {"instances": "machines", "vcpus": "vCPU", "storage_gb": "storage"}[name]
            yield Finding(
                urn="", fields={"what": what, "found": f"{found:g}{unit}", "limit": f"{limits[name]:g}{unit}"}
            )


def _storage(graph: ResourceGraph) -> Iterator[tuple[Resource, str, object]]:
    for kind, path in (
        (kinds.AWS_DISK, "size"),
        (kinds.AWS_DATABASE, "allocatedStorage"),
        (kinds.ALI_DISK, "size"),
        (kinds.ALI_DATABASE, "instanceStorage"),
        (kinds.ALI_INSTANCE, "dataDisks[].size"),
    ):
        yield from ((each, path, 1) for each in graph.of(kind))
    for domain in graph.of(kinds.AWS_SEARCH_DOMAIN):
        yield domain, "ebsOptions.volumeSize", read_one(domain, "clusterConfig.instanceCount")


QUOTAS = Rule(
    id="quotas",
    family=_FAMILY,
    title="An environment stays within its number of machines, vCPU and storage",
    severity="medium",
    message="{where}: {what} may reach {found}, and the environment's quota is {limit}",
    remedy="Plan a smaller workload, or raise the threshold in the settings with the reason.",
    kinds=frozenset(
        {kinds.AWS_INSTANCE, kinds.AWS_AUTOSCALING_GROUP, kinds.AWS_DISK, kinds.AWS_DATABASE, kinds.AWS_SEARCH_DOMAIN}
        | {kinds.ALI_INSTANCE, kinds.ALI_SCALING_GROUP, kinds.ALI_DISK, kinds.ALI_DATABASE}
    ),
    stack_check=_check_instances,
)
RULES = (REGIONS, KINDS, MACHINES, QUOTAS)
