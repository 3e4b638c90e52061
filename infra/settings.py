"""The configuration of a stack: `Pulumi.<stack>.yaml`, read once and checked strictly.

This is the only module that looks at Pulumi's configuration. Secrets are keys of their own, never inside an object:
Pulumi returns an object with a secret leaf as plain values.
"""

import difflib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import pulumi
from pulumi.runtime.config import CONFIG, get_config_env
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from infra.errors import InvalidStack, MissingSetting
from infra.identifiers import (
    ADDRESSES,
    BALANCER,
    CERTIFICATE,
    IMAGE,
    KEY_INSTANCE,
    MIRROR,
    OF_AWS,
    PACKAGE_INDEX,
    REGISTRY_HOST,
)
from infra.tagging import PROJECT

PROVIDER_SECRETS = ("llm-api-key", "embedding-api-key", "qdrant-api-key", "datadog-api-key", "edge-secret")
"""Keys of others' services. What the stack makes itself (passwords, the first admin key) is generated."""
_PLAIN = (
    "cloud",
    "environment",
    "tier",
    "domain",
    "zone-id",
    "certificate-id",
    "key-instance-id",
    "protect",
    "keep-copies",
    "workload",
    "network",
    "service",
    "alerts",
    "replicas",
    "peers",
    "callers",
    "tags",
)
KEYS = (*_PLAIN, *PROVIDER_SECRETS)
"""Every key that a stack's file may hold, without its namespace."""

Cloud = Literal["aws", "alicloud"]
Strategy = Literal["rolling", "blue-green", "canary"]
GrafanaSignIn = Literal["SAML", "AWS_SSO"]
DatadogSite = Literal["datadoghq.com", "datadoghq.eu", "us3.datadoghq.com", "us5.datadoghq.com", "ap1.datadoghq.com"]
"""Where an account of Datadog can be (its documentation, "Datadog sites")."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


_S = TypeVar("_S", bound=_Section)


class NetworkSettings(_Section):
    """The network: a new one of `cidr`, or one that exists, named by its ids. `allowed_cidrs` may reach the service.

    On Alibaba Cloud subnets are vSwitches, and `zones` may name the zones, of which not each sells every machine.
    """

    cidr: str = "10.20.0.0/16"
    zones: tuple[str, ...] = ()
    vpc_id: str = ""
    public_subnet_ids: tuple[str, ...] = ()
    private_subnet_ids: tuple[str, ...] = ()
    data_subnet_ids: tuple[str, ...] = ()
    allowed_cidrs: tuple[str, ...] = ("0.0.0.0/0",)


class ServiceSettings(_Section):
    """Which build of the service runs, how it arrives and how a new one takes over.

    A single host gets the wheel, by default the one that `make wheel` builds; a cluster gets `image`, by default the
    tag `version` of the stack's own registry. `machine_image` pins the image of the machines that run the service,
    `vector_machine_image` that of Qdrant's nodes; the cloud's newest is taken else. `image_mirror` has what stands
    beside the service on a host, under the names of docker.io, where that cannot be reached. `registry_host` is the
    host of the account's registry on Alibaba Cloud where that is not the region's own. `vector_url` is the address of a
    managed vector store; `email` is told of trouble with a host's certificate. `settings` are settings of the service
    by their dotted names, over those that follow from the plan. `green_version` is the candidate of a blue-green or
    canary deployment and `canary_percent` the share of the traffic that it gets. `package_index` is where a host's
    packages of Python come from, PyPI else.
    """

    version: str = Field(default="0.1.0", pattern=r"^[0-9A-Za-z][0-9A-Za-z._+-]{0,63}$")
    image: str = ""
    wheel: str = ""
    strategy: Strategy = "rolling"
    green_version: str = ""
    canary_percent: int = Field(default=0, ge=0, le=100)
    machine_image: str = Field(default="", pattern=IMAGE)
    vector_machine_image: str = Field(default="", pattern=IMAGE)
    image_mirror: str = Field(default="", pattern=MIRROR)
    package_index: str = Field(default="", pattern=PACKAGE_INDEX)
    registry_host: str = Field(default="", pattern=REGISTRY_HOST)
    vector_url: str = ""
    email: str = ""
    settings: Mapping[str, str] = {}


class AlertSettings(_Section):
    """Who hears of alarms, and the budget; without one it is the plan's cost × 1.2.

    `grafana_sign_in` is how people reach Managed Grafana: by an identity provider that is named to the workspace
    afterwards, or by the account's IAM Identity Center. `datadog_site` is where the account of Datadog is.
    """

    emails: tuple[str, ...] = ()
    monthly_budget_usd: float | None = Field(default=None, gt=0)
    grafana_sign_in: GrafanaSignIn = "SAML"
    datadog_site: DatadogSite = "datadoghq.com"


class ReplicaSettings(_Section):
    """A peer region's bucket of objects and the key that encrypts there: outputs `bucket` and `bucket_key` of its
    stack, as ARNs. `reme-deploy up` fills them in once every region's stack is there."""

    bucket_arn: str = Field(pattern=r"^arn:aws[a-z-]*:s3:::[a-z0-9.-]{3,63}$")
    key_arn: str = Field(default="", pattern=r"^(arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/.+)?$")


