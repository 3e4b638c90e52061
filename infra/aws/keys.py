"""The keys that encrypt what the stack keeps: one for data, one for logs."""

from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from infra.tagging import Tags

ROTATION_DAYS = 90
"""§10.1."""

DELETION_WINDOW_DAYS = 30
"""The longest that KMS has (ScheduleKeyDeletion): what a key encrypted cannot be read without it."""

USE = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey", "kms:GenerateDataKeyWithoutPlaintext"]
"""What a service needs that reads and writes under a key."""
NOTIFIERS = ["aps.amazonaws.com", "budgets.amazonaws.com", "cloudwatch.amazonaws.com", "events.amazonaws.com"]
"""Services that may tell an encrypted topic; which of them do is the topic's own policy."""


@dataclass(frozen=True, kw_only=True)
class KeysArgs:
    """``count`` is the plan's: none, the data key, or the data and the log key.

    With ``keeps_copies`` a destroyed stack leaves its keys, since the copies that stay are read with them.
    """

    count: int
    region: str
    tags: Tags
    protect: bool
    keeps_copies: bool


class Keys(pulumi.ComponentResource):
    """Keys of our own, rotated every 90 days.

    Attributes: ``data_key_arn`` (databases, caches, disks, buckets, secrets, images) and ``log_key_arn``
    (log groups, the alarms' topic, trails, flow logs); None where the plan has no such key, and what would
    use it is encrypted by the key that AWS manages for the service.
    """

    data_key_arn: pulumi.Output[str] | None
    log_key_arn: pulumi.Output[str] | None

    def __init__(self, name: str, args: KeysArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("reme:aws:Keys", name, {}, opts)
        self.data_key_arn = None
        self.log_key_arn = None
        if args.count > 0:
            found = aws.get_caller_identity_output(opts=pulumi.InvokeOutputOptions(parent=self))
            account = found.account_id
            self.data_key_arn = self._make_key(name, "data", account.apply(describe_data_key), args).arn
            if args.count > 1:
                policy = account.apply(lambda each: describe_log_key(each, args.region))
                self.log_key_arn = self._make_key(name, "log", policy, args).arn
        self.register_outputs({"data_key_arn": self.data_key_arn, "log_key_arn": self.log_key_arn})

    def _make_key(self, name: str, purpose: str, policy: pulumi.Output[dict[str, Any]], args: KeysArgs) -> aws.kms.Key:
        key = aws.kms.Key(
            f"{name}-{purpose}",
            description=f"{args.tags.stack}: {purpose}",
            enable_key_rotation=True,
            rotation_period_in_days=ROTATION_DAYS,
            deletion_window_in_days=DELETION_WINDOW_DAYS,
            policy=pulumi.Output.json_dumps(policy),
            tags=args.tags.named("keys"),
            opts=pulumi.ResourceOptions(parent=self, protect=args.protect, retain_on_delete=args.keeps_copies),
        )
        aws.kms.Alias(
            f"{name}-{purpose}-alias",
            name=f"alias/reme-{args.tags.stack}-{purpose}",
            target_key_id=key.key_id,
            opts=pulumi.ResourceOptions(parent=self),
        )
        return key


def describe_data_key(account: str) -> dict[str, Any]:
    """The data key's policy: the account's own policies decide, so a role uses it only where its policy says so."""
    return {"Version": "2012-10-17", "Statement": [_administer(account)]}


def describe_log_key(account: str, region: str) -> dict[str, Any]:
    """The log key's policy: as the data key's, and the services that write logs and notices by themselves.

    Each is held to this account by the condition that its own documentation gives: CloudWatch Logs
    ("Encrypt log data using KMS"), CloudTrail ("Configure KMS key policies"), flow logs to S3 ("SSE-KMS"),
    encrypted topics ("Enable compatibility between event sources from AWS services and encrypted topics").
    """
    of_account = {"StringEquals": {"aws:SourceAccount": account}}
    return {
        "Version": "2012-10-17",
        "Statement": [
            _administer(account),
            {
                "Sid": "LogGroups",
                "Effect": "Allow",
                "Principal": {"Service": f"logs.{region}.amazonaws.com"},
                "Action": [*USE, "kms:ReEncryptFrom", "kms:ReEncryptTo"],
                "Resource": "*",
                "Condition": {
                    "ArnLike": {"kms:EncryptionContext:aws:logs:arn": f"arn:aws:logs:{region}:{account}:log-group:*"}
                },
            },
            {
                "Sid": "FlowLogs",
                "Effect": "Allow",
                "Principal": {"Service": "delivery.logs.amazonaws.com"},
                "Action": USE,
                "Resource": "*",
                "Condition": of_account,
            },
            {
                "Sid": "Trails",
                "Effect": "Allow",
                "Principal": {"Service": "cloudtrail.amazonaws.com"},
                "Action": ["kms:DescribeKey", "kms:GenerateDataKey"],
                "Resource": "*",
                "Condition": of_account,
            },
            {
                "Sid": "Notices",
                "Effect": "Allow",
                "Principal": {"Service": NOTIFIERS},
                "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
                "Resource": "*",
                "Condition": of_account,
            },
        ],
    }


def _administer(account: str) -> dict[str, Any]:
    # KMS refuses a policy that would lock everybody out; the root principal hands the decision to IAM's policies.
    return {
        "Sid": "Account",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{account}:root"},
        "Action": "kms:*",
        "Resource": "*",
    }
