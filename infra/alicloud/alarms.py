"""Alarms of four kinds, as Alibaba Cloud's services say them: CloudMonitor's on metrics, on those of machines that come
and go, and on events, and the log service's on what lines hold. Which kind watches what is data (``alarm_rows``).

CloudMonitor's alarms have no word for missing data, so an alarm that AWS calls `missing` or `breaching` is silent here
until there is data again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_alicloud as alicloud

from infra.alarms import Alarm
from infra.alicloud.alarm_rows import Row
from infra.alicloud.watched import NotWatched, Watched
from infra.tagging import Tags

COMPARISONS = {"GreaterThanThreshold": ">", "LessThanThreshold": "<"}
"""infra/data/alarms.csv's words as CloudMonitor and the log service write them."""
SILENCE_S = 86_400
"""A day between notices of the same alarm (CloudMonitor's default and longest)."""
REPEAT = "1d"
SEVERITY = 8
"""High, of the log service's 2, 4, 6, 8 and 10 (the provider's source of Alert)."""
BUILT_IN_POLICY = "sls.builtin.dynamic"
"""The log service's own policy, which tells whom the alert itself names (SLS, "Dynamic action policy mechanism")."""
EVENT_LEVEL_NOTICE = "2"
"""How a contact is told, of the ways that it has; ours have mail alone (the value is the provider's own tests')."""
NODES_TAG = "stack"
"""By whose value CloudMonitor finds the machines of a stack: those of its vector store too."""
_UNITS = ((86_400, "d"), (3600, "h"), (60, "m"))


@dataclass(frozen=True, kw_only=True)
class Readers:
    """Who is told: CloudMonitor's contact group, and the log service's action policy (empty where nobody reads)."""

    contact_group: pulumi.Input[str]
    action_policy_id: pulumi.Input[str]


@dataclass(frozen=True, kw_only=True)
class Lines:
    """Where the service's lines are: the project, its region, and its stores by what the table calls them."""

    project: pulumi.Input[str]
    region: str
    stores: Mapping[str, pulumi.Input[str]]

    def find_store(self, watched: str) -> pulumi.Input[str]:
        """The store that the table calls `watched`. Raises NotWatched where there is none."""
        if watched not in self.stores:
            raise NotWatched(watched, "stores", owner="Lines")
        return self.stores[watched]


def raise_alarms(
    name: str,
    alarms: Sequence[tuple[Alarm, Row]],
    *,
    watched: Watched,
    lines: Lines,
    readers: Readers,
    tags: Tags,
    parent: pulumi.Resource,
) -> None:
    """One alarm for each. Raises NotWatched before any is made."""
    for _, row in alarms:
        if row["kind"] in ("metric", "event"):
            watched.dimensions_of(row["watched"])
        elif row["kind"] == "log":
            lines.find_store(row["watched"])
    templates = []
    for alarm, row in alarms:
        logical = f"{name}-{alarm.name}"
        # the name is what a notice says, which must say whose it is
        full_name = f"{pulumi.get_project()}-{pulumi.get_stack()}-{alarm.name}"
        if row["kind"] == "metric":
            _watch_metric(logical, full_name, alarm, row, watched, readers, tags, parent)
        elif row["kind"] == "template":
            templates.append(_describe_rule(logical, full_name, alarm, row, parent))
        elif row["kind"] == "event":
            _watch_events(logical, full_name, alarm, row, watched, readers, parent)
        else:
            _watch_lines(logical, full_name, alarm, row, lines, readers, parent)
    if templates:
        _watch_nodes(f"{name}-nodes", templates, readers, tags, parent)


def write_duration(seconds: int) -> str:
    """Seconds as the log service writes them, such as ``5m``; whole minutes, hours or days."""
    return next(f"{seconds // unit}{letter}" for unit, letter in _UNITS if seconds % unit == 0)


def write_filter(ids: Sequence[str], word: str) -> str:
    """What an event must say: one of the ids, and the word with it where there is one. `and` binds before `or`."""
    return " or ".join(f"{each} and {word}" if word else each for each in ids)


def _describe(alarm: Alarm) -> str:
    return f"Expected: {alarm.summary}. {alarm.origin}"


def _watch_metric(
    logical: str,
    full_name: str,
    alarm: Alarm,
    row: Row,
    watched: Watched,
    readers: Readers,
    tags: Tags,
    parent: pulumi.Resource,
) -> None:
    alicloud.cms.Alarm(
        logical,
        name=full_name,
        project=row["namespace"],
        metric=row["metric"],
        metric_dimensions=pulumi.Output.json_dumps(watched.dimensions_of(row["watched"])),
        period=alarm.period_s,
        escalations_critical=alicloud.cms.AlarmEscalationsCriticalArgs(
            statistics=row["statistic"],
            comparison_operator=COMPARISONS[alarm.comparison],
            threshold=f"{alarm.threshold:g}",
            times=alarm.evaluations,
        ),
        contact_groups=[readers.contact_group],
        silence_time=SILENCE_S,
        enabled=True,
        tags=tags.named("monitoring"),
        opts=pulumi.ResourceOptions(parent=parent),
    )


