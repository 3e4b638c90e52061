"""Every stack as it lies in the repository: names, protection, secrets, tags and outputs."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from infra.outputs import StackOutputs
from tests.infra.recorder import Recorded
from tests.infra.stacks import ALTERNATIVES, LASTING, STACKS, record_stack

pytestmark = pytest.mark.slow

STATEFUL = frozenset(
    {
        "alicloud:ecs/ecsDisk:EcsDisk",
        "alicloud:kms/key:Key",
        "alicloud:oos/secretParameter:SecretParameter",
        "alicloud:oss/bucket:Bucket",
        "alicloud:rds/instance:Instance",
        "alicloud:redis/tairInstance:TairInstance",
        "aws:ebs/volume:Volume",
        "aws:elasticache/replicationGroup:ReplicationGroup",
        "aws:kms/key:Key",
        "aws:rds/instance:Instance",
        "aws:s3/bucket:Bucket",
        "aws:secretsmanager/secret:Secret",
    }
)
REPLACEABLE = frozenset(
    {"alicloud:redis/tairInstance:TairInstance", "aws:elasticache/replicationGroup:ReplicationGroup"}
)
"""What is in a cache is elsewhere too."""
FORBIDDEN = re.compile(
    r"\b(dev|team|staging|prod|global|aws|alicloud|single|ha|us-east-1|eu-west-1|cn-beijing|cn-hangzhou|ap-southeast-1|small|large|\d+gb)\b"
)
"""Words of environments, tiers, regions and sizes: a change of these must not rename, and so replace, anything."""
PLAN_OUTPUTS = {"tier", "reasons", "warnings", "monthly_usd", "unpriced_lines"}


@pytest.mark.parametrize("stack", STACKS)
def test_a_renamed_resource_is_seen(stack: str, golden: Callable[[str, str], None]) -> None:
    """A new name or parent means that the resource is deleted and made again: rename with an alias, or not at all."""
    lines = sorted(each.urn.split("::", 2)[2] for each in record_stack(stack))
    golden(f"urns/{stack}.txt", "\n".join(lines) + "\n")


@pytest.mark.parametrize("stack", STACKS)
def test_names_carry_no_environment_tier_or_size(stack: str) -> None:
    names = {each.name for each in record_stack(stack) if not each.type.startswith("pulumi:")}
    assert not {name for name in names if FORBIDDEN.search(name)}


@pytest.mark.parametrize("stack", STACKS)
def test_what_holds_data_is_protected_where_it_matters(stack: str) -> None:
    recording = record_stack(stack)
    protected = {each.protect for each in recording if each.type in STATEFUL - REPLACEABLE}
    assert protected == {stack in LASTING}


@pytest.mark.parametrize(
    ("stack", "more"),
    [("aws-prod", {}), ("aws-team", {"reme-cloud:environment": "prod"})],
    ids=["a cluster", "a host"],
)
def test_lifting_the_protection_gives_up_no_final_copy(stack: str, more: Mapping[str, Any]) -> None:
    recording = record_stack(stack, {**more, "reme-cloud:protect": False})
    assert not [each.name for each in recording if each.protect]
    found = {type_: recording.of(type_) for type_ in KEPT}
    assert all(found[type_] for type_ in KEPT if stack == "aws-prod" or type_ != "aws:rds/instance:Instance")
    for type_, (name, kept) in KEPT.items():
        assert {each.props[name] for each in found[type_]} <= {kept}, type_
    assert all(not each.props["deletionProtection"] for each in found["aws:rds/instance:Instance"])
    assert not any(each.props["enableDeletionProtection"] for each in recording.of("aws:lb/loadBalancer:LoadBalancer"))
    for type_ in ("aws:s3/bucket:Bucket", "aws:backup/vault:Vault", "aws:kms/key:Key"):
        assert all(each.retain for each in recording.of(type_)), f"{type_} goes, and what it keeps or encrypts"
    modes = [
        each.props["rule"]["defaultRetention"]["mode"]
        for each in recording.of("aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration")
    ]
    assert set(modes) <= {"COMPLIANCE"}


KEPT: dict[str, tuple[str, object]] = {
    "aws:rds/instance:Instance": ("skipFinalSnapshot", False),
    "aws:ebs/volume:Volume": ("finalSnapshot", True),
    "aws:s3/bucket:Bucket": ("forceDestroy", False),
    "aws:backup/vault:Vault": ("forceDestroy", False),
    "aws:secretsmanager/secret:Secret": ("recoveryWindowInDays", 30),
}
"""By type: the property that keeps a final copy, and the value by which it does."""


def test_a_stack_that_asks_for_no_copies_leaves_none() -> None:
    recording = record_stack("aws-prod", {"reme-cloud:protect": False, "reme-cloud:keep-copies": False})
    assert not [each.name for each in recording if each.retain]
    assert not [
        each.name for type_, (name, kept) in KEPT.items() for each in recording.of(type_) if each.props[name] == kept
    ]


@pytest.mark.parametrize("stack", STACKS)
def test_no_secret_lies_in_the_clear(stack: str) -> None:
    for each in record_stack(stack):
        for name, value in each.props.items():
            text = json.dumps(value, default=str)
            if "of the tests" in text or "generated-by-the-test" in text:
                assert name in each.secret, f"{each.type} {each.name} shows a secret in {name}"


@pytest.mark.parametrize("stack", STACKS)
def test_every_tagged_resource_says_where_it_belongs(stack: str) -> None:
    wanted = {"project", "environment", "stack", "component", "managed-by"}
    tagged = [
        each for each in record_stack(stack) if "tags" in each.props and each.type.startswith(("aws:", "alicloud:"))
    ]
    assert len(tagged) > 20
    for each in tagged:
        tags = each.props["tags"]
        names = {tag["key"] for tag in tags} if isinstance(tags, list) else set(tags)
        assert wanted <= names, f"{each.type} {each.name} lacks {wanted - names}"


@pytest.mark.parametrize("stack", STACKS)
def test_every_stack_answers_with_the_same_outputs(stack: str) -> None:
    outputs = record_stack(stack).outputs
    assert set(outputs) == PLAN_OUTPUTS | set(StackOutputs.__dataclass_fields__)
    assert outputs["tier"] and outputs["reasons"] and outputs["health_url"].endswith("/health")


@pytest.mark.parametrize("name", ALTERNATIVES)
def test_an_alternative_makes_what_it_is_about(name: str) -> None:
    stack, more = ALTERNATIVES[name]
    found = {each.type for each in record_stack(stack, more)}
    made, left_out = EXPECTED[name]
    assert made <= found and not left_out & found


EXPECTED: dict[str, tuple[set[str], set[str]]] = {
    "pgvector": ({"aws:rds/instance:Instance"}, {"reme:aws:QdrantNodes", "aws:opensearch/domain:Domain"}),
    "opensearch": ({"aws:opensearch/domain:Domain"}, {"reme:aws:QdrantNodes"}),
    "qdrant cloud": (set(), {"reme:aws:QdrantNodes", "aws:opensearch/domain:Domain"}),
    "network balancer": ({"aws:ec2/eip:Eip"}, {"aws:wafv2/webAcl:WebAcl"}),
    "a nat in each zone": ({"aws:ec2/natGateway:NatGateway"}, set()),
    "arm": ({"aws:autoscaling/group:Group"}, set()),
    "prometheus": ({"reme:aws:MetricsHost"}, {"aws:cloudwatch/dashboard:Dashboard"}),
    "managed prometheus": (
        {
            "aws:amp/workspace:Workspace",
            "aws:amp/ruleGroupNamespace:RuleGroupNamespace",
            "aws:amp/alertManagerDefinition:AlertManagerDefinition",
            "aws:grafana/workspace:Workspace",
        },
        {"aws:cloudwatch/dashboard:Dashboard", "reme:aws:MetricsHost"},
    ),
    "datadog": ({"reme:aws:DatadogNodes"}, {"aws:cloudwatch/metricAlarm:MetricAlarm", "reme:aws:MetricsHost"}),
    "datadog on a host": ({"aws:ec2/instance:Instance"}, {"reme:aws:DatadogNodes"}),
    "copies of objects": ({"aws:s3/bucketReplicationConfig:BucketReplicationConfig"}, set()),
    "a gpu": ({"aws:autoscaling/group:Group"}, set()),
    "blue and green": ({"aws:ecs/service:Service"}, set()),
    "a canary": ({"aws:ecs/service:Service"}, set()),
    "an own network": ({"aws:ecs/cluster:Cluster"}, {"aws:ec2/vpc:Vpc", "aws:ec2/natGateway:NatGateway"}),
    "postgresql beside a host": (
        {"aws:rds/instance:Instance", "aws:ec2/instance:Instance"},
        {"aws:lb/loadBalancer:LoadBalancer"},
    ),
    "a domain for a host": ({"aws:route53/record:Record"}, {"aws:lb/loadBalancer:LoadBalancer"}),
    "ireland": ({"aws:lb/loadBalancer:LoadBalancer"}, set()),
    "a domain on alibaba cloud": (
        {"alicloud:dns/alidnsRecord:AlidnsRecord"},
        {"alicloud:dns/alidnsDomain:AlidnsDomain"},
    ),
    "an own network on alibaba cloud": (
        {"alicloud:ecs/instance:Instance"},
        {"alicloud:vpc/network:Network", "alicloud:vpc/switch:Switch"},
    ),
    "singapore": ({"alicloud:ecs/instance:Instance"}, {"alicloud:vpc/natGateway:NatGateway"}),
}
"""By alternative: types that are there, and types that are not."""


def find(stack: str, type_: str, **more: object) -> list[Recorded]:
    """The resources of a type, with keys of this program over the stack's file."""
    return record_stack(stack, {f"reme-cloud:{key}": value for key, value in more.items()}).of(type_)


def test_a_version_that_is_tried_gets_its_share_of_the_traffic() -> None:
    canary = {"strategy": "canary", "green_version": "0.2.0", "canary_percent": 10}
    services = {each.name: each.props for each in find("aws-prod", "aws:ecs/service:Service", service=canary)}
    assert len(services) == 2
    images = [
        json.loads(each.props["containerDefinitions"])[-1]["image"].rpartition(":")[2]
        for each in find("aws-prod", "aws:ecs/taskDefinition:TaskDefinition", service=canary)
        if each.name.startswith("service-")
    ]
    assert sorted(images) == ["0.1.0", "0.2.0"]
    weights = json.dumps([each.props for each in find("aws-prod", "aws:lb/listener:Listener", service=canary)])
    rules = json.dumps([each.props for each in find("aws-prod", "aws:lb/listenerRule:ListenerRule", service=canary)])
    assert re.search(r'"weight": 10(\.0)?\b', weights + rules) and re.search(r'"weight": 90(\.0)?\b', weights + rules)
