"""Encryption on the way."""

from collections.abc import Iterable

from policies import kinds
from policies.documents import read_statements
from policies.links import satellites
from policies.properties import Requirement, is_true, one_of, read, read_one, requiring, show
from policies.rule import Finding, Rule, breach, undecided
from policies.settings import PolicySettings
from policies.tables import read_table
from sizing.graph.resources import Resource, ResourceGraph, is_unknown

_FAMILY = "transit"
_LISTENERS = {
    kinds.AWS_LISTENER: ("protocol", "sslPolicy", ("HTTPS", "TLS")),
    kinds.ALI_ALB_LISTENER: ("listenerProtocol", "securityPolicyId", ("HTTPS",)),
    kinds.ALI_NLB_LISTENER: ("listenerProtocol", "securityPolicyId", ("TCPSSL",)),
    kinds.ALI_SLB_LISTENER: ("protocol", "tlsCipherPolicy", ("https",)),
}
"""By kind: where its protocol and its policy stand, and which protocols are encrypted."""


def _check_policy(resource: Resource, _: PolicySettings) -> Iterable[Finding]:
    protocol_path, policy_path, encrypted = _LISTENERS[resource.type]
    protocol, policy = read_one(resource, protocol_path), read_one(resource, policy_path)
    if is_unknown(protocol):
        yield undecided(resource, protocol_path)
    elif protocol in encrypted:
        known = {row["policy"] for row in read_table("tls_policies.csv") if row["kind"] == resource.type}
        if is_unknown(policy):
            yield undecided(resource, policy_path)
        elif policy not in known:
            yield breach(resource, property=policy_path, found=show(policy), wanted=" or ".join(sorted(known)))


TLS_POLICIES = Rule(
    id="listeners-use-tls-1-3",
    family=_FAMILY,
    title="Balancers use the strictest TLS policy that they have",
    severity="high",
    message="{where}: {property} is {found}, and must be {wanted}",
    remedy="Name one of the policies; Alibaba Cloud's balancers have none for TLS 1.3 alone.",
    kinds=frozenset(_LISTENERS),
    frameworks=("CKV_AWS_103", "CKV2_AWS_74", "CKV_ALI_33"),
    check=_check_policy,
)


def _check_plain(graph: ResourceGraph, _: PolicySettings) -> Iterable[Finding]:
    for listener in graph.of(kinds.AWS_LISTENER):
        protocol = read_one(listener, "protocol")
        if is_unknown(protocol):
            yield undecided(listener, "protocol")
        elif protocol in ("HTTP", "TCP") and not (protocol == "TCP" and read_one(listener, "port") == 443):
            yield from _redirected(listener)
    for listener in graph.of(kinds.ALI_ALB_LISTENER):
        protocol = read_one(listener, "listenerProtocol")
        if is_unknown(protocol):
            yield undecided(listener, "listenerProtocol")
        elif protocol == "HTTP":
            rules, unsure = satellites(graph, kinds.ALI_ALB_RULE, "listenerId", listener)
            kinds_of = [value for rule in rules for _, value in read(rule.inputs, "ruleActions[].type")]
            if "Redirect" not in kinds_of:
                unknown = unsure or any(is_unknown(each) for each in kinds_of)
                yield undecided(listener, "its rules") if unknown else breach(listener, protocol="HTTP")
    for listener in graph.of(kinds.ALI_SLB_LISTENER):
        if read_one(listener, "protocol") == "http" and read_one(listener, "listenerForward") != "on":
            yield breach(listener, protocol="http")


def _redirected(listener: Resource) -> Iterable[Finding]:
    actions = list(read(listener.inputs, "defaultActions[].redirect.protocol"))
    if any(is_unknown(value) for _, value in actions):
        yield undecided(listener, "defaultActions")
    elif not actions or any(value != "HTTPS" for _, value in actions):
        yield breach(listener, protocol=read_one(listener, "protocol"))


NO_PLAIN_LISTENERS = Rule(
    id="no-plain-listeners",
    family=_FAMILY,
    title="A listener without TLS only sends callers to HTTPS",
    severity="high",
    message="{where}: the listener takes {protocol} and does not redirect to HTTPS",
    remedy="Listen with HTTPS, and let the listener on port 80 redirect.",
    kinds=frozenset({kinds.AWS_LISTENER, kinds.ALI_ALB_LISTENER, kinds.ALI_SLB_LISTENER}),
    frameworks=("ELB.1", "CKV_AWS_2", "CKV2_AWS_20", "CKV_AWS_376"),
    stack_check=_check_plain,
)


