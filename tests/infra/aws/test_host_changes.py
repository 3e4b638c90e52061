"""A host that stands: which change of its stack's file reaches it as what."""

import base64
import json
from functools import cache
from typing import Any

import pytest

from infra.service.upkeep import ChangeTooLong
from tests.infra.differences import find_differences
from tests.infra.recorder import Recording
from tests.infra.stacks import record_stack

pytestmark = pytest.mark.slow

ASSOCIATION, INSTANCE = "aws:ssm/association:Association", "aws:ec2/instance:Instance"
ARGUMENTS = ("aws:s3/bucketObjectv2:BucketObjectv2", "releases-arguments", {"content"})
TOLD = (ASSOCIATION, "changes-association", {"parameters"})
WHEEL = "dist/reme_cloud-0.1.0-py3-none-any.whl"
IMAGE = "ami-0a1b2c3d4e5f60718"


@cache
def _record(service: str) -> Recording:
    return record_stack("aws-dev", {"reme-cloud:service": json.loads(service)})


def record_host(**service: Any) -> Recording:
    return _record(json.dumps(service))


def list_changes(**service: Any) -> list[tuple[str, str, set[str]]]:
    """What changes at a standing host's resources, by type and name, with the properties."""
    return [
        (found.type, found.name, set(found.changed))
        for found in find_differences(record_host(), record_host(**service))
    ]


def test_another_setting_is_told_to_the_host_and_touches_nothing_else() -> None:
    assert list_changes(settings={"log.level": "WARNING"}) == [ARGUMENTS, TOLD]
    told = record_host(settings={"log.level": "WARNING"}).one(ASSOCIATION).props["parameters"]
    assert 'REME_LOG__LEVEL="WARNING"' in base64.b64decode(told["Environment"]).decode()


def test_another_version_is_told_to_the_host_and_replaces_no_machine() -> None:
    objects = [
        ("aws:s3/bucketObjectv2:BucketObjectv2", f"releases-{part}", {"key"}) for part in ("requirements", "wheel")
    ]
    assert list_changes(version="0.1.1", wheel=WHEEL) == [ARGUMENTS, *objects, TOLD]
    told = record_host(version="0.1.1", wheel=WHEEL).one(ASSOCIATION).props["parameters"]
    assert told["Version"] == "0.1.1"
    assert told["WheelUrl"].endswith(f"/0.1.1/{WHEEL.partition('/')[2]}")


def test_the_association_is_the_host_s_own_and_runs_when_it_changes() -> None:
    made = record_host()
    association, document = made.one(ASSOCIATION).props, made.one("aws:ssm/document:Document").props
    assert association["targets"] == [{"key": "InstanceIds", "values": ["i-host-instance"]}]
    assert association["name"] == "changes-document-1234567"
    assert json.loads(document["content"])["parameters"].keys() == association["parameters"].keys()
    # a schedule would try a release again that was given up
    assert "scheduleExpression" not in association
    assert made.outputs["host_changes"]


def test_settings_that_no_document_carries_are_refused_before_anything_changes() -> None:
    with pytest.raises(ChangeTooLong, match="shorten reme-cloud:service.settings"):
        record_host(settings={"log.mask": "x" * 60_000})


@pytest.mark.parametrize(("service", "ignored"), [({}, ["ami"]), ({"machine_image": IMAGE}, [])])
def test_a_pinned_image_is_kept_to_and_a_newer_one_does_not_replace_a_host(
    service: dict[str, str], ignored: list[str]
) -> None:
    instance = record_host(**service).one(INSTANCE)
    assert list(instance.ignored) == ignored
    assert (instance.props["ami"] == IMAGE) == bool(service)


def test_images_of_a_cluster_s_machines_are_pinned_too() -> None:
    service = {"machine_image": IMAGE, "vector_machine_image": "ami-0123abcd"}
    made = record_stack("aws-prod", {"reme-cloud:service": service})
    assert made.one("aws:ec2/launchTemplate:LaunchTemplate").props["imageId"] == IMAGE
    nodes = made.of(INSTANCE)
    assert nodes and all(node.props["ami"] == "ami-0123abcd" and not node.ignored for node in nodes)
