"""The settings rendered from a plan: what is asked for, what is refused, where secrets are."""

from dataclasses import replace

import pytest

from infra.service import model_settings
from infra.service.configuration import AUTHORITIES_FILE, MissingAddress, ServiceAddresses, configure_service
from infra.service.providers import UnknownProvider, find_api_base, find_weights
from sizing.models import models
from sizing.regions import regions
from tests.infra.service.plans import ADDRESSES, COMPANY, PERSONAL, plan_region


def test_a_single_host_is_reached_from_itself_alone() -> None:
    settings = configure_service(plan_region(**PERSONAL), ServiceAddresses())
    assert settings.environment["REME_HTTP__HOST"] == "127.0.0.1"
    assert settings.environment["REME_STORE__BACKEND"] == "sqlite"
    assert settings.secret_names == ("admin", "llm")


def test_a_cluster_has_a_secret_for_each_server() -> None:
    settings = configure_service(plan_region(**COMPANY), ADDRESSES)
    assert settings.environment["REME_HTTP__HOST"] == "0.0.0.0"  # noqa: S104
    assert settings.secret_names == ("admin", "cache", "database", "embedding", "llm", "qdrant")


@pytest.mark.parametrize(
    ("field", "server"),
    [
        ("database_host", "PostgreSQL"),
        ("cache_host", "valkey"),
        ("vector_url", "Qdrant"),
        ("bucket", "an object store"),
    ],
)
def test_an_address_that_the_plan_needs_is_missed(field: str, server: str) -> None:
    with pytest.raises(MissingAddress, match=f"{field}.*{server}"):
        configure_service(plan_region(**COMPANY), replace(ADDRESSES, **{field: ""}))  # type: ignore[arg-type]


def test_a_server_without_tls_is_reached_in_the_clear_and_gets_no_password() -> None:
    """Such as a serverless database of Alibaba Cloud; only the stack that has one says so."""
    plan = plan_region(**COMPANY)
    plain = configure_service(plan, replace(ADDRESSES, database_tls=False)).environment
    assert plain["REME_POSTGRES__CONNECTION_STRING"].endswith("?sslmode=disable&require_auth=%21password")
    usual = configure_service(plan, ADDRESSES).environment
    assert usual["REME_POSTGRES__CONNECTION_STRING"].endswith("?sslmode=require")
    known = configure_service(plan, replace(ADDRESSES, database_authorities_url="https://example.com/a.pem"))
    assert "sslmode=verify-full" in known.environment["REME_POSTGRES__CONNECTION_STRING"]


def test_authorities_of_database_and_cache_are_fetched_once_and_told_to_the_clients() -> None:
    url = "https://example.com/chain.zip"
    settings = configure_service(
        plan_region(**COMPANY), replace(ADDRESSES, database_authorities_url=url, cache_authorities_url=url)
    )
    assert settings.preparation == {"AUTHORITIES_URLS": url}
    assert settings.environment["SSL_CERT_FILE"] == AUTHORITIES_FILE
    host = configure_service(plan_region(**PERSONAL), ServiceAddresses(cache_authorities_url=url))
    assert not host.preparation and "SSL_CERT_FILE" not in host.environment, "it has neither"


def test_an_override_wins() -> None:
    settings = configure_service(plan_region(**PERSONAL), ServiceAddresses(), overrides={"http.workers": "1"})
    assert settings.environment["REME_HTTP__WORKERS"] == "1"


def test_oss_is_reached_inside_the_cloud_with_the_machine_s_role() -> None:
    plan = plan_region(**COMPANY, clouds=["alicloud"])
    told = configure_service(plan, ADDRESSES)
    assert told.environment["REME_STORAGE__TYPE"] == "oss"
    assert told.environment["REME_STORAGE__ENDPOINT"] == "https://oss-cn-beijing-internal.aliyuncs.com"
    assert not [name for name in {**told.environment, **told.secrets} if "ACCESS_KEY" in name], "no key is handed out"
    assert "REME_STORAGE__ENDPOINT" not in configure_service(plan_region(**COMPANY), ADDRESSES).environment


