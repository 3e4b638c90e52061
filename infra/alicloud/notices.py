"""Who is told when something is wrong: contacts of CloudMonitor, and the same people for the log service's alerts.

The log service keeps whom it tells in one region for a whole account, apart from CloudMonitor's contacts; both send
only once a reader has confirmed.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_alicloud as alicloud

from infra.naming import fix_name
from infra.tagging import Tags

LONGEST_CONTACT = 40
LONGEST_RECORD = 64
"""Characters of a contact's name (the provider's page of AlarmContact), and of a record's id (ours)."""
CENTRE = "cn-heyuan"
"""The region that keeps an account's records of alerts, wherever the stack is (the provider's page of ResourceRecord):
the readers' addresses lie there, and nothing else."""
USERS, GROUPS, POLICIES = "sls.common.user", "sls.common.user_group", "sls.alert.action_policy"
"""Kinds of records (SLS, "Data structure of alert resource data")."""
TEMPLATES = {"cn": "sls.builtin.cn"}
TEMPLATE_ELSEWHERE = "sls.builtin.en"
"""SLS's own texts of notices, in Chinese for a region in China."""


@dataclass(frozen=True, kw_only=True)
class NoticesArgs:
    """`emails` are told of every notice, once each has confirmed."""

    emails: Sequence[str]
    region: str
    tags: Tags


class Notices(pulumi.ComponentResource):
    """The readers of all notices.

    The log service's center of alerts is the account's: it is made where it is not there yet, and stays.
    Attributes: `topic_arn`, the name of CloudMonitor's contact group; `action_policy_id`, what the log service's alerts
    name, empty where nobody reads.
    """

    topic_arn: pulumi.Output[str]
    action_policy_id: pulumi.Output[str]

    def __init__(self, name: str, args: NoticesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("reme:alicloud:Notices", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        contacts = [
            alicloud.cms.AlarmContact(
                f"{name}-email-{place}",
                alarm_contact_name=fix_name(args.tags.stack, f"{name}-{place}", LONGEST_CONTACT),
                describe=f"{args.tags.stack}: told of alarms",
                channels_mail=email,
                lang="zh-cn" if args.region.startswith("cn-") else "en",
                # the address is not answered before its reader has confirmed (the provider's page of AlarmContact)
                opts=pulumi.ResourceOptions(parent=self, ignore_changes=["channelsMail"]),
            )
            for place, email in enumerate(args.emails, start=1)
        ]
        group = alicloud.cms.AlarmContactGroup(
            f"{name}-group",
            alarm_contact_group_name=fix_name(args.tags.stack, name, LONGEST_CONTACT),
            describe=f"{args.tags.stack}: told of alarms",
            contacts=[contact.alarm_contact_name for contact in contacts],
            opts=child,
        )
        alicloud.log.AlertResource(
            f"{name}-alert-center", type="user", lang="cn" if args.region.startswith("cn-") else "en", opts=child
        )
        self.topic_arn = group.alarm_contact_group_name
        self.action_policy_id = self._tell_from_logs(name, args) if args.emails else pulumi.Output.from_input("")
        self.register_outputs({"topic_arn": self.topic_arn, "action_policy_id": self.action_policy_id})

    def _tell_from_logs(self, name: str, args: NoticesArgs) -> pulumi.Output[str]:
        """Records of the same readers for the log service, a group of them, and what is done with an alert."""
        place = args.region.partition("-")[0]
        centre = alicloud.Provider(
            f"{name}-centre",
            region=CENTRE,
            opts=pulumi.ResourceOptions(parent=self),
        )
        child = pulumi.ResourceOptions(parent=self, provider=centre)
        users: dict[str, pulumi.Resource] = {}
        for number, email in enumerate(args.emails, start=1):
            user = fix_name(args.tags.stack, f"{name}-{number}", LONGEST_RECORD)
            users[user] = _record(
                f"{name}-user-{number}",
                USERS,
                user,
                {
                    "user_id": user,
                    "user_name": user,
                    "email": [email],
                    "enabled": True,
                    "sms_enabled": False,
                    "voice_enabled": False,
                },
                child,
            )
        group = fix_name(args.tags.stack, name, LONGEST_RECORD)
        readers = _record(
            f"{name}-user-group",
            GROUPS,
            group,
            {"user_group_id": group, "user_group_name": group, "enabled": True, "members": list(users)},
            pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(depends_on=list(users.values()))),
        )
        policy = _record(
            f"{name}-action-policy",
            POLICIES,
            group,
            describe_action_policy(group, TEMPLATES.get(place, TEMPLATE_ELSEWHERE)),
            pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(depends_on=[readers])),
        )
        return policy.record_id


def describe_action_policy(group: str, template: str) -> dict[str, object]:
    """What is done with an alert: an email to the group at any time; nothing follows later."""
    script = (
        f'fire(type="email", users=[], groups=["{group}"], oncall_groups=[], receiver_type="static", '
        f'external_url="", external_headers={{}}, template_id="{template}", period="any")'
    )
    return {
        "action_policy_id": group,
        "action_policy_name": group,
        "labels": {},
        "is_default": False,
        "primary_policy_script": script,
        # never used while escalation is off, and an empty one is refused
        "secondary_policy_script": script,
        "escalation_start_enabled": False,
        "escalation_start_timeout": "10m",
        "escalation_inprogress_enabled": False,
        "escalation_inprogress_timeout": "30m",
        "escalation_enabled": False,
        "escalation_timeout": "1h",
    }


def _record(
    name: str, kind: str, record_id: str, value: dict[str, object], opts: pulumi.ResourceOptions
) -> alicloud.log.ResourceRecord:
    return alicloud.log.ResourceRecord(
        name,
        resource_name_=kind,
        record_id=record_id,
        tag=record_id,
        value=json.dumps(value, sort_keys=True),
        opts=opts,
    )
