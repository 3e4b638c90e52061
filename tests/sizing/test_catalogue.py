"""The price catalogue that ships: sound rows, honest gaps, look-ups with their fallbacks."""

from datetime import date
from decimal import Decimal

import pytest

from sizing.catalogue import EVIDENCE, Catalogue, catalogue, exchange_rates, load_catalogue, read_prices
from sizing.models import models
from sizing.regions import regions
from sizing.tables import DATA, read_table, table_names

FILES = sorted((DATA / "prices").glob("*.csv"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_shipped_row_passes_the_checks(path: "object") -> None:
    prices, checks = read_prices(path, exchange_rates())  # type: ignore[arg-type]
    assert prices
    for price in [*prices, *checks]:
        assert price.source
        assert price.evidence in EVIDENCE
        assert (price.usd is None) == (price.evidence == "none")


def test_no_key_stands_in_two_files_and_every_check_has_its_price() -> None:
    counted = sum(len(read_prices(path, exchange_rates())[0]) for path in FILES)
    assert counted == len(catalogue().prices)
    assert {check.key for check in catalogue().checks} <= set(catalogue().prices)


def test_prices_keep_their_own_currency_and_show_the_rate() -> None:
    price = catalogue().find("alicloud", "ecs", "ecs.c6.large", "cn-beijing", "cn-mainland")
    assert price is not None
    assert (price.amount, price.currency, price.per_usd) == (Decimal("0.39"), "CNY", Decimal("7.0"))
    assert price.usd == Decimal("0.39") / 7


def test_a_look_up_tries_region_group_and_everywhere() -> None:
    found = catalogue()
    assert found.usd("alicloud", "oss", "standard-lrs", "cn-shenzhen", "cn-mainland") == Decimal("0.12") / 7
    assert found.usd("openai", "llm", "gpt-4o-mini:input", "eu-west-1") == Decimal("0.15")
    unknown = found.find("alicloud", "tair", "tair.rdb.1g", "cn-beijing", "cn-mainland")
    assert unknown is not None
    assert unknown.usd is None
    assert found.find("aws", "nothing", "of-the-kind", "us-east-1") is None


def test_age_counts_from_the_earliest_day_that_the_date_allows() -> None:
    price = catalogue().find("aws", "ec2", "t3.medium", "us-east-1")
    assert price is not None
    assert price.age_days(date(2026, 7, 30)) == 10
    assert not price.is_stale(date(2026, 7, 30))
    assert price.is_stale(date(2027, 7, 30))


def test_every_model_has_both_prices_or_none() -> None:
    for model in models().values():
        if model.kind == "llm":
            both = [
                catalogue().usd(model.price_provider, "llm", f"{model.name}:{way}", "global")
                for way in ("input", "output")
            ]
            assert all(usd is not None for usd in both), model.name


def test_every_region_knows_its_pair() -> None:
    for region in regions().values():
        if region.pair:
            other = "alicloud" if region.cloud == "aws" else "aws"
            assert (other, region.pair) in regions(), region.key


def test_own_rates_leave_dollars_alone() -> None:
    dear = load_catalogue(rates=("CNY=14",))
    assert dear.usd("alicloud", "ecs", "ecs.c6.large", "cn-beijing", "cn-mainland") == Decimal("0.39") / 14
    assert dear.usd("aws", "ec2", "t3.medium", "us-east-1") == Decimal("0.0416")


def test_an_empty_catalogue_knows_nothing() -> None:
    assert Catalogue({}).usd("aws", "ec2", "t3.medium", "us-east-1") is None


def test_every_table_reads_and_has_rows() -> None:
    for name in table_names():
        assert read_table(name), name
