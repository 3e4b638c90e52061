"""The bucket from which hosts install the service: a wheel, the list of what it needs, and what a new host is told."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pulumi
import pulumi_alicloud as alicloud

from infra.alicloud.private_bucket import PrivateBucket, PrivateBucketArgs
from infra.service.delivery import Release
from infra.service.upkeep import write_arguments
from infra.tagging import Tags
from infra.wheels import REQUIREMENTS, find_wheel, hash_file

DIGITS = 12
"""Of a file's SHA-256 in its key: with another content a file is another object."""


@dataclass(frozen=True, kw_only=True)
class ReleasesArgs:
    """`wheel` is a file of this machine, relative to the project; `version` begins its folder in the bucket.

    `describe_change` makes of the release what a host is told (`infra.service.upkeep.write_change_parameters`).
    `account` is the account's id.
    """

    version: str
    wheel: str
    describe_change: Callable[[pulumi.Output[Release]], pulumi.Output[Mapping[str, str]]]
    account: str
    tags: Tags
    protect: bool
    keeps_copies: bool


class Releases(pulumi.ComponentResource):
    """A private bucket with one release, and with what a host is told at its first start.

    Attributes: `bucket`, `arn`, `change` (what a host is told), `arguments_url` (oss://…, the same for a new host).
    Raises InvalidStack where the wheel is not there.
    """

    bucket: pulumi.Output[str]
    arn: pulumi.Output[str]
    change: pulumi.Output[Mapping[str, str]]
    arguments_url: pulumi.Output[str]

    def __init__(self, name: str, args: ReleasesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("reme:alicloud:Releases", name, {}, opts)
        wheel = find_wheel(args.version, args.wheel)
        bucket = PrivateBucket(
            f"{name}-store",
            PrivateBucketArgs(
                kms_key_id=None,
                account=args.account,
                access_log_bucket=None,
                tags=args.tags.named("releases"),
                protect=args.protect,
                keeps_copies=args.keeps_copies,
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.bucket, self.arn = bucket.bucket, bucket.arn
        urls = pulumi.Output.all(
            wheel=self._upload(name, "wheel", args.version, wheel),
            requirements=self._upload(name, "requirements", args.version, REQUIREMENTS),
        )
        self.change = args.describe_change(
            urls.apply(
                lambda found: Release(
                    version=args.version,
                    wheel_url=found["wheel"],
                    wheel_sha256=hash_file(wheel),
                    requirements_url=found["requirements"],
                )
            )
        )
        arguments = alicloud.oss.BucketObject(
            f"{name}-arguments",
            bucket=self.bucket,
            # not in the version's folder: a change of it must leave the user data as they are
            key="host/arguments",
            content=self.change.apply(write_arguments),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.arguments_url = pulumi.Output.concat("oss://", self.bucket, "/", arguments.key)
        self.register_outputs({"bucket": self.bucket})

    def _upload(self, name: str, part: str, version: str, path: Path) -> pulumi.Output[str]:
        """Keep a file under a key of its content: the provider does not see that a file became another.

        A change of where it lies on this machine uploads it again. It is not ignored, since a new version's object
        would then get the old version's file.
        """
        made = alicloud.oss.BucketObject(
            f"{name}-{part}",
            bucket=self.bucket,
            key=f"{version}-{hash_file(path)[:DIGITS]}/{path.name}",
            source=str(path),
            opts=pulumi.ResourceOptions(parent=self),
        )
        return pulumi.Output.concat("oss://", self.bucket, "/", made.key)
