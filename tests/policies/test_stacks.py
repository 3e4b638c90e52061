"""The stacks of the repository keep the policies of their environment, with the waivers that are written down."""

from dataclasses import replace

import pytest

from policies import kinds as k
from policies.judgement import Violation, judge
from policies.settings import PolicySettings, read_waivers
from sizing.graph.resources import UNKNOWN, ResourceGraph, build_graph, is_unknown
from tests.policies.recorded import CHOICES, graph_of, settings_of

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("policies-of-stacks")]  # one process records each stack once


@pytest.mark.parametrize("choice", CHOICES)
def test_a_stack_breaks_no_rule_of_its_environment(choice: str) -> None:
    violations = judge(graph_of(choice), settings_of(choice))
    assert [f"{each.rule}: {each.message}" for each in violations] == []


def test_every_waiver_is_still_needed() -> None:
    waived = {
        (waiver.rule, waiver.urn)
        for choice in CHOICES
        for waiver in settings_of(choice).waivers
        if judge(graph_of(choice), settings_of(choice).model_copy(update={"waivers": (waiver,)}))
        != judge(graph_of(choice), settings_of(choice).model_copy(update={"waivers": ()}))
    }
    assert {(waiver.rule, waiver.urn) for waiver in read_waivers()} == waived


def _judge_without(*types: str) -> set[str]:
    graph = graph_of("aws-prod")
    left = build_graph("aws-prod", (each for each in graph if each.type not in types))
    return {each.rule for each in judge(left, settings_of("aws-prod"))}


@pytest.mark.parametrize(
    ("type_", "rule"),
    [
        (k.AWS_BUCKET_BLOCK, "buckets-block-public-access"),
        (k.AWS_BUCKET_ENCRYPTION, "encrypt-buckets"),
        (k.AWS_BUCKET_LOCK, "audit-buckets-are-write-once"),
        (k.AWS_BUCKET_LOGGING, "buckets-log-access"),
        (k.AWS_BUCKET_POLICY, "buckets-refuse-plain-http"),
        (k.AWS_BUCKET_VERSIONING, "buckets-keep-versions"),
        (k.AWS_BACKUP_SELECTION, "disks-are-backed-up"),
        (k.AWS_DEFAULT_GROUP, "default-group-is-closed"),
        (k.AWS_FLOW_LOG, "networks-log-flows"),
        (k.AWS_WEB_ACL_ASSOCIATION, "public-entrances-have-a-firewall"),
        (k.AWS_WEB_ACL_LOGGING, "firewalls-log"),
        (k.AWS_BUDGET, "budgets-are-watched"),
    ],
)
def test_taking_a_guard_away_is_seen(type_: str, rule: str) -> None:
    assert rule in _judge_without(type_)


def test_moving_the_stack_to_another_place_is_seen() -> None:
    graph = graph_of("ireland")
    home = settings_of("ireland").model_copy(update={"residency": "eu"})
    said = {each.rule for each in judge(graph, home)}
    assert said == {"models-stay-home"}  # the plan's provider of embeddings answers from Singapore
    moved = build_graph("moved", (replace(each, region="us-east-1") if each.region else each for each in graph))
    assert "data-stays-home" in {each.rule for each in judge(moved, home)}


def _hide(graph: ResourceGraph) -> ResourceGraph:
    """What a first preview knows: nothing that comes from another resource."""
    return build_graph(
        graph.stack,
        (
            replace(
                each,
                inputs={
                    name: UNKNOWN if each.property_dependencies.get(name) else value
                    for name, value in each.inputs.items()
                },
            )
            for each in graph
        ),
    )


def test_a_first_preview_fails_nothing_that_the_deployed_stack_passes() -> None:
    hidden = _hide(graph_of("aws-prod"))
    assert any(is_unknown(value) for each in hidden for value in each.inputs.values())
    violations = judge(hidden, settings_of("aws-prod"))
    assert [each.message for each in violations if each.judged] == []
    assert _unjudged(violations) >= {"no-wildcard-permissions", "containers-are-confined"}


def _unjudged(violations: tuple[Violation, ...]) -> set[str]:
    return {each.rule for each in violations if not each.judged and each.level == "advisory"}


def test_a_single_host_is_no_production() -> None:
    said = {each.rule for each in judge(graph_of("aws-dev"), PolicySettings(environment="prod"))}
    assert {"protect-data", "networks-log-flows", "encrypt-with-own-keys", "required-tags"} <= said
