"""Each guardrail: kept, and broken with its words."""

from pathlib import Path

import pytest

from infra.preview.errors import InvalidGuardrails
from infra.preview.guardrails import Guardrails, judge, parse_guardrails, read_guardrails
from infra.preview.result import Finding, Property, StackResult
from tests.infra.preview.results import DATABASE, calm, change, cost, row, whole


def found(guardrails: str, *stacks: StackResult) -> list[Finding]:
    """What breaks, with everything allowed that is not said."""
    allowed = (
        "{data_loss: allow, protected: allow, replacements: allow, unpriced: allow, mandatory_policies: allow,"
        " advisory_policies: allow"
    )
    return list(judge(whole(*stacks), parse_guardrails(f"{allowed}, {guardrails}}}", "file")))


@pytest.mark.parametrize(
    ("kept", "broken", "message"),
    [
        (
            "limits: {max_monthly_usd: 1452.11}",
            "limits: {max_monthly_usd: 1452.10}",
            "all stacks together: $1,452.11 a month; the limit is $1,452.10",
        ),
        (
            "limits: {max_increase_usd: 421.94}",
            "limits: {max_increase_usd: 400}",
            "all stacks together: $421.94 a month more; the limit is $400.00",
        ),
        (
            "limits: {max_increase_percent: 41}",
            "limits: {max_increase_percent: 40.5}",
            "all stacks together: 40.96 % more; the limit is 40.5 %",
        ),
        (
            "stacks: {aws-prod: {max_monthly_usd: 1420}}",
            "stacks: {aws-prod: {max_monthly_usd: 1419}}",
            "aws-prod: $1,419.24 a month; the limit is $1,419.00",
        ),
        (
            "components: {compute: 754.60}",
            "components: {compute: 754}",
            "compute costs $754.60 a month; the limit is $754.00",
        ),
    ],
)
def test_limits_of_money(kept: str, broken: str, message: str) -> None:
    assert found(kept) == []
    (finding,) = found(broken)
    assert (finding.message, finding.level) == (message, "block")
    assert "reme-guardrails.yaml" in finding.remedy


def test_what_is_new_has_no_percentage() -> None:
    new = StackResult(name="new", status="new", how="offline", cost=cost(row("compute", None, "50")))
    assert found("stacks: {new: {max_increase_percent: 1}}", new) == []


def test_loss_of_data() -> None:
    messages = [finding.message for finding in found("data_loss: block")]
    assert messages == [
        "database-instance (aws:rds/instance:Instance) keeps data and would be replaced because of kmsKeyId",
        "old-volume (aws:ebs/volume:Volume) keeps data and would be deleted",
    ]


def test_a_replacement_that_loses_nothing_warns() -> None:
    stack = calm().model_copy(
        update={"changes": (change("listener", "replace", "port", type_="aws:lb/listener:Listener"),)}
    )
    (finding,) = found("replacements: warn", stack)
    assert (finding.level, finding.guardrail) == ("warn", "replacements")
    assert finding.message == "listener (aws:lb/listener:Listener) would be replaced because of port"


def test_an_uncertain_replacement_says_so() -> None:
    stack = calm().model_copy(update={"changes": (change("x", "replace", certain=False),)})
    assert found("replacements: warn", stack)[0].message.endswith("may be replaced")


def test_the_property_that_may_force_is_named() -> None:
    perhaps = (Property(path="note", before="a", after="b"), Property(path="mode", before="a", after="b", forces=None))
    stack = calm().model_copy(update={"changes": (change("x", "replace", certain=False, properties=perhaps),)})
    assert found("replacements: warn", stack)[0].message.endswith("may be replaced because of mode")


def test_what_is_protected_is_named_apart_from_its_data() -> None:
    stack = calm().model_copy(update={"changes": (change("x", "delete", protected=True),)})
    (finding,) = found("protected: warn", stack)
    assert finding.message == f"x ({DATABASE}) is protected and would be deleted; `pulumi up` refuses it"
    updated = calm().model_copy(update={"changes": (change("x", "update", protected=True),)})
    assert found("protected: warn", updated) == []


@pytest.mark.parametrize(("environments", "count"), [("[]", 1), ("[prod]", 1), ("[dev]", 0)])
def test_forbidden_kinds(environments: str, count: int) -> None:
    text = f"forbidden: [{{type: 'aws:elasticache/*', environments: {environments}, reason: no cache here}}]"
    assert [finding.message for finding in found(text)] == count * [
        "cache-group (aws:elasticache/replicationGroup:ReplicationGroup) is of a forbidden kind: no cache here"
    ]


def test_a_deletion_is_never_forbidden() -> None:
    assert found("forbidden: [{type: 'aws:ebs/*', reason: no disks here}]") == []


@pytest.mark.parametrize(
    ("key", "count"), [("mandatory_policies", 1), ("advisory_policies", 1), ("unpriced", 1), ("made_up", 1)]
)
def test_answers_block_warn_or_allow(key: str, count: int) -> None:
    assert [finding.level for finding in found(f"{key}: block")] == count * ["block"]
    assert [finding.level for finding in found(f"{key}: warn")] == count * ["warn"]


def test_a_stack_that_is_not_there_is_told() -> None:
    (finding,) = found("stacks: {aws-pord: {max_monthly_usd: 1}}")
    assert (finding.level, finding.stack) == ("warn", "aws-pord")


def test_defaults_block_loss_and_mandatory_policies_alone() -> None:
    findings = judge(whole(), Guardrails())
    assert {finding.guardrail for finding in findings if finding.level == "block"} == {
        "data_loss",
        "protected",
        "policy.database-multi-zone",
    }
    assert judge(whole(calm()), Guardrails()) == ()


def test_blocking_findings_come_first() -> None:
    levels = [finding.level for finding in judge(whole(), parse_guardrails("unpriced: warn", "file"))]
    assert levels == sorted(levels)


def test_without_a_file_the_defaults_hold(tmp_path: Path) -> None:
    assert read_guardrails(tmp_path / "none.yaml") == Guardrails()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("limits: {max_monthly: 3}", "limits.max_monthly: Extra inputs are not permitted"),
        ("limits: {max_monthly_usd: -1}", "limits.max_monthly_usd: Input should be greater than or equal to 0"),
        ("limits: {max_monthly_usd: .inf}", "limits.max_monthly_usd"),
        ("data_loss: perhaps", "data_loss: Input should be 'block', 'warn' or 'allow'"),
        ("a: [", "is no YAML"),
        ("- 1", "the document"),
    ],
)
def test_a_file_that_is_wrong_is_told(text: str, said: str) -> None:
    with pytest.raises(InvalidGuardrails) as error:
        parse_guardrails(text, "reme-guardrails.yaml")
    assert said in str(error.value)
