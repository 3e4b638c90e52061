"""Prometheus as an agent beside each task of the service: it reads the task's metrics and sends them to a workspace."""

import json
from dataclasses import dataclass
from typing import Any

import yaml

from infra.service.delivery import check_image

NAME = "collector"
RESERVED_MB, MOST_MB = 128, 320
"""Ours: an agent of 1,500 series needs some 100 MB, its log of what is not yet sent lies in RAM."""
LOG_MB = 64
USER_ID = 65534
"""The user of the image."""
INTERVAL_S = 60
"""A sample costs the same however old it is: half as often is half the price, and a rule's window has five."""
METRICS = "reme_.*|process_.*"
"""What is sent: the service's own and its process's; `up` is always sent."""
_START = (
    # the last part of this address is the container's own id
    'export TASK="${ECS_CONTAINER_METADATA_URI_V4##*/}"; '
    'printf %s "$CONFIGURATION" > /tmp/agent.json && exec /bin/prometheus --agent --config.file=/tmp/agent.json '
    "--storage.agent.path=/tmp/agent --web.listen-address=127.0.0.1:9090"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Collector:
    """`image` is Prometheus', pinned by its digest. `write_url` takes what is sent, signed for `region`."""

    image: str
    stack: str
    port: int
    write_url: str
    region: str


def configure_collector(collector: Collector) -> dict[str, Any]:
    """The agent's settings. The service is asked at the task's own address, where it wants no key.

    Tasks have the same address to themselves, so `task` keeps their series apart.
    """
    return {
        "global": {
            "scrape_interval": f"{INTERVAL_S}s",
            "external_labels": {"stack": collector.stack, "task": "${TASK}"},
        },
        "scrape_configs": [
            {
                "job_name": "reme",
                "metrics_path": "/metrics",
                "static_configs": [{"targets": [f"127.0.0.1:{collector.port}"]}],
                "metric_relabel_configs": [{"source_labels": ["__name__"], "regex": METRICS, "action": "keep"}],
            }
        ],
        "remote_write": [{"url": collector.write_url, "sigv4": {"region": collector.region}}],
    }


def describe_collector(collector: Collector) -> dict[str, Any]:
    """The container's definition for ECS, without secrets and without where it logs.

    The service goes on without it. Raises InvalidDelivery for an image that is not pinned.
    """
    return {
        "name": NAME,
        "image": check_image(NAME, collector.image),
        "essential": False,
        "user": f"{USER_ID}:{USER_ID}",
        "privileged": False,
        "readonlyRootFilesystem": True,
        "linuxParameters": {
            "initProcessEnabled": True,
            "capabilities": {"drop": ["ALL"]},
            "tmpfs": [{"containerPath": "/tmp", "size": LOG_MB, "mountOptions": ["rw", "nosuid", "nodev", "noexec"]}],  # noqa: S108 - a file system of the container's own
        },
        "memory": MOST_MB,
        "memoryReservation": RESERVED_MB,
        "entryPoint": ["/bin/sh", "-c"],
        "command": [_START],
        "environment": [{"name": "CONFIGURATION", "value": json.dumps(configure_collector(collector), sort_keys=True)}],
    }


def write_alert_manager(topic_arn: str, region: str) -> str:
    """The definition of a workspace's alert manager: everything goes to the topic of notices."""
    settings = {
        "route": {"receiver": "notices", "group_by": ["alertname"], "repeat_interval": "4h"},
        "receivers": [
            {
                "name": "notices",
                "sns_configs": [{"topic_arn": topic_arn, "sigv4": {"region": region}, "send_resolved": True}],
            }
        ],
    }
    return yaml.safe_dump({"alertmanager_config": yaml.safe_dump(settings, sort_keys=False)}, default_style="|")
