"""What the engine would do to bring a recorded stack to another recording, without an engine."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from tests.infra.recorder import Recorded, Recording

FORCE_NEW: Mapping[str, frozenset[str]] = {
    "aws:ebs/volume:Volume": frozenset(
        {"availabilityZone", "encrypted", "kmsKeyId", "multiAttachEnabled", "outpostArn", "snapshotId"}
    ),
    "aws:ec2/eip:Eip": frozenset({"domain", "networkBorderGroup", "publicIpv4Pool"}),
    "aws:ec2/instance:Instance": frozenset({"ami", "availabilityZone", "subnetId", "userDataBase64"}),
    "aws:ec2/volumeAttachment:VolumeAttachment": frozenset({"deviceName", "instanceId", "volumeId"}),
    "aws:kms/key:Key": frozenset({"customerMasterKeySpec", "keyUsage", "multiRegion"}),
    "aws:rds/instance:Instance": frozenset(
        {"availabilityZone", "dbName", "engine", "kmsKeyId", "storageEncrypted", "username"}
    ),
    "aws:s3/bucket:Bucket": frozenset({"bucket", "bucketPrefix", "objectLockEnabled"}),
    "aws:secretsmanager/secret:Secret": frozenset({"name", "namePrefix"}),
}
"""Properties whose change replaces a resource, of types that hold data or carry it: "forces replacement" in the pages
of Terraform's AWS provider (an instance's user data with `user_data_replace_on_change`; read 2026-11)."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One resource that differs. `before` or `after` is None where it comes or goes."""

    before: Recorded | None
    after: Recorded | None

    @property
    def _one(self) -> Recorded:
        found = self.before or self.after
        assert found is not None
        return found

    @property
    def type(self) -> str:
        return self._one.type

    @property
    def name(self) -> str:
        return self._one.name

    @property
    def changed(self) -> Mapping[str, tuple[Any, Any]]:
        """Properties of a resource that stays, but for those that the engine ignores."""
        if self.before is None or self.after is None:
            return {}
        old, new = self.before.props, self.after.props
        return {
            name: (old.get(name), new.get(name))
            for name in sorted(old.keys() | new.keys())
            if name not in self.after.ignored and _comparable(old.get(name)) != _comparable(new.get(name))
        }

    @property
    def replaced_by(self) -> frozenset[str]:
        """The changed properties that replace it."""
        return frozenset(self.changed) & FORCE_NEW.get(self.type, frozenset())


def find_differences(before: Recording, after: Recording) -> list[Difference]:
    """Cloud resources that come, go or change, by type and name."""
    old, new = ({each.urn: each for each in made if each.custom} for made in (before, after))
    found = [Difference(before=old.get(urn), after=new.get(urn)) for urn in old.keys() | new.keys()]
    changes = [each for each in found if each.before is None or each.after is None or each.changed]
    return sorted(changes, key=lambda each: (each.type, each.name))


def _comparable(value: Any) -> Any:
    return value.path if isinstance(value, pulumi.FileAsset) else value
