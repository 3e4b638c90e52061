"""The bucket from which hosts install the service: a wheel and the list of what it needs, with hashes."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import pulumi
import pulumi_aws as aws

from infra.aws.private_bucket import PrivateBucket, PrivateBucketArgs
from infra.errors import InvalidStack
from infra.tagging import Tags

ROOT = Path(__file__).parents[2]
REQUIREMENTS = ROOT / "app" / "requirements.lock"


@dataclass(frozen=True, kw_only=True)
class ReleasesArgs:
    """`wheel` is a file of this machine, relative to the project; `version` names its folder in the bucket."""

    version: str
    wheel: str
    tags: Tags
    protect: bool
    keeps_copies: bool


class Releases(pulumi.ComponentResource):
    """A private bucket with one release.

    Attributes: `bucket`, `arn`, `wheel_url` and `requirements_url` (s3://…), `wheel_sha256`.
    Raises InvalidStack where the wheel is not there.
    """

    bucket: pulumi.Output[str]
    arn: pulumi.Output[str]
    wheel_url: pulumi.Output[str]
    requirements_url: pulumi.Output[str]
    wheel_sha256: str

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
        self.wheel_url = self._upload(name, "wheel", f"{args.version}/{wheel.name}", wheel)
        self.requirements_url = self._upload(name, "requirements", f"{args.version}/requirements.lock", REQUIREMENTS)
        self.wheel_sha256 = hashlib.sha256(wheel.read_bytes()).hexdigest()
        self.register_outputs({"bucket": self.bucket})

    def _upload(self, name: str, part: str, key: str, path: Path) -> pulumi.Output[str]:
        made = aws.s3.BucketObjectv2(
            f"{name}-{part}",
            bucket=self.bucket,
            key=key,
            source=pulumi.FileAsset(str(path)),
            # by its content: the asset's own hash is not the object's
            source_hash=hashlib.sha256(path.read_bytes()).hexdigest(),
            opts=pulumi.ResourceOptions(parent=self),
        )
        return pulumi.Output.concat("s3://", self.bucket, "/", made.key)


def find_wheel(version: str, wheel: str) -> Path:
    """The wheel's file. Raises InvalidStack with the command that builds it."""
    path = ROOT / (wheel or f"dist/reme_cloud-{version}-py3-none-any.whl")
    if not path.is_file():
        raise InvalidStack("service.wheel", wheel or path.name, "a file that is there: `make wheel` builds it")
    return path
