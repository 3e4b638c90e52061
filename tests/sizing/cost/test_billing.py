"""Quantities that once were wrong, worked out by hand."""

from decimal import Decimal

import pytest

from sizing.billing import alicloud, aws
from sizing.billing.charge import Bill
from sizing.catalogue import catalogue
from sizing.cost.report import CostLine, CostReport, price_design
from sizing.cost.strategies import weigh_strategies
from sizing.design import design
from sizing.measures import DAYS_PER_MONTH
from sizing.planner import size
from sizing.regions import regions
from sizing.workload_document import read_workload


def report_for(**document: object) -> CostReport:
    return price_design(design(read_workload(document), catalogue()))


def line(report: CostReport, ending: str) -> CostLine:
    found = [entry for entry in report.lines if entry.id.endswith(ending)]
    assert len(found) == 1, ending
    return found[0]


def warnings(**document: object) -> set[str]:
    return {reason.code for reason in size(read_workload(document)).warnings}


def test_an_isolated_region_holds_and_embeds_its_own_users_memories_only() -> None:
    places = [{"region": "aws:us-east-1", "nodes": 3}, {"region": "alicloud:cn-beijing", "nodes": 3}]
    plan = size(read_workload({"users": 500, "regions": places}))
    assert [region.load.memories for region in plan.regions] == [250_000, 250_000]
    both = size(read_workload({"users": 500, "regions": [places[0], {"region": "aws:eu-west-1", "nodes": 3}]}))
    assert [region.load.memories for region in both.regions] == [500_000, 500_000]


def test_the_database_service_keeps_thirty_five_days_and_the_bucket_every_week() -> None:
    plan = size(read_workload({"users": 500, "memories_per_user": 4000})).primary
    rows_bytes, vector_bytes, index_bytes = 1.5 * (20_000 - 4096), 8192 * 2 / 3, 8192 / 3
    data_gb = 2_000_000 * (rows_bytes + vector_bytes + index_bytes) / 1e9 + 0.0308
    assert plan.backup.stock_gb == pytest.approx(data_gb * (1 + 0.02 * 35), abs=0.01)
    assert plan.backup.dumps_gb == pytest.approx(90 / 7 * 40 * 0.5, abs=0.01)
    billed = line(report_for(users=500, memories_per_user=4000), "backup/database/rds/backup")
    assert float(billed.quantity[1]) == pytest.approx(plan.backup.stock_gb - plan.database.storage_gb, abs=0.01)


@pytest.mark.parametrize(
    ("to_day", "object_kb", "gb_months"),
    [(30, 250, 0.0), (40, 250, 30 / DAYS_PER_MONTH), (90, 250, 60 / DAYS_PER_MONTH), (90, 64, 120 / DAYS_PER_MONTH)],
)
def test_infrequent_access_bills_thirty_days_and_128_kb_at_least(
    to_day: float, object_kb: float, gb_months: float
) -> None:
    assert aws.infrequent_gb(1.0, 30, to_day, object_kb) == pytest.approx(gb_months)
    assert alicloud.infrequent_gb(1.0, 30, to_day, 64) == pytest.approx(gb_months if object_kb > 64 else gb_months / 2)


def test_tiering_small_objects_costs_more_than_it_saves() -> None:
    drawn = design(read_workload({"users": 500}), catalogue())
    found = {o.name: o.saved_usd for o in weigh_strategies(drawn, price_design(drawn))}
    standard = Decimal("0.91")  # 39.49 GB x 0.023
    tiered = Decimal("0.34") + Decimal("0.31") + Decimal("0.50")
    assert found["storage-tiers"] is not None
    assert abs(found["storage-tiers"] - (standard - tiered)) <= Decimal("0.02")


def test_egress_and_distribution_follow_the_steps() -> None:
    bill = Bill(regions()["aws", "us-east-1"])
    aws.egress(bill, "e", 60_000)
    aws.distribution(bill, "d", 60_000, 0)
    quantities = {(charge.service, charge.sku): charge.quantity for charge in bill}
    assert quantities["egress", "internet:first-10tb"] == 10_240
    assert quantities["egress", "internet:next-40tb"] == 40_960
    assert quantities["egress", "internet:next-100tb"] == 8_800
    assert quantities["cloudfront", "egress:next-100tb"] == 8_800


def test_a_distribution_costs_what_its_edges_cost() -> None:
    prices = catalogue()
    singapore = prices.usd("aws", "cloudfront", "egress:first-10tb", "ap-southeast-1")
    assert singapore == Decimal("0.120")
    assert prices.usd("aws", "cloudfront", "egress:first-10tb", "eu-west-1") == Decimal("0.085")


def test_a_network_balancer_is_billed_as_one() -> None:
    report = report_for(users=500, overrides={"balancer": "nlb"}, response_kb=1, request_kb=1)
    assert line(report, "balancer/balancer/nlb/nlcu").unit == "NLCU-hour"
    other = report_for(users=500, clouds=["alicloud"], overrides={"balancer": "nlb"})
    assert line(other, "balancer/balancer/nlb/balancer").monthly_usd is None


def test_replication_to_another_cloud_leaves_over_the_internet() -> None:
    report = report_for(users=5000)
    inside = line(report, "aws:us-east-1/network/replication/egress/inter-region")
    outside = line(report, "aws:us-east-1/network/egress/egress/internet:first-10tb")
    assert outside.quantity[1] > inside.quantity[1] > 0


def test_prompts_to_model_providers_are_egress() -> None:
    few, many = (report_for(users=500, task_input_tokens=tokens) for tokens in (0, 100_000))
    ending = "network/egress/egress/internet:first-10tb"
    assert line(many, ending).quantity[1] > line(few, ending).quantity[1]


def test_cached_input_without_a_price_of_its_own_costs_the_input_price() -> None:
    plain, cached = (report_for(users=500, llm_cached_input_share=share) for share in (0, 0.5))
    assert not cached.unpriced
    assert abs(plain.total.expected - cached.total.expected) <= Decimal("0.02")


def test_gateways_never_outnumber_the_nodes() -> None:
    plan = size(read_workload({"users": 5000, "clouds": ["aws"]}))
    assert [region.network.nat_gateways for region in plan.regions] == [3, 2, 2]


def test_every_node_without_a_gateway_has_its_own_address() -> None:
    network = size(read_workload({"users": 500, "overrides": {"nat": "none"}})).primary.network
    assert network.public_addresses == 2 + 2


def test_what_is_too_small_for_the_load_says_so() -> None:
    assert "warning-database-small" in warnings(users=100_000, clouds=["aws"])
    assert "warning-one-node" in warnings(
        users=500, regions=[{"region": "aws:us-east-1", "nodes": 1}], overrides={"tier": "ha"}
    )
    crowded = {"users": 3_000_000, "retrieves_per_user_day": 200, "overrides": {"tier": "ha"}}
    assert "warning-compute-small" in warnings(**crowded, regions=[{"region": "aws:us-east-1", "nodes": 1}])
    assert not {code for code in warnings(users=500) if code.endswith("-small")}


def test_what_moves_with_the_memories_is_driven_by_them() -> None:
    report = report_for(users=500)
    for ending in (
        "database/instance/rds-postgres/class",
        "database/instance/rds/storage:multi-az",
        "vector_store/node/ec2/class",
    ):
        assert line(report, ending).driver == "memories"


def test_alibaba_lists_what_it_plans_even_without_a_price() -> None:
    report = report_for(users=500, clouds=["alicloud"])
    for ending in ("security/secret/oos/secret-parameter", "monitoring/alarm/cloudmonitor/alarm"):
        assert line(report, ending).monthly_usd is None
