"""The keys that encrypt what the stack keeps: the services' own, or keys in a KMS instance of the account's."""

from dataclasses import dataclass

import pulumi
import pulumi_alicloud as alicloud

from infra.tagging import Tags

ROTATION = "90d"
"""§10.1. Software keys in an instance take 7 to 365 days; a key outside of one rotates once a year and no sooner
(KMS, CreateKey), so the stack never makes such a key."""

DELETION_WINDOW_DAYS = 366
"""The longest that KMS has (ScheduleKeyDeletion): what a key encrypted cannot be read without it."""


@dataclass(frozen=True, kw_only=True)
class KeysArgs:
    """``instance_id`` is a KMS instance that the account pays for already; without one the stack makes no keys.

    ``count`` is the plan's: with two or more, logs have a key of their own. With ``keeps_copies`` a destroyed stack
    leaves its keys, since the copies that stay are read with them.
    """

    instance_id: str
    count: int
    tags: Tags
    protect: bool
    keeps_copies: bool


class Keys(pulumi.ComponentResource):
    """Keys of our own in a KMS instance, rotated every 90 days.

    Attributes: ``data_key_id`` (disks, databases, buckets, secrets) and ``log_key_id`` (log stores), with their
    ``data_key_arn`` and ``log_key_arn`` for roles; None where the stack has no such key, and what would use it is
    encrypted by the key that Alibaba Cloud manages for the service, free of charge.
    """

    data_key_id: pulumi.Output[str] | None
    data_key_arn: pulumi.Output[str] | None
    log_key_id: pulumi.Output[str] | None
    log_key_arn: pulumi.Output[str] | None

    def __init__(self, name: str, args: KeysArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("reme:alicloud:Keys", name, {}, opts)
        self.data_key_id = self.data_key_arn = self.log_key_id = self.log_key_arn = None
        if args.instance_id:
            data = self._make_key(name, "data", args)
            self.data_key_id, self.data_key_arn = data.id, data.arn
            if args.count > 1:
                log = self._make_key(name, "log", args)
                self.log_key_id, self.log_key_arn = log.id, log.arn
        self.register_outputs({"data_key_id": self.data_key_id, "log_key_id": self.log_key_id})

    def _make_key(self, name: str, purpose: str, args: KeysArgs) -> alicloud.kms.Key:
        key = alicloud.kms.Key(
            f"{name}-{purpose}",
            description=f"{args.tags.stack}: {purpose}",
            dkms_instance_id=args.instance_id,
            key_usage="ENCRYPT/DECRYPT",
            automatic_rotation="Enabled",
            rotation_interval=ROTATION,
            pending_window_in_days=DELETION_WINDOW_DAYS,
            deletion_protection="Enabled" if args.protect else "Disabled",
            tags=args.tags.named("keys"),
            opts=pulumi.ResourceOptions(parent=self, protect=args.protect, retain_on_delete=args.keeps_copies),
        )
        alicloud.kms.Alias(
            f"{name}-{purpose}-alias",
            alias_name=f"alias/reme-{args.tags.stack}-{purpose}",
            key_id=key.id,
            opts=pulumi.ResourceOptions(parent=self),
        )
        return key
