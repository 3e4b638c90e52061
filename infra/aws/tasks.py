"""What one task of the service is: its containers, and the share of a node that it takes."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi_aws as aws

from infra.facts import SERVICE_UID
from infra.service.configuration import WORKING_DIR
from infra.service.container import ContainerContent
from sizing.plan import ComputeSpec

CONTAINER = "reme"
PREPARATION = "prepare"

TEMPORARY_DIR = "/tmp"  # noqa: S108 - a file system of the container's own
WORK_VOLUME = "work"

AGENT_RESERVE_MB = 256
"""Ours: for the ECS agent and the system's own processes."""

REGISTERED_SHARE = 0.92
"""Ours, rounded down: an instance of 8 GB registers some 7.6 GB with ECS, since the kernel keeps the rest."""

TASKS_PER_NODE = 2

PREPARATION_MB = 256
PREPARATION_CPU = 128
"""Ours: it sends statements and waits. ECS keeps its reservation for as long as the task lives."""

CPU_UNITS_PER_VCPU = 1024

STOP_TIMEOUT_S = 60
"""Ours: twice the service's own time for requests under way. ECS allows 120."""

LOG_BUFFER = "25m"
"""Ours: what lines wait in when CloudWatch is slow; beyond it lines are lost rather than requests held."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Beside:
    """What watches a task: `containers` in it, ECS's definitions with their `memoryReservation`, `labels` of the
    service's own, and `node_mb` that each node reserves for what runs there once."""

    containers: Sequence[Mapping[str, Any]] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    node_mb: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Share:
    """What a container may take of a node. ``cpu`` in units of 1/1024 vCPU, memory in MiB."""

    cpu: int
    reserved_mb: int
    limit_mb: int


def describe_work_volume() -> aws.ecs.TaskDefinitionVolumeArgs:
    """The volume of the service's working folder: the task's own, on the node's disk, gone with the task."""
    local = aws.ecs.TaskDefinitionVolumeDockerVolumeConfigurationArgs(scope="task", driver="local")
    return aws.ecs.TaskDefinitionVolumeArgs(name=WORK_VOLUME, docker_volume_configuration=local)


def share_node(spec: ComputeSpec, *, beside_mb: int = 0, node_mb: int = 0) -> Share:
    """The service's share of a node. `beside_mb` is reserved in each task for what stands beside the service, `node_mb`
    on each node for what runs there once.

    A rolling update at 200/100 starts the new task before the old one ends, so each reserves half of what a
    node registers: (memory x REGISTERED_SHARE - AGENT_RESERVE_MB) / 2, and half of the vCPUs. The limit is
    the whole of it, since one task has the node to itself between updates. The preparation's reservation
    is taken off.
    """
    usable_mb = math.floor(spec.memory_gb * 1024 * REGISTERED_SHARE) - AGENT_RESERVE_MB - node_mb
    return Share(
        cpu=spec.vcpu * CPU_UNITS_PER_VCPU // TASKS_PER_NODE - PREPARATION_CPU,
        reserved_mb=usable_mb // TASKS_PER_NODE - PREPARATION_MB - beside_mb,
        limit_mb=usable_mb,
    )


def describe_containers(
    content: ContainerContent,
    *,
    image: str,
    spec: ComputeSpec,
    port: int,
    log_group: str,
    region: str,
    beside: Beside | None = None,
) -> list[dict[str, Any]]:
    """The container definitions of a task, as ECS reads them.

    The preparation comes first and must end well. It gets what the service gets, and what is for it alone.
    """
    beside = beside or Beside()
    reserved = [container["memoryReservation"] for container in beside.containers]
    share = share_node(spec, beside_mb=sum(reserved), node_mb=beside.node_mb)
    everyone = {
        "image": image,
        "user": f"{SERVICE_UID}:{SERVICE_UID}",
        "privileged": False,
        "readonlyRootFilesystem": True,
        "mountPoints": [{"sourceVolume": WORK_VOLUME, "containerPath": WORKING_DIR, "readOnly": False}],
        "linuxParameters": {
            "initProcessEnabled": True,
            "capabilities": {"drop": ["ALL"]},
            "tmpfs": [
                {"containerPath": TEMPORARY_DIR, "size": 128, "mountOptions": ["rw", "nosuid", "nodev", "noexec"]}
            ],
        },
        "memory": share.limit_mb,
    }
    preparation = {
        **everyone,
        "name": PREPARATION,
        "essential": False,
        "entryPoint": list(content.preparation),
        "cpu": PREPARATION_CPU,
        "memoryReservation": PREPARATION_MB,
        "environment": _list_pairs({**content.environment, **content.preparation_environment}, "value"),
        "secrets": _list_pairs({**content.secrets, **content.preparation_secrets}, "valueFrom"),
        "logConfiguration": log_to(log_group, region, PREPARATION),
    }
    service = {
        **everyone,
        "name": CONTAINER,
        "essential": True,
        "command": list(content.command),
        "cpu": share.cpu,
        "memoryReservation": share.reserved_mb,
        "environment": _list_pairs(content.environment, "value"),
        "secrets": _list_pairs(content.secrets, "valueFrom"),
        "dependsOn": [{"containerName": PREPARATION, "condition": "SUCCESS"}],
        "portMappings": [{"containerPort": port, "hostPort": port, "protocol": "tcp"}],
        "healthCheck": {
            "command": ["CMD", "python", "-c", describe_probe(port)],
            "interval": 30,
            "timeout": 5,
            "retries": 3,
            "startPeriod": 60,
        },
        "stopTimeout": STOP_TIMEOUT_S,
        "logConfiguration": log_to(log_group, region, CONTAINER),
    }
    if spec.gpu:
        service["resourceRequirements"] = [{"type": "GPU", "value": "1"}]
    if beside.labels:
        service["dockerLabels"] = dict(beside.labels)
    others = [{**each, "logConfiguration": log_to(log_group, region, each["name"])} for each in beside.containers]
    return [preparation, *others, service]


def describe_probe(port: int) -> str:
    """The image's own check, in Python: is the process alive? A dependency that is down restarts nothing."""
    return (
        f"import http.client as h; c = h.HTTPConnection('127.0.0.1', {port}, timeout=4); "
        "c.request('GET', '/livez'); raise SystemExit(c.getresponse().status != 200)"
    )


def _list_pairs(values: Mapping[str, str], key: str) -> list[dict[str, str]]:
    return [{"name": name, key: value} for name, value in sorted(values.items())]


def log_to(log_group: str, region: str, prefix: str) -> dict[str, Any]:
    """A container's `logConfiguration`: streams of a prefix in a log group."""
    return {
        "logDriver": "awslogs",
        "options": {
            "awslogs-group": log_group,
            "awslogs-region": region,
            "awslogs-stream-prefix": prefix,
            "mode": "non-blocking",
            "max-buffer-size": LOG_BUFFER,
        },
    }
