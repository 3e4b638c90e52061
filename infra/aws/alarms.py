"""Alarms of CloudWatch, and the metrics that it counts from the service's log lines."""

from collections.abc import Sequence

import pulumi
import pulumi_aws as aws

from infra.alarms import Alarm, list_parts
from infra.aws.watched import Watched, name_log_namespace
from infra.tables import read_table
from infra.tagging import Tags
from sizing.plan import RegionPlan

METRICS_TABLE = "metrics.csv"
LOG_SOURCE = "log"


def raise_alarms(
    name: str,
    alarms: Sequence[Alarm],
    *,
    watched: Watched,
    topic_arn: pulumi.Input[str],
    tags: Tags,
    parent: pulumi.Resource,
) -> list[pulumi.Output[str]]:
    """One alarm of CloudWatch for each, which tells the topic when it starts and when it is over; their ARNs.

    Raises NotWatched where `watched` lacks a resource that an alarm is about.
    """
    stack = pulumi.get_stack()
    made = []
    for alarm in alarms:
        percentile = alarm.statistic.startswith("p")
        made.append(
            aws.cloudwatch.MetricAlarm(
                f"{name}-{alarm.name}",
                # the name is the subject of the notice, which must say whose it is
                name=f"{pulumi.get_project()}-{stack}-{alarm.name}",
                alarm_description=f"Expected: {alarm.summary}. {alarm.origin}",
                namespace=name_log_namespace(stack) if alarm.dimensions == LOG_SOURCE else alarm.namespace,
                metric_name=alarm.metric,
                dimensions=watched.dimensions(alarm.dimensions, stack) or None,
                statistic=None if percentile else alarm.statistic,
                extended_statistic=alarm.statistic if percentile else None,
                comparison_operator=alarm.comparison,
                threshold=alarm.threshold,
                period=alarm.period_s,
                evaluation_periods=alarm.evaluations,
                treat_missing_data=alarm.missing,
                actions_enabled=True,
                alarm_actions=[topic_arn],
                ok_actions=[topic_arn],
                tags=tags.named("monitoring"),
                opts=pulumi.ResourceOptions(parent=parent),
            )
        )
    return [alarm.arn for alarm in made]


def count_lines(name: str, plan: RegionPlan, *, log_group_name: pulumi.Input[str], parent: pulumi.Resource) -> None:
    """Filters that make metrics of the service's log lines: CloudWatch's agent drops histograms, and a line of each
    request has its time, status and tokens."""
    parts = list_parts(plan, scraped=False)
    rows = [row for row in read_table(METRICS_TABLE) if row["source"] == LOG_SOURCE]
    for place, row in enumerate(rows, start=1):
        if row["needs"] and row["needs"] not in parts:
            continue
        aws.cloudwatch.LogMetricFilter(
            f"{name}-{row['name']}-{place}",
            log_group_name=log_group_name,
            pattern=row["pattern"],
            metric_transformation=aws.cloudwatch.LogMetricFilterMetricTransformationArgs(
                name=row["name"],
                namespace=name_log_namespace(pulumi.get_stack()),
                value=row["value"],
                unit=row["unit"],
                # what other lines count; without it CloudWatch has no data for what did not happen
                default_value=row["default"] or None,
            ),
            opts=pulumi.ResourceOptions(parent=parent),
        )


def count_metrics(plan: RegionPlan, *, scraped: bool) -> int:
    """How many custom metrics a plan's stack publishes: what CloudWatch bills as metrics."""
    parts = list_parts(plan, scraped=scraped)
    rows = [row for row in read_table(METRICS_TABLE) if not row["needs"] or row["needs"] in parts]
    return len({(row["name"], row["dimensions"]) for row in rows})