def test_the_bucket_is_encrypted_with_its_key_or_its_own() -> None:
    plan = plan_region(**COMPANY)
    with_key = configure_service(plan, ADDRESSES).environment
    assert (with_key["REME_STORAGE__ENCRYPTION"], with_key["REME_STORAGE__KMS_KEY_ID"]) == ("kms", ADDRESSES.bucket_key)
    without = configure_service(plan, replace(ADDRESSES, bucket_key="")).environment
    assert without["REME_STORAGE__ENCRYPTION"] == "server"
    assert "REME_STORAGE__KMS_KEY_ID" not in without


@pytest.mark.parametrize(
    ("delete_days", "hot_days", "archived"), [(90, "7", "true"), (20, "7", "false"), (3, "3", "false")]
)
def test_what_is_deleted_early_is_not_archived(delete_days: int, hot_days: str, archived: str) -> None:
    plan = plan_region(**PERSONAL)
    plan = replace(plan, object_store=replace(plan.object_store, delete_after_days=delete_days))
    environment = configure_service(plan, ServiceAddresses()).environment
    assert environment["REME_WORKING_MEMORY__HOT_DAYS"] == hot_days
    assert environment["REME_WORKING_MEMORY__ARCHIVE_ENABLED"] == archived


def test_every_model_of_the_catalogue_can_be_reached() -> None:
    for model in models().values():
        if model.provider == "local":
            assert find_weights(model.name)
        else:
            assert find_api_base(model.name, "aws", "eu-west-1").startswith("https://")


def test_dashscope_is_asked_within_the_jurisdiction() -> None:
    assert "dashscope.aliyuncs" in find_api_base("qwen-plus", "alicloud", "cn-beijing")
    assert "dashscope-intl.aliyuncs" in find_api_base("qwen-plus", "alicloud", "ap-southeast-1")


@pytest.mark.parametrize(
    "region",
    [region for (cloud, region), place in regions().items() if (cloud, place.jurisdiction) == ("alicloud", "cn")],
)
def test_in_mainland_china_texts_are_judged_and_refused_unless_they_are(region: str) -> None:
    plan = replace(plan_region(**PERSONAL), cloud="alicloud", region=region)
    environment = configure_service(plan, ServiceAddresses()).environment
    assert {name: value for name, value in environment.items() if name.startswith("REME_MODERATION__")} == {
        "REME_MODERATION__BACKEND": "green",
        "REME_MODERATION__ON_ERROR": "refuse",
        "REME_MODERATION__REGION": region,
    }


def test_where_nobody_judges_another_region_of_mainland_china_does(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = replace(plan_region(**PERSONAL), cloud="alicloud", region="cn-shenzhen")
    monkeypatch.setattr(model_settings, "read_table", lambda name: [{"region": "cn-beijing"}])
    environment = configure_service(plan, ServiceAddresses()).environment
    assert environment["REME_MODERATION__REGION"] == "cn-beijing"


@pytest.mark.parametrize(("cloud", "region"), [("aws", "us-east-1"), ("alicloud", "ap-southeast-1")])
def test_elsewhere_no_text_leaves_for_moderation(cloud: str, region: str) -> None:
    plan = replace(plan_region(**PERSONAL), cloud=cloud, region=region)
    environment = configure_service(plan, ServiceAddresses()).environment
    assert not [name for name in environment if name.startswith("REME_MODERATION__")]


def test_an_unknown_model_names_the_table() -> None:
    with pytest.raises(UnknownProvider, match=r"'gpt-9'.*providers\.csv"):
        find_api_base("gpt-9", "aws", "us-east-1")
    with pytest.raises(UnknownProvider, match=r"weights\.csv"):
        find_weights("bge-m4")
