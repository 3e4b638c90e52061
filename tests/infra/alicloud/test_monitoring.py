"""Monitoring: as many alarms as are paid for; each tells the readers and asks for what somebody writes."""

import json
import re
from collections.abc import Mapping

import pytest

from infra.alicloud.delivered_logs import FIELDS_TABLE as DELIVERED_FIELDS_TABLE
from infra.alicloud.log_stores import FIELDS_TABLE
from infra.alicloud.monitoring import Monitoring, MonitoringArgs
from infra.alicloud.watched import NotWatched, Watched
from infra.tables import read_table
from infra.tagging import Tags
from policies.judgement import judge
from policies.settings import PolicySettings
from sizing.plan import RegionPlan
from tests.infra.alicloud.facts import OF_STACKS, find_unknown
from tests.infra.recorded_graph import read_recording
from tests.infra.recorder import Recording, record
from tests.infra.service.plans import COMPANY, PERSONAL, PLATFORM, TEAM, plan_region

ALARM, ALERT, EVENT = "alicloud:cms/alarm:Alarm", "alicloud:log/alert:Alert", "alicloud:cms/eventRule:EventRule"
TEMPLATE = "alicloud:cms/metricRuleTemplate:MetricRuleTemplate"
TAG_GROUP = "alicloud:cms/dynamicTagGroup:DynamicTagGroup"
WATCHED = Watched(instance_id="i-1", disk_id="d-1")
CLUSTER = Watched(
    database_id="pgm-1",
    cache_id="r-1",
    balancer_id="alb-1",
    server_group_id="sgp-1",
    vector_instance_ids=("i-2", "i-3"),
    vector_disk_ids=("d-2", "d-3"),
)


def plan_alicloud(workload: Mapping[str, object]) -> RegionPlan:
    return plan_region(**{**workload, "clouds": ["alicloud"]})


HOST = {"overrides": {"tier": "single-host-qdrant"}}


def watch(
    plan: RegionPlan,
    watched: Watched | None = None,
    *,
    balancer_store: str | None = "alb_access",
    environment: str = "dev",
) -> Recording:
    if watched is None:
        watched = WATCHED if plan.compute.placement == "host" else CLUSTER

    def program() -> None:
        Monitoring(
            "monitoring",
            MonitoringArgs(
                plan=plan,
                region="cn-beijing",
                watched=watched,
                log_project="project-1",
                log_store="access",
                dump_store="application",
                topic_arn="readers",
                action_policy_id="policy-1",
                balancer_store=balancer_store,
                tags=Tags(environment=environment, stack="test", more={}),
            ),
        )

    return record(program, region="cn-beijing", config={"alicloud:region": "cn-beijing"})


@pytest.mark.parametrize("workload", [PERSONAL, {**TEAM, **HOST}, COMPANY, PLATFORM])
def test_there_are_as_many_alarms_as_are_paid_for_and_each_tells_the_readers(workload: dict[str, object]) -> None:
    plan = plan_alicloud(workload)
    found = watch(plan)
    alarms, alerts, events, templates = (found.of(each) for each in (ALARM, ALERT, EVENT, TEMPLATE))
    assert len(alarms) + len(alerts) + len(events) + len(templates) == plan.monitoring.alarms
    assert alarms and alerts and events
    assert all(each.props["contactGroups"] == ["readers"] and each.props["enabled"] for each in alarms)
    assert all(each.props["policyConfiguration"]["actionPolicyId"] == "policy-1" for each in alerts)
    assert all(each.props["contactParameters"][0]["contactGroupName"] == "readers" for each in events)
    assert all(each.props["contactGroupLists"] == ["readers"] for each in found.of(TAG_GROUP))
    named = ("name", "alertDisplayname", "ruleName", "metricRuleTemplateName")
    names = [
        next(each.props[key] for key in named if key in each.props) for each in (*alarms, *alerts, *events, *templates)
    ]
    assert len(set(names)) == len(names) and all(name.startswith("reme-cloud-test-") for name in names)


def test_the_host_s_metrics_are_its_own() -> None:
    made = {each.name.removeprefix("monitoring-"): each.props for each in watch(plan_alicloud(PERSONAL)).of(ALARM)}
    assert set(made) == {"memory", "cpu", "disk"}
    assert all(props["metricDimensions"] == '[{"instanceId": "i-1"}]' for props in made.values())
    assert made["disk"]["escalationsCritical"] == {
        "statistics": "Maximum",
        "comparisonOperator": ">",
        "threshold": "85",
        "times": 12,
    }
    assert (made["cpu"]["period"], made["cpu"]["escalationsCritical"]["times"]) == (300, 2)


