"""A case of a rule, and the resources that several cases share."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from policies import kinds as k
from policies.settings import PolicySettings
from sizing.graph.resources import Resource
from tests.policies.resources import make


@dataclass(frozen=True, kw_only=True)
class Case:
    """`name`'s property at `path` becomes `bad`: the rule says `message`. `unknown` is whether UNKNOWN keeps it from judging."""

    rule: str
    good: tuple[Resource, ...]
    name: str
    path: str
    bad: Any
    message: str
    unknown: bool = True
    settings: PolicySettings = field(default_factory=PolicySettings)


def allow(action: str, resource: str = "arn:aws:s3:::b/*") -> str:
    return json.dumps({"Statement": [{"Effect": "Allow", "Action": action, "Resource": resource}]})


def trust(principal: str) -> str:
    return json.dumps({"Statement": [{"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}]})


SERVICE = (
    '{"Statement": [{"Effect": "Allow", "Principal": {"Service": "ecs.amazonaws.com"}, "Action": "sts:AssumeRole"}]}'
)
DENIES = json.dumps(
    {"Statement": [{"Effect": "Deny", "Principal": "*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}]}
)
OPEN = json.dumps({"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject"}]})
BUCKET = make(k.AWS_BUCKET, "store", forceDestroy=False)
AUDIT = make(k.AWS_BUCKET, "audit")
VPC = make(k.AWS_VPC, "vpc")
DISK = make(k.AWS_DISK, "disk", encrypted=True, kmsKeyId="key", size=10)
TEMPLATE = make(k.AWS_LAUNCH_TEMPLATE, "t", instanceType="c6i.xlarge")
LB = make(k.AWS_LOAD_BALANCER, "lb", arn="arn-of-lb", loadBalancerType="application", internal=False)
BEIJING = PolicySettings(environment="cn")


def describe_container(**more: Any) -> str:
    container = {"name": "app", "user": "10001", "privileged": False, "readonlyRootFilesystem": True, **more}
    return json.dumps([container])


def make_task(**more: Any) -> Resource:
    return make(k.AWS_TASK, "task", containerDefinitions=describe_container(**more))


def with_variable(name: str, value: str) -> str:
    return describe_container(environment=[{"name": name, "value": value}])


def pack(variables: Mapping[str, str]) -> str:
    """Variables as a machine of Alibaba Cloud is told them."""
    return base64.b64encode("\n".join(f'{key}="{value}"' for key, value in variables.items()).encode()).decode()


def need(rule: str, good: Resource, path: str, bad: Any, found: str, wanted: str, **more: Any) -> Case:
    """A resource whose property, once it is spoiled, must be what the rule wants."""
    message = f"{good.name}: {path} is {found}, and must be {wanted}"
    return Case(rule=rule, good=(good,), name=good.name, path=path, bad=bad, message=message, **more)
