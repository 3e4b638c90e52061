"""Passwords and keys of the stack, kept as encrypted parameters of the operations service (OOS).

The key service's own secrets need an instance of it, which costs $500 a month; an encrypted parameter needs none and
is a secret of that service underneath, `oos/<name>`. What is generated or given is a Pulumi secret throughout: in the
state it lies encrypted by the stack's secrets provider, never in the clear.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
import pulumi_alicloud as alicloud

from infra.generated import generate
from infra.tagging import PROJECT, Tags

PASSWORD_LENGTH = 32
"""Letters and digits, 190 bits: the longest that RDS and Tair take, which ask for three kinds of characters (RDS,
CreateAccount; Tair, CreateInstance)."""
LEAST_OF_KIND = 1

KIND = "secretparameter"
"""What an encrypted parameter is called in a resource's name (OOS, "RAM authorization")."""


@dataclass(frozen=True, kw_only=True)
class CredentialsArgs:
    """Names of secrets.

    ``generated`` are made here and stored as they are; ``admin`` among them has the form of a key of the service.
    ``given`` come from the stack's secret configuration, such as the key of a provider. ``key_id`` and
    ``key_instance_id`` are a key of ours and the KMS instance that it is in; the service's own key is used else.
    A deleted parameter is gone: there is no time in which it comes back, so ``keeps_copies`` leaves it.
    """

    region: str
    account: str
    tags: Tags
    protect: bool
    keeps_copies: bool
    generated: Sequence[str] = ()
    given: Mapping[str, pulumi.Input[str]] = field(default_factory=dict, repr=False)
    key_id: pulumi.Input[str] | None = None
    key_instance_id: str = ""


class Credentials(pulumi.ComponentResource):
    """Generated passwords and stored secrets.

    Attributes: ``secret_arns`` by the names that are stored (acs:oos:…:secretparameter/…), ``values`` by the names
    that were generated (each a secret Output).
    """

    secret_arns: dict[str, pulumi.Output[str]]
    values: dict[str, pulumi.Output[str]]

    def __init__(self, name: str, args: CredentialsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("reme:alicloud:Credentials", name, {}, opts)
        self.values = {
            each: generate(
                f"{name}-{each}",
                each,
                length=PASSWORD_LENGTH,
                least_of_kind=LEAST_OF_KIND,
                protect=args.protect,
                parent=self,
            )
            for each in args.generated
        }
        stored = self.values | dict(args.given)
        self.secret_arns = {each: self._store(f"{name}-{each}", each, value, args) for each, value in stored.items()}
        self.register_outputs({"secret_arns": self.secret_arns})

    def _store(self, name: str, purpose: str, value: pulumi.Input[str], args: CredentialsArgs) -> pulumi.Output[str]:
        """Keep a text and return its address, known once the text is stored: who starts earlier would not find it."""
        path = f"{PROJECT}/{args.tags.stack}/{purpose}"
        made = alicloud.oos.SecretParameter(
            f"{name}-secret",
            secret_parameter_name=path,
            value=pulumi.Output.secret(value),
            type="Secret",
            description=f"{args.tags.stack}: {purpose}",
            key_id=args.key_id,
            dkms_instance_id=args.key_instance_id or None,
            tags=args.tags.named("credentials"),
            # its name is fixed, so that a role can name it: another key takes its place, never stands beside it
            opts=pulumi.ResourceOptions(
                parent=self, protect=args.protect, retain_on_delete=args.keeps_copies, delete_before_replace=True
            ),
        )
        address = f"acs:oos:{args.region}:{args.account}:{KIND}/{path}"
        return made.id.apply(lambda _: address)
