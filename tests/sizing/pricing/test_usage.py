"""The usage file: what it adds, and how it is refused."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from sizing.errors import InvalidWorkload
from sizing.pricing.pricer import price_graph
from sizing.pricing.usage import InvalidUsage, load_usage, read_usage
from tests.sizing.pricing.stacks import graph_of, make

TEXT = """
version: 1
types:
  aws:s3/bucket:Bucket:
    gets: 10000
resources:
  uploads:
    standard_gb: 40..50..80
    puts: {expected: 1000, high: 4000}
"""


def test_use_makes_lines_of_its_own_between_its_limits(tmp_path: Path) -> None:
    path = tmp_path / "usage.yaml"
    path.write_text(TEXT, encoding="utf-8")
    graph = graph_of(make("aws:s3/bucketV2", "uploads"), make("aws:s3/bucket", "others"), make("aws:kms/key"))
    cost = price_graph(graph, usage=load_usage(path))
    uploads, others, key = cost.resources
    lines = {line.sku: line for line in uploads.lines}
    assert [list(map(int, lines[sku].quantity)) for sku in ("standard", "standard-put", "standard-get")] == [
        [40, 50, 80],
        [1, 1, 4],
        [10, 10, 10],
    ]
    assert [line.sku for line in others.lines] == ["standard-get"]
    assert {each.status for each in cost.resources} == {"priced"}
    assert "glacier_gb" in uploads.unmetered and "gets" not in uploads.unmetered
    assert cost.totals.usage == uploads.total + others.total
    assert cost.totals.baseline == key.total
    assert cost.totals.usage.expected == Decimal("1.16") + others.total.expected


def test_no_use_is_not_zero_and_zero_is_not_unknown() -> None:
    graph = graph_of(make("aws:lb/loadBalancer", "front", subnets=["a"]))
    told = price_graph(graph, usage=read_usage({"version": 1, "resources": {"front": {"lcu_hours": 0}}})).resources[0]
    untold = price_graph(graph).resources[0]
    assert told.total == untold.total
    assert told.unmetered == ("egress_gb",) and untold.unmetered == ("lcu_hours", "egress_gb")


def test_a_name_may_be_of_the_other_side_of_a_change() -> None:
    before, after = graph_of(make("aws:kms/key")), graph_of(make("aws:kms/key"), make("aws:s3/bucket", "uploads"))
    usage = read_usage({"version": 1, "resources": {"uploads": {"gets": 1_000_000}}})
    assert price_graph(before, usage=usage, beside=[after]).totals.usage.expected == 0
    assert price_graph(after, usage=usage, beside=[before]).totals.usage.expected > 0
    with pytest.raises(InvalidUsage):
        price_graph(before, usage=usage)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "another key": ({"version": 1, "resource": {}}, "resource = "),
    "another version": ({"version": 2}, "version = 2"),
    "no version": ({}, "version"),
    "an unknown type": ({"version": 1, "types": {"aws:ec2/vpc:Vpc": {"gb": 1}}}, "aws:ec2/vpc:Vpc"),
    "an unknown key of a type": (
        {"version": 1, "types": {"aws:s3/bucket:Bucket": {"gigabytes": 1}}},
        "one of standard_gb",
    ),
    "an unknown key of a resource": ({"version": 1, "resources": {"uploads": {"lcu_hours": 1}}}, "one of standard_gb"),
    "a resource without use": ({"version": 1, "resources": {"net": {"gb": 1}}}, "takes no usage"),
    "a name that is not there": ({"version": 1, "resources": {"upload": {"gets": 1}}}, "did you mean uploads"),
    "a name of two types": ({"version": 1, "resources": {"twice": {"gets": 1}}}, "stands for"),
    "less than nothing": ({"version": 1, "resources": {"uploads": {"gets": -1}}}, "from 0"),
    "too much": ({"version": 1, "resources": {"uploads": {"gets": 1e18}}}, "from 0"),
    "the wrong order": ({"version": 1, "resources": {"uploads": {"gets": "9..5..1"}}}, "low <= expected"),
    "no number": ({"version": 1, "resources": {"uploads": {"gets": True}}}, "a number"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_bad_file_is_refused_by_the_name_of_its_key(name: str) -> None:
    document, words = REFUSED[name]
    graph = graph_of(
        make("aws:s3/bucket", "uploads"),
        make("aws:ec2/vpc", "net"),
        make("aws:s3/bucket", "twice"),
        make("aws:kms/key", "twice"),
    )
    with pytest.raises(InvalidUsage) as refused:
        price_graph(graph, usage=read_usage(document))
    assert words in str(refused.value)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidWorkload):
        load_usage(tmp_path / "missing.yaml")
