"""Bills of the four scenarios against figures worked out by hand."""

from decimal import Decimal

import pytest

from sizing.assessment import assess
from sizing.catalogue import catalogue
from sizing.cost.planning import planning_figures
from sizing.cost.report import CostReport, price_design
from sizing.design import design
from sizing.errors import ImpossiblePlan
from sizing.selection import candidates
from sizing.workload_document import read_workload
from tests.conftest import SCENARIOS, TODAY


def report_for(**document: object) -> CostReport:
    return price_design(design(read_workload(document), catalogue()))


def amount(report: CostReport, ending: str) -> Decimal:
    found = [line for line in report.lines if line.id.endswith(ending)]
    assert len(found) == 1, ending
    assert found[0].monthly_usd is not None
    return found[0].monthly_usd.expected


def test_the_single_host_by_hand() -> None:
    report = report_for(users=50)
    assert amount(report, "compute/node/ec2/class") == Decimal("30.37")  # 730 h x 0.0416
    assert amount(report, "compute/data-disk/ebs/gp3") == Decimal("4.00")  # 50 GB x 0.08
    assert amount(report, "network/address/public-ipv4/address") == Decimal("3.65")  # 730 h x 0.005
    assert amount(report, "llm/qwen3-30b-a3b-instruct-2507/llm/qwen3-30b-a3b-instruct-2507:input") == Decimal("0.54")


def test_high_availability_by_hand() -> None:
    report = report_for(users=500)
    assert amount(report, "compute/node/ec2/class") == Decimal("248.20")  # 2 x 730 x 0.17
    assert amount(report, "cache/node/elasticache/class") == Decimal("37.38")  # 2 x 730 x 0.0256
    assert amount(report, "balancer/balancer/alb/balancer") == Decimal("16.43")  # 730 x 0.0225, half up
    assert amount(report, "network/nat/nat/gateway") == Decimal("32.85")  # 730 x 0.045
    assert amount(report, "security/secret/secretsmanager/secret") == Decimal("3.20")  # 8 x 0.40


def test_alibaba_serverless_bills_two_instances() -> None:
    report = report_for(users=500, clouds=["alicloud"])
    line = next(line for line in report.lines if line.sku == "rcu")
    assert line.quantity[1] == 4 * 2 * 730
    assert line.monthly_usd is not None
    assert line.monthly_usd.expected == Decimal("290.25")  # 5840 x 0.0497


def test_what_has_no_price_is_said_and_left_out() -> None:
    report = report_for(users=500, clouds=["alicloud"])
    names = {line.id.rpartition("/")[0].partition("/")[2] for line in report.unpriced}
    assert "cache/node/tair" in names
    assert all(line.monthly_usd is None for line in report.unpriced)
    assert report.total.expected == sum(
        (line.monthly_usd.expected for line in report.lines if line.monthly_usd is not None), Decimal(0)
    )


def test_a_larger_class_at_the_high_corner_stays_one_line() -> None:
    report = report_for(users="500..500..990", memories_per_user="1000..1000..9000")
    line = next(line for line in report.lines if line.id.endswith("database/instance/rds-postgres/class"))
    assert line.high_sku != line.sku
    assert line.monthly_usd is not None
    assert line.monthly_usd.high > line.monthly_usd.expected


def test_each_region_embeds_every_memory_with_its_own_model() -> None:
    report = report_for(users=5000)
    models = {line.sku for line in report.lines if line.component == "embedding"}
    assert models == {"text-embedding-3-small", "text-embedding-v3"}
    assert len([line for line in report.lines if line.component == "embedding"]) == 3


@pytest.mark.parametrize(
    "component", ["database", "vector_store", "object_store", "cache", "balancer", "monitoring", "nat"]
)
@pytest.mark.parametrize("cloud", ["aws", "alicloud"])
@pytest.mark.parametrize("users", [50, 500])
def test_every_candidate_is_billed_or_refused(component: str, cloud: str, users: int) -> None:
    """No candidate crashes: it is priced, its lines say that they have no price, or it cannot work."""
    for candidate in candidates(component):
        try:
            report = report_for(users=users, clouds=[cloud], overrides={component: candidate})
        except ImpossiblePlan as error:
            assert "Possible:" in str(error) or "Choose" in str(error)
            continue
        assert report.total.expected > 0


@pytest.mark.parametrize(
    ("name", "total", "components"),
    [("small", 41, 5), ("team", 150, 0), ("medium", 430, 6), ("large", 3700, 7)],
)
def test_the_planning_figures_are_the_documents(name: str, total: int, components: int) -> None:
    figure = planning_figures()[name]
    assert figure.total_usd == total
    assert len(figure.lines) == components
    if components:
        assert sum(line.monthly_usd for line in figure.lines) == total


def test_quoted_percentages_stand_beside_the_computed_ones() -> None:
    large = {line.component: line for line in planning_figures()["large"].lines}
    assert (large["vector_store"].quoted_percent, large["vector_store"].percent) == (13, Decimal("13.5"))
    assert (large["monitoring"].quoted_percent, large["monitoring"].percent) == (1, Decimal("1.6"))


@pytest.mark.parametrize("name", list(SCENARIOS))
def test_the_scenarios_meet_their_planning_tier(name: str) -> None:
    figures = {"personal": "small", "team": "team", "company": "medium", "platform": "large"}
    assert assess(SCENARIOS[name], today=TODAY).planning.name == figures[name]
