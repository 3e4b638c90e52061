"""The stores' values are those of the pages (`infra/data/alicloud_facts_data.csv`), their price is the plan's, and the
policies of production have nothing against them."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal

import pytest

from infra.alicloud import cache, database
from infra.alicloud.credentials import PASSWORD_LENGTH
from infra.service.configuration import APSARADB_AUTHORITIES_URL
from infra.tables import read_table
from policies.judgement import judge
from policies.settings import PolicySettings
from sizing.billing import alicloud
from sizing.billing.charge import Bill
from sizing.capacity import SERVERLESS_MAX_UNITS
from sizing.instances import instances
from sizing.plan import DatabaseSpec
from sizing.planner import size
from sizing.pricing.pricer import price_graph
from sizing.regions import regions
from sizing.workload_document import read_workload
from tests.infra.alicloud import test_cache, test_database
from tests.infra.alicloud.billables import COUNTS
from tests.infra.recorded_graph import read_recording
from tests.infra.recorder import Recording

CHECKED: Mapping[str, Mapping[str, str]] = {
    "alicloud:rds/instance:Instance": {
        "engine": "database engine",
        "engineVersion": "database version",
        "instanceChargeType": "database charge",
        "dbInstanceStorageType": "database storage",
        "storageAutoScale": "storage growth",
        "storageThreshold": "storage threshold percent",
        "sslAction": "database ssl",
        "caType": "database ca",
        "tdeStatus": "database tde",
        "sqlCollectorStatus": "collector status",
        "sqlCollectorConfigValue": "collector days",
        "monitoringPeriod": "monitoring interval s",
        "autoUpgradeMinorVersion": "minor versions",
        "releasedKeepPolicy": "released backups",
    },
    "alicloud:rds/rdsAccount:RdsAccount": {"accountType": "account type"},
    "alicloud:redis/tairInstance:TairInstance": {
        "instanceType": "cache series",
        "engineVersion": "cache version",
        "instanceClass": "cache class",
        "nodeType": "cache nodes",
        "paymentType": "cache payment",
        "sslEnabled": "cache tls",
        "tdeStatus": "cache tde",
        "vpcAuthMode": "cache passwords",
        "effectiveTime": "cache changes",
    },
}
EDITIONS = (
    test_database.SERVERLESS,
    replace(test_database.SERVERLESS, multi_zone=False),
    test_database.INSTANCE,
)
REGION = "cn-hangzhou"


def find_facts(kind: str) -> list[str]:
    return [row["value"] for row in read_table("alicloud_facts_data.csv") if row["kind"] == kind]


def find_limits(kind: str) -> tuple[float, float]:
    least, most = (float(each) for each in find_facts(kind))
    return least, most


def list_recordings() -> Iterator[Recording]:
    yield from (test_database.build(spec=spec) for spec in EDITIONS)
    yield test_cache.build()


def test_each_value_is_one_that_a_page_names() -> None:
    met = set()
    for recording in list_recordings():
        for each in recording:
            for name, kind in CHECKED.get(each.type, {}).items():
                if name in each.props:
                    value = each.props[name]
                    text = f"{value:g}" if isinstance(value, float) else str(value)
                    assert text in find_facts(kind), f"{each.name}: {name} is {text}"
                    met.add((each.type, name))
    assert met == {(type_, name) for type_, names in CHECKED.items() for name in names}


def test_an_edition_has_its_own_categories_classes_and_versions() -> None:
    for spec in EDITIONS:
        props = test_database.build(spec=spec).one("alicloud:rds/instance:Instance").props
        kind = "serverless" if spec.edition == "serverless" else "database"
        assert props["category"] in find_facts(f"{kind} category")
        assert props["instanceType"] in find_facts(f"{kind} class")
        assert props["engineVersion"] in find_facts(f"{kind} version")
    assert {each.name for each in instances("alicloud", "rds")} <= set(find_facts("database class"))


def test_numbers_keep_to_the_limits() -> None:
    assert find_limits("serverless units limit")[1] == SERVERLESS_MAX_UNITS
    assert [int(each) for each in find_facts("backup days limit")] == list(database.BACKUP_DAYS_LIMITS)
    assert {str(each) for each in database.COLLECTED_DAYS} == set(find_facts("collector days")) - {"30"}
    least, most = find_limits("account password limit")
    assert least <= PASSWORD_LENGTH <= most
    least, most = find_limits("cache port limit")
    assert least <= cache.PORT <= most
    assert find_facts("authorities") == [APSARADB_AUTHORITIES_URL]


@pytest.mark.parametrize("users", [500, 5000])
def test_the_plans_storage_units_and_classes_are_sold(users: int) -> None:
    plan = size(read_workload({"users": users, "clouds": ["alicloud"]})).primary
    least, most = find_limits("database storage limit gb")
    assert least <= plan.database.storage_gb <= most
    assert plan.database.storage_gb % int(find_facts("database storage step gb")[0]) == 0
    assert plan.database.edition == "instance" or plan.database.capacity_units <= SERVERLESS_MAX_UNITS
    assert plan.database.capacity_units == int(plan.database.capacity_units), "the most units are a whole number"
    assert plan.cache.node_class in find_facts("cache class")


def sum_bill(bill: Bill) -> dict[tuple[str, str], Decimal]:
    """What is due without use."""
    found = {(each.service, each.sku): each.quantity for each in bill.charges if each.kind == "resource"}
    return {key: Decimal(str(round(quantity, 6))) for key, quantity in found.items() if quantity}


@pytest.mark.parametrize("spec", EDITIONS, ids=["serverless", "alone", "instance"])
def test_the_database_costs_what_the_plan_says(spec: DatabaseSpec) -> None:
    bill = Bill(regions()["alicloud", REGION])
    if spec.edition == "serverless":
        alicloud.serverless_database(
            bill, "database/instance", spec.capacity_units, spec.storage_gb, multi_zone=spec.multi_zone
        )
    else:
        alicloud.database(bill, "database/instance", spec.instance_class, spec.storage_gb)
    check(test_database.build(spec=spec), bill)


def test_the_cache_costs_what_the_plan_says() -> None:
    bill = Bill(regions()["alicloud", REGION])
    alicloud.cache(bill, "cache/node", test_cache.SPEC.node_class, test_cache.SPEC.nodes)
    check(test_cache.build(), bill)


def check(recording: Recording, bill: Bill) -> None:
    """The resources counted here and priced as a preview prices them come to the bill's quantities."""
    counted: dict[tuple[str, str], Decimal] = {}
    for each in recording:
        if each.type in COUNTS:
            counted |= {sku: Decimal(str(round(gb, 6))) for sku, gb in COUNTS[each.type](each, recording).items()}
    assert counted == sum_bill(bill)
    cost = price_graph(read_recording(recording, "alicloud-prod", REGION))
    priced = {(line.service, line.sku): line.quantity[0] for line in cost.lines if line.kind == "resource"}
    assert {sku: round(quantity, 6) for sku, quantity in priced.items() if quantity} == counted


@pytest.mark.parametrize(
    ("spec", "broken"),
    [
        (test_database.INSTANCE, set()),
        (test_database.SERVERLESS, {"tls-to-data", "encrypt-with-own-keys"}),
    ],
    ids=["instance", "serverless"],
)
def test_a_fixed_class_keeps_the_rules_of_production_and_a_serverless_one_cannot(
    spec: DatabaseSpec, broken: set[str]
) -> None:
    graph = read_recording(test_database.build(spec=spec, log_days=365), "alicloud-prod", REGION)
    assert {each.rule for each in judge(graph, PolicySettings(environment="prod"))} == broken


def test_the_cache_keeps_the_rules_of_production() -> None:
    graph = read_recording(test_cache.build(), "alicloud-prod", REGION)
    assert judge(graph, PolicySettings(environment="prod")) == ()
