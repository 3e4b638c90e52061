"""User data of a node of a Qdrant cluster: its volume, its certificate, the server, snapshots to the bucket.

TLS between nodes and towards the service comes from an authority of the cluster's own. The first node makes it and
keeps it in two secrets; each node signs its own certificate with it, anew every month. So no key of it passes through
a plan or a stack's state, and the service gets the certificate alone (`configuration.AUTHORITY_SECRET`).
"""

import json
import math
from dataclasses import dataclass

from infra.datadog import DATADOG_PACKAGE, START_AGENT, MachineAgent, write_machine_agent
from infra.facts import QDRANT_PEER_PORT, QDRANT_PORT, SNAPSHOTS_PREFIX
from infra.service.delivery import InvalidDelivery, check_image
from infra.service.host_start import (
    AGENT_PACKAGE,
    AGENT_PATH,
    DISK_PATIENCE_S,
    PATIENCE_S,
    QDRANT_ENVIRONMENT,
)
from infra.service.machine import (
    ASK_ALICLOUD,
    MONITOR_VERSION,
    UNWRITTEN,
    Machine,
    find_machine,
    list_devices,
    name_installers,
)
from infra.service.machine_files import (
    INSTALL_AGENTS,
    write_asking_program,
    write_secrets_fetcher,
    write_update_units,
)
from infra.service.rendering import render, write_cloud_config
from sizing.plan import VectorStoreSpec

FOLDER = "/var/lib/qdrant"
USER_ID = 10002
PACKAGES = {
    "aws": ("docker", "xfsprogs", "openssl", "dnf-utils"),
    "alicloud": ("docker.io", "xfsprogs", "openssl", "curl", "unattended-upgrades"),
}
DISK_WAITS_S = {"aws": PATIENCE_S, "alicloud": DISK_PATIENCE_S}
"""How long a node waits for its disk; Alibaba Cloud attaches it when the machine runs and has its role."""
SECRET_ATTEMPTS = 12
"""Ours: a role that was attached just now may read within a minute."""
AUTHORITY_DAYS = 3650
NODE_DAYS = 90
"""A node's certificate is made anew every month, so that two failures in a row leave time to notice."""
CERTIFICATE_TTL_S = 3600
"""How often Qdrant reads its certificate again (Qdrant's configuration reference, `tls.cert_ttl`)."""
_MB_PER_GB = 1000
_SYSTEM_MB = 512
"""Ours: what the operating system keeps of a node."""


@dataclass(frozen=True, kw_only=True, slots=True)
class QdrantNode:
    """One node. `number` counts from 1; the others join the one that is called `first_name`.

    `name` and `cluster_name` are in the private zone, `address` is the node's own there. `memory_gb` is the machine's.
    `key_source` is the ARN of the API key's secret, `authority_certificate_arn` and `authority_key_arn` those of two
    secrets that are empty at first, or have `machine.UNWRITTEN` on Alibaba Cloud; the first node's role may write both,
    the others' read them. With `bucket` snapshots go to `bucket_prefix` in it. `agent_configuration` is the CloudWatch
    agent's, in JSON, for AWS alone; with `monitored` CloudMonitor's agent is installed, for Alibaba Cloud alone.
    `datadog` is Datadog's agent, where that watches.
    """

    cloud: str
    spec: VectorStoreSpec
    number: int
    name: str
    first_name: str
    cluster_name: str
    address: str
    region: str
    memory_gb: float
    image: str
    volume_id: str
    key_source: str
    authority_certificate_arn: str
    authority_key_arn: str
    bucket: str = ""
    agent_configuration: str = ""
    monitored: bool = False
    datadog: MachineAgent | None = None
    bucket_prefix: str = SNAPSHOTS_PREFIX


