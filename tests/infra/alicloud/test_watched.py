"""Whose metrics are watched: ids by the tables' words."""

import pytest

from infra.alicloud.watched import DIMENSIONS, NotWatched, Watched
from infra.tables import read_table


def test_every_word_of_the_table_is_known() -> None:
    watched = Watched(instance_id="i-1", disk_id="d-1")
    rows = [row for row in read_table("alicloud_metrics.csv") if row["kind"] != "log"]
    assert {watched.id_of(row["watched"]) for row in rows} == {"i-1", "d-1"}
    assert {row["watched"] for row in rows if row["kind"] == "metric"} <= set(DIMENSIONS)


def test_what_was_not_named_is_refused_with_the_field() -> None:
    with pytest.raises(NotWatched, match=r"'disk'.*Watched\.disk_id"):
        Watched(instance_id="i-1").id_of("disk")
