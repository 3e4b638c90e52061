"""A balancer's capacity units: the largest of four dimensions, each a rate, over the hours of a month."""

import pytest

from sizing.billing.aws import lcu_hours, nlcu_hours

from .reproduction import infracost_lcu_hours
from .resources import capacity_unit_hours

IDLE = {"new_per_second": 0.0, "active": 0.0, "gb_per_hour": 0.0, "rule_evaluations_per_second": 0.0}


@pytest.mark.parametrize(
    ("dimension", "one_unit"),
    [
        ("new_per_second", 25.0),
        ("active", 3000.0),
        ("gb_per_hour", 1.0),
        ("rule_evaluations_per_second", 1000.0),
    ],
)
def test_each_dimension_of_an_application_balancer(dimension: str, one_unit: float) -> None:
    assert lcu_hours(**{**IDLE, dimension: one_unit}) == pytest.approx(730.0)
    assert lcu_hours(**{**IDLE, dimension: 3 * one_unit}, hours=2) == pytest.approx(6.0)


def test_the_largest_dimension_is_billed_alone() -> None:
    assert lcu_hours(
        new_per_second=50.0, active=3000.0, gb_per_hour=1.5, rule_evaluations_per_second=500.0, hours=1
    ) == pytest.approx(2.0)
    assert lcu_hours(**IDLE) == 0.0


@pytest.mark.parametrize(
    ("new", "active", "gb_per_hour", "units"),
    [(800, 0, 0, 1), (0, 200_000, 0, 2), (0, 0, 3, 3), (800, 250_000, 1, 2.5)],
)
def test_dimensions_of_a_network_balancer(new: float, active: float, gb_per_hour: float, units: float) -> None:
    hours = nlcu_hours(new_per_second=new, active=active, gb_per_hour=gb_per_hour)
    assert hours == pytest.approx(730 * units)


def test_the_published_example_in_one_unit_and_in_theirs() -> None:
    usage = {"new_connections": 10_000, "active_connections": 1000, "processed_bytes_gb": 1000, "rule_evaluations": 300}
    application = {"load_balancer_type": "application", **usage}
    assert capacity_unit_hours(application) * 0.008 == pytest.approx(2336.0)
    assert infracost_lcu_hours(application) * 0.008 == pytest.approx(8.0)
    network = {**application, "load_balancer_type": "network"}
    assert capacity_unit_hours(network) * 0.006 == pytest.approx(54.75)
    assert infracost_lcu_hours(network) * 0.006 == pytest.approx(6.0)


@pytest.mark.parametrize(
    ("key", "quantity", "theirs"),
    [
        ("new_connections", 700, 7),
        ("active_connections", 9000, 3),
        ("processed_bytes_gb", 5, 5),
        ("rule_evaluations", 4000, 4),
    ],
)
def test_each_dimension_of_infracosts_rule(key: str, quantity: float, theirs: float) -> None:
    assert infracost_lcu_hours({"load_balancer_type": "application", key: quantity}) == theirs
