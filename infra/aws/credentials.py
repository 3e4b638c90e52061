"""Passwords and keys of the stack, kept in Secrets Manager.

RDS could manage its password by itself. It would change it every seven days, and the service reads its
connection string once, at its start; so passwords are generated here and change when somebody decides so.
What is generated or given is a Pulumi secret throughout: in the state it lies encrypted by the stack's
secrets provider, never in the clear.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
import pulumi_aws as aws

from infra.generated import generate
from infra.tagging import Tags

PASSWORD_LENGTH = 48
"""Letters and digits, 285 bits: within ElastiCache's 16 to 128 and RDS's 8 to 128 characters, and in an address
nothing needs to be escaped."""

RECOVERY_DAYS = 30
SHORT_RECOVERY_DAYS = 7
"""The longest and the shortest time in which Secrets Manager can bring a deleted secret back."""


@dataclass(frozen=True, kw_only=True)
class CredentialsArgs:
    """Names of secrets.

    ``generated`` are made here and stored as they are; ``admin`` among them has the form of a key of the
    service. ``given`` come from the stack's secret configuration, such as the key of a provider. With
    ``keeps_copies`` a deleted secret can be brought back for RECOVERY_DAYS, else for SHORT_RECOVERY_DAYS.
    """

    tags: Tags
    protect: bool
    keeps_copies: bool
    generated: Sequence[str] = ()
    given: Mapping[str, pulumi.Input[str]] = field(default_factory=dict, repr=False)
    kms_key_arn: pulumi.Input[str] | None = None


class Credentials(pulumi.ComponentResource):
    """Generated passwords and stored secrets.

    Attributes: ``secret_arns`` by the names that are stored, ``values`` by the names that were generated
    (each a secret Output).
    """

    secret_arns: dict[str, pulumi.Output[str]]
    values: dict[str, pulumi.Output[str]]

    def __init__(self, name: str, args: CredentialsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("reme:aws:Credentials", name, {}, opts)
        self.values = {
            each: generate(f"{name}-{each}", each, length=PASSWORD_LENGTH, protect=args.protect, parent=self)
            for each in args.generated
        }
        stored = self.values | dict(args.given)
        self.secret_arns = {
            each: store_secret(
                f"{name}-{each}",
                value,
                purpose=each,
                kms_key_arn=args.kms_key_arn,
                tags=args.tags,
                protect=args.protect,
                keeps_copies=args.keeps_copies,
                parent=self,
            )
            for each, value in stored.items()
        }
        self.register_outputs({"secret_arns": self.secret_arns})


def store_secret(
    name: str,
    value: pulumi.Input[str],
    *,
    purpose: str,
    kms_key_arn: pulumi.Input[str] | None,
    tags: Tags,
    protect: bool,
    keeps_copies: bool,
    parent: pulumi.Resource,
) -> pulumi.Output[str]:
    """Keep a text in Secrets Manager and return the secret's ARN, known once the text is in it.

    The ARN waits for the version, since a task or a host that starts earlier would find the secret empty.
    """
    secret = aws.secretsmanager.Secret(
        f"{name}-secret",
        description=f"{tags.stack}: {purpose}",
        kms_key_id=kms_key_arn,
        recovery_window_in_days=RECOVERY_DAYS if keeps_copies else SHORT_RECOVERY_DAYS,
        tags=tags.named("credentials"),
        opts=pulumi.ResourceOptions(parent=parent, protect=protect),
    )
    version = aws.secretsmanager.SecretVersion(
        f"{name}-version",
        secret_id=secret.id,
        secret_string=pulumi.Output.secret(value),
        opts=pulumi.ResourceOptions(parent=parent),
    )
    return pulumi.Output.all(secret.arn, version.id).apply(lambda found: str(found[0]))
