"""What the internet can reach."""

from collections.abc import Iterable, Iterator

from policies import kinds
from policies.links import satellites
from policies.properties import Requirement, as_number, is_set, is_true, one_of, read, read_one, requiring, show
from policies.rule import Finding, Rule, breach, undecided
from policies.settings import PolicySettings
from sizing.graph.resources import Resource, ResourceGraph, is_unknown

_FAMILY = "exposure"
DATA_COMPONENTS = frozenset({"vector-store", "database", "cache", "metrics", "search"})
"""Values of the tag `component` of machines that hold data."""
WEB_PORTS = frozenset({80, 443})
ANYWHERE = frozenset({"0.0.0.0/0", "0.0.0.0", "::/0"})  # noqa: S104 - what is looked for, nothing binds


def _check_ports(resource: Resource, _: PolicySettings) -> Iterable[Finding]:
    for sources, first, last in _openings(resource):
        if any(is_unknown(each) for each in sources) and not any(each in ANYWHERE for each in sources if _known(each)):
            yield undecided(resource, "the addresses of an opening")
        elif any(each in ANYWHERE for each in sources if _known(each)):
            if is_unknown(first) or is_unknown(last):
                yield undecided(resource, "the ports of an opening")
            elif not (as_number(first) == as_number(last) and as_number(first) in WEB_PORTS):
                ports = show(first) if first == last else f"{show(first)}-{show(last)}"
                yield breach(resource, ports="every port" if first in (None, -1, "-1") else f"port {ports}")


def _known(value: object) -> bool:
    return not is_unknown(value)


def _openings(resource: Resource) -> Iterator[tuple[list[object], object, object]]:
    """Each opening of a group or a rule: from which addresses, the first port and the last."""
    given = resource.inputs
    if resource.type == kinds.AWS_INGRESS:
        yield [given.get("cidrIpv4"), given.get("cidrIpv6")], given.get("fromPort"), given.get("toPort")
    elif resource.type == kinds.AWS_SECURITY_GROUP_RULE and given.get("type") == "ingress":
        yield _sources(given, "cidrBlocks", "ipv6CidrBlocks"), given.get("fromPort"), given.get("toPort")
    elif resource.type in (kinds.AWS_SECURITY_GROUP, kinds.AWS_DEFAULT_GROUP):
        for _, rule in read(given, "ingress[]"):
            if is_unknown(rule):
                yield [rule], rule, rule
            else:
                yield _sources(rule, "cidrBlocks", "ipv6CidrBlocks"), rule.get("fromPort"), rule.get("toPort")
    elif resource.type == kinds.ALI_SECURITY_GROUP_RULE and given.get("type") == "ingress":
        if given.get("policy") not in (None, "accept"):
            return
        ports = given.get("portRange", "-1/-1")
        first, _, last = ("", "", "") if is_unknown(ports) else str(ports).partition("/")
        yield (
            [given.get("cidrIp"), given.get("ipv6CidrIp")],
            ports if is_unknown(ports) else first,
            ports if is_unknown(ports) else last or first,
        )


def _sources(given: object, *names: str) -> list[object]:
    return [value for name in names for _, value in read(given, f"{name}[]")]


NO_OPEN_PORTS = Rule(
    id="no-open-ports",
    family=_FAMILY,
    title="Only ports 80 and 443 are open to the internet",
    severity="critical",
    message="{where}: {ports} is open to every address",
    remedy="Name the security group or the addresses that need it, or reach it through Systems Manager or a bastion.",
    kinds=frozenset(
        {
            kinds.AWS_INGRESS,
            kinds.AWS_SECURITY_GROUP_RULE,
            kinds.AWS_SECURITY_GROUP,
            kinds.AWS_DEFAULT_GROUP,
            kinds.ALI_SECURITY_GROUP_RULE,
        }
    ),
    frameworks=("EC2.13", "EC2.14", "EC2.18", "EC2.19", "CKV_AWS_24", "CKV_AWS_25", "CKV_AWS_277", "CKV_ALI_2"),
    check=_check_ports,
)


