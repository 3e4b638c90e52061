"""The bucket of releases on OSS: objects by their content, and what a new host is told at one address."""

from collections.abc import Mapping

import pulumi
import pytest

from infra.alicloud.releases import Releases, ReleasesArgs
from infra.errors import InvalidStack
from infra.service.delivery import Release
from infra.service.upkeep import write_arguments
from infra.tagging import Tags
from infra.wheels import hash_file
from tests.infra.recorder import Recording, record
from tests.infra.service.test_alicloud_start import describe_change
from tests.infra.wheel import ensure_wheel

TAGS = Tags(environment="dev", stack="alicloud-dev", more={})
OBJECT = "alicloud:oss/bucketObject:BucketObject"


def build(version: str = "0.1.0", wheel: str = "") -> Recording:
    ensure_wheel()

    def tell(release: pulumi.Output[Release]) -> pulumi.Output[Mapping[str, str]]:
        return release.apply(lambda found: {**describe_change(), "WheelUrl": found.wheel_url})

    def program() -> None:
        args = ReleasesArgs(
            version=version,
            wheel=wheel,
            describe_change=tell,
            account="1234567890123456",
            tags=TAGS,
            protect=True,
            keeps_copies=True,
        )
        made = Releases("releases", args)
        pulumi.export("arguments_url", made.arguments_url)
        pulumi.export("wheel_url", made.change.apply(lambda told: told["WheelUrl"]))
        pulumi.export("told", made.change)

    return record(program, region="cn-beijing", config={"alicloud:region": "cn-beijing"})


def test_a_file_lies_under_its_content_and_another_version_brings_its_own() -> None:
    found = build()
    wheel = found.one(OBJECT, "releases-wheel")
    path = ensure_wheel()
    assert wheel.props["key"] == f"0.1.0-{hash_file(path)[:12]}/{path.name}"
    assert wheel.props["source"] == str(path)
    # ignored, an object that is replaced would get the file of the one before
    assert wheel.ignored == ()
    assert found.outputs["wheel_url"] == f"oss://{wheel.props['bucket']}/{wheel.props['key']}"


def test_a_new_host_reads_what_a_running_one_is_told_at_an_address_that_stays() -> None:
    found = build()
    arguments = found.one(OBJECT, "releases-arguments").props
    assert arguments["content"] == write_arguments(found.outputs["told"])
    assert found.outputs["arguments_url"] == f"oss://{arguments['bucket']}/host/arguments"


def test_a_wheel_that_is_not_there_is_named() -> None:
    with pytest.raises(InvalidStack, match=r"service\.wheel is 'dist/none\.whl'.*make wheel"):
        build(wheel="dist/none.whl")
