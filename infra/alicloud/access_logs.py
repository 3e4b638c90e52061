"""Who asked for which object: the bucket that the other buckets of a stack write their access logs to."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from infra.alicloud.log_stores import list_days
from infra.alicloud.private_bucket import PrivateBucket, PrivateBucketArgs, Statement, delete_replaced, expire
from infra.tagging import Tags
from sizing.plan import LogStoreSpec


@dataclass(frozen=True, kw_only=True)
class AccessLogsArgs:
    """`spec` says how long access logs are kept, in China a year at least; `account` is the account's id. With
    `keeps_copies` nobody deletes them before their time, and a destroyed stack leaves them."""

    spec: LogStoreSpec
    account: str
    region: str
    tags: Tags
    protect: bool
    keeps_copies: bool


class AccessLogs(pulumi.ComponentResource):
    """The bucket of access logs, under OSS's own keys, as OSS writes them by itself. Attributes: `bucket` (its name),
    `arn`."""

    bucket: pulumi.Output[str]
    arn: pulumi.Output[str]

    def __init__(self, name: str, args: AccessLogsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("reme:alicloud:AccessLogs", name, {}, opts)
        access = PrivateBucket(
            f"{name}-bucket",
            PrivateBucketArgs(
                kms_key_id=None,
                account=args.account,
                access_log_bucket=None,
                lifecycle=[expire(list_days(args.spec, region=args.region)["access"]), delete_replaced(1)],
                statements=_forbid_deletion if args.keeps_copies else lambda _: (),
                tags=args.tags.named("logs"),
                protect=args.protect,
                keeps_copies=args.keeps_copies,
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.bucket, self.arn = access.bucket, access.arn
        self.register_outputs({"bucket": self.bucket})


def _forbid_deletion(arn: pulumi.Output[str]) -> Sequence[Statement]:
    """Nobody deletes a log, or a version of it; its rule of ages does, which is OSS's own."""
    return [
        {
            "Effect": "Deny",
            "Principal": ["*"],
            "Action": ["oss:DeleteObject", "oss:DeleteObjectVersion"],
            "Resource": [pulumi.Output.concat(arn, "/*")],
        }
    ]
