"""Runs a Pulumi program without an engine and keeps every resource that it registers, as the engine would see it.

Pulumi's mocks are global to the process, so each run gets an event loop and a monitor of its own. What a resource
computes is made up by `_compute`; nothing here checks a value as a cloud would.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pulumi
from pulumi.runtime import mocks, set_all_config, settings, stack

from tests.infra.alicloud.computed import answer_alicloud, compute_alicloud

ACCOUNT = "123456789012"
PROJECT = "reme-cloud"


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """One registered resource: `props` are its inputs as a policy sees them, secrets unwrapped."""

    urn: str
    type: str
    name: str
    props: Mapping[str, Any]
    parent: str
    custom: bool
    protect: bool
    retain: bool
    ignored: tuple[str, ...]
    secret: frozenset[str]
    provider: str


@dataclass(frozen=True)
class Recording:
    """What a program registered, ordered by URN, and the stack's outputs."""

    resources: tuple[Recorded, ...]
    outputs: Mapping[str, Any] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Recorded]:
        return iter(self.resources)

    def of(self, type_: str) -> list[Recorded]:
        """Every resource of a type such as `aws:ec2/vpc:Vpc`."""
        return [each for each in self.resources if each.type == type_]

    def one(self, type_: str, name: str | None = None) -> Recorded:
        """The one resource of a type, or of a type and a logical name."""
        found = [each for each in self.of(type_) if name in (None, each.name)]
        assert len(found) == 1, f"{len(found)} of {type_} {name or ''}: {[each.name for each in self.of(type_)]}"
        return found[0]


_IDS = {
    "aws:ebs/volume:Volume": "vol-",
    "aws:ec2/instance:Instance": "i-",
    "alicloud:ecs/ecsDisk:EcsDisk": "d-",
    "alicloud:ecs/instance:Instance": "i-",
}
"""How ids begin, where somebody looks at it."""


class _Computing(mocks.Mocks):
    def __init__(self, region: str) -> None:
        self.region = region

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        state = dict(args.inputs)
        if not args.custom:
            return "", state
        prefix = _IDS.get(args.typ, "")
        return prefix + (args.name if prefix else f"{args.name}-id"), _compute(args.typ, args.name, state, self.region)

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        return _answer(args.token, dict(args.args), self.region), []


