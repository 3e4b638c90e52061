"""What the stack's machines have in common, whatever runs on them: an instance of ECS, and a disk for its data."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_alicloud as alicloud

from infra.naming import fix_name
from infra.tagging import Tags

DISK_CATEGORY, DISK_LEVEL = "cloud_essd", "PL1"
"""ESSD at the level that the bill has a line for; 50,000 IOPS at most and 1,800 and more for 20 GB (ECS user guide,
"ESSDs"), so the plan's IOPS need no word."""

LONGEST_NAME = 128
"""Characters of a disk's, an instance's and an address's name (provider's pages)."""


@dataclass(frozen=True, kw_only=True)
class InstanceSpec:
    """What an instance is made of.

    ``image_id`` is that of the newest image, or of a pinned one where ``pins_image``. ``user_data`` are base64. A
    ``private_address`` stays the machine's: one that takes its place comes after it has gone. ``kms_key_id`` encrypts
    the disks, the key that the service manages does else.
    """

    instance_class: str
    image_id: pulumi.Input[str]
    pins_image: bool
    subnet_id: pulumi.Input[str]
    group_id: pulumi.Input[str]
    user_data: pulumi.Input[str]
    root_disk_gb: int
    kms_key_id: pulumi.Input[str] | None
    component: str
    tags: Tags
    protect: bool
    private_address: str | None = None


def make_instance(
    name: str, machine: InstanceSpec, *, parent: pulumi.Resource, depends_on: Sequence[pulumi.Resource] = ()
) -> alicloud.ecs.Instance:
    """An instance that nobody has a password of or logs in to, whose metadata are given out for a token alone.

    Other user data replace it. When its hardware fails ECS starts it elsewhere by itself. With ``protect`` neither
    Pulumi nor the console deletes it.
    """
    tags = machine.tags.named(machine.component)
    return alicloud.ecs.Instance(
        name,
        instance_name=fix_name(machine.tags.stack, name, LONGEST_NAME),
        image_id=machine.image_id,
        instance_type=machine.instance_class,
        instance_charge_type="PostPaid",
        spot_strategy="NoSpot",
        # The bill has no line for credits beyond the baseline, so they are not taken.
        credit_specification="Standard" if is_burstable(machine.instance_class) else None,
        vswitch_id=machine.subnet_id,
        private_ip=machine.private_address,
        security_groups=[machine.group_id],
        user_data=machine.user_data,
        password_inherit=False,
        http_endpoint="enabled",
        http_tokens="required",
        maintenance_action="AutoRecover",
        maintenance_notify=True,
        deletion_protection=machine.protect,
        system_disk_category=DISK_CATEGORY,
        system_disk_performance_level=DISK_LEVEL,
        system_disk_size=machine.root_disk_gb,
        system_disk_encrypted=True,
        system_disk_kms_key_id=machine.kms_key_id,
        tags=tags,
        volume_tags=tags,
        opts=pulumi.ResourceOptions(
            parent=parent,
            protect=machine.protect,
            depends_on=list(depends_on),
            delete_before_replace=True if machine.private_address else None,
            ignore_changes=[] if machine.pins_image else ["imageId"],
            replace_on_changes=["userData"],
        ),
    )


def make_data_disk(
    name: str,
    *,
    zone_name: str,
    size_gb: int,
    kms_key_id: pulumi.Input[str] | None,
    component: str,
    tags: Tags,
    protect: bool,
    keeps_copies: bool,
    parent: pulumi.Resource,
) -> alicloud.ecs.EcsDisk:
    """An encrypted disk that outlives the instance, and the stack where that ``keeps_copies``."""
    return alicloud.ecs.EcsDisk(
        name,
        disk_name=fix_name(tags.stack, name, LONGEST_NAME),
        zone_id=zone_name,
        category=DISK_CATEGORY,
        performance_level=DISK_LEVEL,
        size=size_gb,
        # A disk that was made larger gives its room without a restart.
        type="online",
        encrypted=True,
        kms_key_id=kms_key_id,
        delete_with_instance=False,
        delete_auto_snapshot=not keeps_copies,
        tags=tags.named(component),
        opts=pulumi.ResourceOptions(parent=parent, protect=protect, retain_on_delete=keeps_copies),
    )


def is_burstable(instance_class: str) -> bool:
    """Whether a class works by CPU credits: those of the t families (ECS user guide, "Burstable instances")."""
    return instance_class.startswith("ecs.t")
