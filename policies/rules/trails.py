"""Logs: that they are written, and how long they are kept."""

from collections.abc import Iterable

from policies import kinds
from policies.links import satellites
from policies.places import locate_region
from policies.properties import Requirement, as_number, is_set, is_true, one_of, read, read_one, requiring
from policies.rule import Finding, Rule, breach, undecided
from policies.settings import PolicySettings
from sizing.graph.resources import Resource, ResourceGraph, is_unknown

_FAMILY = "logging"
BALANCER_LOGS = requiring(
    (
        Requirement(kind=kinds.AWS_LOAD_BALANCER, path="accessLogs.enabled", accepts=is_true, wanted="true"),
        Requirement(kind=kinds.ALI_ALB, path="accessLogConfig", accepts=is_set, wanted="set"),
    ),
    id="balancers-log-access",
    family=_FAMILY,
    title="Balancers log every request",
    severity="medium",
    remedy="Name a bucket (AWS) or a log store (Alibaba Cloud) for access logs.",
    frameworks=("ELB.5", "CKV_AWS_91"),
)


TRAILS = requiring(
    (
        Requirement(kind=kinds.ALI_TRAIL, path="eventRw", accepts=one_of("All"), wanted="All"),
        Requirement(kind=kinds.ALI_TRAIL, path="status", accepts=one_of("Enable"), wanted="Enable"),
        Requirement(kind=kinds.ALI_TRAIL, path="ossBucketName", accepts=is_set, wanted="a bucket"),
    ),
    id="trails-record-everything",
    family=_FAMILY,
    title="A trail of the account records reads and writes, into a bucket",
    severity="high",
    remedy="Set eventRw to All and status to Enable, and name the locked bucket of audits.",
    frameworks=("CKV_ALI_5",),
)


def _has_postgresql(value: object) -> bool:
    return isinstance(value, list | tuple) and bool({"postgresql", "error", "slowquery"} & set(value))


def _has_audit(value: object) -> bool:
    return isinstance(value, list | tuple) and any(
        isinstance(each, dict) and each.get("logType") == "AUDIT_LOGS" for each in value
    )


DATABASE_LOGS = requiring(
    (
        Requirement(
            kind=kinds.AWS_DATABASE,
            path="enabledCloudwatchLogsExports",
            accepts=_has_postgresql,
            wanted="a list with the engine's own log",
        ),
        Requirement(kind=kinds.AWS_CACHE, path="logDeliveryConfigurations", accepts=is_set, wanted="set"),
        Requirement(
            kind=kinds.AWS_SEARCH_DOMAIN,
            path="logPublishingOptions",
            accepts=_has_audit,
            wanted="a list with AUDIT_LOGS",
        ),
        Requirement(
            kind=kinds.ALI_DATABASE,
            path="sqlCollectorStatus",
            accepts=lambda value: value == "Enabled",
            wanted="Enabled",
        ),
        Requirement(
            kind=kinds.ALI_DATABASE,
            path="sqlCollectorConfigValue",
            accepts=lambda value: as_number(value) >= 180,
            wanted="180 days or more",
        ),
    ),
    id="databases-log",
    family=_FAMILY,
    title="Databases, caches and search domains hand out their logs",
    severity="medium",
    remedy="Export the log, and keep it for the time that your rules ask for.",
    frameworks=("RDS.9", "CKV_AWS_129", "CKV2_AWS_30", "CKV_ALI_25"),
)


def _check_networks(graph: ResourceGraph, _: PolicySettings) -> Iterable[Finding]:
    for kind, satellite, path in (
        (kinds.AWS_VPC, kinds.AWS_FLOW_LOG, "vpcId"),
        (kinds.ALI_VPC, kinds.ALI_FLOW_LOG, "resourceId"),
    ):
        for network in graph.of(kind):
            found, unsure = satellites(graph, satellite, path, network)
            if not found:
                yield undecided(network, "its flow log") if unsure else breach(network)


FLOW_LOGS = Rule(
    id="networks-log-flows",
    family=_FAMILY,
    title="Connections in a network are logged",
    severity="medium",
    message="{where}: the network has no flow log",
    remedy="Add a FlowLog for the network.",
    kinds=frozenset({kinds.AWS_VPC, kinds.ALI_VPC}),
    frameworks=("EC2.6", "CKV2_AWS_11"),
    stack_check=_check_networks,
)


def _check_firewalls(graph: ResourceGraph, _: PolicySettings) -> Iterable[Finding]:
    for acl in graph.of(kinds.AWS_WEB_ACL):
        found, unsure = satellites(graph, kinds.AWS_WEB_ACL_LOGGING, "resourceArn", acl)
        if not found:
            yield undecided(acl, "its logging") if unsure else breach(acl)


