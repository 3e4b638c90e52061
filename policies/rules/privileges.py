"""Who may do what."""

import re
from collections.abc import Iterable
from functools import cache

from policies import kinds
from policies.documents import Statement, read_statements
from policies.properties import is_set, read, read_one
from policies.rule import Finding, Rule, breach, undecided
from policies.settings import PolicySettings
from policies.tables import read_table
from sizing.graph.resources import Resource, is_unknown

_FAMILY = "privileges"
_POLICIES = {
    kinds.AWS_POLICY: "policy",
    kinds.AWS_ROLE_POLICY: "policy",
    kinds.AWS_GROUP_POLICY: "policy",
    kinds.AWS_USER_POLICY: "policy",
    kinds.ALI_POLICY: "policyDocument",
}
_TRUSTS = {kinds.AWS_ROLE: "assumeRolePolicy", kinds.ALI_ROLE: "assumeRolePolicyDocument"}
_ATTACHMENTS = {
    kinds.AWS_ROLE_POLICY_ATTACHMENT: "policyArn",
    kinds.AWS_GROUP_POLICY_ATTACHMENT: "policyArn",
    kinds.AWS_USER_POLICY_ATTACHMENT: "policyArn",
    kinds.AWS_ROLE: "managedPolicyArns[]",
    kinds.ALI_ROLE_POLICY_ATTACHMENT: "policyName",
    kinds.ALI_GROUP_POLICY_ATTACHMENT: "policyName",
    kinds.ALI_USER_POLICY_ATTACHMENT: "policyName",
}
_READING = ("get", "list", "describe", "batchget", "head", "query", "search", "lookup", "view", "check")


def _statements(resource: Resource, path: str) -> tuple[Statement, ...] | None:
    """The statements at a path, none where it is empty or no JSON (the cloud refuses that), None while unknown."""
    document = read_one(resource, path)
    if is_unknown(document):
        return None
    try:
        return read_statements(document) if is_set(document) else ()
    except ValueError:
        return ()


def _check_wildcards(resource: Resource, _: PolicySettings) -> Iterable[Finding]:
    path = _POLICIES[resource.type]
    statements = _statements(resource, path)
    if statements is None:
        yield undecided(resource, path)
    for each in statements or ():
        if not each.allows:
            continue
        for action in each.actions:
            if action == "*" or action.endswith(":*"):
                yield breach(resource, reason=f"it allows {action}, which is every action")
            elif (
                any(map(_is_every, each.resources))
                and not each.condition
                and not _reads(action)
                and not _unscoped(action)
            ):
                yield breach(resource, reason=f"it allows {action}, which writes, on every resource")


def _is_every(resource: str) -> bool:
    """Whether a resource of a statement is every one there is, or every one of a service (`acs:oss:*:*:*`)."""
    return resource == "*" or re.fullmatch(r"acs:[\w*-]+:[\w*-]*:[\d*]*:\*(/\*)?", resource) is not None


def _reads(action: str) -> bool:
    return action.rpartition(":")[2].lower().startswith(_READING)


@cache
def _unscoped_actions() -> frozenset[str]:
    return frozenset(row["action"].lower() for row in read_table("unscoped_actions.csv"))


def _unscoped(action: str) -> bool:
    return action.lower() in _unscoped_actions()


WILDCARDS = Rule(
    id="no-wildcard-permissions",
    family=_FAMILY,
    title="Policies name the actions, and what they write to",
    severity="high",
    message="{where}: {reason}",
    remedy="Name the actions that are used and the resources that they are used on, or add a condition.",
    kinds=frozenset(_POLICIES),
    frameworks=("IAM.1", "IAM.21", "CKV_AWS_62", "CKV_AWS_63", "CKV_AWS_355"),
    check=_check_wildcards,
)


def _check_attached(resource: Resource, _: PolicySettings) -> Iterable[Finding]:
    forbidden = {row["policy"]: row["reason"] for row in read_table("broad_policies.csv")}
    for place, value in read(resource.inputs, _ATTACHMENTS[resource.type]):
        if is_unknown(value):
            yield undecided(resource, place)
        elif (name := str(value).rpartition("/")[2]) in forbidden:
            yield breach(resource, policy=name, reason=forbidden[name])


BROAD_POLICIES = Rule(
    id="no-broad-policies",
    family=_FAMILY,
    title="Nobody gets a ready-made policy that opens everything",
    severity="critical",
    message="{where}: {policy} is attached, which {reason}",
    remedy="Write a policy with the actions that are used.",
    kinds=frozenset(_ATTACHMENTS),
    frameworks=("IAM.1", "CKV_AWS_62", "CKV_ALI_24"),
    check=_check_attached,
)


def _check_trust(resource: Resource, _: PolicySettings) -> Iterable[Finding]:
    path = _TRUSTS[resource.type]
    statements = _statements(resource, path)
    if statements is None:
        yield undecided(resource, path)
    for each in statements or ():
        if each.allows and not each.condition:
            for principal in each.principals:
                if principal == "*" or principal.endswith(":*"):
                    yield breach(resource, principal="everybody")
                elif principal.endswith(":root") or principal.isdigit():
                    yield breach(resource, principal="a whole account")


NARROW_TRUST = Rule(
    id="no-broad-trust",
    family=_FAMILY,
    title="Roles are taken by services and named principals only",
    severity="high",
    message="{where}: {principal} may take the role",
    remedy="Name the service or the role, or add a condition such as an external id.",
    kinds=frozenset(_TRUSTS),
    frameworks=("CKV_AWS_60", "CKV_AWS_61"),
    check=_check_trust,
)
RULES = (WILDCARDS, BROAD_POLICIES, NARROW_TRUST)