def test_a_cluster_s_metrics_are_of_each_part_by_its_own_id() -> None:
    plan = plan_alicloud(PLATFORM)
    made = {each.name.removeprefix("monitoring-"): each.props for each in watch(plan).of(ALARM)}
    vectors = [{"instanceId": "i-2"}, {"instanceId": "i-3"}]
    asked = {name: json.loads(props["metricDimensions"]) for name, props in made.items()}
    assert asked == {
        "disk": vectors,
        "vectors-memory": vectors,
        "unhealthy-targets": [{"loadBalancerId": "alb-1", "serverGroupId": "sgp-1"}],
        "database-connections": [{"instanceId": "pgm-1"}],
        "database-storage": [{"instanceId": "pgm-1"}],
        "database-cpu": [{"instanceId": "pgm-1"}],
        "database-latency": [{"instanceId": "pgm-1"}],
        "cache-memory": [{"instanceId": "r-1"}],
        "cache-evictions": [{"instanceId": "r-1"}],
    }
    spans = {name: (props["period"], props["escalationsCritical"]["times"]) for name, props in made.items()}
    assert spans["unhealthy-targets"] == (60, 3) and spans["database-cpu"] == (60, 10)
    assert made["database-connections"]["escalationsCritical"]["threshold"] == "90"
    assert made["cache-evictions"]["escalationsCritical"]["threshold"] == "0"


def test_machines_that_come_and_go_are_found_by_the_stack_s_tag() -> None:
    found = watch(plan_alicloud(COMPANY))
    rules = {each.name.removeprefix("monitoring-"): each.props["alertTemplates"] for each in found.of(TEMPLATE)}
    assert set(rules) == {"memory", "cpu"} and all(len(each) == 1 for each in rules.values())
    assert [rules[name][0]["escalations"]["critical"] for name in ("memory", "cpu")] == [
        {"statistics": "Average", "comparisonOperator": "GreaterThanThreshold", "threshold": "90", "times": times}
        for times in ("5", "10")
    ]
    group = found.one(TAG_GROUP).props
    tags = Tags(environment="dev", stack="test", more={}).named("host")
    (wanted,) = group["matchExpresses"]
    assert tags[group["tagKey"]] == wanted["tagValue"] == "test" and wanted["tagValueMatchFunction"] == "equals"
    assert sorted(group["templateIdLists"]) == sorted(f"{each.name}-id" for each in found.of(TEMPLATE))
    assert not watch(plan_alicloud(PERSONAL)).of(TAG_GROUP), "a host is named"


def test_alerts_ask_a_row_of_their_store_as_often_as_the_document_says() -> None:
    made = {
        each.name.removeprefix("monitoring-"): each.props for each in watch(plan_alicloud({**TEAM, **HOST})).of(ALERT)
    }
    assert set(made) == {"api-latency", "api-errors", "tokens", "vector-search", "dump-missing"}
    spans = {
        name: (props["schedule"]["interval"], props["queryLists"][0]["start"], props["threshold"])
        for name, props in made.items()
    }
    assert spans["api-latency"] == ("1m", "-1m", 5)
    assert spans["tokens"] == ("1h", "-1h", 1)
    assert spans["dump-missing"] == ("1d", "-1d", 7), "a week without a dump"
    conditions = {
        name: props["severityConfigurations"][0]["evalCondition"]["condition"] for name, props in made.items()
    }
    assert conditions["api-latency"] == "value > 1000"
    assert conditions["api-errors"] == "value > 0.01"
    assert conditions["dump-missing"] == "value < 1"
    stores = {name: props["queryLists"][0]["store"] for name, props in made.items()}
    assert stores == dict.fromkeys(set(made) - {"dump-missing"}, "access") | {"dump-missing": "application"}


def test_a_cluster_s_balancer_and_its_degraded_searches_are_read_from_lines() -> None:
    made = {each.name.removeprefix("monitoring-"): each.props for each in watch(plan_alicloud(COMPANY)).of(ALERT)}
    asked = {name: (props["queryLists"][0]["store"], props["schedule"]["interval"]) for name, props in made.items()}
    assert asked["balancer-errors"] == ("alb_access", "1m") and made["balancer-errors"]["threshold"] == 5
    assert asked["searches-degraded"] == ("application", "5m") and made["searches-degraded"]["threshold"] == 3
    with pytest.raises(NotWatched, match=r"'balancer'.*Lines\.stores"):
        watch(plan_alicloud(COMPANY), balancer_store=None)


def test_queries_name_fields_that_the_stores_have_an_index_of() -> None:
    fields = {f'"content.{row["name"]}"' for row in read_table(FIELDS_TABLE)}
    of_balancer = {row["name"] for row in read_table(DELIVERED_FIELDS_TABLE) if row["kind"] == "balancer"}
    for row in read_table("alicloud_metrics.csv"):
        if row["kind"] != "log":
            continue
        if row["watched"] == "balancer":
            _, _, condition = row["query"].partition(" where ")
            assert set(re.findall(r"[a-z_]+(?= (?:is|in|>=))", condition)) == {"status", "upstream_status"}
            assert {"status", "upstream_status"} <= of_balancer
            continue
        named = {
            part
            for part in row["query"].replace("(", " ").replace(")", " ").replace(",", " ").split()
            if part.startswith('"')
        }
        assert named and named <= fields | {'"content"'}, row["alarm"]
        assert " as value" in row["query"] and row["source"]


