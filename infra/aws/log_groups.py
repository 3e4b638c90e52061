"""The log groups that the service writes to: application, access and audit lines, kept as long as the plan says."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.aws.fixed_names import round_retention
from infra.tagging import Tags
from sizing.plan import LogStoreSpec


@dataclass(frozen=True, kw_only=True)
class LogGroupsArgs:
    """`whole` makes groups for access and audit lines too, where no bucket takes them (a plan with local objects).
    `key_arn` encrypts them; CloudWatch's own key does else. With `keeps_copies` a destroyed stack leaves access and
    audit lines.
    """

    spec: LogStoreSpec
    whole: bool
    key_arn: pulumi.Input[str] | None
    tags: Tags
    protect: bool
    keeps_copies: bool


class LogGroups(pulumi.ComponentResource):
    """Log groups of fixed names, known before anything runs.

    Attributes: `names` by kind (application, access, audit), plain text; `arns` by kind.
    """

    names: dict[str, str]
    arns: dict[str, pulumi.Output[str]]

    def __init__(self, name: str, args: LogGroupsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("reme:aws:LogGroups", name, {}, opts)
        spec = args.spec
        kept_days = {"application": spec.application_days}
        if args.whole:
            kept_days |= {"access": spec.access_days, "audit": spec.audit_days}
        self.names, self.arns = {}, {}
        for kind, days in kept_days.items():
            lasting = kind != "application"
            group = aws.cloudwatch.LogGroup(
                f"{name}-{kind}",
                name=f"/{pulumi.get_project()}/{pulumi.get_stack()}/{kind}",
                retention_in_days=round_retention(days),
                kms_key_id=args.key_arn,
                tags=args.tags.named("logs"),
                opts=pulumi.ResourceOptions(
                    parent=self, protect=args.protect and lasting, retain_on_delete=args.keeps_copies and lasting
                ),
            )
            self.names[kind] = f"/{pulumi.get_project()}/{pulumi.get_stack()}/{kind}"
            self.arns[kind] = group.arn
        self.register_outputs({"names": self.names})