def write_node_user_data(node: QdrantNode) -> str:
    """The node's user data, for `encode_user_data`. Raises `InvalidDelivery` or `UnknownMachine`.

    The text has no secret.
    """
    machine = find_machine(node.cloud)
    _check_node(node, machine)
    timers = ["reme-updates.timer", "qdrant-certificate.timer"]
    files = {
        "/usr/local/libexec/reme/fetch-secrets": write_secrets_fetcher(node.cloud),
        "/usr/local/libexec/reme/mount-volume": render(
            "mount_volume.sh",
            devices=list_devices(node.cloud, node.volume_id),
            folder=FOLDER,
            patience_s=DISK_WAITS_S[node.cloud],
        ),
        "/usr/local/libexec/reme/make-certificate": render(
            "make_certificate.sh",
            cloud=node.cloud,
            ask=ASK_ALICLOUD,
            attempts=SECRET_ATTEMPTS,
            unwritten=UNWRITTEN,
            folder=FOLDER,
            name=node.name,
            cluster_name=node.cluster_name,
            address=node.address,
            region=node.region,
            certificate_arn=node.authority_certificate_arn,
            key_arn=node.authority_key_arn,
            first=node.number == 1,
            user=USER_ID,
            authority_days=AUTHORITY_DAYS,
            node_days=NODE_DAYS,
            patience_s=PATIENCE_S,
        ),
        "/etc/reme/qdrant.secrets.json": json.dumps({"QDRANT__SERVICE__API_KEY": node.key_source}) + "\n",
        "/etc/systemd/system/qdrant.service": _write_server(node),
        **write_update_units(machine.updates),
        **_write_task(
            "qdrant-certificate",
            "Make the certificate of this node anew",
            "/usr/local/libexec/reme/make-certificate",
            "monthly",
        ),
    }
    if node.bucket:
        timers.append("qdrant-snapshots.timer")
        files["/usr/local/libexec/reme/save-snapshots"] = render(
            "save_snapshots.py",
            name=node.name,
            port=QDRANT_PORT,
            folder=FOLDER,
            upload=machine.upload.split(),
            target=f"{machine.scheme}://{node.bucket}/{node.bucket_prefix.strip('/')}",
        )
        files |= _write_task(
            "qdrant-snapshots",
            "Copy vectors to the bucket",
            "/usr/local/libexec/reme/save-snapshots /run/qdrant-snapshots/secrets",
            "*-*-* 01:00:00 UTC",
            secrets="/etc/reme/qdrant.secrets.json",
        )
    packages = list(PACKAGES[node.cloud])
    if node.agent_configuration:
        files[AGENT_PATH] = node.agent_configuration
        packages.append(AGENT_PACKAGE)
    commands = [["/usr/local/sbin/reme-first-start"]]
    if node.cloud == "alicloud":
        files |= write_asking_program(node.region)
    if node.monitored:
        files[INSTALL_AGENTS] = _write_agent_installer(node.region)
        commands.append([INSTALL_AGENTS])
    if node.datadog is not None:
        files |= write_machine_agent(node.datadog)
        packages.append(DATADOG_PACKAGE)
        commands += START_AGENT
    files["/usr/local/sbin/reme-first-start"] = render(
        "first_node_start.sh", user=USER_ID, folder=FOLDER, timers=timers, agent=bool(node.agent_configuration)
    )
    return write_cloud_config(files, packages=packages, commands=commands, cloud=node.cloud)


def _check_node(node: QdrantNode, machine: Machine) -> None:
    if not 1 <= node.number <= node.spec.nodes:
        raise InvalidDelivery("number", str(node.number), f"1 to {node.spec.nodes}, which the plan has")
    if not node.volume_id.startswith(machine.volume_prefix):
        raise InvalidDelivery("volume_id", node.volume_id, f"the id of a volume, such as {machine.volume_example}")
    if node.agent_configuration and node.cloud != "aws":
        raise InvalidDelivery("agent_configuration", "…", "none: the CloudWatch agent is for machines of AWS")
    if node.datadog is not None and node.cloud != "aws":
        raise InvalidDelivery("datadog", node.datadog.site, "none: its package is for Amazon Linux here")
    if node.monitored and node.cloud != "alicloud":
        raise InvalidDelivery("monitored", "True", "False: CloudMonitor's agent is for Alibaba Cloud")


def _write_agent_installer(region: str) -> str:
    """CloudMonitor's agent alone: a node has no lines that the log service keeps."""
    found = {**name_installers(region), "collector_url": ""}
    return render("install_agents.sh", region=region, monitor_version=MONITOR_VERSION, **found)


def _write_server(node: QdrantNode) -> str:
    others = [] if node.number == 1 else ["--bootstrap", f"https://{node.first_name}:{QDRANT_PEER_PORT}"]
    return render(
        "container.service",
        name="qdrant",
        description="Qdrant",
        image=check_image("image", node.image),
        user=USER_ID,
        folder=FOLDER,
        memory_mb=math.floor(node.memory_gb * _MB_PER_GB) - _SYSTEM_MB,
        low_ports=False,
        host_network=True,
        ports=(),
        volumes={f"{FOLDER}/storage": "/qdrant/storage", f"{FOLDER}/tls": "/qdrant/tls:ro"},
        environment={
            **QDRANT_ENVIRONMENT,
            "QDRANT__CLUSTER__ENABLED": "true",
            "QDRANT__CLUSTER__P2P__PORT": str(QDRANT_PEER_PORT),
            "QDRANT__CLUSTER__P2P__ENABLE_TLS": "true",
            "QDRANT__SERVICE__ENABLE_TLS": "true",
            "QDRANT__TLS__CERT": "/qdrant/tls/node.pem",
            "QDRANT__TLS__KEY": "/qdrant/tls/node.key",
            "QDRANT__TLS__CA_CERT": "/qdrant/tls/authority.pem",
            "QDRANT__TLS__CERT_TTL": str(CERTIFICATE_TTL_S),
        },
        secrets=("QDRANT__SERVICE__API_KEY",),
        before=(f"-/usr/sbin/xfs_growfs -d {FOLDER}",),
        command=("./entrypoint.sh", "--uri", f"https://{node.name}:{QDRANT_PEER_PORT}", *others),
    )


def _write_task(name: str, description: str, command: str, calendar: str, *, secrets: str = "") -> dict[str, str]:
    """A unit that runs a command now and then."""
    folder = f"/etc/systemd/system/{name}"
    return {
        f"{folder}.service": render(
            "task.service", name=name, description=description, command=command, secrets=secrets, after="qdrant.service"
        ),
        f"{folder}.timer": render("task.timer", description=description, calendar=calendar),
    }
