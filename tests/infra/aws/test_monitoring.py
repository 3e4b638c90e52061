"""Monitoring on CloudWatch: each alarm asks for a metric that somebody publishes, and tells the topic."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from infra.aws.alarms import count_metrics
from infra.aws.monitoring import Monitoring, MonitoringArgs, Notices, NoticesArgs
from infra.aws.watched import NotWatched, Watched
from infra.tagging import Tags
from tests.infra.recorder import ACCOUNT, Recorded, Recording, record
from tests.infra.service.plans import COMPANY, PERSONAL, PLATFORM, TEAM, plan_region
from tests.infra.stacks import record_stack

TAGS = Tags(environment="test", stack="aws-test", more={})
TOPIC = f"arn:aws:sns:us-east-1:{ACCOUNT}:notices"
ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
FILTER = "aws:cloudwatch/logMetricFilter:LogMetricFilter"
WATCHED = Watched(
    instance_id="i-1",
    cluster_name="reme",
    service_name="service",
    database_id="database",
    cache_node_id="cache-001",
    balancer_suffix="app/balancer/1",
    target_group_suffix="targetgroup/blue/1",
    certificate_arn="arn:aws:acm:us-east-1:123456789012:certificate/a",
    backup_vault_name="vault",
)


def watch(workload: Mapping[str, object], watched: Watched = WATCHED, *, scraped: bool = False) -> Recording:
    plan = plan_region(**workload)

    def program() -> None:
        Monitoring(
            "monitoring",
            MonitoringArgs(
                plan=plan,
                region="us-east-1",
                watched=watched,
                log_group_name="/reme/application",
                topic_arn=TOPIC,
                scraped=scraped,
                tags=TAGS,
            ),
        )

    return record(program)


@pytest.mark.parametrize(("workload", "alarms"), [(PERSONAL, 9), (TEAM, 10), (COMPANY, 17), (PLATFORM, 19)])
def test_there_are_as_many_alarms_as_are_paid_for_and_each_tells_the_topic(
    workload: dict[str, object], alarms: int
) -> None:
    made = watch(workload).of(ALARM)

    assert len(made) == alarms == len({each.props["name"] for each in made})
    for each in made:
        assert each.props["alarmActions"] == each.props["okActions"] == [TOPIC] and each.props["actionsEnabled"]
        assert ("statistic" in each.props) is not ("extendedStatistic" in each.props), each.name


@pytest.mark.parametrize("workload", [PERSONAL, TEAM, COMPANY, PLATFORM])
def test_metrics_of_the_log_have_the_filters_that_make_them(workload: dict[str, object]) -> None:
    made = watch(workload)

    asked = {_metric(each.props) for each in made.of(ALARM) if each.props["namespace"] == "ReMe/test"}
    given = {
        (each.props["metricTransformation"]["namespace"], each.props["metricTransformation"]["name"])
        for each in made.of(FILTER)
    }
    assert asked and asked <= given


def test_the_share_of_failures_is_the_average_of_ones_and_zeros_without_health_checks() -> None:
    found = [
        each for each in watch(PERSONAL).of(FILTER) if each.props["metricTransformation"]["name"] == "RequestFailed"
    ]

    by_value = {each.props["metricTransformation"]["value"]: each.props["pattern"] for each in found}
    assert set(by_value) == {"0", "1"}
    assert "$.http_status >= 500" in by_value["1"] and "$.http_status < 500" in by_value["0"]
    assert all('$.operation != "health"' in pattern for pattern in by_value.values())


def test_alarms_name_their_resources() -> None:
    made = {each.name.removeprefix("monitoring-"): each for each in watch(COMPANY).of(ALARM)}

    assert _dimensions(made["memory"]) == {"ClusterName": "reme", "ServiceName": "service"}
    assert _dimensions(made["unhealthy-targets"]) == {
        "TargetGroup": "targetgroup/blue/1",
        "LoadBalancer": "app/balancer/1",
    }
    assert _dimensions(made["database-storage"]) == {"DBInstanceIdentifier": "database"}
    assert _dimensions(made["cache-memory"]) == {"CacheClusterId": "cache-001"}
    assert _dimensions(made["backup-failed"]) == {"BackupVaultName": "vault"}
    assert _dimensions(made["disk"]) == {
        "Stack": "test",
        "Role": "vectors",
        "path": "/var/lib/qdrant",
        "fstype": "xfs",
    }
    assert "dimensions" not in made["api-latency"].props


def test_an_alarm_about_nothing_is_refused() -> None:
    with pytest.raises(NotWatched, match="backup_vault_name"):
        watch(PERSONAL, Watched(instance_id="i-1"))


def test_metrics_of_the_service_are_watched_only_where_somebody_reads_them() -> None:
    names = {each.name for each in watch(TEAM).of(ALARM)}
    assert "monitoring-searches-degraded" not in names
    assert "monitoring-searches-degraded" in {each.name for each in watch(TEAM, scraped=True).of(ALARM)}


@pytest.mark.parametrize(
    ("kind", "alarms"),
    [
        (
            "prometheus",
            ["memory", "cpu", "backup-failed", "balancer-errors", "database-connections", "database-storage"],
        ),
        ("datadog", []),
    ],
)
def test_beside_prometheus_only_what_aws_alone_measures_has_alarms(kind: str, alarms: list[str]) -> None:
    made = watch({**COMPANY, "overrides": {"monitoring": kind}})
    assert sorted(each.name.removeprefix("monitoring-") for each in made.of(ALARM)) == sorted(alarms)
    assert {each.props["namespace"].partition("/")[0] for each in made.of(ALARM)} <= {"AWS"}
    assert not made.of(FILTER) and not made.of("aws:cloudwatch/dashboard:Dashboard")


@pytest.mark.slow
def test_a_dump_is_counted_by_the_line_of_the_one_that_arrived_in_its_bucket() -> None:
    (found,) = [each for each in watch(PERSONAL).of(FILTER) if each.name.startswith("monitoring-DumpMade")]
    # other lines count 0, so that a week without a dump has data and the first days have none
    assert (found.props["metricTransformation"]["value"], found.props["metricTransformation"]["defaultValue"]) == (
        "1",
        "0",
    )
    phrase = found.props["pattern"].strip('"')
    bucket = record_stack("aws-dev").one("aws:s3/bucket:Bucket", "backup-dumps")
    # the engine gives the bucket its logical name with letters behind it
    assert "bucket" not in bucket.props and phrase == f"compressed, in s3://{bucket.name}-"


@pytest.mark.parametrize(("workload", "planned"), [(PERSONAL, 11), (TEAM, 13)])
def test_a_host_publishes_the_metrics_that_it_pays_for(workload: dict[str, object], planned: int) -> None:
    plan = plan_region(**workload)
    assert count_metrics(plan, scraped=True) == planned == plan.monitoring.metrics


def test_the_dashboard_has_the_documents_panels_and_every_alarm_once() -> None:
    made = watch(COMPANY)

    body = json.loads(made.one("aws:cloudwatch/dashboard:Dashboard").props["dashboardBody"])
    titles = [widget["properties"]["title"] for widget in body["widgets"]]
    assert titles[:4] == ["§7.4 requests", "§7.4 latency in ms", "§7.4 errors", "§7.4 tokens"]
    assert len(titles) == len(set(titles)) == 4 + 17 - 3
    places = {(widget["x"], widget["y"]) for widget in body["widgets"]}
    assert len(places) == len(titles) and all(x + 8 <= 24 for x, _ in places)


def notify(key_arn: str | None = "arn:aws:kms:us-east-1:123456789012:key/log") -> Recording:
    def program() -> None:
        Notices("notices", NoticesArgs(emails=("ops@example.com",), key_arn=key_arn, tags=TAGS))

    return record(program)


def test_readers_subscribe_to_an_encrypted_topic() -> None:
    made = notify()

    assert made.one("aws:sns/topic:Topic").props["kmsMasterKeyId"].endswith("key/log")
    subscription = made.one("aws:sns/topicSubscription:TopicSubscription").props
    assert (subscription["protocol"], subscription["endpoint"]) == ("email", "ops@example.com")


def test_without_a_key_of_ours_cloudwatch_can_still_publish() -> None:
    assert "kmsMasterKeyId" not in notify(None).one("aws:sns/topic:Topic").props


def test_only_services_on_behalf_of_this_account_publish_and_only_over_tls() -> None:
    publish, refuse = json.loads(notify().one("aws:sns/topicPolicy:TopicPolicy").props["policy"])["Statement"]

    assert "cloudwatch.amazonaws.com" in publish["Principal"]["Service"]
    assert publish["Condition"] == {"StringEquals": {"aws:SourceAccount": ACCOUNT}}
    assert refuse["Effect"] == "Deny" and refuse["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def _metric(props: Any) -> tuple[str, str]:
    return props["namespace"], props["metricName"]


def _dimensions(alarm: Recorded) -> dict[str, str]:
    return dict(alarm.props["dimensions"])
