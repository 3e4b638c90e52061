"""Whose metrics are watched: ids by the tables' words."""

import pytest

from infra.alicloud.watched import NotWatched, Watched
from infra.tables import read_table

WATCHED = Watched(
    instance_id="i-1",
    disk_id="d-1",
    database_id="pgm-1",
    cache_id="r-1",
    balancer_id="alb-1",
    server_group_id="sgp-1",
    vector_instance_ids=("i-2", "i-3"),
    vector_disk_ids=("d-2", "d-3"),
)


def test_every_word_of_the_table_is_known() -> None:
    rows = [row for row in read_table("alicloud_metrics.csv") if row["kind"] in ("metric", "event")]
    found = {row["watched"]: WATCHED.ids_of(row["watched"]) for row in rows}
    assert found == {
        "instance": ["i-1"],
        "disk": ["d-1"],
        "database": ["pgm-1"],
        "cache": ["r-1"],
        "targets": ["alb-1", "sgp-1"],
        "vector-nodes": ["i-2", "i-3"],
        "vector-disks": ["d-2", "d-3"],
    }


def test_a_metric_of_several_resources_names_each_and_one_of_two_dimensions_both() -> None:
    assert WATCHED.dimensions_of("vector-nodes") == [{"instanceId": "i-2"}, {"instanceId": "i-3"}]
    assert WATCHED.dimensions_of("targets") == [{"loadBalancerId": "alb-1", "serverGroupId": "sgp-1"}]


@pytest.mark.parametrize(
    ("word", "field"),
    [("disk", "disk_id"), ("targets", "balancer_id"), ("vector-nodes", "vector_instance_ids")],
)
def test_what_was_not_named_is_refused_with_the_field(word: str, field: str) -> None:
    with pytest.raises(NotWatched, match=rf"'{word}'.*Watched\.{field}"):
        Watched(instance_id="i-1").ids_of(word)
