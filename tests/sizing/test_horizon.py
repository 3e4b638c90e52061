"""When a plan stops fitting, checked by actually growing the workload."""

import math

import pytest

from sizing.planner import size
from sizing.workload_document import read_workload


def test_the_next_tier_is_due_where_the_limit_says() -> None:
    plan = size(read_workload({"users": 500}))
    limit = plan.limits[0]
    assert (limit.metric, limit.users, limit.leads_to) == ("spread_users", 1000, "multi-region")
    assert limit.month == math.ceil(math.log(2) / math.log(1.05))
    assert size(read_workload({"users": limit.users})).tier == "ha"
    assert size(read_workload({"users": limit.users + 1})).tier == "multi-region"


@pytest.mark.parametrize("memories_per_user", [6000, 8000, 9999])
def test_memories_can_be_the_nearer_limit(memories_per_user: int) -> None:
    plan = size(read_workload({"users": 40, "memories_per_user": memories_per_user, "growth_per_month": 0.1}))
    limit = plan.limits[0]
    assert limit.metric == "database_gb"
    before = size(read_workload({"users": max(1, int(limit.users * 0.98)), "memories_per_user": memories_per_user}))
    after = size(read_workload({"users": math.ceil(limit.users * 1.02) + 1, "memories_per_user": memories_per_user}))
    assert before.tier == "single-host"
    assert after.tier == limit.leads_to
    assert limit.memories == pytest.approx(limit.users * memories_per_user, rel=0.05)


def test_without_growth_there_is_no_month() -> None:
    plan = size(read_workload({"users": 500, "growth_per_month": 0}))
    assert plan.limits[0].month is None


def test_a_limit_already_passed_is_now() -> None:
    plan = size(read_workload({"users": 500, "overrides": {"tier": "single-host"}}))
    assert plan.limits[0].month == 0
    assert plan.limits[0].leads_to == "ha"


def test_the_largest_tier_has_no_next() -> None:
    assert size(read_workload({"users": 5000})).limits == ()
