"""User data of a cluster's node on Alibaba Cloud: the service's image in Docker under systemd, and what stands beside.

A node is never changed: another version or other settings are other user data, and those are other nodes
(`infra.alicloud.node_group`). A preparation in a container of the same image comes before each start. Secrets are
fetched by the machine's role when a unit starts, into a file in RAM.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from infra.facts import SERVICE_UID
from infra.service.configuration import WORKING_DIR
from infra.service.container import ContainerContent
from infra.service.delivery import InvalidDelivery
from infra.service.dumps import DUMPS, list_dump_timers, write_dump_command
from infra.service.machine import ASK_ALICLOUD, find_machine
from infra.service.machine_files import (
    INSTALL_AGENTS,
    write_agents,
    write_asking_program,
    write_secrets_fetcher,
    write_update_units,
)
from infra.service.rendering import quote_variable, render, write_cloud_config, write_json
from sizing.plan import RegionPlan

UNIT = "reme"
PREPARATION = "reme-prepare"
LOG_FOLDER, LOG_FILE = "/var/log/reme", "/var/log/reme/reme.log"
"""Where the agent that ships lines reads (`infra.alicloud.log_stores`)."""
PACKAGES = ("curl", "logrotate", "unattended-upgrades")
ACR_DOMAIN = ".aliyuncs.com"
"""What ends the name of every registry of Container Registry."""
SYSTEM_MB = 1024
"""Ours: what the system, Docker and the agents keep of a node."""
TASK_MB = 1536
"""Ours, as on AWS: a part of a dump, its compressed form and a batch of rows are in RAM at once."""
START_S = 1800
"""Ours, as on a host: a migration of the store is part of the start."""
PATIENCE_S = 1200
"""Ours: how long a new node tries before it says why it does not serve; the deployment waits as long."""
OTHERS_S = 45
"""Ours: how much later than the first a node may answer that was started with it; most is the fetch of an image."""
_MB_PER_GB = 1000
_FOLDER = "/usr/local/libexec/reme"


@dataclass(frozen=True, kw_only=True, slots=True)
class ClusterNodeDelivery:
    """What a node gets.

    `image` is the service's, by a tag or a digest; one in a registry of Alibaba Cloud is fetched with a token of the
    role's. `content` has the places of secrets as ARNs. `machine_group` is as which the agents are installed; none are
    where it is empty. `dump_variables` are `infra.service.dumps.write_dump_variables`; a node without them makes no
    dumps, as of a version that is only tried.
    """

    plan: RegionPlan
    image: str
    content: ContainerContent
    machine_group: str
    dump_variables: Mapping[str, str]


def write_cluster_node_user_data(delivery: ClusterNodeDelivery) -> str:
    """The node's user data, for `encode_user_data`. Raises `InvalidDelivery` or `UnknownMachine`.

    The text has no secret. The same delivery gives the same text, so that unchanged nodes are left alone.
    """
    plan, content = delivery.plan, delivery.content
    _check(delivery)
    machine = find_machine(plan.cloud)
    timers = ["reme-updates.timer"]
    secrets = {**content.secrets, **content.preparation_secrets}
    environment = _list_settings(delivery)
    files = {
        f"{_FOLDER}/fetch-secrets": write_secrets_fetcher(plan.cloud),
        f"{_FOLDER}/prepare.py": content.preparation[-1],
        f"{_FOLDER}/pull-image": render(
            "pull_image.sh", image=delivery.image, registry=find_registry(delivery.image), ask=ASK_ALICLOUD
        ),
        f"{_FOLDER}/run-image": render(
            "run_image.sh",
            image=delivery.image,
            user=SERVICE_UID,
            memory_mb=TASK_MB,
            volumes=_VOLUMES,
            variables=sorted({*environment, *content.secrets}),
        ),
        "/etc/docker/daemon.json": write_json({"log-driver": "local"}),
        "/etc/reme/environment": _write_environment(
            {**environment, **content.preparation_environment, **delivery.dump_variables}
        ),
        "/etc/reme/reme.secrets.json": write_json(secrets),
        "/etc/logrotate.d/reme": render("logrotate"),
        f"/etc/systemd/system/{UNIT}.service": _write_unit(delivery, environment),
        **write_asking_program(plan.region, cluster=True),
        # A restart would take the node from under its requests; a new kernel comes with the next nodes.
        **write_update_units([each for each in machine.updates if "reboot" not in each]),
    }
    if delivery.dump_variables:
        files |= _write_dumps()
        timers += list_dump_timers()
    packages = [*PACKAGES, machine.container_package]
    commands = [["/usr/local/sbin/reme-first-start"]]
    if delivery.machine_group:
        files |= write_agents(plan.region, delivery.machine_group)
        # first, so that a start that fails can be read
        commands = [["mkdir", "--parents", LOG_FOLDER], [INSTALL_AGENTS], *commands]
    files["/usr/local/sbin/reme-first-start"] = render(
        "cluster_first_start.sh",
        user=SERVICE_UID,
        working_dir=WORKING_DIR,
        unit=UNIT,
        timers=timers,
        port=plan.balancer.target_port,
        health_path=plan.balancer.health_path,
        patience_s=PATIENCE_S,
        others_s=OTHERS_S,
        ask=ASK_ALICLOUD,
    )
    return write_cloud_config(files, packages=packages, commands=commands, cloud=plan.cloud)


def find_registry(image: str) -> str:
    """The host of an image's registry where that is Alibaba Cloud's and wants a token; empty else."""
    host, slash, _ = image.partition("/")
    return host if slash and host.endswith(ACR_DOMAIN) else ""


def _check(delivery: ClusterNodeDelivery) -> None:
    plan = delivery.plan
    if plan.cloud != "alicloud":
        raise InvalidDelivery("plan.cloud", plan.cloud, "alicloud: AWS's nodes get tasks from ECS")
    if plan.compute.gpu:
        raise InvalidDelivery("plan.compute.gpu", plan.compute.gpu, "none: the nodes' Docker hands over no GPU")
    if not delivery.image or any(character.isspace() for character in delivery.image):
        raise InvalidDelivery("image", delivery.image, "an image by its tag or digest, without spaces")
    if tuple(delivery.content.preparation[:2]) != ("python", "-c"):
        raise InvalidDelivery("content.preparation", "…", "a program for `python -c`")


_VOLUMES = {WORKING_DIR: WORKING_DIR, LOG_FOLDER: LOG_FOLDER}


def _list_settings(delivery: ClusterNodeDelivery) -> dict[str, str]:
    """The service's settings: those of the plan, and its own log file."""
    return {**delivery.content.environment, "REME_LOG__FILE": LOG_FILE}


