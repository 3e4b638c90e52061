"""The keys: rotated, as many as the plan has, and open to nobody outside the account."""

import json
from typing import Any

import pytest

from infra.aws.keys import Keys, KeysArgs
from infra.tagging import Tags
from tests.infra.recorder import ACCOUNT, Recording, record

TAGS = Tags(environment="prod", stack="aws-prod", more={})


def build(count: int, *, keeps_copies: bool = True) -> tuple[Recording, list[Keys]]:
    made: list[Keys] = []
    args = KeysArgs(count=count, region="us-east-1", tags=TAGS, protect=True, keeps_copies=keeps_copies)
    found = record(lambda: made.append(Keys("keys", args)))
    return found, made


@pytest.mark.parametrize("count", [0, 1, 2])
def test_there_are_as_many_keys_as_the_plan_pays_for(count: int) -> None:
    found, (made,) = build(count)
    keys = found.of("aws:kms/key:Key")
    assert len(keys) == len(found.of("aws:kms/alias:Alias")) == count
    assert (made.data_key_arn is not None, made.log_key_arn is not None) == (count > 0, count > 1)
    assert all(key.protect and key.props["enableKeyRotation"] for key in keys)
    assert all(key.props["rotationPeriodInDays"] == 90 for key in keys)


@pytest.mark.parametrize("keeps_copies", [True, False])
def test_keys_stay_with_the_copies_that_they_encrypt(keeps_copies: bool) -> None:
    found, _ = build(2, keeps_copies=keeps_copies)
    assert [key.retain for key in found.of("aws:kms/key:Key")] == [keeps_copies] * 2


def test_two_stacks_of_one_account_have_different_aliases() -> None:
    found, _ = build(2)
    names = {each.props["name"] for each in found.of("aws:kms/alias:Alias")}
    assert names == {"alias/reme-aws-prod-data", "alias/reme-aws-prod-log"}


def read_statements(found: Recording, name: str) -> list[dict[str, Any]]:
    statements: list[dict[str, Any]] = json.loads(found.one("aws:kms/key:Key", name).props["policy"])["Statement"]
    return statements


def test_only_the_account_has_all_rights_and_services_are_held_to_it() -> None:
    found, _ = build(2)
    assert [each["Sid"] for each in read_statements(found, "keys-data")] == ["Account"]
    for statement in read_statements(found, "keys-log"):
        if statement["Sid"] == "Account":
            assert statement["Principal"] == {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
            continue
        assert set(statement["Principal"]) == {"Service"}
        assert not [action for action in statement["Action"] if "*" in action]
        assert ACCOUNT in json.dumps(statement["Condition"])


def test_the_services_that_write_by_themselves_may_use_the_log_key() -> None:
    found, _ = build(2)
    services = json.dumps([each["Principal"] for each in read_statements(found, "keys-log")])
    for service in ("logs.us-east-1", "delivery.logs", "cloudtrail", "cloudwatch", "budgets", "events"):
        assert f'"{service}.amazonaws.com"' in services
