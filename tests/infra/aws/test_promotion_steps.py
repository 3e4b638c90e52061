"""A promotion's steps on the real program: what each of them changes, and that the colour with traffic stays."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.infra.recorder import Recording
from tests.infra.stacks import record_stack

pytestmark = pytest.mark.slow
OLD, NEW = "0.1.0", "0.2.0"
STEPS: tuple[tuple[str, Mapping[str, Any]], ...] = (
    ("admit", {"version": OLD, "green_version": NEW, "canary_percent": 0}),
    ("10 %", {"version": OLD, "green_version": NEW, "canary_percent": 10}),
    ("50 %", {"version": OLD, "green_version": NEW, "canary_percent": 50}),
    ("100 %", {"version": OLD, "green_version": NEW, "canary_percent": 100}),
    ("blue takes the version", {"version": NEW, "green_version": NEW, "canary_percent": 100}),
    ("blue takes the traffic", {"version": NEW, "green_version": NEW, "canary_percent": 0}),
    ("green ends", {"version": NEW, "green_version": "", "canary_percent": 0}),
)
"""What `BalancedTraffic` writes into the stack's file, update by update."""
LISTENER = "aws:lb/listener:Listener balancer-https"
BLUE_TASK = "aws:ecs/taskDefinition:TaskDefinition service-task"
BLUE = "aws:ecs/service:Service service-service"
GREEN_TASK = "aws:ecs/taskDefinition:TaskDefinition service-green-task"
GREEN = "aws:ecs/service:Service service-green"
DUMPS_TASK = "aws:ecs/taskDefinition:TaskDefinition dumps-task"
WATCHED = {
    "aws:cloudwatch/dashboard:Dashboard monitoring-dashboard",
    "aws:cloudwatch/metricAlarm:MetricAlarm monitoring-unhealthy-targets",
}
"""What looks at the colour with most of the traffic."""
GREEN_SCALING = {
    "aws:appautoscaling/target:Target service-green-tasks",
    "aws:appautoscaling/policy:Policy service-green-cpu",
}


def read_resources(found: Recording) -> dict[str, Any]:
    """Each resource's properties by its type and name."""
    return {f"{each.type} {each.name}": each.props for each in found if each.custom}


def read_weights(resources: Mapping[str, Any]) -> list[int]:
    """The shares of blue and green."""
    (action,) = resources[LISTENER]["defaultActions"]
    return [group["weight"] for group in action["forward"]["targetGroups"]]


def find_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[set[str], set[str]]:
    """What is made or taken away, and what is changed."""
    changed = {name for name in before.keys() & after.keys() if before[name] != after[name]}
    return before.keys() ^ after.keys(), changed


def test_no_step_touches_what_serves() -> None:
    service = {"strategy": "canary", "version": OLD}
    before = read_resources(record_stack("aws-prod", {"reme-cloud:service": service}))
    assert read_weights(before) == [100, 0]
    seen = {}
    for step, more in STEPS:
        after = read_resources(record_stack("aws-prod", {"reme-cloud:service": {"strategy": "canary", **more}}))
        moved, changed = find_changes(before, after)
        seen[step] = moved, changed, read_weights(after)
        blue, green = read_weights(before)
        serving = ({BLUE, BLUE_TASK} if blue else set()) | ({GREEN, GREEN_TASK} if green else set())
        assert not serving & (moved | changed), f"{step}: {serving & (moved | changed)}"
        before = after
    assert seen == {
        "admit": (GREEN_SCALING, {GREEN, GREEN_TASK}, [100, 0]),
        "10 %": (set(), {LISTENER}, [90, 10]),
        "50 %": (set(), {LISTENER}, [50, 50]),
        "100 %": (set(), {LISTENER, *WATCHED}, [0, 100]),
        "blue takes the version": (set(), {BLUE_TASK, DUMPS_TASK}, [0, 100]),
        "blue takes the traffic": (set(), {LISTENER, *WATCHED}, [100, 0]),
        "green ends": (GREEN_SCALING, {GREEN}, [100, 0]),
    }
