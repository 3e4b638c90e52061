"""The registry of images on Alibaba Cloud: private, one repository, and the names that a push and a node use."""

from typing import Any

import pulumi
import pytest

from infra.alicloud.registry import LONGEST_NAME, SUMMARY, Registry, RegistryArgs
from infra.tables import read_table
from infra.tagging import Tags
from tests.infra.recorder import Recording, record

TAGS = Tags(environment="prod", stack="alicloud-prod", more={})
NAMESPACE, REPOSITORY = "alicloud:cr/namespace:Namespace", "alicloud:cr/repo:Repo"


def build(tags: Tags = TAGS, **change: Any) -> Recording:
    values: dict[str, Any] = {"region": "cn-hangzhou", "account": "1234567890123456", "tags": tags, "protect": True}

    def program() -> None:
        made = Registry("registry", RegistryArgs(**{**values, **change}))
        for name in ("url", "inner_url", "arn"):
            pulumi.export(name, getattr(made, name))

    return record(program, region="cn-hangzhou", config={"alicloud:region": "cn-hangzhou"})


def test_nobody_else_pulls_and_no_repository_makes_itself() -> None:
    found = build()
    namespace, repository = found.one(NAMESPACE), found.one(REPOSITORY)
    assert (namespace.props["defaultVisibility"], namespace.props["autoCreate"]) == ("PRIVATE", False)
    assert repository.props["repoType"] == "PRIVATE"
    assert namespace.protect and repository.protect


def test_names_stay_short_and_have_digits_of_their_own() -> None:
    found = build(Tags(environment="prod", stack="a-stack-with-a-very-long-name-indeed", more={}))
    name = found.one(NAMESPACE).props["name"]
    assert name.endswith("-1a2b3c4d") and len(name) <= LONGEST_NAME
    assert found.one(REPOSITORY).props["namespace"] == name


def test_a_push_goes_by_the_public_name_and_a_pull_inside_the_network() -> None:
    place = build().one(NAMESPACE).props["name"] + "/reme"
    assert build().outputs == {
        "url": f"registry.cn-hangzhou.aliyuncs.com/{place}",
        "inner_url": f"registry-vpc.cn-hangzhou.aliyuncs.com/{place}",
        "arn": f"acs:cr:cn-hangzhou:1234567890123456:repository/{place}",
    }


def test_an_instance_with_a_name_of_its_own_has_one_inside_too() -> None:
    found = build(host="crpi-abc.cn-hangzhou.personal.cr.aliyuncs.com").outputs
    assert found["url"].startswith("crpi-abc.cn-hangzhou.personal.cr.aliyuncs.com/")
    assert found["inner_url"].startswith("crpi-abc-vpc.cn-hangzhou.personal.cr.aliyuncs.com/")


@pytest.mark.parametrize("stack", ["alicloud-prod", "x" * 200])
def test_values_are_those_of_the_provider_s_pages(stack: str) -> None:
    rows = read_table("alicloud_facts_cluster.csv")
    known = {(row["kind"], row["value"]) for row in rows}
    limits = {row["kind"]: int(row["value"]) for row in rows if row["kind"].endswith("limit")}
    found = build(Tags(environment="prod", stack=stack, more={}))
    namespace, repository = found.one(NAMESPACE).props, found.one(REPOSITORY).props
    assert ("namespace visibility", namespace["defaultVisibility"]) in known
    assert ("repository type", repository["repoType"]) in known
    assert len(namespace["name"]) <= limits["namespace name limit"] == LONGEST_NAME
    assert len(repository["name"]) <= limits["repository name limit"]
    assert len(repository["summary"]) <= limits["repository summary limit"] == SUMMARY
    for name in ("url", "inner_url"):
        assert ("registry host", found.outputs[name].partition("/")[0]) in known