def _requirement(kind: str, path: str, *accepted: object) -> Requirement:
    wanted = " or ".join(show(each) for each in accepted)
    return Requirement(kind=kind, path=path, accepts=one_of(*accepted), wanted=wanted)


def _lacks_tls(database: Resource) -> bool | None:
    """Whether nobody can turn TLS on: the provider drops `sslAction` of a serverless PostgreSQL, and RDS names TLS
    among what needs an instance of a fixed class ("Assured serverless").
    """
    paid, engine = read_one(database, "instanceChargeType"), read_one(database, "engine")
    if is_unknown(paid) or is_unknown(engine):
        return None
    return bool(paid == "Serverless" and engine == "PostgreSQL")


TLS_TO_DATA = requiring(
    (
        Requirement(kind=kinds.AWS_CACHE, path="transitEncryptionEnabled", accepts=is_true, wanted="true"),
        Requirement(
            kind=kinds.AWS_CACHE,
            path="transitEncryptionMode",
            accepts=one_of(None, "required"),
            wanted="required",
        ),
        Requirement(
            kind=kinds.AWS_SEARCH_DOMAIN, path="domainEndpointOptions.enforceHttps", accepts=is_true, wanted="true"
        ),
        Requirement(kind=kinds.AWS_SEARCH_DOMAIN, path="nodeToNodeEncryption.enabled", accepts=is_true, wanted="true"),
        _requirement(
            kinds.AWS_SEARCH_DOMAIN,
            "domainEndpointOptions.tlsSecurityPolicy",
            "Policy-Min-TLS-1-2-PFS-2023-10",
            "Policy-Min-TLS-1-2-RFC9151-FIPS-2024-08",
        ),
        Requirement(
            kind=kinds.ALI_DATABASE,
            path="sslAction",
            accepts=one_of("Open"),
            wanted="Open",
            only=lambda each: None if (lacks := _lacks_tls(each)) is None else not lacks,
        ),
        Requirement(
            kind=kinds.ALI_DATABASE,
            path="instanceChargeType",
            accepts=lambda _: False,
            wanted="another: a serverless PostgreSQL has no TLS, whatever sslAction says",
            only=_lacks_tls,
        ),
        _requirement(kinds.ALI_CACHE, "sslEnable", "Enable"),
        _requirement(kinds.ALI_TAIR, "sslEnabled", "Enable"),
    ),
    id="tls-to-data",
    family=_FAMILY,
    title="Connections to databases, caches and search domains are encrypted",
    severity="high",
    remedy="Turn TLS on for the connection, and let clients verify the certificate.",
    frameworks=("ElastiCache.5", "CKV_AWS_30", "CKV_AWS_31", "CKV_ALI_20"),
)


def _check_parameters(resource: Resource, _: PolicySettings) -> Iterable[Finding]:
    family = read_one(resource, "family")
    if is_unknown(family):
        yield undecided(resource, "family")
        return
    if not str(family).startswith("postgres"):
        return
    parameters = read_one(resource, "parameters")
    if is_unknown(parameters):
        yield undecided(resource, "parameters")
        return
    named = {each.get("name"): each.get("value") for each in parameters or () if not is_unknown(each)}
    value = named.get("rds.force_ssl")
    if is_unknown(value):
        yield undecided(resource, "rds.force_ssl")
    elif str(value) not in ("1", "1.0"):
        yield breach(resource, found=show(value))


POSTGRES_TLS = Rule(
    id="postgresql-requires-tls",
    family=_FAMILY,
    title="PostgreSQL refuses connections without TLS",
    severity="high",
    message="{where}: rds.force_ssl is {found}, and must be 1",
    remedy="Add the parameter rds.force_ssl with value 1 to the parameter group.",
    kinds=frozenset({kinds.AWS_DATABASE_PARAMETERS}),
    frameworks=("RDS.38", "CKV2_AWS_69"),
    check=_check_parameters,
)


