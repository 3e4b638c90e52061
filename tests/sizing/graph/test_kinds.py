"""The table of kinds: complete rows, real tokens, and every kind that is priced has its function."""

import re
from importlib.util import find_spec
from pathlib import Path

import pytest

from sizing.cost.report import COMPONENTS
from sizing.graph.kinds import find_kind, kinds
from sizing.pricing.builders import builders
from sizing.tables import read_table

ROWS = read_table("resource_kinds.csv")
COMMON = (*COMPONENTS, "messaging", "other")
FORMER = ("aws:applicationloadbalancing/", "aws:elasticloadbalancingv2/", "aws:ec2/volume:", "aws:s3/BucketObject:")
"""Tokens of earlier majors of the SDK, which the present one knows as aliases alone."""


def sdk_tokens(name: str) -> set[str]:
    """Every type that an SDK can register, read from its source: importing all of it takes a minute."""
    spec = find_spec(f"pulumi_{name}")
    assert spec is not None and spec.origin is not None
    found = set()
    for path in Path(spec.origin).parent.rglob("*.py"):
        found.update(re.findall(r"__init__\(\s*'([^']+)'", path.read_text(encoding="utf-8")))
    return found


def test_each_row_says_how_and_why() -> None:
    for row in ROWS:
        assert row["source"] and row["as_of"] and row["reason"], row
        if row["like"]:
            assert find_kind(row["type"]) == find_kind(row["like"])
            assert not row["treatment"]
        else:
            assert row["treatment"] in ("priced", "by-use", "free"), row
            assert row["component"] in COMMON, row
            assert row["keeps_data"] in ("", "yes"), row
    assert len({row["type"] for row in ROWS}) == len(ROWS)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["aws", "alicloud"])
def test_each_token_is_one_of_the_sdk(name: str) -> None:
    known = sdk_tokens(name)
    assert len(known) > 500
    ours = {row["type"] for row in ROWS if row["type"].startswith(f"{name}:") and not row["type"].startswith(FORMER)}
    assert ours - known == set()


def test_what_is_priced_has_a_function_and_what_is_free_has_none() -> None:
    by_type = {row["type"]: row["treatment"] for row in ROWS}
    assert {token for token, treatment in by_type.items() if treatment == "priced"} - builders().keys() == set()
    assert {token for token in builders() if by_type[token] not in ("priced", "by-use")} == set()


def test_keys_of_usage_belong_to_kinds_with_a_function() -> None:
    assert {kind.type for kind in kinds().values() if kind.usage} - builders().keys() == set()


def test_an_unknown_kind_is_unsupported() -> None:
    kind = find_kind("gcp:compute/instance:Instance")
    assert kind.treatment == "unsupported" and not kind.keeps_data and kind.type == "gcp:compute/instance:Instance"


@pytest.mark.parametrize(
    ("former", "present"),
    [
        ("aws:alb/loadBalancer:LoadBalancer", "aws:lb/loadBalancer:LoadBalancer"),
        ("aws:elasticloadbalancingv2/loadBalancer:LoadBalancer", "aws:lb/loadBalancer:LoadBalancer"),
        ("aws:s3/bucketV2:BucketV2", "aws:s3/bucket:Bucket"),
        ("alicloud:ecs/disk:Disk", "alicloud:ecs/ecsDisk:EcsDisk"),
        ("alicloud:slb/loadBalancer:LoadBalancer", "alicloud:slb/applicationLoadBalancer:ApplicationLoadBalancer"),
    ],
)
def test_earlier_tokens_are_of_the_same_kind(former: str, present: str) -> None:
    assert find_kind(former) == find_kind(present) != find_kind("aws:ec2/vpc:Vpc")
