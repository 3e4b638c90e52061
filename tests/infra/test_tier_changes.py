"""Another tier for a stack that stands: what holds data stays what it is, or the engine refuses to remove it."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import pytest

from tests.infra.differences import Difference, find_differences
from tests.infra.recorder import Recording
from tests.infra.stacks import record_stack
from tests.infra.test_stacks import REPLACEABLE, STATEFUL

pytestmark = pytest.mark.slow

HOLDING = STATEFUL - REPLACEABLE
DISK = "aws:ebs/volume:Volume"
INSTANCE = "aws:ec2/instance:Instance"
LASTING = {"reme-cloud:environment": "prod"}
TIERS: Mapping[str, Mapping[str, Any]] = {
    "a host": {"reme-cloud:workload": {"users": 20, "overrides": {"tier": "single-host"}}},
    "a larger host": {
        "reme-cloud:workload": {"users": 90, "memories_per_user": 8000, "overrides": {"tier": "single-host"}}
    },
    "a host with qdrant": {"reme-cloud:workload": {"users": 60, "overrides": {"tier": "single-host-qdrant"}}},
    "a cluster": {
        "reme-cloud:workload": {"users": 60, "overrides": {"tier": "ha"}},
        "reme-cloud:domain": "memory.example.com",
        "reme-cloud:zone-id": "Z1",
    },
}
"""One stack's file with the workloads that lead to each tier."""


@cache
def record_tier(tier: str, *, protect: bool = True) -> Recording:
    return record_stack("aws-dev", {**LASTING, **TIERS[tier], "reme-cloud:protect": protect})


def change_tier(before: str, after: str) -> list[Difference]:
    return find_differences(record_tier(before), record_tier(after))


@pytest.mark.parametrize("after", ["a larger host", "a host with qdrant"])
def test_what_holds_data_outlives_a_larger_host_tier(after: str) -> None:
    holding = [each for each in change_tier("a host", after) if each.type in HOLDING]
    assert not [each.name for each in holding if each.after is None or each.replaced_by]
    old, new = (record_tier(tier).one(DISK) for tier in ("a host", after))
    assert old.urn == new.urn and old.protect and new.protect


def test_the_disk_is_made_larger_and_stays_the_same() -> None:
    [disk] = [each for each in change_tier("a host", "a host with qdrant") if each.type == DISK]
    assert disk.changed == {"size": (50, 100)} and not disk.replaced_by


def test_a_host_that_gets_qdrant_beside_it_is_a_new_machine_with_the_old_disk_and_address() -> None:
    found = {each.type: each for each in change_tier("a host", "a host with qdrant")}
    assert found[INSTANCE].replaced_by == {"userDataBase64"}, "cloud-init would not install Qdrant on the old one"
    assert not found.keys() & {"aws:ec2/eip:Eip"}
    made = record_tier("a host with qdrant")
    assert made.one("aws:ec2/volumeAttachment:VolumeAttachment").props["volumeId"] == "vol-host-data"
    assert made.one("aws:ec2/volumeAttachment:VolumeAttachment").props["stopInstanceBeforeDetaching"] is True


@pytest.mark.parametrize("before", ["a host", "a host with qdrant"])
def test_the_engine_refuses_to_make_a_cluster_of_a_protected_host(before: str) -> None:
    found = change_tier(before, "a cluster")
    gone = [each.before for each in found if each.before is not None and each.after is None]
    disk = next(each for each in gone if each.type == DISK)
    assert disk.protect and disk.props["finalSnapshot"] is True
    assert not [each.name for each in gone if each.type in HOLDING and not each.protect]
    assert not [each.name for each in found if each.type in HOLDING and each.replaced_by]


def test_without_protection_a_cluster_in_place_of_a_host_takes_the_disk_away() -> None:
    before, after = (record_tier(tier, protect=False) for tier in ("a host", "a cluster"))
    gone = [each.before for each in find_differences(before, after) if each.before and each.after is None]
    disk = next(each for each in gone if each.type == DISK)
    assert not disk.protect
    assert disk.props["finalSnapshot"] is True, "the last copy goes too"