def _describe_rule(logical: str, full_name: str, alarm: Alarm, row: Row, parent: pulumi.Resource) -> pulumi.Output[str]:
    """A rule for machines that are not known yet, by its template's id. Its period is the metric's shortest, since the
    provider has no word for another."""
    return alicloud.cms.MetricRuleTemplate(
        logical,
        metric_rule_template_name=full_name,
        description=_describe(alarm),
        alert_templates=[
            alicloud.cms.MetricRuleTemplateAlertTemplateArgs(
                category="ecs",
                namespace=row["namespace"],
                metric_name=row["metric"],
                rule_name=full_name,
                escalations=alicloud.cms.MetricRuleTemplateAlertTemplateEscalationsArgs(
                    critical=alicloud.cms.MetricRuleTemplateAlertTemplateEscalationsCriticalArgs(
                        statistics=row["statistic"],
                        comparison_operator=alarm.comparison,
                        threshold=f"{alarm.threshold:g}",
                        times=str(alarm.evaluations),
                    )
                ),
            )
        ],
        opts=pulumi.ResourceOptions(parent=parent),
    ).id


def _watch_nodes(
    logical: str, templates: Sequence[pulumi.Output[str]], readers: Readers, tags: Tags, parent: pulumi.Resource
) -> None:
    """Put the stack's machines under the templates, now and whenever one is started."""
    alicloud.cms.DynamicTagGroup(
        logical,
        tag_key=NODES_TAG,
        match_expresses=[
            alicloud.cms.DynamicTagGroupMatchExpressArgs(tag_value=tags.stack, tag_value_match_function="equals")
        ],
        match_express_filter_relation="or",
        contact_group_lists=[readers.contact_group],
        template_id_lists=templates,
        opts=pulumi.ResourceOptions(parent=parent),
    )


def _watch_events(
    logical: str,
    full_name: str,
    alarm: Alarm,
    row: Row,
    watched: Watched,
    readers: Readers,
    parent: pulumi.Resource,
) -> None:
    alicloud.cms.EventRule(
        logical,
        rule_name=full_name,
        description=_describe(alarm),
        status="ENABLED",
        silence_time=SILENCE_S,
        event_pattern=alicloud.cms.EventRuleEventPatternArgs(
            product=row["namespace"],
            level_lists=[row["statistic"]],
            event_type_lists=["*"],
            name_lists=[row["metric"]] if row["metric"] else None,
            sql_filter=pulumi.Output.all(*watched.ids_of(row["watched"])).apply(
                lambda ids: write_filter([str(each) for each in ids], row["query"])
            ),
        ),
        contact_parameters=[
            alicloud.cms.EventRuleContactParameterArgs(
                contact_parameters_id="1", contact_group_name=readers.contact_group, level=EVENT_LEVEL_NOTICE
            )
        ],
        opts=pulumi.ResourceOptions(parent=parent),
    )


def _watch_lines(
    logical: str,
    full_name: str,
    alarm: Alarm,
    row: Row,
    lines: Lines,
    readers: Readers,
    parent: pulumi.Resource,
) -> None:
    span = write_duration(alarm.period_s)
    alicloud.log.Alert(
        logical,
        project_name=lines.project,
        alert_name=alarm.name,
        alert_displayname=full_name,
        version="2.0",
        type="default",
        schedule=alicloud.log.AlertScheduleArgs(type="FixedRate", interval=span),
        query_lists=[
            alicloud.log.AlertQueryListArgs(
                project=lines.project,
                region=lines.region,
                store=lines.find_store(row["watched"]),
                store_type="log",
                query=row["query"],
                start=f"-{span}",
                end="now",
                time_span_type="Relative",
                power_sql_mode="auto",
            )
        ],
        group_configuration=alicloud.log.AlertGroupConfigurationArgs(type="no_group"),
        severity_configurations=[
            alicloud.log.AlertSeverityConfigurationArgs(
                severity=SEVERITY,
                eval_condition={
                    "condition": f"value {COMPARISONS[alarm.comparison]} {alarm.threshold:.6f}".rstrip("0").rstrip("."),
                    "count_condition": "",
                },
            )
        ],
        threshold=alarm.evaluations,
        no_data_fire=False,
        send_resolved=True,
        auto_annotation=True,
        annotations=[
            alicloud.log.AlertAnnotationArgs(key="title", value=full_name),
            alicloud.log.AlertAnnotationArgs(key="desc", value=_describe(alarm)),
        ],
        policy_configuration=alicloud.log.AlertPolicyConfigurationArgs(
            alert_policy_id=BUILT_IN_POLICY, action_policy_id=readers.action_policy_id, repeat_interval=REPEAT
        ),
        opts=pulumi.ResourceOptions(parent=parent),
    )
