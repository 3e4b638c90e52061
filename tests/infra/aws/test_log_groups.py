"""Log groups: names known beforehand, kept as long as the plan says and never shorter."""

import pytest

from infra.aws.fixed_names import round_retention
from infra.aws.log_groups import LogGroups, LogGroupsArgs
from infra.tagging import Tags
from tests.infra.recorder import record
from tests.infra.service.plans import COMPANY, PERSONAL, plan_region

GROUP = "aws:cloudwatch/logGroup:LogGroup"


@pytest.mark.parametrize(
    ("workload", "kept"),
    [(PERSONAL, {"application": 90, "access": 365, "audit": 2557}), (COMPANY, {"application": 90})],
)
def test_lines_are_kept_as_the_plan_says(workload: dict[str, object], kept: dict[str, int]) -> None:
    plan = plan_region(**workload)
    groups: list[LogGroups] = []

    def program() -> None:
        args = LogGroupsArgs(
            spec=plan.log_store,
            whole=plan.object_store.kind == "local",
            key_arn="arn:aws:kms:us-east-1:123456789012:key/log",
            tags=Tags(environment="test", stack="aws-test", more={}),
            protect=True,
            keeps_copies=True,
        )
        groups.append(LogGroups("logs", args))

    made = record(program).of(GROUP)
    assert {each.name.removeprefix("logs-"): each.props["retentionInDays"] for each in made} == kept
    assert groups[0].names == {kind: f"/reme-cloud/test/{kind}" for kind in kept}
    assert {each.props["name"] for each in made} == set(groups[0].names.values())
    lasting = {f"logs-{kind}": kind != "application" for kind in kept}
    assert {each.name: each.protect for each in made} == {each.name: each.retain for each in made} == lasting
    assert all(each.props["kmsKeyId"].endswith("key/log") for each in made)


@pytest.mark.parametrize(("days", "offered"), [(90, 90), (91, 120), (2555, 2557), (4000, 0)])
def test_a_retention_is_never_shorter_than_asked_for(days: int, offered: int) -> None:
    assert round_retention(days) == offered