FIREWALL_LOGS = Rule(
    id="firewalls-log",
    family=_FAMILY,
    title="The web firewall logs what it blocks",
    severity="medium",
    message="{where}: the web ACL has no logging configuration",
    remedy="Add a WebAclLoggingConfiguration.",
    kinds=frozenset({kinds.AWS_WEB_ACL}),
    frameworks=("WAF.11", "CKV2_AWS_31"),
    stack_check=_check_firewalls,
)


def _has_insights(value: object) -> bool:
    return isinstance(value, list | tuple) and any(
        isinstance(each, dict)
        and each.get("name") == "containerInsights"
        and each.get("value") in ("enabled", "enhanced")
        for each in value
    )


INSIGHTS = requiring(
    (
        Requirement(
            kind=kinds.AWS_CLUSTER,
            path="settings",
            accepts=_has_insights,
            wanted="a list with containerInsights enabled",
        ),
    ),
    id="clusters-are-watched",
    family=_FAMILY,
    title="Clusters of containers report what they use",
    severity="low",
    remedy="Set containerInsights to enabled.",
    frameworks=("ECS.12", "CKV_AWS_65"),
)
LOG_RETENTION = requiring(
    (
        Requirement(
            kind=kinds.AWS_LOG_GROUP,
            path="retentionInDays",
            accepts=lambda value: as_number(value) > 0,
            wanted="a number of days",
        ),
        Requirement(
            kind=kinds.ALI_LOG_STORE,
            path="retentionPeriod",
            accepts=lambda value: 0 < as_number(value) < 3650,
            wanted="a number of days below 3650, which means for ever",
        ),
    ),
    id="logs-end",
    family="retention",
    title="Logs say how long they are kept",
    severity="low",
    remedy="Set the retention: application logs 90 days, access logs 365, audit logs 7 years.",
    frameworks=("CKV_AWS_66",),
)


def _check_access(graph: ResourceGraph, settings: PolicySettings) -> Iterable[Finding]:
    days = settings.threshold("access_log_days")
    for kind, path in (
        (kinds.AWS_LOG_GROUP, "retentionInDays"),
        (kinds.ALI_LOG_STORE, "retentionPeriod"),
        (kinds.ALI_DATABASE, "sqlCollectorConfigValue"),
    ):
        for log in graph.of(kind):
            if kind != kinds.ALI_DATABASE and not _is_access(log):
                continue
            kept, needed = read_one(log, path), _days_at(log, days, settings)
            if is_unknown(kept):
                yield undecided(log, path)
            elif 0 < as_number(kept) < needed:
                yield breach(log, found=f"{as_number(kept):g}", days=f"{needed:g}")
    for rules in graph.of(kinds.AWS_BUCKET_LIFECYCLE):
        if "access" not in rules.name:
            continue
        for place, kept in read(rules.inputs, "rules[].expiration.days"):
            if is_unknown(kept):
                yield undecided(rules, place)
            elif kept is not None and 0 < as_number(kept) < days:
                yield breach(rules, found=f"{as_number(kept):g}", days=f"{days:g}")


def _is_access(log: Resource) -> bool:
    return any(kind in log.name for kind in ("access", "audit", "balancer", "firewall"))


def _days_at(log: Resource, days: float, settings: PolicySettings) -> float:
    """In a region of China the rules of China hold, whichever environment it is."""
    in_china = log.package == "alicloud" and locate_region("alicloud", log.region) == "cn"
    return max(days, settings.threshold("china_log_days")) if in_china else days


ACCESS_DAYS = Rule(
    id="access-logs-are-kept",
    family="retention",
    title="Access logs are kept as long as the rules of the place ask for",
    severity="high",
    message="{where}: access logs are kept for {found} days, and must be kept for {days}",
    remedy="Raise the retention; China asks for 365 days (§10.2 of the requirements).",
    kinds=frozenset({kinds.AWS_LOG_GROUP, kinds.AWS_BUCKET_LIFECYCLE, kinds.ALI_LOG_STORE, kinds.ALI_DATABASE}),
    frameworks=("CKV_AWS_338",),
    stack_check=_check_access,
)
RULES = (
    BALANCER_LOGS,
    TRAILS,
    DATABASE_LOGS,
    FLOW_LOGS,
    FIREWALL_LOGS,
    INSIGHTS,
    LOG_RETENTION,
    ACCESS_DAYS,
)
