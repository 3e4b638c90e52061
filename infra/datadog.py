"""Datadog's agent: on each node of a cluster as a container, on a machine of its own as a package."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from infra.service.delivery import check_image
from infra.service.rendering import write_json

METRICS = "reme_.*"
NAMESPACE = "reme"
"""What stands before a metric's name at Datadog, which wants something there."""
RESERVED_MB, MOST_MB = 256, 512
"""What Datadog's own task definition for ECS has, 512 at most."""
DATADOG_PACKAGE = "datadog-agent"
MOUNTS = {
    "docker": "/var/run/docker.sock",
    "processes": "/proc",
    "groups": "/sys/fs/cgroup",
}
"""What the agent reads of a node, by volume (Datadog's documentation, "Amazon ECS on EC2")."""
_TARGETS = {"docker": "/var/run/docker.sock", "processes": "/host/proc", "groups": "/host/sys/fs/cgroup"}
KEY_VARIABLE = "REME_METRICS_KEY"
_REPOSITORY = """\
[datadog]
name=Datadog, Inc.
baseurl=https://yum.datadoghq.com/stable/7/$basearch/
enabled=1
gpgcheck=1
repo_gpgcheck=1
gpgkey=https://keys.datadoghq.com/DATADOG_RPM_KEY_CURRENT.public
       https://keys.datadoghq.com/DATADOG_RPM_KEY_B01082D3.public
       https://keys.datadoghq.com/DATADOG_RPM_KEY_FD4BF915.public
"""
_UNIT = """\
[Service]
RuntimeDirectory=reme-datadog
RuntimeDirectoryMode=0700
ExecStartPre=+/usr/local/libexec/reme/fetch-secrets /etc/reme/datadog.secrets.json /run/reme-datadog/secrets root
EnvironmentFile=-/run/reme-datadog/secrets
"""


def label_service(port: int) -> dict[str, str]:
    """Labels of the service's container by which an agent on its node finds and reads its metrics."""
    instance = {
        "openmetrics_endpoint": f"http://%%host%%:{port}/metrics",
        "namespace": NAMESPACE,
        "metrics": [METRICS],
        # filled in by the agent, so the key is in no task definition
        "headers": {"Authorization": f"Bearer %%env_{KEY_VARIABLE}%%"},
    }
    return {"com.datadoghq.ad.checks": json.dumps({"openmetrics": {"instances": [instance]}}, sort_keys=True)}


@dataclass(frozen=True, kw_only=True, slots=True)
class NodeAgent:
    """`image` is pinned. `key_arn` is the secret with Datadog's key, `metrics_key_arn` one with a key of the service
    that reads every workspace, which it wants of whoever reads its metrics from outside of the task."""

    image: str
    site: str
    stack: str
    key_arn: str
    metrics_key_arn: str


def describe_node_agent(agent: NodeAgent, log: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The container definitions of a node's agent for ECS, with the volumes of MOUNTS; `log` is its logConfiguration.

    The agent runs as the image's user and writes its settings at its start, so its root is not read-only.
    """
    environment = {
        "DD_SITE": agent.site,
        "DD_TAGS": f"stack:{agent.stack}",
        "DD_APM_ENABLED": "false",
        "DD_LOGS_ENABLED": "false",
        "DD_USE_DOGSTATSD": "false",
        "DD_CONTAINER_EXCLUDE": "name:ecs-agent",
    }
    secrets = {"DD_API_KEY": agent.key_arn, KEY_VARIABLE: agent.metrics_key_arn}
    return [
        {
            "name": "datadog-agent",
            "image": check_image("datadog", agent.image),
            "essential": True,
            "privileged": False,
            "memory": MOST_MB,
            "memoryReservation": RESERVED_MB,
            "environment": [{"name": name, "value": value} for name, value in sorted(environment.items())],
            "secrets": [{"name": name, "valueFrom": arn} for name, arn in sorted(secrets.items())],
            "mountPoints": [
                {"sourceVolume": volume, "containerPath": _TARGETS[volume], "readOnly": True} for volume in MOUNTS
            ],
            "healthCheck": {"command": ["CMD", "agent", "health"], "interval": 30, "timeout": 5, "retries": 3},
            "logConfiguration": dict(log),
        }
    ]


@dataclass(frozen=True, kw_only=True, slots=True)
class MachineAgent:
    """`key_arn` is the secret with Datadog's key; `port` is the service's on this machine, 0 where it is not there."""

    site: str
    stack: str
    key_arn: str
    port: int = 0


def write_machine_agent(agent: MachineAgent) -> dict[str, str]:
    """Files of a machine's agent, for cloud-init: where its package comes from, its settings, how it gets its key.

    None has a secret; the key is fetched by the machine's role when the agent starts, into a file in RAM.
    """
    files = {
        "/etc/yum.repos.d/datadog.repo": _REPOSITORY,
        "/etc/datadog-agent/datadog.yaml": _write_yaml(
            {
                "site": agent.site,
                "tags": [f"stack:{agent.stack}"],
                "apm_config": {"enabled": False},
                "logs_enabled": False,
                "use_dogstatsd": False,
            }
        ),
        "/etc/reme/datadog.secrets.json": write_json({"DD_API_KEY": agent.key_arn}),
        "/etc/systemd/system/datadog-agent.service.d/reme.conf": _UNIT,
    }
    if agent.port:
        # from a local address the service wants no key
        instance = {
            "openmetrics_endpoint": f"http://127.0.0.1:{agent.port}/metrics",
            "namespace": NAMESPACE,
            "metrics": [METRICS],
        }
        files["/etc/datadog-agent/conf.d/openmetrics.d/conf.yaml"] = _write_yaml({"instances": [instance]})
    return files


START_AGENT = [
    ["systemctl", "daemon-reload"],
    ["systemctl", "enable", "datadog-agent.service"],
    ["systemctl", "restart", "datadog-agent.service"],
]
"""What a machine does once the package is there."""


def _write_yaml(document: object) -> str:
    return yaml.safe_dump(document, sort_keys=False, width=120)
