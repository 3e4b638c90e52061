"""What a stack's file may say: everything else is refused with a message that names the key and the remedy."""

from typing import Any

import pytest

from infra.errors import InvalidStack, MissingSetting
from sizing.errors import SizingError
from tests.infra.stacks import plan_recorded, record_stack


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("workloads", {"users": 1}, "workload?"),
        ("nonsense", "1", "valid: cloud, environment, tier"),
        ("environment", "production", "dev, team, staging, prod or global"),
        ("cloud", "gcp", "aws or alicloud"),
        ("domain", "https://example.com/", "a host name such as"),
        ("network", {"cidr": "10.0.0.0/8"}, "network.cidr"),
        ("network", {"vpc": "vpc-1"}, "network.vpc"),
        ("network", {"vpc_id": "vpc-1"}, "network.public_subnet_ids"),
        ("service", {"version": "latest build"}, "service.version"),
        ("service", {"strategy": "big-bang"}, "service.strategy"),
        ("alerts", {"monthly_budget_usd": -1}, "alerts.monthly_budget_usd"),
        ("workload", "users", "an object"),
    ],
)
def test_what_is_wrong_is_named(key: str, value: Any, message: str) -> None:
    with pytest.raises(InvalidStack) as refused:
        record_stack("aws-dev", {f"reme-cloud:{key}": value})
    assert message in str(refused.value) and "Traceback" not in str(refused.value)


def test_a_tier_that_contradicts_the_workload_is_refused() -> None:
    workload = {"users": 20, "overrides": {"tier": "ha"}}
    with pytest.raises(InvalidStack, match="one tier"):
        plan_recorded("aws-dev", {"reme-cloud:tier": "single-host", "reme-cloud:workload": workload})


def test_a_region_that_the_workload_does_not_have_is_refused() -> None:
    with pytest.raises(InvalidStack, match="a region of the workload: aws:us-east-1, aws:eu-west-1"):
        plan_recorded("global-us-east-1", {"aws:region": "us-west-2"})


def test_a_wrong_workload_is_refused_in_the_words_of_sizing() -> None:
    with pytest.raises(SizingError, match="users"):
        plan_recorded("aws-dev", {"reme-cloud:workload": {"users": -5}})


def test_the_stack_says_what_it_lacks() -> None:
    with pytest.raises(MissingSetting, match="`pulumi config set domain"):
        record_stack("aws-prod", {"reme-cloud:domain": ""})
    with pytest.raises(MissingSetting, match="`pulumi config set zone-id"):
        record_stack("aws-prod", {"reme-cloud:zone-id": ""})


def test_a_wheel_that_is_not_there_is_said_with_the_command_that_builds_it() -> None:
    with pytest.raises(InvalidStack, match="`make wheel` builds it"):
        record_stack("aws-dev", {"reme-cloud:service": {"wheel": "dist/none.whl"}})


def test_the_stacks_file_decides_the_tier_by_users_unless_it_names_one() -> None:
    assert plan_recorded("aws-dev").plan.tier == "single-host"
    assert plan_recorded("aws-team").plan.tier == "single-host-qdrant"
    assert plan_recorded("aws-staging").plan.tier == plan_recorded("aws-prod").plan.tier == "ha"
    assert plan_recorded("global-us-east-1").plan.tier == "multi-region"
    assert [each.compute.nodes for each in plan_recorded("global-us-east-1").plan.regions] == [3, 2, 3]


def test_the_keys_of_providers_must_be_secrets_of_their_own() -> None:
    with pytest.raises(MissingSetting, match="`pulumi config set --secret llm-api-key"):
        record_stack("aws-dev", without=("reme-cloud:llm-api-key",))


def test_a_secret_inside_an_object_is_refused() -> None:
    with pytest.raises(InvalidStack, match="secrets are keys of their own"):
        record_stack("aws-dev", secret=("reme-cloud:service",), more={"reme-cloud:service": {"version": "0.1.0"}})
