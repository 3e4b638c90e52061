"""The vector store of a cluster on Alibaba Cloud: nodes that are backed up and told all they need, or none at all."""

import base64
import json
from collections.abc import Mapping
from typing import Any

import pulumi
import pytest
import yaml

from infra.alicloud.backup import BackupArgs, BackupPlan
from infra.alicloud.foundation import lay_foundation
from infra.alicloud.vectors import place_vectors
from infra.errors import InvalidStack, MissingSetting
from infra.images import find_image
from infra.planning import plan_stack
from infra.service.machine_files import INSTALL_AGENTS
from infra.settings import read_settings
from infra.tagging import Tags
from infra.vector_endpoint import VectorEndpoint
from tests.infra.alicloud.computed import ACCOUNT
from tests.infra.recorder import Recording, record
from tests.infra.service.machine.host import read_content
from tests.infra.stacks import SECRETS

pytestmark = pytest.mark.slow

INSTANCE = "alicloud:ecs/instance:Instance"
MIRROR = "registry.example.com/mirror"
NETWORK = {
    "vpc_id": "vpc-1",
    "cidr": "10.9.0.0/16",
    "public_subnet_ids": ["vsw-a1", "vsw-a2"],
    "private_subnet_ids": ["vsw-b1", "vsw-b2"],
    "data_subnet_ids": ["vsw-c1", "vsw-c2"],
    "zones": ["cn-hangzhou-h", "cn-hangzhou-i"],
}


def place(store: str = "qdrant", **more: Any) -> tuple[Recording, VectorEndpoint]:
    """The stores of a cluster of Alibaba Cloud, with what its foundation is told."""
    config = {
        "alicloud:region": "cn-hangzhou",
        "reme-cloud:cloud": "alicloud",
        "reme-cloud:environment": "prod",
        "reme-cloud:tier": "ha",
        "reme-cloud:workload": json.dumps({"users": 500, "overrides": {"vector_store": store}}),
        **{f"reme-cloud:{name}": json.dumps(value) for name, value in more.items()},
        **SECRETS,
    }
    found: list[VectorEndpoint] = []

    def program() -> None:
        settings = read_settings()
        tags = Tags(environment=settings.environment, stack=settings.stack, more=settings.tags)
        base = lay_foundation(settings, plan_stack(settings), tags=tags)
        backup = BackupPlan(
            "backup",
            BackupArgs(
                spec=base.plan.backup,
                kms_key_id=None,
                account=base.account,
                tags=tags,
                protect=settings.protect,
                keeps_copies=settings.keeps_copies,
            ),
        )
        endpoint = place_vectors(base, backup)
        found.append(endpoint)
        pulumi.export("authority", endpoint.authority_arn)
        pulumi.export("disks", pulumi.Output.all(*endpoint.disk_ids))
        pulumi.export("instances", pulumi.Output.all(*endpoint.instance_ids))

    recording = record(program, region="cn-hangzhou", stack_name="alicloud-prod", config=config, secrets=tuple(SECRETS))
    return recording, found[0]


def read_node(found: Recording, number: int) -> tuple[Mapping[str, str], list[list[str]]]:
    text = base64.b64decode(found.one(INSTANCE, f"vectors-{number}").props["userData"]).decode()
    document = yaml.safe_load(text)
    return {file["path"]: read_content(file) for file in document["write_files"]}, document["runcmd"]


def test_nodes_are_backed_up_and_the_service_is_told_where_they_are() -> None:
    found, endpoint = place()
    assert (endpoint.engine, endpoint.url, endpoint.ports) == (
        "qdrant",
        "https://qdrant.reme.internal:6333",
        (6333, 6334),
    )
    disks = ["d-vectors-1-data", "d-vectors-2-data"]
    assert (found.outputs["disks"], found.outputs["instances"]) == (disks, ["i-vectors-1", "i-vectors-2"])
    covered = found.of("alicloud:ecs/ecsAutoSnapshotPolicyAttachment:EcsAutoSnapshotPolicyAttachment")
    assert [each.props["diskId"] for each in covered] == disks
    path = "secretparameter/reme-cloud/alicloud-prod/vector-authority-certificate"
    assert found.outputs["authority"] == f"acs:oos:cn-hangzhou:{ACCOUNT}:{path}"


def test_nodes_stand_in_the_private_vswitches_and_are_told_all_they_need() -> None:
    found, _ = place(service={"image_mirror": MIRROR})
    made = [found.one(INSTANCE, f"vectors-{number}").props for number in (1, 2)]
    assert [each["vswitchId"] for each in made] == ["network-private-1-id", "network-private-2-id"]
    assert [each["privateIp"] for each in made] == ["10.20.79.252", "10.20.95.251"]
    files, commands = read_node(found, 2)
    unit = files["/etc/systemd/system/qdrant.service"]
    assert find_image("qdrant", MIRROR) in unit
    assert "--bootstrap https://qdrant-1.reme.internal:6335" in unit
    assert (
        f'TARGET = "oss://{found.one("alicloud:oss/bucket:Bucket", "backup-dumps").props["bucket"]}/snapshots'
        in (files["/usr/local/libexec/reme/save-snapshots"])
    )
    assert "secretparameter/reme-cloud/alicloud-prod/qdrant" in files["/etc/reme/qdrant.secrets.json"]
    assert "vector-authority-certificate" in files["/usr/local/libexec/reme/make-certificate"]
    assert commands == [["/usr/local/sbin/reme-first-start"], [INSTALL_AGENTS]]


def test_user_data_hold_no_secret() -> None:
    found, _ = place()
    for number in (1, 2):
        files, _ = read_node(found, number)
        assert not [path for path, text in files.items() if "generated-by-the-test" in text or "of the tests" in text]


def test_vswitches_that_were_there_already_are_looked_up() -> None:
    found, _ = place(network=NETWORK)
    made = [found.one(INSTANCE, f"vectors-{number}").props for number in (1, 2)]
    assert [(each["vswitchId"], each["privateIp"]) for each in made] == [
        ("vsw-b1", "10.9.0.252"),
        ("vsw-b2", "10.9.1.251"),
    ]
    disks = [each.props["zoneId"] for each in found.of("alicloud:ecs/ecsDisk:EcsDisk")]
    assert disks == ["cn-hangzhou-h", "cn-hangzhou-i"]


@pytest.mark.parametrize(
    ("store", "more", "url"),
    [
        ("pgvector", {}, None),
        ("qdrant-cloud", {"service": {"vector_url": "https://x.example.com:6333"}}, "https://x.example.com:6333"),
    ],
)
def test_nothing_is_made_where_vectors_are_elsewhere(store: str, more: dict[str, Any], url: str | None) -> None:
    found, endpoint = place(store, **more)
    assert (endpoint.url, endpoint.disk_ids, endpoint.authority_arn) == (url, (), None)
    assert found.of(INSTANCE) == []
    assert [each for each in found if each.name.startswith("vectors")] == []


def test_what_this_cloud_has_no_nodes_of_is_refused_with_the_remedy() -> None:
    with pytest.raises(InvalidStack, match=r"vector_store is 'elasticsearch'; valid: qdrant, qdrant-cloud or pgvector"):
        place("elasticsearch")
    with pytest.raises(MissingSetting, match=r"service\.vector_url"):
        place("qdrant-cloud")