def _check_default(graph: ResourceGraph, _: PolicySettings) -> Iterable[Finding]:
    for network in graph.of(kinds.AWS_VPC):
        groups, unsure = satellites(graph, kinds.AWS_DEFAULT_GROUP, "vpcId", network)
        if not groups:
            yield undecided(network, "its default security group") if unsure else breach(network)
        for group in groups:
            rules = [read_one(group, path) for path in ("ingress", "egress")]
            if any(is_unknown(each) for each in rules):
                yield undecided(group, "ingress or egress")
            elif any(is_set(each) for each in rules):
                yield breach(network)


DEFAULT_GROUP = Rule(
    id="default-group-is-closed",
    family=_FAMILY,
    title="The default security group of a network lets nothing through",
    severity="medium",
    message="{where}: its default security group is not taken over, or has rules",
    remedy="Add a DefaultSecurityGroup without rules.",
    kinds=frozenset({kinds.AWS_VPC}),
    frameworks=("EC2.2", "CKV2_AWS_12"),
    stack_check=_check_default,
)


def _no(kind: str, path: str) -> Requirement:
    return Requirement(kind=kind, path=path, accepts=lambda value: not is_true(value), wanted="false")


NO_PUBLIC_DATABASES = requiring(
    (
        _no(kinds.AWS_DATABASE, "publiclyAccessible"),
        Requirement(kind=kinds.AWS_SEARCH_DOMAIN, path="vpcOptions", accepts=is_set, wanted="set: inside a network"),
        Requirement(
            kind=kinds.ALI_DATABASE,
            path="securityIps[]",
            accepts=lambda value: value not in ANYWHERE,
            wanted="the addresses that need it",
        ),
        Requirement(
            kind=kinds.ALI_CACHE,
            path="securityIps[]",
            accepts=lambda value: value not in ANYWHERE,
            wanted="the addresses that need it",
        ),
        Requirement(
            kind=kinds.ALI_TAIR,
            path="securityIps",
            accepts=lambda value: not ANYWHERE & {each.strip() for each in str(value or "").split(",")},
            wanted="the addresses that need it",
        ),
        _no(kinds.ALI_CACHE, "enablePublic"),
        Requirement(
            kind=kinds.ALI_TAIR,
            path="vpcAuthMode",
            accepts=lambda value: value != "Close",
            wanted="Open: with a password",
        ),
        Requirement(
            kind=kinds.ALI_DATABASE_CONNECTION,
            path="instanceId",
            accepts=lambda _: False,
            wanted="absent: the resource makes a public address",
        ),
        Requirement(
            kind=kinds.ALI_CACHE_CONNECTION,
            path="instanceId",
            accepts=lambda _: False,
            wanted="absent: the resource makes a public address",
        ),
    ),
    id="no-public-databases",
    family=_FAMILY,
    title="Databases, caches and search domains have no public address",
    severity="critical",
    remedy="Keep it in private subnets, and let the service's security group in.",
    frameworks=("RDS.2", "CKV_AWS_17", "CKV_ALI_9"),
)


def _is_data(resource: Resource) -> bool | None:
    tags = read_one(resource, "tags")
    component = tags.get("component") if isinstance(tags, dict) else tags
    if is_unknown(component):
        return None
    return component in DATA_COMPONENTS


def _check_nodes(graph: ResourceGraph, _: PolicySettings) -> Iterable[Finding]:
    for node in graph.of(kinds.AWS_INSTANCE, kinds.ALI_INSTANCE):
        holds = _is_data(node)
        if holds is False:
            continue
        for path in ("associatePublicIpAddress", "allocatePublicIp", "internetMaxBandwidthOut"):
            value = read_one(node, path)
            if is_unknown(value) or (holds is None and is_set(value)):
                yield undecided(node, path)
            elif is_true(value) or as_number(value) > 0:
                yield breach(node, reason=f"{path} is {show(value)}")
        for kind, path in (
            (kinds.AWS_ADDRESS, "instance"),
            (kinds.AWS_ADDRESS_ASSOCIATION, "instanceId"),
            (kinds.ALI_ADDRESS_ASSOCIATION, "instanceId"),
        ):
            found, unsure = satellites(graph, kind, path, node)
            if found and holds:
                yield breach(node, reason=f"the address {found[0].name} is bound to it")
            elif unsure or found:
                yield undecided(node, "its public addresses")


