"""The service's bucket: working memory grows cold and expires by the plan's ages, nothing else does."""

from dataclasses import replace
from typing import Any

import pytest

from app.domain.memory import Scope
from app.domain.objects import name_profiles, name_weights
from app.domain.working import name_folder
from infra.aws.object_store import ObjectStore, ObjectStoreArgs
from infra.facts import OBJECTS_PREFIX, PROFILES_PREFIX, WEIGHTS_PREFIX, WORKING_PREFIXES
from infra.tagging import Tags
from sizing.plan import ObjectStoreSpec
from tests.infra.recorder import record
from tests.infra.service.plans import COMPANY, plan_region

SPEC = plan_region(**COMPANY).object_store
TAGS = Tags(environment="prod", stack="aws-prod", more={})
WORKING = f"{OBJECTS_PREFIX}0f" + "a" * 30 + "/" + "b" * 32


def list_rules(spec: ObjectStoreSpec = SPEC, *, expires: bool = True) -> list[dict[str, Any]]:
    args = ObjectStoreArgs(
        spec=spec,
        kms_key_arn="arn:key",
        access_log_bucket="access",
        tags=TAGS,
        protect=True,
        keeps_copies=True,
        expires=expires,
    )

    def program() -> None:
        ObjectStore("objects", args)

    found = record(program)
    rules: list[dict[str, Any]] = found.one("aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration").props[
        "rules"
    ]
    assert len({rule["id"] for rule in rules}) == len(rules), "S3 wants different names"
    return rules


def age(name: str, rules: list[dict[str, Any]]) -> dict[str, Any]:
    """The class that an object of a name moves to and the days after which it is deleted."""
    matching = [rule for rule in rules if name.startswith(rule["filter"]["prefix"])]
    moved = {move["storageClass"]: move["days"] for rule in matching for move in rule.get("transitions", [])}
    deleted = [rule["expiration"]["days"] for rule in matching if "days" in rule.get("expiration", {})]
    return moved | ({"DELETED": min(deleted)} if deleted else {})


def test_working_memory_has_the_plans_ages() -> None:
    assert (SPEC.archive_after_days, SPEC.delete_after_days) == (30, 90)
    assert age(WORKING, list_rules()) == {"STANDARD_IA": 30, "DELETED": 90}
    assert age(WORKING, list_rules(expires=False)) == {"STANDARD_IA": 30}


def test_the_services_own_names_begin_as_the_rules_say() -> None:
    scope = Scope(tenant_id="tenant", workspace_id="workspace")
    text, profile, weights = (
        f"{OBJECTS_PREFIX}{each}" for each in (name_folder(scope), name_profiles(scope), name_weights("bge-m3"))
    )
    assert text.startswith(WORKING_PREFIXES)
    assert profile.startswith(PROFILES_PREFIX)
    assert weights.startswith(WEIGHTS_PREFIX)
    assert not any(each.startswith(WORKING_PREFIXES) for each in (profile, weights))


@pytest.mark.parametrize("prefix", [PROFILES_PREFIX, WEIGHTS_PREFIX])
def test_profiles_and_weights_stay(prefix: str) -> None:
    assert age(f"{prefix}0fa/b", list_rules()) == {}


def test_what_is_deleted_at_thirty_days_is_not_archived_before() -> None:
    assert age(WORKING, list_rules(replace(SPEC, delete_after_days=30))) == {"DELETED": 30}


def test_s3_is_asked_for_no_move_that_it_refuses() -> None:
    assert age(WORKING, list_rules(replace(SPEC, archive_after_days=7))) == {"STANDARD_IA": 30, "DELETED": 90}


def test_replaced_and_deleted_versions_go_after_the_hot_days_and_broken_uploads_as_well() -> None:
    rules = {rule["id"]: rule for rule in list_rules()}
    assert rules["delete-replaced"]["noncurrentVersionExpiration"] == {"noncurrentDays": SPEC.hot_days}
    assert rules["delete-replaced"]["filter"] == {"prefix": ""}
    assert rules["abort-uploads"]["abortIncompleteMultipartUpload"] == {"daysAfterInitiation": 7}
