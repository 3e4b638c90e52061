"""Checkov on every stack of Alibaba Cloud: each check that it has is in the table with what the stacks show."""

import re
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.infra.checkov.alicloud import ALICLOUD, TYPES, AlicloudRule, read_alicloud_rules
from tests.infra.checkov.conftest import Stacks
from tests.infra.checkov.scan import Finding, find_checkov, read_environment, scan
from tests.infra.checkov.translation import Reference, translate
from tests.infra.recorder import Recorded
from tests.servers.installation import ServerMissing

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("checkov")]

RULES = {rule.id: rule for rule in read_alicloud_rules()}
VERDICTS = {"passed", "waived", "not-applicable"}


@pytest.fixture(scope="module")
def checks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, set[str]]]:
    """Checkov's own list: the name and the types of each check, by id."""
    try:
        program = find_checkov()
    except ServerMissing as missing:
        pytest.skip(str(missing))
    home = str(tmp_path_factory.mktemp("home"))
    command = [str(program), "--list", "--framework", "terraform"]
    done = subprocess.run(
        command, cwd=home, env=read_environment(home), capture_output=True, text=True, timeout=120, check=True
    )
    found: dict[str, tuple[str, set[str]]] = {}
    for line in done.stdout.splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) > 5 and re.match(r"CKV2?_ALI_", cells[2]):
            found.setdefault(cells[2], (cells[5], set()))[1].add(cells[4])
    return found


def test_the_table_is_checkovs_own_list(checks: dict[str, tuple[str, set[str]]]) -> None:
    assert len(checks) > 40
    assert {id_: (rule.name, set(rule.resource.split())) for id_, rule in RULES.items()} == checks
    assert set(TYPES.values()) == {type_ for _, types in checks.values() for type_ in types}


def test_every_row_is_whole() -> None:
    assert len(RULES) == len(read_alicloud_rules())
    for rule in RULES.values():
        assert rule.verdict in VERDICTS, rule.id
        assert bool(rule.reason) == (rule.verdict != "passed"), rule.id
        assert bool(rule.where) == (rule.verdict == "waived"), rule.id
        assert rule.source, rule.id


def _of(rules: Iterable[AlicloudRule], findings: Iterable[Finding]) -> dict[str, list[Finding]]:
    found: dict[str, list[Finding]] = {rule.id: [] for rule in rules}
    for finding in findings:
        if finding.id in found:
            found[finding.id].append(finding)
    return found


def test_what_fails_is_waived_where_it_fails(alicloud_findings: list[Finding], alicloud_stacks: Stacks) -> None:
    made = {
        (name, each.address): each
        for name, resources in alicloud_stacks.items()
        for each in translate(resources, ALICLOUD)
    }
    failed = [each for each in alicloud_findings if not each.passed]
    open_ = [each for each in failed if not RULES[each.id].excuses(each, made[each.plan, each.resource])]
    assert sorted({f"{each.id} {each.plan} {each.resource}" for each in open_}) == []


def test_what_passes_passes_somewhere(alicloud_findings: list[Finding]) -> None:
    found = _of((rule for rule in RULES.values() if rule.verdict == "passed"), alicloud_findings)
    assert [id_ for id_, findings in found.items() if not any(each.passed for each in findings)] == []


def test_a_waiver_that_nothing_needs_is_named(alicloud_findings: list[Finding]) -> None:
    found = _of((rule for rule in RULES.values() if rule.verdict == "waived"), alicloud_findings)
    assert [id_ for id_, findings in found.items() if all(each.passed for each in findings)] == []


def test_no_stack_has_what_is_not_applicable(alicloud_findings: list[Finding], alicloud_stacks: Stacks) -> None:
    away = [rule for rule in RULES.values() if rule.verdict == "not-applicable"]
    assert [id_ for id_, findings in _of(away, alicloud_findings).items() if findings] == []
    translated = [each for resources in alicloud_stacks.values() for each in translate(resources, ALICLOUD)]
    assert [(rule.id, each.address) for rule in away for each in translated if rule.reads(each)] == []


EXAMPLES: dict[str, Any] = yaml.safe_load((Path(__file__).parent / "alicloud_examples.yaml").read_text("utf-8"))


def _make(id_: str, type_: str, props: dict[str, Any]) -> Recorded:
    return Recorded(
        urn=id_,
        type=type_,
        name=id_,
        props=props,
        parent="",
        custom=True,
        protect=False,
        retain=False,
        ignored=(),
        secret=frozenset(),
        provider="",
    )


def test_every_check_passes_what_is_good_and_fails_what_is_spoiled() -> None:
    assert set(EXAMPLES) == set(RULES)
    good = [_make(id_, each["type"], each["good"]) for id_, each in EXAMPLES.items()]
    bad = [_make(id_, each["type"], each["good"] | each["bad"]) for id_, each in EXAMPLES.items()]
    plans = {"good": translate(good, ALICLOUD), "bad": translate(bad, ALICLOUD)}
    try:
        found = scan(plans, RULES)
    except ServerMissing as missing:
        pytest.skip(str(missing))
    own = {(each.plan, each.id, each.passed) for each in found if each.resource.rpartition(".")[2] == each.id}
    expected = {("good", id_, True) for id_ in RULES} | {("bad", id_, False) for id_ in RULES}
    assert own == expected


def test_an_access_list_leads_to_its_bucket() -> None:
    bucket = _make(
        "store", "alicloud:oss/bucket:Bucket", {"bucket": "store-1a2b3c4d", "versioning": {"status": "Enabled"}}
    )
    acl = _make("acl", "alicloud:oss/bucketAcl:BucketAcl", {"bucket": "store-1a2b3c4d", "acl": "private"})
    component = _make("stores", "reme:alicloud:PrivateBucket", {})
    made, list_ = translate([bucket, acl, component], ALICLOUD)
    assert (made.address, made.values["versioning"]) == ("alicloud_oss_bucket.store", [{"status": "Enabled"}])
    assert list_.values == {"bucket": Reference("alicloud_oss_bucket.store.bucket"), "acl": "private"}
