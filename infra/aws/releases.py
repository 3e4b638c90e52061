"""The bucket from which hosts install the service: a wheel, the list of what it needs, and what a new host is told."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pulumi
import pulumi_aws as aws

from infra.aws.private_bucket import PrivateBucket, PrivateBucketArgs
from infra.service.delivery import Release
from infra.service.upkeep import write_arguments
from infra.tagging import Tags
from infra.wheels import REQUIREMENTS, find_wheel, hash_file


@dataclass(frozen=True, kw_only=True)
class ReleasesArgs:
    """`wheel` is a file of this machine, relative to the project; `version` names its folder in the bucket.

    `describe_change` makes of the release what a host is told (`infra.service.upkeep.write_change_parameters`).
    """

    version: str
    wheel: str
    describe_change: Callable[[pulumi.Output[Release]], pulumi.Output[Mapping[str, str]]]
    tags: Tags
    protect: bool
    keeps_copies: bool


class Releases(pulumi.ComponentResource):
    """A private bucket with one release, and with what a host is told at its first start.

    Attributes: `bucket`, `arn`, `change` (what a host is told), `arguments_url` (s3://…, the same for a new host).
    Raises InvalidStack where the wheel is not there.
    """

    bucket: pulumi.Output[str]
    arn: pulumi.Output[str]
    change: pulumi.Output[Mapping[str, str]]
    arguments_url: pulumi.Output[str]

    def __init__(self, name: str, args: ReleasesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("reme:aws:Releases", name, {}, opts)
        wheel = find_wheel(args.version, args.wheel)
        bucket = PrivateBucket(
            f"{name}-store",
            PrivateBucketArgs(
                kms_key_arn=None,
                access_log_bucket=None,
                tags=args.tags.named("releases"),
                protect=args.protect,
                keeps_copies=args.keeps_copies,
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.bucket, self.arn = bucket.bucket, bucket.arn
        urls = pulumi.Output.all(
            wheel=self._upload(name, "wheel", f"{args.version}/{wheel.name}", wheel),
            requirements=self._upload(name, "requirements", f"{args.version}/requirements.lock", REQUIREMENTS),
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
        arguments = aws.s3.BucketObjectv2(
            f"{name}-arguments",
            bucket=self.bucket,
            # not in the version's folder: a change of it must leave the user data as they are
            key="host/arguments",
            content=self.change.apply(write_arguments),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.arguments_url = pulumi.Output.concat("s3://", self.bucket, "/", arguments.key)
        self.register_outputs({"bucket": self.bucket})

    def _upload(self, name: str, part: str, key: str, path: Path) -> pulumi.Output[str]:
        made = aws.s3.BucketObjectv2(
            f"{name}-{part}",
            bucket=self.bucket,
            key=key,
            source=pulumi.FileAsset(str(path)),
            # by its content: the asset's own hash is not the object's
            source_hash=hash_file(path),
            opts=pulumi.ResourceOptions(parent=self),
        )
        return pulumi.Output.concat("s3://", self.bucket, "/", made.key)
