"""The table of alarms: as many as each tier pays for, at the document's thresholds, about what the plan makes."""

import re

import pytest

from infra.alarms import TooFewAlarms, choose_alarms, derive_thresholds, limit_tokens, list_applicable
from infra.tables import read_table
from sizing.measures import HOURS_PER_MONTH
from tests.infra.service.plans import COMPANY, PERSONAL, PLATFORM, TEAM, plan_region

STATISTIC = re.compile(r"Average|Maximum|Minimum|Sum|SampleCount|p\d\d?")
COMPARISONS = {"GreaterThanThreshold", "GreaterThanOrEqualToThreshold", "LessThanThreshold"}


@pytest.mark.parametrize("workload", [PERSONAL, TEAM, COMPANY, PLATFORM])
@pytest.mark.parametrize("certificate", [True, False])
@pytest.mark.parametrize("scraped", [True, False])
def test_there_are_exactly_as_many_as_the_plan_pays_for(
    workload: dict[str, object], certificate: bool, scraped: bool
) -> None:
    plan = plan_region(**workload)
    chosen = choose_alarms(plan, certificate=certificate, scraped=scraped)
    assert len(chosen) == plan.monitoring.alarms == len({alarm.name for alarm in chosen})


def test_other_stores_have_enough_to_watch_too() -> None:
    for choices in ({"vector_store": "pgvector"}, {"balancer": "nlb"}, {"vector_store": "elasticsearch"}):
        plan = plan_region(**COMPANY, overrides=choices)
        assert len(choose_alarms(plan, certificate=True, scraped=False)) == plan.monitoring.alarms, choices


def test_a_single_host_has_the_seven_of_the_document_and_two_for_backups() -> None:
    alarms = choose_alarms(plan_region(**PERSONAL), certificate=False, scraped=False)

    documented = [alarm.name for alarm in alarms if "§7.2" in alarm.origin]
    assert documented == ["api-latency", "api-errors", "tokens", "memory", "cpu", "disk", "vector-search"]
    assert [alarm.name for alarm in alarms if alarm.name not in documented] == ["backup-failed", "dump-missing"]
    assert {alarm.name: (alarm.threshold, alarm.period_s * alarm.evaluations) for alarm in alarms} == {
        "api-latency": (1000, 300),
        "api-errors": (0.01, 300),
        "tokens": (1_000_000, 3600),
        "memory": (90, 300),
        "cpu": (90, 600),
        "disk": (85, 3600),
        "vector-search": (500, 300),
        "backup-failed": (0, 3600),
        "dump-missing": (1, 7 * 86_400),
    }


def test_the_limit_of_tokens_is_twice_the_plans_hour_and_the_documents_figure_at_least() -> None:
    small, large = plan_region(**PERSONAL).load, plan_region(users=50_000).load

    assert 2 * small.llm_tokens_per_month / HOURS_PER_MONTH < 1_000_000 == limit_tokens(small)
    assert limit_tokens(large) == int(2 * large.llm_tokens_per_month / HOURS_PER_MONTH) > 1_000_000


def test_thresholds_of_a_database_follow_its_size() -> None:
    plan = plan_region(**COMPANY)
    found = derive_thresholds(plan)
    # 8 GiB let in 901 connections
    assert found["connections"] == int(8 * 2**30 / 9_531_392 * 0.9) == 811
    assert found["storage"] == int(plan.database.storage_gb * 2**30 * 0.15)


def test_nothing_is_watched_that_the_plan_does_not_make() -> None:
    names = {alarm.name for alarm in list_applicable(plan_region(**PERSONAL), certificate=False, scraped=False)}
    assert not names & {"database-storage", "cache-memory", "unhealthy-targets", "certificate-expiry"}
    assert "searches-degraded" not in names


def test_a_plan_with_more_alarms_than_there_are_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.alarms.read_table", lambda name: ())
    with pytest.raises(TooFewAlarms, match="9 alarms"):
        choose_alarms(plan_region(**PERSONAL), certificate=False, scraped=False)


@pytest.mark.parametrize("row", read_table("alarms.csv"), ids=lambda row: f"{row['name']} {row['needs']}")
def test_every_row_holds_values_that_cloudwatch_takes(row: dict[str, str]) -> None:
    assert STATISTIC.fullmatch(row["statistic"]) and row["comparison"] in COMPARISONS
    assert row["missing"] in {"missing", "notBreaching", "breaching", "ignore"}
    period_s, evaluations = int(row["period_s"]), int(row["evaluations"])
    assert period_s % 60 == 0
    assert period_s * evaluations <= (7 * 86_400 if period_s >= 3600 else 86_400)
    assert row["origin"] and row["summary"]
