"""Alibaba Cloud: no rule judges nothing, taking a guard away is seen, and a stack of China that leaves it is stopped."""

import csv
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from policies import kinds as k
from policies.judgement import judge
from policies.register import all_rules
from policies.rule import Rule
from policies.settings import ENVIRONMENTS, PolicySettings
from sizing.graph.resources import Resource, ResourceGraph, build_graph
from sizing.models import TASKS
from tests.policies.recorded import ALICLOUD_CHOICES, LASTING, graph_of, graph_with, settings_of
from tests.policies.resources import make

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("policies-of-stacks")]

HOST = "a lasting host on alibaba cloud"
CHINA = PolicySettings(environment="team", residency="cn")
MANDATORY = [
    rule
    for rule in all_rules()
    if any(
        PolicySettings.model_validate({"environment": name}).level_of(rule.id) == "mandatory" for name in ENVIRONMENTS
    )
    and any(kind.startswith("alicloud:") for kind in rule.kinds)
]


def _read_unseen() -> dict[str, str]:
    path = Path(__file__).parent / "unseen_kinds.csv"
    with path.open(encoding="utf-8", newline="") as file:
        return {row["kind"]: row["reason"] for row in csv.DictReader(file)}


UNSEEN = _read_unseen()


@pytest.fixture(scope="module")
def seen() -> frozenset[str]:
    """Every kind that a recorded stack of Alibaba Cloud has."""
    return frozenset(each.type for choice in ALICLOUD_CHOICES for each in graph_of(choice).custom)


def test_what_no_stack_has_is_listed_with_a_reason_and_is_not_there(seen: frozenset[str]) -> None:
    named = {kind for rule in MANDATORY for kind in rule.kinds}
    assert all(UNSEEN.values())
    assert set(UNSEEN) - named == set(), "no rule reads these any longer"
    assert set(UNSEEN) & seen == set(), "a stack has these by now"


@pytest.mark.parametrize("rule", MANDATORY, ids=lambda rule: rule.id)
def test_a_mandatory_rule_judges_something(rule: Rule, seen: frozenset[str]) -> None:
    missing = {kind for kind in rule.kinds if kind.startswith("alicloud:")} - seen - set(UNSEEN)
    assert missing == set()


def _without(graph: ResourceGraph, *types: str) -> ResourceGraph:
    return build_graph(graph.stack, (each for each in graph if each.type not in types))


@pytest.mark.parametrize(
    ("type_", "rule"),
    [
        (k.ALI_BUCKET_BLOCK, "buckets-block-public-access"),
        (k.ALI_BUCKET_POLICY, "buckets-refuse-plain-http"),
        (k.ALI_BUCKET_WORM, "audit-buckets-are-write-once"),
        (k.ALI_DISK_SNAPSHOTS, "disks-are-backed-up"),
    ],
)
def test_taking_a_guard_away_is_seen(type_: str, rule: str) -> None:
    graph, settings = graph_of(HOST), settings_of(HOST).model_copy(update={"waivers": ()})
    assert rule not in {each.rule for each in judge(graph, settings)}
    assert rule in {each.rule for each in judge(_without(graph, type_), settings)}


def _leaving(*resources: Resource) -> set[tuple[str, str]]:
    """What is said of a host in Beijing that also has these."""
    graph = graph_of(HOST)
    more = (replace(each, region="cn-beijing") for each in resources)
    return {(each.rule, each.name) for each in judge(build_graph(graph.stack, (*graph, *more)), CHINA) if each.judged}


def test_a_host_of_china_stays_there() -> None:
    assert {each.rule for each in judge(graph_of(HOST), CHINA)} == set()


@pytest.mark.parametrize(
    "resource",
    [
        make(k.ALI_BUCKET_REPLICATION, "x", bucket="b", destination={"bucket": "c", "location": "oss-ap-southeast-1"}),
        make(
            k.ALI_SNAPSHOTS, "x", targetCopyRegions=["ap-southeast-1"], tags=dict.fromkeys(CHINA.required_tags, "team")
        ),
        make(k.ALI_DATABASE_CROSS_BACKUP, "x", instanceId="db", crossBackupRegion="eu-central-1"),
        make(k.ALI_LOG_STORE, "x", projectName="acs:log:ap-southeast-1:1:project/p", retentionPeriod=365),
    ],
    ids=lambda each: each.type,
)
def test_a_copy_that_leaves_china_is_stopped(resource: Resource) -> None:
    assert ("data-stays-home", "x") in _leaving(resource)


@pytest.mark.parametrize(
    ("more", "host"),
    [
        ({"models": {"embedding": "text-embedding-3-small"}}, "api.openai.com"),
        ({"models": dict.fromkeys(TASKS, "gpt-4o-mini")}, "api.openai.com"),
    ],
    ids=["embedding", "llm"],
)
def test_a_stack_of_china_whose_models_answer_elsewhere_is_stopped(more: Mapping[str, Any], host: str) -> None:
    workload = {"name": "memory-team", "users": 60, **more}
    graph = graph_with(LASTING[0], {**LASTING[1], "reme-cloud:workload": workload})
    said = [
        each.message for each in judge(graph, CHINA) if each.rule == "models-stay-home" and each.level == "mandatory"
    ]
    assert said and all(host in each for each in said)


def test_a_stack_that_is_moved_out_of_china_is_stopped() -> None:
    said = {
        each.rule
        for each in judge(graph_of("singapore"), settings_of("singapore").model_copy(update={"residency": "cn"}))
    }
    assert {"data-stays-home", "models-stay-home"} <= said


def test_logs_of_a_region_in_china_are_kept_for_a_year_in_every_environment() -> None:
    stores = [each for choice in ("alicloud-dev", "alicloud-team") for each in graph_of(choice).of(k.ALI_LOG_STORE)]
    kept = {each.name: each.inputs["retentionPeriod"] for each in stores if "application" not in each.name}
    assert kept and min(kept.values()) >= 365
    graph = graph_of("alicloud-dev")
    shorter = build_graph(
        graph.stack,
        (
            replace(each, inputs={**each.inputs, "retentionPeriod": 90}) if each.type == k.ALI_LOG_STORE else each
            for each in graph
        ),
    )
    assert "access-logs-are-kept" in {each.rule for each in judge(shorter, settings_of("alicloud-dev"))}
