"""User data of the single host: what runs the service, what stands beside it, and how a release takes over.

The release is installed into a folder of its own, tried on the store and switched to by a link; `reme-install` does
so at the first start and at each change (`infra.service.upkeep`). Which release with which settings is not in the user
data but in a file of the bucket: a change of them is no change of the machine. Secrets are fetched when a unit starts,
into a file in RAM.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from infra.datadog import DATADOG_PACKAGE, START_AGENT, MachineAgent, write_machine_agent
from infra.facts import QDRANT_PORT, SERVICE_UID
from infra.service.configuration import ADMIN_VARIABLE, AUTHORITY_VARIABLE, WORKING_DIR
from infra.service.delivery import InvalidDelivery, MissingSecret, check_image, write_preparation
from infra.service.dumps import STORE_LOCK, list_dump_timers, write_dump_units
from infra.service.machine import (
    PYTHON,
    Machine,
    find_machine,
    list_devices,
)
from infra.service.machine_files import (
    INSTALL_AGENTS,
    write_agents,
    write_asking_program,
    write_secrets_fetcher,
    write_update_units,
)
from infra.service.rendering import render, write_cloud_config, write_json
from sizing.plan import RegionPlan

AGENT_PACKAGE = "amazon-cloudwatch-agent"
AGENT_PATH = "/etc/reme/cloudwatch-agent.json"
SCRAPE_PATH = "/etc/reme/cloudwatch-scrape.yaml"
"""The agent's package on Amazon Linux 2023, and where a machine has its configurations."""
TRIAL_PORT = 8003
PATIENCE_S = 180
"""How long a release may take until it answers: weights are loaded, and a migration was done before."""
DUMP_PATIENCE_S = 1800
"""Ours: how long a change waits for a dump; the whole of it may take an hour (`upkeep.TIMEOUT_S`)."""
DISK_PATIENCE_S = 900
"""Ours: a host that replaces another gets the disk after that one has ended its service and has stopped."""
_QDRANT_USER_ID, _PROXY_USER_ID = 10002, 10003
_RESERVE_GB = 0.5
"""What the plan counts beside the vectors for a server of them on the host (`sizing.capacity`)."""
_PROXY_MEMORY_MB = 256
_LOWEST_PORT = 80
_MB_PER_GB = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class HostDelivery:
    """What a host gets.

    `arguments_url` is the address of `upkeep.write_arguments` in a bucket, s3:// or oss://, and `secret_sources` has
    the ARN of each secret by its name, for what stands beside the service. `volume_id` is the EBS volume of the data,
    or the disk. With a `domain` Caddy answers at 443 with a certificate that it gets itself, and tells `email` of
    trouble; without one the service listens at 127.0.0.1 alone and is reached through a port that the cloud's agent
    forwards. `proxy_image` and `vector_image` are pinned by digests. `agent_configuration` is the CloudWatch agent's,
    in JSON, `scrape_configuration` that of its scraper, in YAML; both are AWS's alone. `machine_group` is Alibaba
    Cloud's alone: as which its agents are installed, and the group of machines that they ship lines for.
    `package_index` is where Python's packages come from, empty for PyPI; each is pinned by its hashes, so that a mirror
    cannot change one. `datadog` is Datadog's agent, where that watches.
    """

    plan: RegionPlan
    arguments_url: str
    secret_sources: Mapping[str, str]
    volume_id: str
    domain: str = ""
    email: str = ""
    proxy_image: str = ""
    vector_image: str = ""
    agent_configuration: str = ""
    scrape_configuration: str = ""
    machine_group: str = ""
    package_index: str = ""
    datadog: MachineAgent | None = None


