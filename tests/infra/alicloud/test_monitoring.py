"""Monitoring: as many alarms as are paid for; each tells the readers and asks for what somebody writes."""

from collections.abc import Mapping

import pytest

from infra.alicloud.alarms import NoMetric, find_row
from infra.alicloud.log_stores import FIELDS_TABLE
from infra.alicloud.monitoring import Monitoring, MonitoringArgs
from infra.alicloud.watched import NotWatched, Watched
from infra.tables import read_table
from infra.tagging import Tags
from policies.judgement import judge
from policies.settings import PolicySettings
from sizing.plan import RegionPlan
from tests.infra.alicloud.facts import find_unknown
from tests.infra.recorded_graph import read_recording
from tests.infra.recorder import Recording, record
from tests.infra.service.plans import COMPANY, PERSONAL, TEAM, plan_region

ALARM, ALERT, EVENT = "alicloud:cms/alarm:Alarm", "alicloud:log/alert:Alert", "alicloud:cms/eventRule:EventRule"
WATCHED = Watched(instance_id="i-1", disk_id="d-1")


def plan_alicloud(workload: Mapping[str, object]) -> RegionPlan:
    return plan_region(**{**workload, "clouds": ["alicloud"]})


HOST = {"overrides": {"tier": "single-host-qdrant"}}


def watch(plan: RegionPlan, watched: Watched = WATCHED) -> Recording:
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
                tags=Tags(environment="dev", stack="test", more={}),
            ),
        )

    return record(program, region="cn-beijing", config={"alicloud:region": "cn-beijing"})


@pytest.mark.parametrize("workload", [PERSONAL, {**TEAM, **HOST}])
def test_there_are_as_many_alarms_as_are_paid_for_and_each_tells_the_readers(workload: dict[str, object]) -> None:
    plan = plan_alicloud(workload)
    found = watch(plan)
    alarms, alerts, events = found.of(ALARM), found.of(ALERT), found.of(EVENT)
    assert len(alarms) + len(alerts) + len(events) == plan.monitoring.alarms
    assert alarms and alerts and events
    assert all(each.props["contactGroups"] == ["readers"] and each.props["enabled"] for each in alarms)
    assert all(each.props["policyConfiguration"]["actionPolicyId"] == "policy-1" for each in alerts)
    assert all(each.props["contactParameters"][0]["contactGroupName"] == "readers" for each in events)
    names = [
        each.props.get("name") or each.props.get("alertDisplayname") or each.props["ruleName"]
        for each in (*alarms, *alerts, *events)
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


def test_queries_name_fields_that_the_stores_have_an_index_of() -> None:
    fields = {f'"content.{row["name"]}"' for row in read_table(FIELDS_TABLE)}
    for row in read_table("alicloud_metrics.csv"):
        if row["kind"] != "log":
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


def test_an_alarm_about_nothing_is_refused_before_any_is_made() -> None:
    with pytest.raises(NotWatched, match=r"Watched\.disk_id"):
        watch(plan_alicloud(PERSONAL), Watched(instance_id="i-1"))
    with pytest.raises(NotWatched, match=r"Watched\.instance_id"):
        watch(plan_alicloud(PERSONAL), Watched(disk_id="d-1"))


def test_what_nothing_here_measures_is_refused() -> None:
    with pytest.raises(NoMetric, match="cache-evictions"):
        find_row("cache-evictions")
    with pytest.raises(NoMetric, match="add what watches it"):
        watch(plan_alicloud(COMPANY))


def test_a_plan_with_prometheus_has_no_alarm_here() -> None:
    found = watch(plan_alicloud({**COMPANY, "overrides": {"monitoring": "prometheus"}}))
    assert not found.of(ALARM) and not found.of(ALERT) and not found.of(EVENT)


def test_values_are_those_of_the_provider_s_pages() -> None:
    found = watch(plan_alicloud({**TEAM, **HOST}))
    used: set[tuple[str, object]] = set()
    for alarm in found.of(ALARM):
        wanted = alarm.props["escalationsCritical"]
        used |= {
            (f"metric {alarm.props['project']}", alarm.props["metric"]),
            ("metric statistic", wanted["statistics"]),
            ("alarm comparison", wanted["comparisonOperator"]),
            ("alarm silence s", int(alarm.props["silenceTime"])),
            ("metric dimension", "instanceId"),
        }
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


def test_it_keeps_the_policies() -> None:
    graph = read_recording(watch(plan_alicloud({**TEAM, **HOST})), "test", "cn-beijing")
    broken = judge(graph, PolicySettings.model_validate({"environment": "dev"}))
    assert [f"{each.rule}: {each.message}" for each in broken] == []