def test_events_are_about_this_host_and_this_disk_alone() -> None:
    made = {
        each.name.removeprefix("monitoring-"): each.props["eventPattern"]
        for each in watch(plan_alicloud({**TEAM, **HOST})).of(EVENT)
    }
    assert made["backup-failed"]["sqlFilter"] == "d-1 and failed"
    assert made["backup-failed"]["nameLists"] == ["Snapshot:CreateSnapshotCompleted"]
    assert made["host-reachable"]["sqlFilter"] == "i-1" and made["host-reachable"]["levelLists"] == ["CRITICAL"]
    assert "nameLists" not in made["host-reachable"], "every critical event"


def test_a_cluster_hears_of_a_failed_snapshot_of_any_disk_of_its_vectors() -> None:
    (event,) = watch(plan_alicloud(COMPANY)).of(EVENT)
    assert event.name == "monitoring-backup-failed"
    assert event.props["eventPattern"]["sqlFilter"] == "d-2 and failed or d-3 and failed"


def test_an_alarm_about_nothing_is_refused_before_any_is_made() -> None:
    with pytest.raises(NotWatched, match=r"Watched\.disk_id"):
        watch(plan_alicloud(PERSONAL), Watched(instance_id="i-1"))
    with pytest.raises(NotWatched, match=r"Watched\.instance_id"):
        watch(plan_alicloud(PERSONAL), Watched(disk_id="d-1"))


def test_a_plan_with_prometheus_has_no_alarm_here() -> None:
    found = watch(plan_alicloud({**COMPANY, "overrides": {"monitoring": "prometheus"}}))
    assert not found.of(ALARM) and not found.of(ALERT) and not found.of(EVENT)


@pytest.mark.parametrize("workload", [{**TEAM, **HOST}, PLATFORM])
def test_values_are_those_of_the_provider_s_pages(workload: dict[str, object]) -> None:
    found = watch(plan_alicloud(workload))
    used: set[tuple[str, object]] = set()
    for alarm in found.of(ALARM):
        wanted = alarm.props["escalationsCritical"]
        used |= {
            (f"metric {alarm.props['project']}", alarm.props["metric"]),
            ("metric statistic", wanted["statistics"]),
            ("alarm comparison", wanted["comparisonOperator"]),
            ("alarm silence s", int(alarm.props["silenceTime"])),
        }
        used |= {("metric dimension", key) for each in json.loads(alarm.props["metricDimensions"]) for key in each}
    for template in found.of(TEMPLATE):
        (rule,) = template.props["alertTemplates"]
        wanted = rule["escalations"]["critical"]
        used |= {
            (f"metric {rule['namespace']}", rule["metricName"]),
            ("metric statistic", wanted["statistics"]),
            ("template comparison", wanted["comparisonOperator"]),
            ("template category", rule["category"]),
            ("tag group product", rule["category"]),
        }
    for group in found.of(TAG_GROUP):
        used |= {("tag relation", group.props["matchExpressFilterRelation"])}
        used |= {("tag match", each["tagValueMatchFunction"]) for each in group.props["matchExpresses"]}
    for alert in found.of(ALERT):
        used |= {
            ("log alert schedule", alert.props["schedule"]["type"]),
            ("log alert severity", int(alert.props["severityConfigurations"][0]["severity"])),
            ("log alert policy", alert.props["policyConfiguration"]["alertPolicyId"]),
        }
    for event in found.of(EVENT):
        pattern = event.props["eventPattern"]
        used |= {("event product", pattern["product"])}
        used |= {("event name", name) for name in pattern.get("nameLists", [])}
        used |= {("event level", level) for level in pattern["levelLists"]}
        used |= {("event type", each) for each in pattern["eventTypeLists"]}
        used |= {("event notice level", event.props["contactParameters"][0]["level"])}
    assert find_unknown(used) == set()
    assert find_unknown({("metric acs_ecs_dashboard", "mem_used_percent")}), "AWS's names are unknown here"


@pytest.mark.parametrize(("workload", "environment"), [({**TEAM, **HOST}, "dev"), (COMPANY, "cn")])
def test_it_keeps_the_policies(workload: dict[str, object], environment: str) -> None:
    graph = read_recording(watch(plan_alicloud(workload), environment=environment), "test", "cn-beijing")
    broken = judge(graph, PolicySettings.model_validate({"environment": environment}))
    assert [f"{each.rule}: {each.message}" for each in broken if each.rule not in OF_STACKS] == []
