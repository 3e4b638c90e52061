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
    PATIENCE_S,
    QDRANT_ENVIRONMENT,
    write_secrets_fetcher,
)
from infra.service.machine import find_machine, name_device
from infra.service.rendering import render, write_cloud_config
from sizing.plan import VectorStoreSpec

FOLDER = "/var/lib/qdrant"
USER_ID = 10002
PACKAGES = ("docker", "xfsprogs", "openssl", "dnf-utils")
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
    secrets that are empty at first; the first node's role may write both, the others' read them. With `bucket`
    snapshots go to `bucket_prefix` in it. `agent_configuration` is the CloudWatch agent's, in JSON; `datadog` is
    Datadog's agent, where that watches.
    """

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
    datadog: MachineAgent | None = None
    bucket_prefix: str = SNAPSHOTS_PREFIX


def write_node_user_data(node: QdrantNode) -> str:
    """The node's user data, for `encode_user_data`. Raises `InvalidDelivery`. The text has no secret."""
    if not 1 <= node.number <= node.spec.nodes:
        raise InvalidDelivery("number", str(node.number), f"1 to {node.spec.nodes}, which the plan has")
    if not node.volume_id.startswith("vol-"):
        raise InvalidDelivery("volume_id", node.volume_id, "the id of an EBS volume, such as vol-0a1b2c")
    timers = ["reme-updates.timer", "qdrant-certificate.timer"]
    files = {
        "/usr/local/libexec/reme/fetch-secrets": write_secrets_fetcher("aws"),
        "/usr/local/libexec/reme/mount-volume": render(
            "mount_volume.sh", devices=[name_device(node.volume_id)], folder=FOLDER, patience_s=PATIENCE_S
        ),
        "/usr/local/libexec/reme/make-certificate": render(
            "make_certificate.sh",
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
        "/etc/systemd/system/reme-updates.service": render("updates.service", commands=find_machine("aws").updates),
        "/etc/systemd/system/reme-updates.timer": render("updates.timer"),
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
            target=f"s3://{node.bucket}/{node.bucket_prefix.strip('/')}",
        )
        files |= _write_task(
            "qdrant-snapshots",
            "Copy vectors to the bucket",
            "/usr/local/libexec/reme/save-snapshots /run/qdrant-snapshots/secrets",
            "*-*-* 01:00:00 UTC",
            secrets="/etc/reme/qdrant.secrets.json",
        )
    packages = list(PACKAGES)
    if node.agent_configuration:
        files[AGENT_PATH] = node.agent_configuration
        packages.append(AGENT_PACKAGE)
    commands = [["/usr/local/sbin/reme-first-start"]]
    if node.datadog is not None:
        files |= write_machine_agent(node.datadog)
        packages.append(DATADOG_PACKAGE)
        commands += START_AGENT
    files["/usr/local/sbin/reme-first-start"] = render(
        "first_node_start.sh", user=USER_ID, folder=FOLDER, timers=timers, agent=bool(node.agent_configuration)
    )
    return write_cloud_config(files, packages=packages, commands=commands)


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
