"""The buckets that keep logs: of access for a year, of audits for seven, both beyond anyone's reach."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.aws.private_bucket import (
    Lock,
    PrivateBucket,
    PrivateBucketArgs,
    Statement,
    delete_replaced,
    expire,
)
from infra.aws.roles import add_objects, describe_policy
from infra.facts import AUDIT_PREFIX
from infra.tagging import Tags
from sizing.plan import LogStoreSpec

EDGE_REGION = "us-east-1"
"""CloudFront delivers its logs from this region."""

TRAILS = "cloudtrail.amazonaws.com"


@dataclass(frozen=True, kw_only=True)
class LogBucketsArgs:
    """`spec` says how long each log is kept; `kms_key_arn` encrypts the audit log.

    With `keeps_copies` the lock on the audit log is COMPLIANCE, which nobody can lift, and access logs cannot be
    deleted before their time; without it a test stack can be destroyed.
    """

    spec: LogStoreSpec
    region: str
    kms_key_arn: pulumi.Input[str] | None
    tags: Tags
    protect: bool
    keeps_copies: bool


class LogBuckets(pulumi.ComponentResource):
    """The bucket of access logs, which balancers, networks, buckets and the CDN write to, and that of audit logs.

    Writers put nothing below a prefix that lacks `AWSLogs/<account>/`, except S3 itself. CloudFront delivers by its
    second version of standard logging (CloudWatch's deliveries), since the first needs access control lists.
    Attributes: `access_bucket`, `access_arn`, `audit_bucket`, `audit_arn` (names and ARNs).
    """

    access_bucket: pulumi.Output[str]
    access_arn: pulumi.Output[str]
    audit_bucket: pulumi.Output[str]
    audit_arn: pulumi.Output[str]

    def __init__(self, name: str, args: LogBucketsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("reme:aws:LogBuckets", name, {}, opts)
        self._name, self._key_arn = name, args.kms_key_arn
        child = pulumi.ResourceOptions(parent=self)
        tags = args.tags.named("logs")
        account = aws.get_caller_identity_output(opts=pulumi.InvokeOutputOptions(parent=self)).account_id
        access = PrivateBucket(
            f"{name}-access",
            PrivateBucketArgs(
                # Balancers and S3 deliver to buckets under S3's own keys only.
                kms_key_arn=None,
                access_log_bucket=None,
                lifecycle=[expire(args.spec.access_days), delete_replaced(1)],
                statements=_admit_writers(account, args.region, keep=args.keeps_copies),
                tags=tags,
                protect=args.protect,
                keeps_copies=args.keeps_copies,
            ),
            opts=child,
        )
        audit = PrivateBucket(
            f"{name}-audit",
            PrivateBucketArgs(
                kms_key_arn=args.kms_key_arn,
                access_log_bucket=access.bucket,
                lifecycle=[expire(args.spec.audit_days), delete_replaced(1)],
                statements=_admit_trails(account, args.region),
                lock=Lock(mode="COMPLIANCE" if args.keeps_copies else "GOVERNANCE", days=args.spec.audit_days),
                tags=tags,
                protect=args.protect,
                keeps_copies=args.keeps_copies,
            ),
            opts=child,
        )
        self.access_bucket, self.access_arn = access.bucket, access.arn
        self.audit_bucket, self.audit_arn = audit.bucket, audit.arn
        self.register_outputs({"access_bucket": self.access_bucket, "audit_bucket": self.audit_bucket})

    def let_add(self, role_name: pulumi.Input[str]) -> None:
        """Let a role add to the audit log below facts.AUDIT_PREFIX; nobody else may, and it may nothing else there."""
        aws.iam.RolePolicy(
            f"{self._name}-audit-writer",
            role=role_name,
            policy=pulumi.Output.json_dumps(describe_policy(add_objects(self.audit_arn, AUDIT_PREFIX, self._key_arn))),
            opts=pulumi.ResourceOptions(parent=self),
        )


def _admit_writers(
    account: pulumi.Output[str], region: str, *, keep: bool
) -> Callable[[pulumi.Output[str]], Sequence[Statement]]:
    def statements(arn: pulumi.Output[str]) -> list[Statement]:
        delivered = [
            pulumi.Output.concat(arn, "/AWSLogs/", account, "/*"),
            pulumi.Output.concat(arn, "/*/AWSLogs/", account, "/*"),
        ]
        regions = sorted({region, EDGE_REGION})
        sources = [pulumi.Output.concat(f"arn:aws:logs:{each}:", account, ":*") for each in regions]
        balancers = pulumi.Output.concat(f"arn:aws:elasticloadbalancing:{region}:", account, ":loadbalancer/*")
        from_account = {"aws:SourceAccount": account}
        found: list[Statement] = [
            _admit(
                "BalancerLogs",
                "logdelivery.elasticloadbalancing.amazonaws.com",
                "s3:PutObject",
                delivered,
                {"ArnLike": {"aws:SourceArn": balancers}},
            ),
            _admit(
                "DeliveredLogs",
                "delivery.logs.amazonaws.com",
                "s3:PutObject",
                delivered,
                {
                    "StringEquals": {**from_account, "s3:x-amz-acl": "bucket-owner-full-control"},
                    "ArnLike": {"aws:SourceArn": sources},
                },
            ),
            _admit(
                "DeliveryLooksUp",
                "delivery.logs.amazonaws.com",
                "s3:GetBucketAcl",
                arn,
                {"StringEquals": from_account, "ArnLike": {"aws:SourceArn": sources}},
            ),
            _admit(
                "BucketLogs",
                "logging.s3.amazonaws.com",
                "s3:PutObject",
                pulumi.Output.concat(arn, "/*"),
                {"StringEquals": from_account, "ArnLike": {"aws:SourceArn": "arn:aws:s3:::*"}},
            ),
        ]
        if keep:
            # S3 refuses its own logs in a bucket with Object Lock's default retention; lifecycle rules still expire.
            found.append(
                {
                    "Sid": "KeepUntilExpired",
                    "Effect": "Deny",
                    "Principal": {"AWS": "*"},
                    "Action": ["s3:DeleteObject", "s3:DeleteObjectVersion"],
                    "Resource": pulumi.Output.concat(arn, "/*"),
                }
            )
        return found

    return statements


def _admit_trails(account: pulumi.Output[str], region: str) -> Callable[[pulumi.Output[str]], Sequence[Statement]]:
    """Let trails of this account and region deliver (CloudTrail user guide, "Amazon S3 bucket policy")."""
    trails = {"ArnLike": {"aws:SourceArn": pulumi.Output.concat(f"arn:aws:cloudtrail:{region}:", account, ":trail/*")}}
    owned = {"StringEquals": {"s3:x-amz-acl": "bucket-owner-full-control"}}

    def statements(arn: pulumi.Output[str]) -> list[Statement]:
        delivered = pulumi.Output.concat(arn, "/AWSLogs/", account, "/*")
        return [
            _admit("TrailLooksUp", TRAILS, "s3:GetBucketAcl", arn, trails),
            _admit("Trails", TRAILS, "s3:PutObject", delivered, {**trails, **owned}),
        ]

    return statements


def _admit(sid: str, service: str, action: str, resource: object, condition: object) -> Statement:
    return {
        "Sid": sid,
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": action,
        "Resource": resource,
        "Condition": condition,
    }
