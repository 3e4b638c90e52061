"""Who is told: the same readers for CloudMonitor's alarms and for the log service's alerts."""

import json
from dataclasses import replace
from typing import Any

import pytest

from infra.alicloud.notices import Notices, NoticesArgs
from infra.tagging import Tags
from policies.judgement import judge
from policies.settings import PolicySettings
from sizing.graph.resources import build_graph
from tests.infra.alicloud.facts import find_limit, find_unknown
from tests.infra.recorded_graph import read_recording
from tests.infra.recorder import Recording, record

CONTACT = "alicloud:cms/alarmContact:AlarmContact"
GROUP = "alicloud:cms/alarmContactGroup:AlarmContactGroup"
RECORD = "alicloud:log/resourceRecord:ResourceRecord"
EMAILS = ("ops@example.com", "boss@example.com")


def build(emails: tuple[str, ...] = EMAILS, *, region: str = "cn-beijing", stack: str = "alicloud-dev") -> Recording:
    def program() -> None:
        Notices(
            "notices",
            NoticesArgs(emails=emails, region=region, tags=Tags(environment="dev", stack=stack, more={})),
        )

    return record(program, stack_name=stack, region=region, config={"alicloud:region": region})


def read_records(found: Recording, kind: str) -> list[dict[str, Any]]:
    return [json.loads(each.props["value"]) for each in found.of(RECORD) if each.props["resourceName"] == kind]


def test_every_reader_is_a_contact_of_the_group_that_alarms_name() -> None:
    found = build()
    contacts = {each.props["alarmContactName"]: each.props["channelsMail"] for each in found.of(CONTACT)}
    assert sorted(contacts.values()) == sorted(EMAILS)
    assert found.one(GROUP).props["contacts"] == list(contacts)
    assert all(each.ignored == ("channelsMail",) for each in found.of(CONTACT)), "not answered until it is confirmed"


def test_the_log_service_tells_the_same_readers_by_mail() -> None:
    found = build()
    users = {user["user_id"]: user["email"] for user in read_records(found, "sls.common.user")}
    assert sorted(email for emails in users.values() for email in emails) == sorted(EMAILS)
    (group,) = read_records(found, "sls.common.user_group")
    assert sorted(group["members"]) == sorted(users)
    (policy,) = read_records(found, "sls.alert.action_policy")
    assert f'groups=["{group["user_group_id"]}"]' in policy["primary_policy_script"]
    assert 'type="email"' in policy["primary_policy_script"] and policy["escalation_enabled"] is False
    assert all(each.props["recordId"] in each.props["value"] for each in found.of(RECORD))


def test_its_records_lie_where_the_account_keeps_them_and_all_else_in_the_stacks_region() -> None:
    found = build()
    (centre,) = found.of("pulumi:providers:alicloud")
    assert find_unknown({("log record region", centre.props["region"])}) == set()
    assert {each.type for each in found if each.provider.startswith(centre.urn)} == {RECORD}


def test_without_readers_there_is_a_group_to_name_and_nobody_in_it() -> None:
    found = build(())
    assert found.one(GROUP).props["contacts"] == []
    assert not found.of(CONTACT) and not found.of(RECORD)


@pytest.mark.parametrize(
    ("region", "language", "template"), [("cn-beijing", "zh-cn", "cn"), ("ap-southeast-1", "en", "en")]
)
def test_readers_are_written_to_in_the_language_of_the_place(region: str, language: str, template: str) -> None:
    found = build(region=region)
    assert {each.props["lang"] for each in found.of(CONTACT)} == {language}
    (policy,) = read_records(found, "sls.alert.action_policy")
    assert f'template_id="sls.builtin.{template}"' in policy["primary_policy_script"]


def test_values_are_those_of_the_provider_s_pages() -> None:
    found = build(stack="a-stack-" + "x" * 80)
    used: set[tuple[str, object]] = {("contact language", each.props["lang"]) for each in found.of(CONTACT)}
    used |= {("log record kind", each.props["resourceName"]) for each in found.of(RECORD)}
    assert find_unknown(used) == set()
    names = [each.props["alarmContactName"] for each in found.of(CONTACT)]
    assert all(len(name) <= find_limit("contact characters") for name in names) and len(set(names)) == 2


def test_it_keeps_the_policies_and_nothing_else_may_lie_where_the_records_do() -> None:
    graph = read_recording(build(), "alicloud-dev", "cn-beijing")
    settings = PolicySettings.model_validate({"environment": "dev"})
    assert [f"{each.rule}: {each.message}" for each in judge(graph, settings)] == []
    moved = build_graph(
        "alicloud-dev", (replace(each, region="cn-heyuan") if each.type == GROUP else each for each in graph)
    )
    assert {each.rule for each in judge(moved, settings)} == {"allowed-regions"}
