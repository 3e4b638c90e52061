"""Public buckets, and the versions, logs and locks that a bucket needs."""

from collections.abc import Iterable

from policies import kinds
from policies.documents import read_statements
from policies.links import belongs, satellites
from policies.properties import as_number, is_set, is_true, read_one, show
from policies.rule import Finding, Rule, breach, undecided
from policies.settings import PolicySettings
from sizing.graph.resources import Resource, ResourceGraph, is_unknown

_BLOCKS = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
_BUCKETS = frozenset({kinds.AWS_BUCKET, kinds.ALI_BUCKET})
_PUBLIC_ACLS = frozenset({"public-read", "public-read-write", "authenticated-read"})


def _check_acl(resource: Resource, _: PolicySettings) -> Iterable[Finding]:
    acl, policy = read_one(resource, "acl"), read_one(resource, "policy")
    if is_unknown(acl):
        yield undecided(resource, "acl")
    elif acl in _PUBLIC_ACLS:
        yield breach(resource, reason=f"acl is {acl}")
    if is_unknown(policy):
        yield undecided(resource, "policy")
    elif is_set(policy):
        yield from _check_document(resource, policy)


def _check_document(resource: Resource, document: object) -> Iterable[Finding]:
    try:
        statements = read_statements(document)
    except ValueError:
        yield breach(resource, reason="its policy is not JSON")
        return
    for each in statements:
        if each.allows and "*" in each.principals and not each.condition:
            yield breach(resource, reason="its policy allows everybody")


NO_PUBLIC_BUCKETS = Rule(
    id="no-public-buckets",
    family="exposure",
    title="No access list or policy opens a bucket to everybody",
    severity="critical",
    message="{where}: {reason}",
    remedy="Keep the bucket private, and serve its objects through the service or signed addresses.",
    kinds=_BUCKETS | {kinds.AWS_BUCKET_ACL, kinds.AWS_BUCKET_POLICY, kinds.ALI_BUCKET_ACL, kinds.ALI_BUCKET_POLICY},
    frameworks=("S3.2", "S3.3", "S3.6", "CKV_AWS_20", "CKV_AWS_57", "CKV_AWS_70", "CKV_AWS_375", "CKV_ALI_1"),
    check=_check_acl,
)


def _check_blocks(graph: ResourceGraph, _: PolicySettings) -> Iterable[Finding]:
    for kind, block_kind, names in (
        (kinds.AWS_BUCKET, kinds.AWS_BUCKET_BLOCK, _BLOCKS),
        (kinds.ALI_BUCKET, kinds.ALI_BUCKET_BLOCK, ("blockPublicAccess",)),
    ):
        for bucket in graph.of(kind):
            found, unsure = satellites(graph, block_kind, "bucket", bucket)
            if not found:
                missing = f"it has no {block_kind.rpartition(':')[2]}"
                yield undecided(bucket, "its block") if unsure else breach(bucket, reason=missing)
            for block in found:
                for name in names:
                    value = read_one(block, name)
                    if is_unknown(value):
                        yield undecided(block, name)
                    elif not is_true(value):
                        yield breach(bucket, reason=f"{name} is {show(value)}")


BLOCKED_BUCKETS = Rule(
    id="buckets-block-public-access",
    family="exposure",
    title="Every bucket refuses to be made public",
    severity="high",
    message="{where}: {reason}",
    remedy="Add a BucketPublicAccessBlock with all of its switches on.",
    kinds=_BUCKETS,
    frameworks=("S3.1", "S3.8", "CKV_AWS_53", "CKV_AWS_54", "CKV_AWS_55", "CKV_AWS_56", "CKV2_AWS_6"),
    stack_check=_check_blocks,
)


def _check_versions(graph: ResourceGraph, _: PolicySettings) -> Iterable[Finding]:
    for kind, satellite, path, inline in (
        (kinds.AWS_BUCKET, kinds.AWS_BUCKET_VERSIONING, "versioningConfiguration.status", "versioning.enabled"),
        (kinds.ALI_BUCKET, kinds.ALI_BUCKET_VERSIONING, "status", "versioning.status"),
    ):
        for bucket in graph.of(kind):
            found, unsure = satellites(graph, satellite, "bucket", bucket)
            values = [read_one(bucket, inline), *(read_one(each, path) for each in found)]
            if any(not is_unknown(each) and (each == "Enabled" or is_true(each)) for each in values):
                continue
            waiting = unsure or any(is_unknown(each) for each in values)
            yield undecided(bucket, "versioning") if waiting else breach(bucket)


VERSIONED_BUCKETS = Rule(
    id="buckets-keep-versions",
    family="backups",
    title="Buckets keep the versions of what is overwritten or deleted",
    severity="medium",
    message="{where}: versioning is not enabled",
    remedy="Add a BucketVersioning with status Enabled, and a lifecycle rule that ends old versions.",
    kinds=_BUCKETS,
    frameworks=("S3.14", "CKV_AWS_21", "CKV_ALI_10"),
    stack_check=_check_versions,
)


