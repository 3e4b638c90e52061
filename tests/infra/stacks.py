"""Stacks as they lie in `infra/stacks`, with what a test adds, for the recorder."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from infra.planning import StackPlan, plan_stack
from infra.program import deploy
from infra.settings import read_settings
from tests.infra.recorder import Recording, record
from tests.infra.wheel import ensure_wheel

ROOT = Path(__file__).parents[2]
STACKS = tuple(sorted(path.name.split(".")[1] for path in (ROOT / "infra" / "stacks").glob("Pulumi.*.yaml")))
SECRETS = {
    f"reme-cloud:{name}": "of the tests"
    for name in ("llm-api-key", "embedding-api-key", "qdrant-api-key", "datadog-api-key", "edge-secret")
}


def _prod(**more: Any) -> dict[str, Any]:
    """The production stack's workload with wishes of its own."""
    overrides = more.pop("overrides", {})
    return {"reme-cloud:workload": {"name": "memory", "users": 500, "overrides": overrides, **more}}


OWN_NETWORK: tuple[str, Mapping[str, Any]] = (
    "aws-prod",
    {
        "reme-cloud:network": {
            "vpc_id": "vpc-1",
            "cidr": "10.9.0.0/16",
            "public_subnet_ids": ["subnet-a1", "subnet-a2"],
            "private_subnet_ids": ["subnet-b1", "subnet-b2"],
            "data_subnet_ids": ["subnet-c1", "subnet-c2"],
        }
    },
)
"""Production in a network that is there already."""
ALTERNATIVES: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "pgvector": ("aws-prod", _prod(overrides={"vector_store": "pgvector"})),
    "opensearch": ("aws-prod", _prod(overrides={"vector_store": "elasticsearch"})),
    "qdrant cloud": (
        "aws-prod",
        {
            **_prod(overrides={"vector_store": "qdrant-cloud"}),
            "reme-cloud:service": {"vector_url": "https://x.cloud.example.com:6333"},
        },
    ),
    "network balancer": ("aws-prod", _prod(overrides={"balancer": "nlb"})),
    "a nat in each zone": ("aws-prod", _prod(overrides={"nat": "per-zone"})),
    "arm": ("aws-prod", _prod(architecture="arm64")),
    "prometheus": ("aws-prod", _prod(overrides={"monitoring": "prometheus"})),
    "managed prometheus": ("aws-prod", _prod(overrides={"monitoring": "managed-prometheus"})),
    "datadog": ("aws-prod", _prod(overrides={"monitoring": "datadog"})),
    "datadog on a host": ("aws-team", {"reme-cloud:workload": {"users": 60, "overrides": {"monitoring": "datadog"}}}),
    "copies of objects": (
        "global-us-east-1",
        {
            "reme-cloud:replicas": {
                "eu-west-1": {
                    "bucket_arn": "arn:aws:s3:::objects-bucket-eu",
                    "key_arn": "arn:aws:kms:eu-west-1:123456789012:key/data",
                }
            }
        },
    ),
    "a gpu": ("aws-prod", _prod(embedding="local-gpu")),
    "blue and green": ("aws-prod", {"reme-cloud:service": {"strategy": "blue-green"}}),
    "a canary": (
        "aws-prod",
        {"reme-cloud:service": {"strategy": "canary", "green_version": "0.2.0", "canary_percent": 10}},
    ),
    "postgresql beside a host": (
        "aws-team",
        {"reme-cloud:workload": {"users": 60, "overrides": {"database": "postgresql"}}},
    ),
    "a domain for a host": ("aws-dev", {"reme-cloud:domain": "dev.example.com", "reme-cloud:zone-id": "Z1"}),
    "an own network": OWN_NETWORK,
    "ireland": ("aws-prod", {"aws:region": "eu-west-1"}),
    "a domain on alibaba cloud": (
        "alicloud-dev",
        {"reme-cloud:domain": "dev.example.com", "reme-cloud:zone-id": "example.com"},
    ),
    "an own network on alibaba cloud": (
        "alicloud-team",
        {
            "reme-cloud:network": {
                "vpc_id": "vpc-1",
                "cidr": "10.9.0.0/16",
                "public_subnet_ids": ["vsw-a1", "vsw-a2"],
                "private_subnet_ids": ["vsw-b1", "vsw-b2"],
                "data_subnet_ids": ["vsw-c1", "vsw-c2"],
                "zones": ["cn-beijing-h", "cn-beijing-i"],
            }
        },
    ),
    "singapore": ("alicloud-dev", {"alicloud:region": "ap-southeast-1"}),
}
"""What a plan or a stack's file may choose: each with the stack that it is tried on, and what is said over its file."""


def read_stack(name: str) -> dict[str, str]:
    """The configuration of a stack's file, as the engine hands it over: objects as JSON."""
    document = yaml.safe_load((ROOT / "infra" / "stacks" / f"Pulumi.{name}.yaml").read_text(encoding="utf-8"))
    return {key: _write(value) for key, value in document["config"].items()}


def find_cloud(config: Mapping[str, Any]) -> str:
    """The cloud of a stack's configuration."""
    return str(config.get("reme-cloud:cloud", "aws"))


def find_region(config: Mapping[str, Any]) -> str:
    """The region of a stack's configuration; AWS's where a test names a cloud that is none."""
    return str(config.get(f"{find_cloud(config)}:region") or config["aws:region"])


def _write(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


AWS_STACKS = tuple(name for name in STACKS if find_cloud(read_stack(name)) == "aws")
ALICLOUD_STACKS = tuple(name for name in STACKS if name not in AWS_STACKS)
LASTING = tuple(name for name in STACKS if read_stack(name)["reme-cloud:environment"] in ("prod", "global"))
"""Stacks whose data are protected."""
ALICLOUD_CLUSTERS = tuple(name for name in ALICLOUD_STACKS if name in LASTING)


def plan_recorded(name: str, more: Mapping[str, Any] | None = None) -> StackPlan:
    """The plan of a stack as its program makes it."""
    found: list[StackPlan] = []
    config = _configure(name, more)
    record(
        lambda: found.append(plan_stack(read_settings())),
        region=find_region(config),
        stack_name=name,
        config=config,
        secrets=tuple(SECRETS),
    )
    return found[0]


def _configure(name: str, more: Mapping[str, Any] | None) -> dict[str, str]:
    return read_stack(name) | SECRETS | {key: _write(value) for key, value in (more or {}).items()}


def record_stack(
    name: str,
    more: Mapping[str, Any] | None = None,
    *,
    without: Sequence[str] = (),
    secret: Sequence[str] = (),
) -> Recording:
    """Record a stack with `more` configuration over its file's, `without` some keys, and some of them `secret`."""
    ensure_wheel()
    config = {key: value for key, value in _configure(name, more).items() if key not in without}
    return record(deploy, region=find_region(config), stack_name=name, config=config, secrets=(*SECRETS, *secret))