def _check_buckets(graph: ResourceGraph, _: PolicySettings) -> Iterable[Finding]:
    for bucket_kind, policy_kind, key in (
        (kinds.AWS_BUCKET, kinds.AWS_BUCKET_POLICY, "aws:SecureTransport"),
        (kinds.ALI_BUCKET, kinds.ALI_BUCKET_POLICY, "acs:SecureTransport"),
    ):
        for bucket in graph.of(bucket_kind):
            found, unsure = satellites(graph, policy_kind, "bucket", bucket)
            documents = [read_one(each, "policy") for each in found]
            if any(not is_unknown(each) and _denies_plain(each, key) for each in documents):
                continue
            waiting = unsure or any(is_unknown(each) for each in documents)
            yield undecided(bucket, "policy") if waiting else breach(bucket, key=key)


def _denies_plain(document: object, key: str) -> bool:
    try:
        statements = read_statements(document)
    except ValueError:
        return False
    return any(not each.allows and each.requires(key, "false") for each in statements)


BUCKETS_OVER_TLS = Rule(
    id="buckets-refuse-plain-http",
    family=_FAMILY,
    title="Buckets refuse requests without TLS",
    severity="medium",
    message="{where}: no policy of the bucket denies requests where {key} is false",
    remedy="Add a bucket policy that denies everything to everybody where the condition holds.",
    kinds=frozenset({kinds.AWS_BUCKET, kinds.ALI_BUCKET}),
    frameworks=("S3.5",),
    stack_check=_check_buckets,
)
CDN_TLS = requiring(
    (
        _requirement(kinds.AWS_CDN, "defaultCacheBehavior.viewerProtocolPolicy", "https-only", "redirect-to-https"),
        _requirement(kinds.AWS_CDN, "orderedCacheBehaviors[].viewerProtocolPolicy", "https-only", "redirect-to-https"),
        _requirement(
            kinds.AWS_CDN,
            "viewerCertificate.minimumProtocolVersion",
            "TLSv1.2_2021",
            "TLSv1.2_2025",
            "TLSv1.3_2025",
        ),
        Requirement(
            kind=kinds.AWS_CDN,
            path="origins[].customOriginConfig.originProtocolPolicy",
            accepts=one_of("https-only", None),
            wanted="https-only",
        ),
        _requirement(kinds.ALI_CDN, "certificateConfig.serverCertificateStatus", "on"),
        _requirement(kinds.ALI_CDN, "sources[].port", 443),
    ),
    id="cdn-uses-tls",
    family=_FAMILY,
    title="The CDN takes and makes connections with TLS only",
    severity="high",
    remedy="Redirect viewers to HTTPS, ask for TLS 1.2 (2021) at least, and reach origins by HTTPS only.",
    frameworks=(),
)
_CDN_SETTINGS = (
    ("https_force", "enable", "on"),
    ("https_tls_version", "tls10", "off"),
    ("https_tls_version", "tls11", "off"),
)
"""What a domain of Alibaba Cloud's CDN is told by resources of their own: the function, its argument, the value."""


def _check_edges(graph: ResourceGraph, _: PolicySettings) -> Iterable[Finding]:
    for edge in graph.of(kinds.ALI_CDN):
        configs, unsure = satellites(graph, kinds.ALI_CDN_CONFIG, "domainName", edge)
        for function, argument, wanted in _CDN_SETTINGS:
            given = [
                pair
                for each in configs
                if read_one(each, "functionName") == function
                for _, pair in read(each.inputs, "functionArgs[]")
            ]
            if unsure or any(is_unknown(each) or is_unknown(each.get("argValue")) for each in given):
                yield undecided(edge, f"its setting {function}")
            elif not any(each.get("argName") == argument and each.get("argValue") == wanted for each in given):
                yield breach(edge, function=function, argument=argument, wanted=wanted)


CDN_FORCES_TLS = Rule(
    id="cdn-forces-https",
    family=_FAMILY,
    title="A CDN of Alibaba Cloud sends viewers to HTTPS and refuses old TLS",
    severity="high",
    message="{where}: no setting {function} of the domain says {argument} {wanted}",
    remedy="Add a cdn.DomainConfig with the function and the argument for the domain.",
    kinds=frozenset({kinds.ALI_CDN}),
    stack_check=_check_edges,
)
RULES = (TLS_POLICIES, NO_PLAIN_LISTENERS, TLS_TO_DATA, POSTGRES_TLS, BUCKETS_OVER_TLS, CDN_TLS, CDN_FORCES_TLS)