def _compute(type_: str, name: str, state: dict[str, Any], region: str) -> dict[str, Any]:
    """What a cloud would add to a resource: its ARN, name, addresses."""
    if type_.startswith("alicloud:"):
        return compute_alicloud(type_, name, state, region)
    service = type_.split(":")[1].partition("/")[0] if ":" in type_ else type_
    state.setdefault("name", f"{name}-1234567")
    state.setdefault("arn", f"arn:aws:{service}:{region}:{ACCOUNT}:{name}")
    if type_ == "aws:s3/bucket:Bucket":
        bucket = state.setdefault("bucket", f"{name}-1234567")
        state["arn"] = f"arn:aws:s3:::{bucket}"
        state["bucketRegionalDomainName"] = f"{bucket}.s3.{region}.amazonaws.com"
        state["bucketDomainName"] = f"{bucket}.s3.amazonaws.com"
    made: dict[str, dict[str, Any]] = {
        "aws:amp/workspace:Workspace": {
            "prometheusEndpoint": f"https://aps-workspaces.{region}.amazonaws.com/workspaces/ws-{name}/"
        },
        "aws:grafana/workspace:Workspace": {"endpoint": f"g-{name}.grafana-workspace.{region}.amazonaws.com"},
        "aws:ec2/instance:Instance": {"privateIp": "10.20.0.10", "primaryNetworkInterfaceId": f"eni-{name}"},
        "aws:ec2/eip:Eip": {"publicIp": "198.51.100.7", "allocationId": f"eipalloc-{name}"},
        "aws:lb/loadBalancer:LoadBalancer": {
            "dnsName": f"{name}.{region}.elb.amazonaws.com",
            "zoneId": "ZELB",
            "arnSuffix": f"app/{name}/50dc6c495c0c9188",
        },
        "aws:lb/targetGroup:TargetGroup": {"arnSuffix": f"targetgroup/{name}/73e2d6bc24d8a067"},
        "aws:rds/instance:Instance": {
            "address": f"{name}.{region}.rds.amazonaws.com",
            "endpoint": f"{name}.{region}.rds.amazonaws.com:{state.get('port', 5432)}",
            "identifier": f"{name}-1234567",
        },
        "aws:elasticache/replicationGroup:ReplicationGroup": {
            "primaryEndpointAddress": f"{name}.cache.amazonaws.com",
            "readerEndpointAddress": f"{name}-ro.cache.amazonaws.com",
            "memberClusters": [f"{name}-001", f"{name}-002"],
        },
        "aws:opensearch/domain:Domain": {"endpoint": f"{name}.{region}.es.amazonaws.com", "domainName": name},
        "aws:route53/zone:Zone": {"zoneId": f"Z{name}".upper()[:32], "nameServers": ["ns-1.example", "ns-2.example"]},
        "aws:acm/certificate:Certificate": {
            "domainValidationOptions": [
                {
                    "domainName": domain,
                    "resourceRecordName": f"_x.{domain}",
                    "resourceRecordType": "CNAME",
                    "resourceRecordValue": "_y.acm-validations.aws",
                }
                for domain in [state.get("domainName"), *(state.get("subjectAlternativeNames") or [])]
            ]
        },
        "aws:acm/certificateValidation:CertificateValidation": {"certificateArn": state.get("certificateArn")},
        "aws:cloudfront/distribution:Distribution": {
            "domainName": "d111.cloudfront.net",
            "hostedZoneId": "Z2FDTNDATAQYW2",
        },
        "aws:ecr/repository:Repository": {
            "repositoryUrl": f"{ACCOUNT}.dkr.ecr.{region}.amazonaws.com/{name}",
            "registryId": ACCOUNT,
        },
        "aws:kms/key:Key": {"keyId": f"key-{name}"},
        "aws:ec2/launchTemplate:LaunchTemplate": {"latestVersion": 1},
        "aws:ec2/vpc:Vpc": {
            "defaultSecurityGroupId": "sg-default",
            "defaultRouteTableId": "rtb-default",
            "defaultNetworkAclId": "acl-default",
        },
        "aws:ssm/association:Association": {"associationId": "8dfe3659-4309-493a-8755-0123456789ab"},
        "random:index/randomPassword:RandomPassword": {"result": "generated-by-the-test"},
        "random:index/randomId:RandomId": {"hex": "1a2b3c4d"},
    }
    return state | made.get(type_, {})


def _answer(token: str, args: dict[str, Any], region: str) -> dict[str, Any]:
    """What a look-up answers."""
    if token.startswith("alicloud:"):
        return answer_alicloud(token, args, region)
    answers: dict[str, Callable[[], dict[str, Any]]] = {
        "aws:index/getAvailabilityZones:getAvailabilityZones": lambda: {
            "names": [f"{region}{letter}" for letter in "abc"],
            "zoneIds": [f"use1-az{number}" for number in (1, 2, 3)],
            "id": region,
        },
        "aws:index/getCallerIdentity:getCallerIdentity": lambda: {
            "accountId": ACCOUNT,
            "arn": f"arn:aws:iam::{ACCOUNT}:user/test",
            "id": ACCOUNT,
            "userId": "test",
        },
        "aws:index/getRegion:getRegion": lambda: {"name": region, "region": region, "id": region, "description": ""},
        "aws:index/getPartition:getPartition": lambda: {"partition": "aws", "dnsSuffix": "amazonaws.com", "id": "aws"},
        "aws:ssm/getParameter:getParameter": lambda: {
            "name": args.get("name"),
            "value": "ami-0123456789abcdef0",
            "type": "String",
            "id": args.get("name"),
            "arn": "arn:aws:ssm:::parameter",
        },
        "aws:ec2/getAmi:getAmi": lambda: {"id": "ami-0123456789abcdef0", "imageId": "ami-0123456789abcdef0"},
        "aws:ec2/getPrefixList:getPrefixList": lambda: {"id": "pl-1", "name": args.get("name"), "cidrBlocks": []},
        "aws:ec2/getManagedPrefixList:getManagedPrefixList": lambda: {"id": "pl-1", "name": args.get("name")},
        "aws:ec2/getSubnet:getSubnet": lambda: {"id": args.get("id"), "availabilityZone": f"{region}a"},
        "aws:ec2/getVpc:getVpc": lambda: {"id": args.get("id"), "cidrBlock": "10.9.0.0/16"},
        "aws:route53/getZone:getZone": lambda: {
            "id": "ZFOUND",
            "zoneId": "ZFOUND",
            "name": args.get("name") or "example.com",
            "nameServers": [],
        },
        "aws:elb/getServiceAccount:getServiceAccount": lambda: {"arn": "arn:aws:iam::127311923021:root", "id": "1273"},
    }
    if token not in answers:
        raise AssertionError(f"the recorder has no answer to {token}: add one to _answer")
    return answers[token]()


