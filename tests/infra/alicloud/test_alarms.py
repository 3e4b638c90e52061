"""The words of alarms: AWS's table as CloudMonitor and the log service say it."""

import pytest

from infra.alicloud.alarms import COMPARISONS, METRICS_TABLE, find_row, write_duration
from infra.tables import read_table


@pytest.mark.parametrize(
    ("seconds", "written"), [(60, "1m"), (300, "5m"), (3600, "1h"), (5400, "90m"), (86_400, "1d"), (604_800, "7d")]
)
def test_spans_are_written_in_the_largest_whole_unit(seconds: int, written: str) -> None:
    assert write_duration(seconds) == written


def test_every_alarm_of_a_host_has_one_row_and_every_row_an_alarm() -> None:
    alarms = read_table("alarms.csv")
    of_hosts = {row["name"] for row in alarms if row["needs"] in ("", "host")}
    assert {row["alarm"] for row in read_table(METRICS_TABLE)} == of_hosts
    for row in read_table(METRICS_TABLE):
        assert find_row(row["alarm"]) == row, "one row for each"
        assert row["kind"] in ("metric", "event", "log") and row["source"] and row["date"]


def test_every_comparison_and_period_of_a_host_s_alarms_can_be_said() -> None:
    for row in read_table("alarms.csv"):
        if row["needs"] in ("", "host"):
            assert row["comparison"] in COMPARISONS, row["name"]
            assert int(row["period_s"]) % 60 == 0, row["name"]
