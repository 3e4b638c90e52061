"""The words of alarms: AWS's table as CloudMonitor and the log service say it."""

import pytest

from infra.alarms import list_applicable
from infra.alicloud import alarm_rows
from infra.alicloud.alarm_rows import METRICS_TABLE, TooFewWatched, choose_watched, find_row
from infra.alicloud.alarms import COMPARISONS, write_duration, write_filter
from infra.tables import read_table
from sizing.plan import RegionPlan
from tests.infra.service.plans import COMPANY, PERSONAL, PLATFORM, TEAM, plan_region

KINDS = {"metric", "template", "event", "log"}
PARTS = ("", "host", "cluster", "own-vectors", "database", "cache", "alb")
CHINA = {"clouds": ["alicloud"]}
HOST = {"tier": "single-host-qdrant"}


def list_chosen(plan: RegionPlan) -> list[str]:
    return [alarm.name for alarm, _ in choose_watched(plan)]


@pytest.mark.parametrize(
    ("seconds", "written"), [(60, "1m"), (300, "5m"), (3600, "1h"), (5400, "90m"), (86_400, "1d"), (604_800, "7d")]
)
def test_spans_are_written_in_the_largest_whole_unit(seconds: int, written: str) -> None:
    assert write_duration(seconds) == written


def test_each_id_is_asked_for_with_the_word() -> None:
    assert write_filter(["d-1"], "failed") == "d-1 and failed"
    assert write_filter(["d-1", "d-2"], "failed") == "d-1 and failed or d-2 and failed"
    assert write_filter(["i-1"], "") == "i-1"


@pytest.mark.parametrize("workload", [PERSONAL, {**TEAM, "overrides": HOST}, COMPANY, PLATFORM])
def test_there_are_as_many_as_the_plan_pays_for(workload: dict[str, object]) -> None:
    plan = plan_region(**workload, **CHINA)
    assert len(set(list_chosen(plan))) == len(choose_watched(plan)) == plan.monitoring.alarms


@pytest.mark.parametrize("vector_store", ["pgvector", "qdrant-cloud"])
def test_a_cluster_whose_vectors_are_elsewhere_has_enough_to_watch(vector_store: str) -> None:
    plan = plan_region(**COMPANY, **CHINA, overrides={"vector_store": vector_store})
    chosen = choose_watched(plan)
    assert plan.compute.placement == "cluster" and len(chosen) == plan.monitoring.alarms == 17
    kinds = {alarm.name: row["kind"] for alarm, row in chosen}
    assert kinds["backup-failed"] == "log", "no disk of vectors has snapshots"
    assert not {"disk", "vectors-memory"} & set(kinds)


def test_a_cluster_of_several_regions_without_vectors_of_its_own_is_refused() -> None:
    plan = plan_region(**PLATFORM, **CHINA, overrides={"vector_store": "pgvector"})
    with pytest.raises(
        TooFewWatched, match=r"19 alarms, and infra/data/alicloud_metrics\.csv has .* 18 .*none for any"
    ):
        choose_watched(plan)


def test_what_cannot_be_watched_makes_room_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = plan_region(**COMPANY, **CHINA)
    usual = list_chosen(plan)
    rows = tuple(row for row in read_table(METRICS_TABLE) if row["alarm"] != "cache-evictions")
    monkeypatch.setattr(alarm_rows, "read_table", lambda name: rows)
    without = list_chosen(plan)
    assert "cache-evictions" in usual and "cache-evictions" not in without
    assert len(without) == len(usual) and set(without) - set(usual) == {"database-cpu"}
    monkeypatch.setattr(alarm_rows, "read_table", lambda name: rows[:3])
    with pytest.raises(TooFewWatched, match=r"17 alarms.* 3 .*none for memory, cpu, disk"):
        choose_watched(plan)


def test_a_cluster_watches_every_part_that_the_document_names() -> None:
    assert list_chosen(plan_region(**COMPANY, **CHINA)) == [
        "api-latency",
        "api-errors",
        "tokens",
        "memory",
        "cpu",
        "disk",
        "vector-search",
        "backup-failed",
        "dump-missing",
        "searches-degraded",
        "unhealthy-targets",
        "balancer-errors",
        "database-connections",
        "database-storage",
        "cache-memory",
        "cache-evictions",
        "vectors-memory",
    ]


def test_hosts_watch_what_they_did() -> None:
    documented = ["api-latency", "api-errors", "tokens", "memory", "cpu", "disk", "vector-search", "backup-failed"]
    assert list_chosen(plan_region(**PERSONAL, **CHINA)) == [*documented, "dump-missing"]
    assert list_chosen(plan_region(**TEAM, **CHINA, overrides=HOST)) == [*documented, "dump-missing", "host-reachable"]


def test_shares_stand_for_figures_of_the_same_limit() -> None:
    plan = plan_region(**PLATFORM, **CHINA)
    chosen = {alarm.name: alarm for alarm, _ in choose_watched(plan)}
    limits = {"database-connections": 90, "database-storage": 85, "database-latency": 90, "memory": 90}
    assert {name: chosen[name].threshold for name in limits} == limits, "of what is let in; used, where 15 % are free"
    assert {chosen[name].comparison for name in limits} == {"GreaterThanThreshold"}


def test_every_alarm_of_a_plan_has_a_row_and_every_row_an_alarm() -> None:
    plans = [plan_region(**each, **CHINA) for each in (PERSONAL, COMPANY, PLATFORM)]
    applicable = {alarm.name for plan in plans for alarm in list_applicable(plan, certificate=False, scraped=True)} | {
        "host-reachable"
    }
    rows = read_table(METRICS_TABLE)
    assert {row["alarm"] for row in rows} == applicable
    for row in rows:
        assert row["kind"] in KINDS and row["needs"] in PARTS and row["source"] and row["date"]
        assert find_row(row["alarm"], {row["needs"]}) == row, "one row for each part"
    assert find_row("certificate-expiry", {"certificate"}) is None


def test_every_comparison_and_period_can_be_said() -> None:
    named = {row["alarm"] for row in read_table(METRICS_TABLE)}
    for row in read_table("alarms.csv"):
        if row["name"] in named:
            assert row["comparison"] in COMPARISONS, row["name"]
            assert int(row["period_s"]) % 60 == 0, row["name"]