class _Monitor(mocks.MockMonitor):
    """Keeps the whole registration: mocks themselves see neither the parent nor whether a resource is protected."""

    def __init__(self, computing: _Computing) -> None:
        super().__init__(computing)
        self.found: list[Recorded] = []
        self.outputs: dict[str, Any] = {}

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - the name that Pulumi calls
        with _closing_loop():
            answer = super().RegisterResource(request)  # type: ignore[no-untyped-call]
            self._keep(request, answer.urn)
        return answer

    def Invoke(self, request: Any) -> Any:  # noqa: N802 - as above
        with _closing_loop():
            return super().Invoke(request)  # type: ignore[no-untyped-call]

    def ReadResource(self, request: Any) -> Any:  # noqa: N802 - as above
        with _closing_loop():
            return super().ReadResource(request)  # type: ignore[no-untyped-call]

    def _keep(self, request: Any, urn: str) -> None:
        if request.type != "pulumi:pulumi:Stack":
            inputs = pulumi.runtime.rpc.deserialize_properties(request.object, keep_unknowns=True)
            self.found.append(
                Recorded(
                    urn=urn,
                    type=request.type,
                    name=request.name,
                    props=_reveal(inputs),
                    parent=request.parent,
                    custom=request.custom,
                    protect=request.protect,
                    retain=request.retainOnDelete,
                    ignored=tuple(request.ignoreChanges),
                    secret=frozenset(key for key, value in inputs.items() if _is_secret(value)),
                    provider=request.provider,
                )
            )

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802 - as above
        if request.urn.split("::")[2] == "pulumi:pulumi:Stack":
            outputs = pulumi.runtime.rpc.deserialize_properties(request.outputs, keep_unknowns=True)
            # the stack that the mocks make by themselves registers too, with none
            self.outputs |= {key: _reveal(value) for key, value in outputs.items()}
        return super().RegisterResourceOutputs(request)  # type: ignore[no-untyped-call]


@contextmanager
def _closing_loop() -> Iterator[None]:
    """A loop for one call: the mocks would give each of the executor's threads one, and close none."""
    if threading.current_thread() is threading.main_thread():
        yield
        return
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        yield
    finally:
        asyncio.set_event_loop(None)
        loop.close()


def _is_secret(value: Any) -> bool:
    return isinstance(value, dict) and "4dabf18193072939515e22adb298388d" in value


def _reveal(value: Any) -> Any:
    if isinstance(value, dict):
        return _reveal(value["value"]) if _is_secret(value) else {key: _reveal(each) for key, each in value.items()}
    return [_reveal(each) for each in value] if isinstance(value, list) else value


def record(
    program: Callable[[], None],
    *,
    region: str = "us-east-1",
    stack_name: str = "test",
    config: Mapping[str, str] | None = None,
    secrets: tuple[str, ...] = (),
) -> Recording:
    """Run a program on a loop of its own; `config` has the full names of keys (`reme-cloud:workload`).

    Errors of the program go through.
    """
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    monitor = _Monitor(_Computing(region))
    try:
        settings.reset_options()
        settings.SETTINGS.rpc_manager.clear()
        settings.SETTINGS.outputs.clear()
        mocks.set_mocks(
            monitor.mocks, project=PROJECT, stack=stack_name, preview=False, logger=_silent(), monitor=monitor
        )
        settings.ROOT.set(None)  # the mocks make a stack whose outputs are closed; the run makes its own
        regions = {} if any(key.endswith(":region") for key in config or {}) else {"aws:region": region}
        set_all_config({**regions, **(config or {})}, list(secrets))
        loop.run_until_complete(stack.run_in_stack(program))
    finally:
        set_all_config({}, [])
        asyncio.set_event_loop(None)
        loop.close()
    return Recording(tuple(sorted(monitor.found, key=lambda each: each.urn)), monitor.outputs)


def _silent() -> logging.Logger:
    logger = logging.getLogger("pulumi.recorded")
    logger.addHandler(logging.NullHandler())
    logger.propagate = False
    return logger
