"""Credentials: generated where nobody needs to know them, and in no state or log in the clear."""

import pulumi_aws as aws

from infra.aws.credentials import Credentials, CredentialsArgs
from infra.tagging import Tags
from tests.infra.recorder import Recording, record

TAGS = Tags(environment="prod", stack="aws-prod", more={})
PROVIDER_KEY = "the provider's key"


def build(*, protect: bool = True, keeps_copies: bool = True, publish: bool = False) -> Recording:
    def program() -> None:
        made = Credentials(
            "credentials",
            CredentialsArgs(
                generated=("admin", "database"),
                given={"llm": PROVIDER_KEY},
                kms_key_arn="arn:key",
                tags=TAGS,
                protect=protect,
                keeps_copies=keeps_copies,
            ),
        )
        assert set(made.secret_arns) == {"admin", "database", "llm"}
        assert set(made.values) == {"admin", "database"}
        if publish:
            aws.ec2.Vpc("address", tags={"arn": made.secret_arns["llm"]})
            aws.ec2.Vpc("password", tags={"word": made.values["database"]})

    return record(program)


def test_every_value_is_a_secret_from_its_making_to_its_store() -> None:
    versions = build().of("aws:secretsmanager/secretVersion:SecretVersion")
    assert {each.name for each in versions} == {
        f"credentials-{name}-version" for name in ("admin", "database", "llm")
    }, "the database's password is stored by what knows its address"
    assert all(each.secret == {"secretString"} for each in versions)


def test_secrets_lie_under_our_key_and_can_be_brought_back() -> None:
    for protect, keeps_copies, days in ((True, True, 30), (False, True, 30), (False, False, 7)):
        secrets = build(protect=protect, keeps_copies=keeps_copies).of("aws:secretsmanager/secret:Secret")
        assert len(secrets) == 3
        for secret in secrets:
            assert secret.props["kmsKeyId"] == "arn:key"
            assert (secret.protect, secret.props["recoveryWindowInDays"]) == (protect, days)


def test_generated_passwords_need_no_escapes_and_the_admin_key_has_its_form() -> None:
    found = build()
    made = found.one("random:index/randomPassword:RandomPassword", "credentials-database-password").props
    assert made["special"] is False
    assert 16 <= made["length"] <= 128
    admin = found.one("random:index/randomPassword:RandomPassword", "credentials-admin-password").props
    assert (admin["length"], admin["overrideSpecial"]) == (32, "0123456789abcdef")
    assert not any(admin[kind] for kind in ("upper", "lower", "numeric"))
    stored = found.one("aws:secretsmanager/secretVersion:SecretVersion", "credentials-admin-version")
    assert stored.props["secretString"] == "rk_generated-by-the-test"


def test_an_address_is_no_secret_and_a_value_is_one_wherever_it_goes() -> None:
    found = build(publish=True)
    address = found.one("aws:ec2/vpc:Vpc", "address")
    assert "tags" not in address.secret
    assert address.props["tags"]["arn"].startswith("arn:aws:secretsmanager:")
    assert "tags" in found.one("aws:ec2/vpc:Vpc", "password").secret


def test_arguments_do_not_show_what_was_given() -> None:
    args = CredentialsArgs(tags=TAGS, protect=True, keeps_copies=True, given={"llm": PROVIDER_KEY})
    assert PROVIDER_KEY not in repr(args)
