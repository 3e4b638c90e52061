"""Encryption of what is stored, and the keys for it."""

from collections.abc import Iterable

from policies import kinds
from policies.links import satellites
from policies.properties import Requirement, at_least, is_set, is_true, one_of, read, read_one, requiring
from policies.rule import Finding, Rule, breach, undecided
from policies.settings import PolicySettings
from sizing.graph.resources import Resource, ResourceGraph, is_unknown

_FAMILY = "encryption"


def _true(kind: str, path: str) -> Requirement:
    return Requirement(kind=kind, path=path, accepts=is_true, wanted="true")


def _key(kind: str, path: str) -> Requirement:
    return Requirement(kind=kind, path=path, accepts=is_set, wanted="a key of your own")


ENCRYPTED_DISKS = requiring(
    (
        _true(kinds.AWS_DISK, "encrypted"),
        _true(kinds.AWS_INSTANCE, "rootBlockDevice.encrypted"),
        _true(kinds.AWS_INSTANCE, "ebsBlockDevices[].encrypted"),
        _true(kinds.AWS_LAUNCH_TEMPLATE, "blockDeviceMappings[].ebs.encrypted"),
        _true(kinds.AWS_FILE_SYSTEM, "encrypted"),
        _true(kinds.ALI_DISK, "encrypted"),
        _true(kinds.ALI_INSTANCE, "systemDiskEncrypted"),
        _true(kinds.ALI_INSTANCE, "dataDisks[].encrypted"),
        _true(kinds.ALI_LAUNCH_TEMPLATE, "systemDisk.encrypted"),
        _true(kinds.ALI_LAUNCH_TEMPLATE, "dataDisks[].encrypted"),
        _true(kinds.ALI_SCALING, "systemDiskEncrypted"),
        _true(kinds.ALI_SCALING, "dataDisks[].encrypted"),
    ),
    id="encrypt-disks",
    family=_FAMILY,
    title="Disks are encrypted",
    severity="high",
    remedy="Set the property to true; an existing disk is replaced, so copy it from a snapshot first.",
    frameworks=("EC2.3", "EC2.7", "CKV_AWS_42", "CKV_ALI_7"),
)
ENCRYPTED_DATABASES = requiring(
    (
        _true(kinds.AWS_DATABASE, "storageEncrypted"),
        _true(kinds.AWS_DATABASE_CLUSTER, "storageEncrypted"),
        _true(kinds.AWS_CACHE, "atRestEncryptionEnabled"),
        _true(kinds.AWS_SEARCH_DOMAIN, "encryptAtRest.enabled"),
        Requirement(
            kind=kinds.ALI_DATABASE,
            path="encryptionKey",
            accepts=lambda value: is_set(value) and value != "disabled",
            wanted="a key (or tdeStatus Enabled)",
            only=lambda each: (
                None if is_unknown(read_one(each, "tdeStatus")) else read_one(each, "tdeStatus") != "Enabled"
            ),
        ),
        Requirement(kind=kinds.ALI_CACHE, path="tdeStatus", accepts=one_of("Enabled"), wanted="Enabled"),
        Requirement(kind=kinds.ALI_TAIR, path="tdeStatus", accepts=one_of("enabled"), wanted="enabled"),
    ),
    id="encrypt-databases",
    family=_FAMILY,
    title="Databases, caches and search domains are encrypted",
    severity="high",
    remedy="Turn encryption at rest on; a database that exists is restored from an encrypted copy of a snapshot.",
    frameworks=("RDS.3", "CKV_AWS_16", "CKV_AWS_96", "ElastiCache.4", "CKV_AWS_29", "CKV_ALI_22"),
)


OWN_KEYS = requiring(
    (
        _key(kinds.AWS_DISK, "kmsKeyId"),
        _key(kinds.AWS_DATABASE, "kmsKeyId"),
        _key(kinds.AWS_DATABASE_CLUSTER, "kmsKeyId"),
        _key(kinds.AWS_CACHE, "kmsKeyId"),
        _key(kinds.AWS_SECRET, "kmsKeyId"),
        _key(kinds.AWS_LOG_GROUP, "kmsKeyId"),
        _key(kinds.AWS_TOPIC, "kmsMasterKeyId"),
        _key(kinds.AWS_VAULT, "kmsKeyArn"),
        _key(kinds.AWS_REGISTRY, "encryptionConfigurations[].kmsKey"),
        _key(kinds.ALI_DISK, "kmsKeyId"),
        Requirement(
            kind=kinds.ALI_DATABASE,
            path="encryptionKey",
            accepts=lambda value: is_set(value) and value not in ("ServiceKey", "disabled"),
            wanted="a key of your own",
        ),
        _key(kinds.ALI_LOG_STORE, "encryptConf.userCmkInfo.cmkKeyId"),
        _key(kinds.ALI_SECRET, "encryptionKeyId"),
        _key(kinds.ALI_BUCKET_ENCRYPTION, "kmsMasterKeyId"),
    ),
    id="encrypt-with-own-keys",
    family=_FAMILY,
    title="What holds data is encrypted with a key of your own",
    severity="medium",
    remedy="Name a key that the stack makes, so that destroying it erases every copy.",
    frameworks=("CKV_AWS_149", "CKV_AWS_158", "CKV_AWS_136", "CKV_AWS_191", "CKV_AWS_327", "CKV_ALI_6", "CKV_ALI_8"),
)