NO_PUBLIC_NODES = Rule(
    id="no-public-data-nodes",
    family=_FAMILY,
    title="Nodes that hold data have no public address",
    severity="critical",
    message="{where}: {reason}",
    remedy="Place the node in a private subnet without an address of its own.",
    kinds=frozenset({kinds.AWS_INSTANCE, kinds.ALI_INSTANCE}),
    frameworks=("EC2.9", "CKV_AWS_88"),
    stack_check=_check_nodes,
)
NO_PUBLIC_DEFAULTS = requiring(
    (
        _no(kinds.AWS_SUBNET, "mapPublicIpOnLaunch"),
        _no(kinds.AWS_SERVICE, "networkConfiguration.assignPublicIp"),
        Requirement(
            kind=kinds.AWS_LAUNCH_TEMPLATE,
            path="networkInterfaces[].associatePublicIpAddress",
            accepts=lambda value: not is_true(value),
            wanted="false",
        ),
        Requirement(kind=kinds.ALI_SCALING, path="internetMaxBandwidthOut", accepts=one_of(None, 0), wanted="0"),
        Requirement(
            kind=kinds.ALI_LAUNCH_TEMPLATE, path="internetMaxBandwidthOut", accepts=one_of(None, 0), wanted="0"
        ),
        _no(kinds.ALI_CONTAINER_GROUP, "autoCreateEip"),
    ),
    id="no-public-addresses-by-default",
    family=_FAMILY,
    title="Nodes and tasks get no public address by themselves",
    severity="high",
    remedy="Let traffic come through the balancer, and leave through a NAT gateway or endpoints.",
    frameworks=("EC2.15", "EC2.25", "ECS.2", "AutoScaling.5", "CKV_AWS_130", "CKV_AWS_333"),
)


def _check_firewalls(graph: ResourceGraph, _: PolicySettings) -> Iterable[Finding]:
    for balancer in graph.of(kinds.AWS_LOAD_BALANCER):
        kind, inside = read_one(balancer, "loadBalancerType"), read_one(balancer, "internal")
        if is_unknown(kind) or is_unknown(inside):
            yield undecided(balancer, "loadBalancerType or internal")
        elif kind in (None, "application") and not is_true(inside):
            found, unsure = satellites(graph, kinds.AWS_WEB_ACL_ASSOCIATION, "resourceArn", balancer)
            if not found:
                yield undecided(balancer, "its web ACL") if unsure else breach(balancer)
    for edge in graph.of(kinds.AWS_CDN):
        acl = read_one(edge, "webAclId")
        if not is_unknown(acl) and not is_set(acl):
            yield breach(edge)
    for balancer in graph.of(kinds.ALI_ALB):
        way, edition = read_one(balancer, "addressType"), read_one(balancer, "loadBalancerEdition")
        if is_unknown(way) or is_unknown(edition):
            yield undecided(balancer, "addressType or loadBalancerEdition")
        elif way == "Internet" and edition != "StandardWithWaf":
            yield breach(balancer)


WEB_FIREWALL = Rule(
    id="public-entrances-have-a-firewall",
    family=_FAMILY,
    title="Public balancers and the CDN stand behind a web firewall",
    severity="medium",
    message="{where}: no web firewall is bound to it",
    remedy="Add a WebAclAssociation for the balancer, or the webAclId of the distribution; an ALB needs the edition "
    "StandardWithWaf.",
    kinds=frozenset({kinds.AWS_LOAD_BALANCER, kinds.AWS_CDN, kinds.ALI_ALB}),
    frameworks=("ELB.16", "CKV2_AWS_28"),
    stack_check=_check_firewalls,
)
PRIVATE_IMAGES = requiring(
    (
        Requirement(kind=kinds.ALI_IMAGES, path="repoType", accepts=one_of("PRIVATE"), wanted="PRIVATE"),
        Requirement(
            kind=kinds.ALI_IMAGE_NAMESPACE, path="defaultVisibility", accepts=one_of("PRIVATE"), wanted="PRIVATE"
        ),
    ),
    id="no-public-images",
    family=_FAMILY,
    title="Repositories of images are private",
    severity="high",
    remedy="Set the type of the repository, and the default of its namespace, to PRIVATE.",
)
RULES = (
    NO_OPEN_PORTS,
    DEFAULT_GROUP,
    NO_PUBLIC_DATABASES,
    NO_PUBLIC_NODES,
    NO_PUBLIC_DEFAULTS,
    WEB_FIREWALL,
    PRIVATE_IMAGES,
)