def _check_logs(graph: ResourceGraph, _: PolicySettings) -> Iterable[Finding]:
    for kind, satellite in (
        (kinds.AWS_BUCKET, kinds.AWS_BUCKET_LOGGING),
        (kinds.ALI_BUCKET, kinds.ALI_BUCKET_LOGGING),
    ):
        logging = graph.of(satellite)
        for bucket in graph.of(kind):
            takes, maybe = satellites(graph, satellite, "targetBucket", bucket)
            found, unsure = satellites(graph, satellite, "bucket", bucket)
            inline = None
            if kind == kinds.ALI_BUCKET:  # a bucket of OSS can say itself where its logs go
                inline = read_one(bucket, "logging.targetBucket")
                takes += satellites(graph, kind, "logging.targetBucket", bucket)[0]
            if takes or found or is_set(inline):
                continue  # a bucket that takes logs would log about itself without an end
            yield undecided(bucket, "its logging") if unsure or (maybe and logging) else breach(bucket)


LOGGED_BUCKETS = Rule(
    id="buckets-log-access",
    family="logging",
    title="Requests to buckets are logged",
    severity="low",
    message="{where}: requests to the bucket are not logged",
    remedy="Add a BucketLogging that names a bucket for logs.",
    kinds=_BUCKETS,
    frameworks=("S3.9", "CKV_AWS_18", "CKV_ALI_12"),
    stack_check=_check_logs,
)


def _check_locks(graph: ResourceGraph, settings: PolicySettings) -> Iterable[Finding]:
    days = settings.threshold("audit_lock_days")
    for bucket in graph.of(kinds.AWS_BUCKET, kinds.ALI_BUCKET):
        if "audit" not in bucket.name:
            continue
        aws = bucket.type == kinds.AWS_BUCKET
        satellite = kinds.AWS_BUCKET_LOCK if aws else kinds.ALI_BUCKET_WORM
        found, unsure = satellites(graph, satellite, "bucket", bucket)
        if not found:
            yield undecided(bucket, "its lock") if unsure else breach(bucket, reason="is not locked", days=f"{days:g}")
        for lock in found:
            yield from _check_lock(bucket, lock, aws, days)


def _check_lock(bucket: Resource, lock: Resource, aws: bool, days: float) -> Iterable[Finding]:
    held = read_one(lock, "rule.defaultRetention" if aws else "retentionPeriodInDays")
    if is_unknown(held):
        yield undecided(lock, "its retention")
        return
    if aws:
        kept = held if isinstance(held, dict) else {}
        mode, span = kept.get("mode"), kept.get("days")
        years = kept.get("years")
        if any(is_unknown(each) for each in (mode, span, years)):
            yield undecided(lock, "its retention")
            return
        held = as_number(span) or as_number(years) * 365
        if mode != "COMPLIANCE":
            yield breach(bucket, reason=f"is locked in mode {show(mode)}, not COMPLIANCE", days=f"{days:g}")
    elif read_one(lock, "status") == "InProgress":
        yield breach(bucket, reason="has a lock that is not in force (InProgress)", days=f"{days:g}")
    if as_number(held) < days:
        yield breach(bucket, reason=f"is locked for {as_number(held):g} days", days=f"{days:g}")


AUDIT_LOCKS = Rule(
    id="audit-buckets-are-write-once",
    family="retention",
    title="What is audited cannot be changed or deleted before its time",
    severity="high",
    message="{where}: it {reason}; audit records must be write-once for {days} days",
    remedy="Lock the bucket's objects with a default retention (AWS: COMPLIANCE; OSS: a locked WORM policy).",
    kinds=_BUCKETS,
    frameworks=("S3.15", "CKV_AWS_143"),
    stack_check=_check_locks,
)


def _check_trails(graph: ResourceGraph, _: PolicySettings) -> Iterable[Finding]:
    trails = graph.of(kinds.ALI_TRAIL)
    if not trails and graph.of(kinds.ALI_INSTANCE, kinds.ALI_SCALING_GROUP):
        yield Finding(urn="", fields={"reason": "has no trail of the account"})
    for trail in trails:
        buckets = [each for each in graph.of(kinds.ALI_BUCKET) if belongs(graph, trail, "ossBucketName", each)]
        locked = [each for each in buckets if satellites(graph, kinds.ALI_BUCKET_WORM, "bucket", each)[0]]
        if is_unknown(read_one(trail, "ossBucketName")) and not buckets:
            yield undecided(trail, "ossBucketName")
        elif not locked:
            yield breach(trail, reason="writes to a bucket of this stack that is not locked, or to none")


TRAILS = Rule(
    id="account-is-audited",
    family="retention",
    title="A stack with machines on Alibaba Cloud records who did what in the account, in a locked bucket",
    severity="high",
    message="{where} {reason}",
    remedy="Add an actiontrail.Trail into a bucket of the stack with a locked WORM policy.",
    kinds=frozenset({kinds.ALI_TRAIL}),
    stack_check=_check_trails,
)
RULES = (TRAILS, NO_PUBLIC_BUCKETS, BLOCKED_BUCKETS, VERSIONED_BUCKETS, LOGGED_BUCKETS, AUDIT_LOCKS)