def _write_environment(values: Mapping[str, str]) -> str:
    return "".join(quote_variable(name, value) for name, value in sorted(values.items()))


def _write_unit(delivery: ClusterNodeDelivery, environment: Mapping[str, str]) -> str:
    """The service's unit. Its container has the machine's own network: it must reach the metadata for its role's keys,
    which answer no further than the machine."""
    program, content = f"{_FOLDER}/prepare.py", delivery.content
    own = "".join(f" --env {each}" for each in sorted({*content.preparation_environment, *content.preparation_secrets}))
    prepare = f"--entrypoint python --volume {program}:/prepare.py:ro{own} -- /prepare.py"
    return render(
        "container.service",
        name=UNIT,
        description="ReMe memory service",
        image=delivery.image,
        user=SERVICE_UID,
        folder=WORKING_DIR,
        files=("/etc/reme/environment",),
        variables=sorted(environment),
        secrets=tuple(sorted(content.secrets)),
        before=(f"{_FOLDER}/pull-image", f"{_FOLDER}/run-image {PREPARATION} {prepare}"),
        memory_mb=math.floor(delivery.plan.compute.memory_gb * _MB_PER_GB) - SYSTEM_MB,
        low_ports=False,
        host_network=True,
        ports=(),
        volumes=_VOLUMES,
        environment={},
        command=content.command,
        start_s=START_S,
    )


def _write_dumps() -> dict[str, str]:
    """The units of the dumps, which every node has and one node of the group carries out."""
    files = {f"{_FOLDER}/dump-if-first": render("dump_if_first.sh", ask=ASK_ALICLOUD)}
    for dump in DUMPS:
        unit, description = f"reme-{dump.name}", f"Copy the store to the bucket of {dump.name}"
        folder = f"/etc/systemd/system/{unit}"
        files[f"{folder}.service"] = render(
            "cluster_dump.service",
            name=unit,
            description=description,
            arguments=" ".join(write_dump_command(dump, f"${{{dump.variable}}}")),
        )
        files[f"{folder}.timer"] = render("task.timer", description=description, calendar=dump.calendar)
    return files