class PeerSettings(_Section):
    """The balancer of a region on another cloud: output `entrance_address` of its stack. `reme-deploy up` fills it in
    at the stack that routes, AWS's first region, once the other's is there."""

    address: str = Field(pattern=BALANCER)


class CallerSettings(_Section):
    """What another region calls from: output `outbound_addresses` of its stack. `reme-deploy up` fills it in."""

    addresses: str = Field(pattern=ADDRESSES)


@dataclass(frozen=True, kw_only=True)
class StackSettings:
    """What one stack is told. `secrets` has the names of PROVIDER_SECRETS that are set, as secret outputs.

    `protect` refuses the deletion of what holds data. `keeps_copies` decides what is left of it after a deletion, so a
    stack whose protection is lifted to remove it still leaves its final copies. `key_instance_id` is a KMS instance of
    Alibaba Cloud for keys of the stack's own, empty for keys that the services manage. `certificate_id` is a
    certificate there, as balancers take it; on AWS certificates are made.
    """

    stack: str
    cloud: Cloud
    region: str
    environment: str
    protect: bool
    keeps_copies: bool
    domain: str
    zone_id: str
    certificate_id: str
    key_instance_id: str
    workload: Mapping[str, Any]
    network: NetworkSettings
    service: ServiceSettings
    alerts: AlertSettings
    replicas: Mapping[str, ReplicaSettings]
    peers: Mapping[str, PeerSettings]
    callers: Mapping[str, CallerSettings]
    tags: Mapping[str, str]
    secrets: Mapping[str, pulumi.Output[str]]

    def secret(self, name: str, purpose: str) -> pulumi.Output[str]:
        """A secret that the plan needs; raises MissingSetting with the purpose."""
        if name not in self.secrets:
            raise MissingSetting(name, purpose, secret=True)
        return self.secrets[name]


