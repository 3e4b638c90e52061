"""Managed Prometheus and Grafana: where metrics are kept, the rules on them, who is told, who may look."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.alarms import limit_tokens
from infra.alert_rules import render_rules
from infra.aws.roles import Statement, describe_trust, make_role
from infra.collector import write_alert_manager
from infra.settings import GrafanaSignIn
from infra.tagging import Tags
from sizing.plan import RegionPlan

COMPONENT = "monitoring"
GRAFANA_VERSION = "10.4"
"""The newest that AWS offers (its user guide, "Grafana versions", read 2026-11-23)."""


@dataclass(frozen=True, kw_only=True)
class MetricsWorkspaceArgs:
    """`topic_arn` is told of alerts; its policy must let Managed Prometheus (NoticesArgs.alerts). `sign_in` is how
    people reach Grafana."""

    plan: RegionPlan
    region: str
    topic_arn: pulumi.Input[str]
    data_key_arn: pulumi.Input[str] | None
    sign_in: GrafanaSignIn
    tags: Tags


class MetricsWorkspace(pulumi.ComponentResource):
    """A workspace of Managed Prometheus with the alert rules of §7.2, and one of Managed Grafana that may read it.

    Who signs in to Grafana is the account's: by IAM Identity Center, or by an identity provider that is named to the
    workspace afterwards (SAML). Its data source and dashboard are put in by whoever signs in.
    Attributes: `arn`, `write_url` (takes metrics), `query_url` (of the data source), `grafana_url`.
    """

    arn: pulumi.Output[str]
    write_url: pulumi.Output[str]
    query_url: pulumi.Output[str]
    grafana_url: pulumi.Output[str]

    def __init__(self, name: str, args: MetricsWorkspaceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("reme:aws:MetricsWorkspace", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        workspace = aws.amp.Workspace(
            f"{name}-workspace",
            alias=f"{pulumi.get_project()}-{args.tags.stack}",
            kms_key_arn=args.data_key_arn,
            tags=args.tags.named(COMPONENT),
            opts=child,
        )
        aws.amp.RuleGroupNamespace(
            f"{name}-rules",
            name="reme-alerts",
            workspace_id=workspace.id,
            data=render_rules(limit_tokens(args.plan.load), of_nodes=False),
            tags=args.tags.named(COMPONENT),
            opts=child,
        )
        aws.amp.AlertManagerDefinition(
            f"{name}-notices",
            workspace_id=workspace.id,
            definition=pulumi.Output.from_input(args.topic_arn).apply(
                lambda topic: write_alert_manager(topic, args.region)
            ),
            opts=child,
        )
        self.arn = workspace.arn
        # the endpoint ends with a slash
        self.query_url = workspace.prometheus_endpoint
        self.write_url = pulumi.Output.concat(workspace.prometheus_endpoint, "api/v1/remote_write")
        self.grafana_url = self._make_grafana(name, args)
        self.register_outputs({"query_url": self.query_url, "grafana_url": self.grafana_url})

    def _make_grafana(self, name: str, args: MetricsWorkspaceArgs) -> pulumi.Output[str]:
        account = aws.get_caller_identity_output(opts=pulumi.InvokeOutputOptions(parent=self)).account_id
        role = make_role(
            f"{name}-grafana-role",
            trust=describe_trust("grafana", account),
            statements=read_metrics(self.arn),
            component=COMPONENT,
            tags=args.tags,
            parent=self,
        )
        grafana = aws.grafana.Workspace(
            f"{name}-grafana",
            description="Metrics of the memory service",
            account_access_type="CURRENT_ACCOUNT",
            authentication_providers=[args.sign_in],
            permission_type="CUSTOMER_MANAGED",
            grafana_version=GRAFANA_VERSION,
            data_sources=["PROMETHEUS"],
            role_arn=role.arn,
            tags=args.tags.named(COMPONENT),
            opts=pulumi.ResourceOptions(parent=self),
        )
        return pulumi.Output.concat("https://", grafana.endpoint)


def send_metrics(workspace_arn: pulumi.Input[str]) -> list[Statement]:
    """Send metrics to a workspace."""
    return [{"Sid": "SendMetrics", "Effect": "Allow", "Action": ["aps:RemoteWrite"], "Resource": [workspace_arn]}]


def read_metrics(workspace_arn: pulumi.Input[str]) -> list[Statement]:
    """Query a workspace and describe it."""
    actions = [
        "aps:DescribeWorkspace",
        "aps:GetLabels",
        "aps:GetMetricMetadata",
        "aps:GetSeries",
        "aps:QueryMetrics",
    ]
    return [{"Sid": "ReadMetrics", "Effect": "Allow", "Action": actions, "Resource": [workspace_arn]}]
