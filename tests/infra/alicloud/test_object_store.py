"""The service's bucket: working memory grows cold and expires by the plan's ages, nothing else does."""

from dataclasses import replace
from typing import Any

from infra.alicloud.object_store import ObjectStore, ObjectStoreArgs
from infra.facts import OBJECTS_PREFIX, PROFILES_PREFIX, WEIGHTS_PREFIX
from infra.tagging import Tags
from sizing.plan import ObjectStoreSpec
from tests.infra.alicloud.facts import find_unknown
from tests.infra.recorder import record
from tests.infra.service.plans import COMPANY, plan_region

SPEC = plan_region(**COMPANY, clouds=["alicloud"]).object_store
WORKING = f"{OBJECTS_PREFIX}0f" + "a" * 30 + "/" + "b" * 32


def list_rules(spec: ObjectStoreSpec = SPEC, *, expires: bool = True) -> list[dict[str, Any]]:
    args = ObjectStoreArgs(
        spec=spec,
        kms_key_id=None,
        account="1234567890123456",
        access_log_bucket="access",
        tags=Tags(environment="prod", stack="alicloud-prod", more={}),
        protect=True,
        keeps_copies=True,
        expires=expires,
    )

    def program() -> None:
        ObjectStore("objects", args)

    found = record(program, config={"alicloud:region": "cn-beijing"})
    rules: list[dict[str, Any]] = found.one("alicloud:oss/bucket:Bucket").props["lifecycleRules"]
    assert len({rule["id"] for rule in rules}) == len(rules), "OSS wants different names"
    return rules


def age(name: str, rules: list[dict[str, Any]]) -> dict[str, Any]:
    """The class that an object of a name moves to and the days after which it is deleted."""
    matching = [rule for rule in rules if name.startswith(rule.get("prefix", ""))]
    moved = {move["storageClass"]: move["days"] for rule in matching for move in rule.get("transitions", [])}
    deleted = [end["days"] for rule in matching for end in rule.get("expirations", []) if "days" in end]
    return moved | ({"DELETED": min(deleted)} if deleted else {})


def test_working_memory_has_the_plans_ages() -> None:
    assert (SPEC.kind, SPEC.archive_after_days, SPEC.delete_after_days) == ("oss", 30, 90)
    assert age(WORKING, list_rules()) == {"IA": 30, "DELETED": 90}
    assert age(WORKING, list_rules(expires=False)) == {"IA": 30}
    assert find_unknown({("bucket storage class", "IA")}) == set()


def test_what_is_deleted_at_the_age_of_archiving_never_grows_cold() -> None:
    short = replace(SPEC, archive_after_days=30, delete_after_days=30)
    assert age(WORKING, list_rules(short)) == {"DELETED": 30}
    assert age(WORKING, list_rules(short, expires=False)) == {}


def test_profiles_and_weights_stay() -> None:
    for prefix in (PROFILES_PREFIX, WEIGHTS_PREFIX):
        assert age(f"{prefix}a", list_rules()) == {}


def test_a_mistake_can_be_undone_for_the_hot_days() -> None:
    (replaced,) = [rule for rule in list_rules() if "noncurrentVersionExpirations" in rule]
    assert (replaced.get("prefix", ""), replaced["noncurrentVersionExpirations"]) == ("", [{"days": SPEC.hot_days}])