def _check_key(resource: Resource, settings: PolicySettings) -> Iterable[Finding]:
    aws = resource.type == kinds.AWS_KEY
    usage = read_one(resource, "keyUsage")
    if not is_unknown(usage) and usage not in (None, "ENCRYPT_DECRYPT", "ENCRYPT/DECRYPT"):
        return
    path = "enableKeyRotation" if aws else "automaticRotation"
    turned = read_one(resource, path)
    limit = settings.threshold("key_rotation_days")
    if is_unknown(turned):
        yield undecided(resource, path)
    elif not (is_true(turned) if aws else turned == "Enabled"):
        yield breach(resource, property=path, found="not on", days=f"{limit:g}")
    elif aws:
        period = read_one(resource, "rotationPeriodInDays")
        if is_unknown(period):
            yield undecided(resource, "rotationPeriodInDays")
        elif not at_least(1)(period) or at_least(limit + 1)(period):
            found = f"{float(period):g}" if period else "365 (the default)"
            yield breach(resource, property="rotationPeriodInDays", found=found, days=f"{limit:g}")
    else:
        yield from _check_interval(resource, limit)


def _check_interval(resource: Resource, limit: float) -> Iterable[Finding]:
    interval = read_one(resource, "rotationInterval")
    if is_unknown(interval):
        yield undecided(resource, "rotationInterval")
        return
    text = str(interval or "")
    seconds = {"d": 86400, "h": 3600, "m": 60, "s": 1}.get(text[-1:], 0) * float(text[:-1] or 0) if text else 0
    if not 0 < seconds <= limit * 86400:
        yield breach(resource, property="rotationInterval", found=text or "not set", days=f"{limit:g}")


ROTATED_KEYS = Rule(
    id="rotate-keys",
    family=_FAMILY,
    title="Keys rotate by themselves",
    severity="medium",
    message="{where}: {property} is {found}, and a key must rotate every {days} days or sooner",
    remedy="Turn automatic rotation on and set its period.",
    kinds=frozenset({kinds.AWS_KEY, kinds.ALI_KEY}),
    frameworks=("KMS.4", "CKV_AWS_7", "CKV_ALI_27"),
    check=_check_key,
)


def _check_buckets(graph: ResourceGraph, _: PolicySettings) -> Iterable[Finding]:
    for bucket in graph.of(kinds.AWS_BUCKET):
        found, unsure = satellites(graph, kinds.AWS_BUCKET_ENCRYPTION, "bucket", bucket)
        if not found:
            yield undecided(bucket, "encryption") if unsure else breach(bucket)
        for each in found:
            for place, value in read(each.inputs, "rules[].applyServerSideEncryptionByDefault.sseAlgorithm"):
                if is_unknown(value):
                    yield undecided(each, place)
                elif not is_set(value):
                    yield breach(bucket)
    for bucket in graph.of(kinds.ALI_BUCKET):
        inline = read_one(bucket, "serverSideEncryptionRule.sseAlgorithm")
        found, unsure = satellites(graph, kinds.ALI_BUCKET_ENCRYPTION, "bucket", bucket)
        if is_unknown(inline):
            yield undecided(bucket, "serverSideEncryptionRule")
        elif not is_set(inline) and not found:
            yield undecided(bucket, "encryption") if unsure else breach(bucket)


ENCRYPTED_BUCKETS = Rule(
    id="encrypt-buckets",
    family=_FAMILY,
    title="Buckets say how they are encrypted",
    severity="high",
    message="{where}: no encryption is set for the bucket",
    remedy="Add a BucketServerSideEncryptionConfiguration (AWS) or a BucketServerSideEncryption (Alibaba Cloud).",
    kinds=frozenset({kinds.AWS_BUCKET, kinds.ALI_BUCKET}),
    frameworks=("S3.17", "CKV_AWS_19", "CKV_AWS_145", "CKV_ALI_6"),
    stack_check=_check_buckets,
)
RULES = (ENCRYPTED_DISKS, ENCRYPTED_DATABASES, ENCRYPTED_BUCKETS, OWN_KEYS, ROTATED_KEYS)
