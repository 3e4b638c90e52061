"""Machine images, found among those that Alibaba Cloud publishes."""

import pulumi
import pulumi_alicloud as alicloud

from infra.errors import InvalidStack
from sizing.plan import ComputeSpec

HOST_IMAGES = {"x86_64": "ubuntu_24_04_x64_20G_alibase_", "arm64": "ubuntu_24_04_arm64_20G_alibase_"}
"""How the ids of Ubuntu 24.04 begin; a date follows (`infra/data/alicloud_facts_host.csv`)."""
OWNER = "system"


def find_host_image(spec: ComputeSpec, parent: pulumi.Resource) -> pulumi.Output[str]:
    """The newest image for a machine of the service, by a look-up.

    Raises InvalidStack for a GPU, whose driver no public image has, and where the region has no such image.
    """
    if spec.gpu:
        raise InvalidStack("service.machine_image", "", f"an image of Ubuntu 24.04 with NVIDIA's driver for {spec.gpu}")
    return find_plain_image(spec.architecture, "service.machine_image", parent)


def find_plain_image(architecture: str, setting: str, parent: pulumi.Resource) -> pulumi.Output[str]:
    """The newest image for a machine without a GPU. Raises InvalidStack for the setting that could pin one."""
    found = alicloud.ecs.get_images_output(
        name_regex=f"^{HOST_IMAGES[architecture]}",
        owners=OWNER,
        architecture=architecture,
        most_recent=True,
        opts=pulumi.InvokeOutputOptions(parent=parent),
    )
    return found.ids.apply(lambda ids: _take_newest(ids, architecture, setting))


def _take_newest(ids: list[str], architecture: str, setting: str) -> str:
    if not ids:
        raise InvalidStack(setting, "", f"the id of an image of Ubuntu 24.04 for {architecture}")
    return ids[0]
