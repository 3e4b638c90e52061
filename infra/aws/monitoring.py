"""Who is told when something is wrong, and when: the topic, its readers, the alarms and the dashboard."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from infra.alarms import choose_alarms
from infra.aws.alarms import count_lines, raise_alarms
from infra.aws.dashboard import build_dashboard
from infra.aws.watched import Watched
from infra.tagging import Tags
from sizing.plan import RegionPlan

PUBLISHERS = ("budgets.amazonaws.com", "cloudwatch.amazonaws.com", "events.amazonaws.com")
"""Services that tell the topic by themselves."""
ALERTS_PUBLISHER = "aps.amazonaws.com"
"""Managed Prometheus, of an alert (its user guide, "Giving … permission to send alert messages", read 2026-11-23)."""


@dataclass(frozen=True, kw_only=True)
class NoticesArgs:
    """`emails` are told of every notice, once each has confirmed. `key_arn` is a key of ours whose policy lets the
    publishers use it; None leaves the topic unencrypted at rest, since AWS's own key for topics does not let
    CloudWatch use it, and a notice holds names and figures only. `alerts` admits Managed Prometheus as well.
    """

    emails: Sequence[str]
    key_arn: pulumi.Input[str] | None
    tags: Tags
    alerts: bool = False


class Notices(pulumi.ComponentResource):
    """The topic of all notices and who reads it. Attributes: `topic_arn`."""

    topic_arn: pulumi.Output[str]

    def __init__(self, name: str, args: NoticesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("reme:aws:Notices", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        account = aws.get_caller_identity_output(opts=pulumi.InvokeOutputOptions(parent=self)).account_id
        topic = aws.sns.Topic(
            f"{name}-topic",
            display_name="Memory service",
            kms_master_key_id=args.key_arn,
            signature_version=2,
            tags=args.tags.named("monitoring"),
            opts=child,
        )
        aws.sns.TopicPolicy(
            f"{name}-policy",
            arn=topic.arn,
            policy=pulumi.Output.json_dumps(describe_topic_policy(topic.arn, account, alerts=args.alerts)),
            opts=child,
        )
        for place, email in enumerate(args.emails, start=1):
            aws.sns.TopicSubscription(
                f"{name}-email-{place}", topic=topic.arn, protocol="email", endpoint=email, opts=child
            )
        self.topic_arn = topic.arn
        self.register_outputs({"topic_arn": self.topic_arn})


def describe_topic_policy(
    topic_arn: pulumi.Input[str], account: pulumi.Input[str], *, alerts: bool = False
) -> dict[str, Any]:
    """AWS's services may publish on behalf of this account, with `alerts` Managed Prometheus too, and nobody without
    TLS."""
    of_account = {"StringEquals": {"aws:SourceAccount": account}}
    alerting = {
        "Sid": "PublishAlerts",
        "Effect": "Allow",
        "Principal": {"Service": ALERTS_PUBLISHER},
        "Action": ["sns:GetTopicAttributes", "sns:Publish"],
        "Resource": topic_arn,
        "Condition": of_account,
    }
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "Publish",
                "Effect": "Allow",
                "Principal": {"Service": list(PUBLISHERS)},
                "Action": "sns:Publish",
                "Resource": topic_arn,
                "Condition": of_account,
            },
            *([alerting] if alerts else []),
            {
                "Sid": "RefusePlainText",
                "Effect": "Deny",
                "Principal": "*",
                "Action": "sns:Publish",
                "Resource": topic_arn,
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            },
        ],
    }


@dataclass(frozen=True, kw_only=True)
class MonitoringArgs:
    """`watched` names the stack's resources; `log_group_name` is where the service writes its lines, one a request.
    `scraped` says whether the agent beside the service reads its metrics (agent_configuration's `scrape`)."""

    plan: RegionPlan
    region: str
    watched: Watched
    log_group_name: pulumi.Input[str]
    topic_arn: pulumi.Input[str]
    scraped: bool = False
    tags: Tags


class Monitoring(pulumi.ComponentResource):
    """CloudWatch's side of monitoring: exactly as many alarms as the plan pays for, metrics of the log, a dashboard.

    A plan that is watched by Prometheus gets alarms on what AWS alone measures, and nothing else; one that is watched
    by Datadog gets nothing. Attributes: `alarm_names` in order of rank, `alarm_arns`. Raises TooFewAlarms or
    NotWatched.
    """

    alarm_names: tuple[str, ...]
    alarm_arns: list[pulumi.Output[str]]

    def __init__(self, name: str, args: MonitoringArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("reme:aws:Monitoring", name, {}, opts)
        self.alarm_names, self.alarm_arns = (), []
        if args.plan.monitoring.kind != "datadog":
            self._watch(name, args)
        self.register_outputs({"alarm_names": list(self.alarm_names)})

    def _watch(self, name: str, args: MonitoringArgs) -> None:
        plan, watched, stack = args.plan, args.watched, pulumi.get_stack()
        alarms = choose_alarms(plan, certificate=watched.certificate_arn is not None, scraped=args.scraped)
        self.alarm_names = tuple(alarm.name for alarm in alarms)
        self.alarm_arns = raise_alarms(
            name, alarms, watched=watched, topic_arn=args.topic_arn, tags=args.tags, parent=self
        )
        if plan.monitoring.kind != "cloud":
            return
        count_lines(name, plan, log_group_name=args.log_group_name, parent=self)
        aws.cloudwatch.Dashboard(
            f"{name}-dashboard",
            dashboard_name=f"{pulumi.get_project()}-{stack}",
            dashboard_body=pulumi.Output.json_dumps(
                build_dashboard(alarms, region=args.region, stack=stack, watched=watched)
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