def write_host_user_data(delivery: HostDelivery) -> str:
    """The host's user data, for `encode_user_data`. Raises `InvalidDelivery`, `MissingSecret` or `UnknownMachine`.

    The text has no secret. The same delivery gives the same text, so that an unchanged host is left alone.
    """
    plan = delivery.plan
    port = plan.balancer.target_port
    machine = find_machine(plan.cloud)
    _check_delivery(delivery, machine)
    files = {
        "/usr/local/libexec/reme/fetch-secrets": write_secrets_fetcher(plan.cloud),
        "/usr/local/libexec/reme/prepare.py": write_preparation(),
        "/usr/local/libexec/reme/mount-volume": render(
            "mount_volume.sh",
            devices=list_devices(plan.cloud, delivery.volume_id),
            folder=WORKING_DIR,
            patience_s=DISK_PATIENCE_S,
        ),
        "/usr/local/sbin/reme-install": render(
            "install_release.sh",
            working_dir=WORKING_DIR,
            python=PYTHON,
            scheme=machine.scheme,
            copy=machine.copy,
            port=port,
            trial_port=TRIAL_PORT,
            health_path=plan.balancer.health_path,
            patience_s=PATIENCE_S,
            store_lock=STORE_LOCK,
            dump_patience_s=DUMP_PATIENCE_S,
        ),
        "/etc/logrotate.d/reme": render("logrotate"),
        **write_update_units(machine.updates),
        **write_dump_units(plan.cloud),
        **_write_cloud_files(plan),
        **({"/etc/pip.conf": f"[global]\nindex-url = {delivery.package_index}\n"} if delivery.package_index else {}),
    }
    packages, folders, beside, after = list(machine.packages), {}, [], []
    if plan.vector_store.placement == "same-host":
        unit, owner = plan.vector_store.engine, _QDRANT_USER_ID
        files |= _write_vector_server(delivery)
        folders[f"{WORKING_DIR}/{unit}"] = owner
        beside.append(f"{unit}.service")
    if delivery.domain:
        files |= _write_proxy(delivery)
        folders[f"{WORKING_DIR}/caddy"] = _PROXY_USER_ID
        after.append("caddy.service")
    if beside or after:
        packages.append(machine.container_package)
    if delivery.agent_configuration:
        files[AGENT_PATH] = delivery.agent_configuration
        packages.append(AGENT_PACKAGE)
    if delivery.scrape_configuration:
        files[SCRAPE_PATH] = delivery.scrape_configuration
    commands = [["/usr/local/sbin/reme-first-start"]]
    if delivery.machine_group:
        files |= write_agents(plan.region, delivery.machine_group)
        commands.append([INSTALL_AGENTS])
    if delivery.datadog is not None:
        files |= write_machine_agent(delivery.datadog)
        packages.append(DATADOG_PACKAGE)
        commands += START_AGENT
    for trial in (False, True):
        name = "reme-trial" if trial else "reme"
        files[f"/etc/systemd/system/{name}.service"] = render(
            "reme.service",
            name=name,
            trial=trial,
            link="candidate" if trial else "current",
            port=TRIAL_PORT,
            beside=beside,
            working_dir=WORKING_DIR,
            unset=(ADMIN_VARIABLE, AUTHORITY_VARIABLE),
            gpu=bool(plan.compute.gpu),
        )
    files["/usr/local/sbin/reme-first-start"] = render(
        "first_start.sh",
        uid=SERVICE_UID,
        working_dir=WORKING_DIR,
        folders=folders,
        beside=[*(["docker.service"] if beside or after else []), *beside],
        after=after,
        timers=("reme-updates.timer", *list_dump_timers()),
        agent=bool(delivery.agent_configuration),
        copy=machine.copy,
        arguments_url=delivery.arguments_url,
        patience_s=PATIENCE_S,
    )
    return write_cloud_config(files, packages=packages, commands=commands, cloud=plan.cloud)


