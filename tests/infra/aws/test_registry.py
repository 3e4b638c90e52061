"""The registry: what was pushed cannot be changed, and old images go."""

import json

import pytest

from infra.aws.registry import Registry, RegistryArgs
from infra.tagging import Tags
from tests.infra.recorder import Recording, record

TAGS = Tags(environment="prod", stack="aws-prod", more={})


def build(*, protect: bool = True) -> Recording:
    def program() -> None:
        Registry("registry", RegistryArgs(tags=TAGS, protect=protect, kms_key_arn="arn:key", kept_images=4))

    return record(program)


def test_images_are_immutable_scanned_and_encrypted_by_our_key() -> None:
    made = build().one("aws:ecr/repository:Repository").props
    assert made["imageTagMutability"] == "IMMUTABLE"
    assert made["imageScanningConfiguration"] == {"scanOnPush": True}
    assert made["encryptionConfigurations"] == [{"encryptionType": "KMS", "kmsKey": "arn:key"}]


@pytest.mark.parametrize("protect", [True, False])
def test_only_an_unprotected_registry_goes_with_its_images(protect: bool) -> None:
    made = build(protect=protect).one("aws:ecr/repository:Repository")
    assert made.protect is protect
    assert made.props["forceDelete"] is not protect


def test_the_newest_images_stay() -> None:
    rules = json.loads(build().one("aws:ecr/lifecyclePolicy:LifecyclePolicy").props["policy"])["rules"]
    untagged, tagged = (rule["selection"] for rule in sorted(rules, key=lambda each: each["rulePriority"]))
    assert (untagged["tagStatus"], untagged["countNumber"]) == ("untagged", 7)
    assert (tagged["tagStatus"], tagged["countType"], tagged["countNumber"]) == ("any", "imageCountMoreThan", 4)