def read_settings() -> StackSettings:
    """Read the stack's configuration; raises InvalidStack or MissingSetting with the remedy."""
    config = pulumi.Config(PROJECT)
    _check_keys()
    cloud = config.get("cloud") or "aws"
    if cloud not in ("aws", "alicloud"):
        raise InvalidStack("cloud", cloud, "aws or alicloud")
    region = pulumi.Config(cloud).get("region")
    if not region:
        raise InvalidStack(f"{cloud}:region", region, f"a region: `pulumi config set {cloud}:region …`")
    environment = config.get("environment")
    if environment not in ("dev", "team", "staging", "prod", "global"):
        raise InvalidStack("environment", environment, "dev, team, staging, prod or global")
    domain = config.get("domain") or ""
    if domain and ("/" in domain or "." not in domain.strip(".")):
        raise InvalidStack("domain", domain, "a host name such as memory.example.com")
    key_instance_id = config.get("key-instance-id") or ""
    if key_instance_id and (cloud != "alicloud" or not re.fullmatch(KEY_INSTANCE, key_instance_id)):
        raise InvalidStack("key-instance-id", key_instance_id, "a KMS instance of Alibaba Cloud, such as kst-hzz0123…")
    certificate_id = config.get("certificate-id") or ""
    if certificate_id and (cloud != "alicloud" or not re.fullmatch(CERTIFICATE, certificate_id)):
        raise InvalidStack(
            "certificate-id", certificate_id, "a certificate of Alibaba Cloud and its region, as 1234567-cn-hangzhou"
        )
    network, service = _section(config, "network", NetworkSettings), _section(config, "service", ServiceSettings)
    if cloud == "aws" and network.zones:
        raise InvalidStack("network.zones", list(network.zones), "nothing on AWS, where each zone has every machine")
    for field in ("machine_image", "vector_machine_image"):
        image = getattr(service, field)
        if image and (cloud == "aws") != image.startswith(OF_AWS):
            raise InvalidStack(f"service.{field}", image, f"an image of {cloud}")
    lasting = environment in ("prod", "global")
    protect, keeps_copies = config.get_bool("protect"), config.get_bool("keep-copies")
    return StackSettings(
        stack=pulumi.get_stack(),
        cloud="aws" if cloud == "aws" else "alicloud",
        region=region,
        environment=environment,
        protect=lasting if protect is None else protect,
        keeps_copies=lasting if keeps_copies is None else keeps_copies,
        domain=domain,
        zone_id=config.get("zone-id") or "",
        certificate_id=certificate_id,
        key_instance_id=key_instance_id,
        workload=_workload(config),
        network=network,
        service=service,
        alerts=_section(config, "alerts", AlertSettings),
        replicas=_by_region(config, cloud, "replicas", ReplicaSettings),
        peers=_by_region(config, cloud, "peers", PeerSettings),
        callers=_by_region(config, cloud, "callers", CallerSettings),
        tags=_texts(config, "tags"),
        secrets={name: found for name in PROVIDER_SECRETS if (found := config.get_secret(name)) is not None},
    )


def _check_keys() -> None:
    given = {key.partition(":")[2] for key in (CONFIG.get() or get_config_env()) if key.startswith(f"{PROJECT}:")}
    for key in sorted(given - set(KEYS)):
        near = difflib.get_close_matches(key, KEYS, n=1)
        raise InvalidStack(key, "…", f"{near[0]}?" if near else ", ".join(KEYS))
    for key in sorted(given & set(_PLAIN)):
        if pulumi.runtime.is_config_secret(f"{PROJECT}:{key}"):
            raise InvalidStack(
                key, "[secret]", f"plain values; secrets are keys of their own: {', '.join(PROVIDER_SECRETS)}"
            )


def _workload(config: pulumi.Config) -> Mapping[str, Any]:
    """The workload's document; `tier` is a short form of its override."""
    document = _object(config, "workload")
    tier = config.get("tier")
    if tier:
        overrides = document.get("overrides") or {}
        if overrides.get("tier", tier) != tier:
            raise InvalidStack("tier", tier, f"one tier; workload.overrides.tier is {overrides['tier']!r}")
        document["overrides"] = {**overrides, "tier": tier}
    # Of a document with other keys, the sizer names the one that is wrong.
    if document.keys() <= {"name", "overrides"}:
        raise MissingSetting("workload", "how many users the memory service has, such as {users: 500}")
    return document


def _by_region(config: pulumi.Config, cloud: str, key: str, model: type[_S]) -> dict[str, _S]:
    """What AWS's stacks are told of the other regions; to whom of them, their plans say (infra.peers)."""
    found = {region: _check(f"{key}.{region}", value, model) for region, value in _object(config, key).items()}
    if found and cloud != "aws":
        raise InvalidStack(key, ", ".join(found), "nothing here: stacks on AWS are told of the other regions")
    return found


def _section(config: pulumi.Config, key: str, model: type[_S]) -> _S:
    return _check(key, _object(config, key), model)


def _check(key: str, found: Any, model: type[_S]) -> _S:
    try:
        return model.model_validate(found)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join((key, *(str(part) for part in first["loc"])))
        raise InvalidStack(field, first["input"], first["msg"]) from None


def _texts(config: pulumi.Config, key: str) -> dict[str, str]:
    found = _object(config, key)
    for name, value in found.items():
        if not isinstance(value, str):
            raise InvalidStack(f"{key}.{name}", value, "a text")
    return found


def _object(config: pulumi.Config, key: str) -> dict[str, Any]:
    raw = config.get(key)
    if raw is None:
        return {}
    try:
        found = json.loads(raw)
    except json.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise InvalidStack(key, raw, "an object, such as {users: 500}")
    return found
