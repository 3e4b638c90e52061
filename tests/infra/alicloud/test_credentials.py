"""Credentials: generated where nobody needs to know them, and in no state or log in the clear."""

import pulumi_alicloud as alicloud

from infra.alicloud.credentials import Credentials, CredentialsArgs
from infra.tagging import Tags
from tests.infra.alicloud.computed import ACCOUNT
from tests.infra.recorder import Recording, record

TAGS = Tags(environment="prod", stack="alicloud-prod", more={})
PROVIDER_KEY = "the provider's key"
PARAMETER = "alicloud:oos/secretParameter:SecretParameter"


def build(*, keeps_copies: bool = True, publish: bool = False, key_id: str | None = None) -> Recording:
    def program() -> None:
        made = Credentials(
            "credentials",
            CredentialsArgs(
                generated=("admin", "database"),
                given={"llm": PROVIDER_KEY},
                region="cn-beijing",
                account=ACCOUNT,
                key_id=key_id,
                key_instance_id="kst-1" if key_id else "",
                tags=TAGS,
                protect=True,
                keeps_copies=keeps_copies,
            ),
        )
        assert set(made.secret_arns) == {"admin", "database", "llm"}
        assert set(made.values) == {"admin", "database"}
        if publish:
            alicloud.vpc.Network("address", tags={"arn": made.secret_arns["llm"]})
            alicloud.vpc.Network("password", tags={"word": made.values["database"]})

    return record(program, region="cn-beijing")


def test_every_value_is_a_secret_from_its_making_to_its_store() -> None:
    stored = build().of(PARAMETER)
    assert {each.name for each in stored} == {f"credentials-{name}-secret" for name in ("admin", "database", "llm")}
    assert all(each.secret == {"value"} for each in stored)
    assert {each.props["secretParameterName"] for each in stored} == {
        f"reme-cloud/alicloud-prod/{name}" for name in ("admin", "database", "llm")
    }


def test_secrets_are_protected_and_stay_where_copies_are_kept() -> None:
    for keeps_copies in (True, False):
        assert {(each.protect, each.retain) for each in build(keeps_copies=keeps_copies).of(PARAMETER)} == {
            (True, keeps_copies)
        }


def test_a_key_of_ours_is_named_with_its_instance_and_the_service_s_own_is_used_else() -> None:
    own = build(key_id="key-1").of(PARAMETER)
    assert {(each.props["keyId"], each.props["dkmsInstanceId"]) for each in own} == {("key-1", "kst-1")}
    assert not any({"keyId", "dkmsInstanceId"} & each.props.keys() for each in build().of(PARAMETER))


def test_generated_passwords_are_taken_by_rds_and_tair_and_the_admin_key_has_its_form() -> None:
    found = build()
    made = found.one("random:index/randomPassword:RandomPassword", "credentials-database-password").props
    assert (made["special"], made["length"]) == (False, 32)
    assert min(made["minUpper"], made["minLower"], made["minNumeric"]) >= 1
    stored = found.one(PARAMETER, "credentials-admin-secret")
    assert stored.props["value"] == "rk_generated-by-the-test"


def test_an_address_is_no_secret_and_a_value_is_one_wherever_it_goes() -> None:
    found = build(publish=True)
    address = found.one("alicloud:vpc/network:Network", "address")
    assert "tags" not in address.secret
    assert address.props["tags"]["arn"] == (
        f"acs:oos:cn-beijing:{ACCOUNT}:secretparameter/reme-cloud/alicloud-prod/llm"
    )
    assert "tags" in found.one("alicloud:vpc/network:Network", "password").secret


def test_arguments_do_not_show_what_was_given() -> None:
    args = CredentialsArgs(
        region="cn-beijing", account=ACCOUNT, tags=TAGS, protect=True, keeps_copies=True, given={"llm": PROVIDER_KEY}
    )
    assert PROVIDER_KEY not in repr(args)