def _check_delivery(delivery: HostDelivery, machine: Machine) -> None:
    if not delivery.volume_id.startswith(machine.volume_prefix):
        raise InvalidDelivery("volume_id", delivery.volume_id, f"the id of a volume, such as {machine.volume_example}")
    if not delivery.arguments_url.startswith(f"{machine.scheme}://"):
        valid = f"an address that begins with {machine.scheme}://"
        raise InvalidDelivery("arguments_url", delivery.arguments_url, valid)
    if delivery.agent_configuration and delivery.plan.cloud != "aws":
        raise InvalidDelivery("agent_configuration", "…", "none: the CloudWatch agent is for machines of AWS")
    if delivery.machine_group and delivery.plan.cloud != "alicloud":
        raise InvalidDelivery("machine_group", delivery.machine_group, "none: its agents are for Alibaba Cloud")


def _write_cloud_files(plan: RegionPlan) -> dict[str, str]:
    """What only machines of Alibaba Cloud have."""
    if plan.cloud == "aws":
        return {}
    return write_asking_program(plan.region)


def _write_vector_server(delivery: HostDelivery) -> dict[str, str]:
    """The unit of the server of vectors beside the service, reached from this machine alone."""
    spec = delivery.plan.vector_store
    image = check_image("vector_image", delivery.vector_image)
    folder = f"{WORKING_DIR}/{spec.engine}"
    limits = {"memory_mb": math.ceil((_RESERVE_GB + spec.memory_needed_gb) * _MB_PER_GB), "folder": folder}
    shared = {"name": spec.engine, "image": image, "user": _QDRANT_USER_ID, "before": (), "command": ()}
    shared |= {"low_ports": False, "host_network": False}
    unit = f"/etc/systemd/system/{spec.engine}.service"
    if spec.engine != "qdrant":
        text = render(
            "container.service",
            description="Chroma",
            ports=("127.0.0.1:8000:8000",),
            volumes={folder: "/data"},
            environment={},
            secrets=(),
            **shared,
            **limits,
        )
        return {unit: text}
    text = render(
        "container.service",
        description="Qdrant",
        ports=(f"127.0.0.1:{QDRANT_PORT}:{QDRANT_PORT}",),
        volumes={folder: "/qdrant/storage"},
        environment=QDRANT_ENVIRONMENT,
        secrets=("QDRANT__SERVICE__API_KEY",),
        **shared,
        **limits,
    )
    if not delivery.secret_sources.get("qdrant"):
        raise MissingSecret("qdrant")
    sources = {"QDRANT__SERVICE__API_KEY": delivery.secret_sources["qdrant"]}
    return {unit: text, "/etc/reme/qdrant.secrets.json": write_json(sources)}


QDRANT_ENVIRONMENT = {
    "QDRANT__STORAGE__SNAPSHOTS_PATH": "/qdrant/storage/snapshots",
    "QDRANT_INIT_FILE_PATH": "/qdrant/storage/.qdrant-initialized",
    "QDRANT__TELEMETRY_DISABLED": "true",
}
"""What lets Qdrant run with a read-only root, as its own Helm chart does."""


def _write_proxy(delivery: HostDelivery) -> dict[str, str]:
    port = delivery.plan.balancer.target_port
    return {
        # The container's user is not root's, and has no privileges over the host's network.
        "/etc/sysctl.d/60-reme.conf": f"net.ipv4.ip_unprivileged_port_start = {_LOWEST_PORT}\n",
        "/etc/reme/Caddyfile": render("Caddyfile", domain=delivery.domain, email=delivery.email, port=port),
        "/etc/systemd/system/caddy.service": render(
            "container.service",
            name="caddy",
            description="Caddy, which answers at 443",
            image=check_image("proxy_image", delivery.proxy_image),
            user=_PROXY_USER_ID,
            folder=f"{WORKING_DIR}/caddy",
            memory_mb=_PROXY_MEMORY_MB,
            low_ports=True,
            host_network=True,
            ports=(),
            volumes={f"{WORKING_DIR}/caddy": "/data", "/etc/reme/Caddyfile": "/etc/caddy/Caddyfile:ro"},
            environment={"XDG_CONFIG_HOME": "/tmp"},  # noqa: S108 - a tmpfs of the container
            secrets=(),
            before=(),
            command=("caddy", "run", "--config", "/etc/caddy/Caddyfile"),
        ),
    }
