"""What must stay in China, or in the European Union."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from policies import kinds
from policies.containers import read_environment, read_script
from policies.links import satellites
from policies.places import PRIVATE, hosts_in, is_model_host, locate_host, locate_region, regions_in
from policies.properties import read, read_one, show
from policies.rule import Finding, Rule, breach, undecided
from policies.settings import PolicySettings
from sizing.graph.resources import Resource, ResourceGraph, is_unknown

_FAMILY = "residency"
_TARGETS: Final[Mapping[str, tuple[str, ...]]] = {
    kinds.AWS_SECRET: ("replicas[].region",),
    kinds.AWS_REGISTRY_REPLICATION: ("replicationConfiguration.rules[].destinations[].region",),
    kinds.ALI_BUCKET_REPLICATION: ("destination.location",),
    kinds.ALI_DATABASE_CROSS_BACKUP: ("crossBackupRegion",),
    kinds.ALI_SNAPSHOTS: ("targetCopyRegions[]",),
    kinds.ALI_TRAIL: ("trailRegion",),
}
"""Properties that name the region that something is copied to."""
_HARMLESS: Final = frozenset({"acm", "wafv2", "waf", "iam", "cloudfront", "route53"})
"""Services whose resources hold no memories: a certificate of a CDN lies in us-east-1 always."""
_GRANTS: Final = frozenset({"policy", "accessPolicies", "assumeRolePolicy", "policyDocument", "document"})
"""Properties whose addresses say who may come, and send nothing."""
_CALLED: Final = re.compile(r"(LLM|EMBED|RERANK|MODEL|CHAT|OPENAI|DASHSCOPE).*(BASE|URL|ENDPOINT|HOST)", re.IGNORECASE)


def _cloud(resource: Resource) -> str:
    return "aws" if resource.package == "aws" else "alicloud"


def _check_places(graph: ResourceGraph, settings: PolicySettings) -> Iterable[Finding]:
    home = settings.home
    if not home:
        return
    for resource in graph.custom:
        if resource.package not in ("aws", "alicloud") or resource.type.split(":")[1].partition("/")[0] in _HARMLESS:
            continue
        if resource.region:
            yield from _stays(resource, "it", resource.region, home)
        yield from _check_targets(resource, home)
        if resource.type == kinds.AWS_BUCKET_REPLICATION:
            yield from _check_replica(graph, resource)
        if resource.type == kinds.ALI_CDN and home == "cn":
            yield from _check_scope(resource, home)


def _stays(resource: Resource, what: str, region: str, home: str) -> Iterator[Finding]:
    there = locate_region(_cloud(resource), region)
    if there != home:
        yield breach(resource, reason=f"{what} lies in {region} ({there or 'of no known jurisdiction'})", home=home)


def _check_targets(resource: Resource, home: str) -> Iterator[Finding]:
    for path in _TARGETS.get(resource.type, ()):
        for place, value in read(resource.inputs, path):
            if is_unknown(value):
                yield undecided(resource, place)
            elif value:
                yield from _stays(resource, place, str(value).removeprefix("oss-"), home)
    for place, text in _texts({name: each for name, each in resource.inputs.items() if name not in _GRANTS}, ""):
        for service, region in regions_in(text):
            if service not in _HARMLESS and locate_region(_cloud(resource), region) != home:
                yield breach(resource, reason=f"{place} leads to {region}", home=home)
                break


def _check_scope(edge: Resource, home: str) -> Iterator[Finding]:
    """A CDN keeps what it answered where it answers; `domestic`, its default, is the mainland alone."""
    scope = read_one(edge, "scope")
    if is_unknown(scope):
        yield undecided(edge, "scope")
    elif scope not in (None, "", "domestic"):
        yield breach(edge, reason=f"its scope is {show(scope)}, which answers outside China", home=home)


def _check_replica(graph: ResourceGraph, replication: Resource) -> Iterator[Finding]:
    """A bucket's ARN names no region: only a bucket of this stack is known to lie where the stack does."""
    targets = list(read(replication.inputs, "rules[].destination.bucket"))
    for bucket in graph.of(kinds.AWS_BUCKET):
        found, _ = satellites(graph, kinds.AWS_BUCKET_REPLICATION, "rules[].destination.bucket", bucket)
        if replication in found:
            return
    if any(is_unknown(value) for _, value in targets):
        yield undecided(replication, "rules[].destination.bucket")
    else:
        yield breach(replication, reason="it copies to a bucket that is not in this stack", home="its jurisdiction")


def _texts(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for name, each in value.items():
            yield from _texts(each, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list | tuple):
        for index, each in enumerate(value):
            yield from _texts(each, f"{path}[{index}]")
    elif isinstance(value, str):
        yield path, value


STAYS_HOME = Rule(
    id="data-stays-home",
    family=_FAMILY,
    title="Resources, copies and logs stay in the jurisdiction of their data",
    severity="critical",
    message="{where}: {reason}, and data must not leave {home}",
    remedy="Use a region of the jurisdiction, and copy and log to such regions only.",
    stack_check=_check_places,
)


def _check_models(resource: Resource, settings: PolicySettings) -> Iterable[Finding]:
    found = dict.fromkeys(_call(resource)) if settings.home else {}
    for place, host in found:
        if not host:
            yield undecided(resource, place)
        elif (there := locate_host(host)) not in (settings.home, PRIVATE):
            home = settings.home
            yield breach(resource, place=place, host=host, there=there or "an unknown jurisdiction", home=home)


def _call(resource: Resource) -> Iterator[tuple[str, str]]:
    """Where a resource calls models: the place that says it and the host, empty where that is not known."""
    for name, value in read_environment(resource):
        if is_unknown(value):
            if not name or _CALLED.search(name):
                yield f"environment {name}".strip(), ""
        elif isinstance(value, str):
            hosts = (host for host in hosts_in(value) if _CALLED.search(name) or is_model_host(host))
            yield from ((f"environment variable {name}", host) for host in hosts)
    script = read_script(resource)
    if is_unknown(script):
        yield "its first script", ""
        return
    for line in script.splitlines():
        hosts = (host for host in hosts_in(line) if _CALLED.search(line) or is_model_host(host))
        yield from (("its first script", host) for host in hosts)


MODELS_STAY = Rule(
    id="models-stay-home",
    family=_FAMILY,
    title="Memories go to models and embeddings of their own jurisdiction only",
    severity="critical",
    message="{where}: {place} calls {host}, which answers from {there}; memories must not leave {home}",
    remedy="Name the provider's address in the jurisdiction, or run the model there; add a host to endpoints.csv.",
    kinds=frozenset(
        {
            kinds.AWS_TASK,
            kinds.AWS_INSTANCE,
            kinds.AWS_LAUNCH_TEMPLATE,
            kinds.AWS_LAMBDA,
            kinds.AWS_ASSOCIATION,
            kinds.ALI_INSTANCE,
            kinds.ALI_LAUNCH_TEMPLATE,
            kinds.ALI_SCALING,
            kinds.ALI_COMMAND,
            kinds.ALI_INVOCATION,
            kinds.ALI_CONTAINER_GROUP,
            kinds.KUBERNETES_CONFIG_MAP,
            kinds.KUBERNETES_DEPLOYMENT,
        }
    ),
    check=_check_models,
)
RULES = (STAYS_HOME, MODELS_STAY)
