"""Checkov on every stack: what fails is waived, with a reason and for a time."""

from collections import Counter
from datetime import UTC, datetime

import pytest

from tests.infra.checkov.conftest import WITH_THEIR_OWN
from tests.infra.checkov.scan import Finding
from tests.infra.checkov.tables import read_rules, read_waivers
from tests.infra.checkov.translation import translate
from tests.infra.recorder import Recorded
from tests.infra.stacks import ALTERNATIVES, AWS_STACKS

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("checkov")]

RULES, WAIVERS = read_rules(), read_waivers()
STATUSES = {"passes", "waived", "not verifiable"}


@pytest.mark.parametrize("stack", [*AWS_STACKS, *(f"{ALTERNATIVES[name][0]} {name}" for name in WITH_THEIR_OWN)])
def test_no_check_of_a_stack_fails_but_for_waivers(stack: str, findings: list[Finding]) -> None:
    found = [finding for finding in findings if finding.plan == stack]
    assert any(finding.passed for finding in found)
    failed = [finding for finding in found if not finding.passed]
    open_ = [finding for finding in failed if not any(waiver.covers(finding) for waiver in WAIVERS)]
    assert [f"{finding.id} {finding.resource}" for finding in open_] == []


def test_every_waiver_is_used_and_none_has_expired(findings: list[Finding]) -> None:
    today = datetime.now(UTC).date()
    assert [waiver for waiver in WAIVERS if waiver.expires < today] == []
    failed = [finding for finding in findings if not finding.passed]
    assert [waiver for waiver in WAIVERS if not any(waiver.covers(finding) for finding in failed)] == []
    assert all(waiver.reason for waiver in WAIVERS)


def test_each_id_has_the_status_that_the_stacks_show(findings: list[Finding]) -> None:
    assert [id_ for id_, count in Counter(rule.id for rule in RULES).items() if count > 1] == []
    assert {rule.status for rule in RULES} == STATUSES
    passed = {finding.id for finding in findings if finding.passed}
    failed = {finding.id for finding in findings if not finding.passed}
    assert {rule.id for rule in RULES if rule.status == "passes"} - passed == set()
    waived = {rule.id for rule in RULES if rule.status == "waived"}
    assert waived - failed == set()
    assert waived & passed == set(), "these pass somewhere by now: say so in ids.csv"


def test_what_is_not_verifiable_has_a_reason_and_no_stack_has_its_kind(stacks: dict[str, tuple[Recorded, ...]]) -> None:
    types = {each.type for resources in stacks.values() for each in translate(resources)}
    for rule in RULES:
        assert bool(rule.reason) == (rule.status == "not verifiable"), rule.id
        assert not rule.kinds & types, f"{rule.id}: a stack has {rule.kinds & types} by now"
