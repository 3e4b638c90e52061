"""Levels, waivers, environments and the settings they come from."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from policies import kinds as k
from policies.errors import InvalidSettings
from policies.judgement import EXPIRED, count_unjudged, judge
from policies.register import rule_ids
from policies.settings import PolicySettings, Waiver, find_environment, find_residency, read_settings, read_waivers
from sizing.graph.resources import UNKNOWN
from tests.policies.resources import TAGS, graph_of, make

TODAY = date(2026, 11, 22)
OPEN = make(k.AWS_INGRESS, "in", cidrIpv4="0.0.0.0/0", fromPort=22, toPort=22, region="us-east-1")
BUDGET = make(k.AWS_BUDGET, "budget", tags=TAGS, region="us-east-1")


def _settings(*waivers: Waiver, **more: Any) -> PolicySettings:
    return PolicySettings(environment="prod", waivers=waivers, today=TODAY, **more)


def _waive(expires: date, urn: str = "*::in") -> Waiver:
    return Waiver(rule="no-open-ports", urn=urn, reason="a test of what is waived", expires=expires)


def test_a_violation_says_what_where_and_what_to_do() -> None:
    (found,) = judge(graph_of(OPEN, BUDGET), _settings())
    assert (found.rule, found.level, found.severity, found.name) == ("no-open-ports", "mandatory", "critical", "in")
    assert found.urn == OPEN.urn
    assert found.remedy.startswith("Name the security group")


def test_a_level_can_be_said_over_the_table() -> None:
    (found,) = judge(graph_of(OPEN, BUDGET), _settings(levels={"no-open-ports": "advisory"}))
    assert found.level == "advisory"
    assert judge(graph_of(OPEN, BUDGET), _settings(levels={"no-open-ports": "disabled"})) == ()


def test_a_waiver_holds_through_its_last_day() -> None:
    assert judge(graph_of(OPEN, BUDGET), _settings(_waive(TODAY))) == ()


def test_a_waiver_for_something_else_does_not_hold() -> None:
    assert [each.rule for each in judge(graph_of(OPEN, BUDGET), _settings(_waive(TODAY, "*::out")))] == [
        "no-open-ports"
    ]


def test_an_expired_waiver_is_a_finding_beside_what_it_excused() -> None:
    found = judge(graph_of(OPEN, BUDGET), _settings(_waive(date(2026, 11, 21))))
    assert {each.rule for each in found} == {"no-open-ports", EXPIRED}
    (expired,) = [each for each in found if each.rule == EXPIRED]
    assert expired.message == "the waiver of no-open-ports for *::in ended on 2026-11-21: a test of what is waived"


def test_what_is_unknown_is_advisory_counted_and_last() -> None:
    unsure = make(k.AWS_INGRESS, "unsure", cidrIpv4=UNKNOWN, fromPort=22, toPort=22, region="us-east-1")
    found = judge(graph_of(unsure, OPEN, BUDGET), _settings())
    assert [each.judged for each in found] == [True, False]
    assert (found[1].level, count_unjudged(found)) == ("advisory", 1)
    assert found[1].message.endswith("unsure.the addresses of an opening is not known")


@pytest.mark.parametrize(
    ("stack", "config", "tags", "expected"),
    [
        ("aws-dev", {}, {}, "dev"),
        ("global-us-east-1", {}, {}, "global"),
        ("anything", {"reme-cloud:environment": "team"}, {}, "team"),
        ("aws-dev", {"reme-cloud:environment": "prod"}, {}, "prod"),
        ("aws-dev", {"reme-cloud:environment": "prod"}, {"environment": "cn"}, "cn"),
        ("org/project/alicloud-cn", {}, {}, "cn"),
        ("anything", {}, {}, "prod"),
    ],
)
def test_the_environment_is_found(stack: str, config: dict[str, str], tags: dict[str, str], expected: str) -> None:
    assert find_environment(stack, config, tags) == expected


@pytest.mark.parametrize(
    ("stack", "config", "expected"),
    [
        ("alicloud-cn", {"reme-cloud:environment": "prod"}, "cn"),
        ("org/project/alicloud-cn", {"reme-cloud:residency": "eu"}, "eu"),
        ("aws-prod", {"reme-cloud:workload": '{"users": 5, "residency": "eu"}'}, "eu"),
        ("aws-prod", {"reme-cloud:workload": '{"users": 5, "residency": "us"}'}, ""),
        ("aws-prod", {"reme-cloud:workload": "no JSON"}, ""),
        ("alicloud-prod", {}, ""),
    ],
)
def test_the_residency_is_found(stack: str, config: dict[str, str], expected: str) -> None:
    assert find_residency(stack, config) == expected


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"environment": "moon"}, "environment: Input should be"),
        ({"colour": "red"}, "colour: Extra inputs are not permitted"),
        ({"levels": {"no-such-rule": "advisory"}}, "there is no rule 'no-such-rule'"),
        ({"levels": {"quotas": "perhaps"}}, "levels.quotas: Input should be"),
        ({"budget": {"monthly_usd": -1}}, "budget.monthly_usd: Input should be greater than 0"),
    ],
)
def test_bad_settings_are_refused(document: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidSettings, match=message):
        read_settings(document, rule_ids())


def test_a_bad_waiver_is_refused_with_its_file(tmp_path: Path) -> None:
    path = tmp_path / "waivers.csv"
    path.write_text("rule,urn,reason,expires\nquotas,*,short,2027-01-01\n")
    with pytest.raises(InvalidSettings, match=r"waivers\.csv: reason: String should have at least 10 characters"):
        read_waivers(path)


def test_a_threshold_can_be_said_over_the_table() -> None:
    disk = make(k.AWS_DISK, "disk", size=300, encrypted=True, kmsKeyId="k", tags=TAGS, arn="a", region="us-east-1")
    plan = make(k.AWS_BACKUP_SELECTION, "plan", resources=["a"], region="us-east-1")
    settings = _settings(thresholds={"storage_gb": 200})
    (found,) = judge(graph_of(disk, plan, make(k.AWS_BUDGET, "b", tags=TAGS, region="us-east-1")), settings)
    assert found.message == "the stack: storage may reach 300 GB, and the environment's quota is 200 GB"
