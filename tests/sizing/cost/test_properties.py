"""What must hold for any workload, searched for counterexamples by hypothesis."""

from decimal import Decimal

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from sizing.catalogue import catalogue
from sizing.cost.difference import compare_reports
from sizing.cost.report import ZERO, CostReport, add_up, price_design
from sizing.cost.uncertainty import Pricer
from sizing.design import COMPONENTS, Design, design
from sizing.estimate import Estimate
from sizing.workload import Workload, default_drivers
from sizing.workload_document import read_workload

COMMON = settings(max_examples=60)


def report_for(workload: Workload) -> CostReport:
    return price_design(design(workload, catalogue()))


@st.composite
def workloads(draw: st.DrawFn) -> Workload:
    """Workloads over the whole range that people plan for, exact or as ranges, in priced regions."""
    users = draw(st.integers(1, 20_000))
    spread = draw(st.sampled_from([1.0, 1.5, 3.0]))
    document: dict[str, object] = {
        "users": {"low": max(1, users / spread), "expected": users, "high": users * spread},
        "memories_per_user": draw(st.integers(1, 20_000)),
        "retrieves_per_user_day": draw(st.integers(0, 2_000)),
        "dimensions": draw(st.sampled_from([512, 768, 1024])),
        "availability_percent": draw(st.sampled_from([0.0, 99.0, 99.9, 99.99])),
        "clouds": draw(st.sampled_from([["aws"], ["alicloud"], ["aws", "alicloud"]])),
        "embedding": draw(st.sampled_from(["remote", "remote", "local-cpu"])),
    }
    if document["embedding"] == "local-cpu":
        document["dimensions"] = 1024
    return read_workload(document)


@given(workloads())
@COMMON
def test_totals_are_sums_and_corners_are_in_order(workload: Workload) -> None:
    report = report_for(workload)
    priced = [line.monthly_usd for line in report.lines if line.monthly_usd is not None]
    assert report.total.expected == sum((money.expected for money in priced), Decimal(0))
    assert report.baseline + report.usage == report.total
    by_component = ZERO
    for lines in report.by_component.values():
        by_component = by_component + add_up(lines)
    assert by_component == report.total
    by_driver = ZERO
    for money in report.by_driver.values():
        by_driver = by_driver + money
    assert by_driver == report.total
    for line in report.lines:
        assert line.quantity[0] <= line.quantity[2] or line.id.endswith("/class"), line.id
        if line.monthly_usd is not None:
            assert Decimal(0) <= line.monthly_usd.low <= line.monthly_usd.expected <= line.monthly_usd.high, line.id


@given(workloads())
@COMMON
def test_every_line_has_a_unit_and_a_source_or_says_that_it_has_none(workload: Workload) -> None:
    report = report_for(workload)
    assert len({line.id for line in report.lines}) == len(report.lines)
    for line in report.lines:
        assert line.unit
        assert line.kind in ("resource", "usage", "external")
        if line.is_priced:
            assert line.price is not None
            assert line.price.source
            assert line.price.unit == line.unit, line.id
            assert line.price.evidence in ("high", "medium", "low")
        else:
            assert line in report.unpriced
            assert line.monthly_usd is None


@given(
    st.integers(1, 19_000),
    st.integers(1, 1000),
    st.sampled_from(["single-host", "single-host-qdrant", "ha", "multi-region"]),
)
@example(14_811, 163, "ha")  # from four nodes to two of twice the size
@COMMON
def test_more_users_never_cost_less_with_the_same_components(users: int, more: int, tier: str) -> None:
    """Not so where a rule takes another component: objects beyond 100 GB in a bucket cost less than on a disk.

    Nor at the low corner: it has at most the nodes of the expected plan, which may be fewer and larger ones.
    """

    def at(count: int) -> Design:
        drivers = {**default_drivers(), "users": Estimate.exactly(count)}
        return design(Workload(drivers=drivers, clouds=("aws",), overrides={"tier": tier}), catalogue())

    few, many = at(users), at(users + more)
    assume(all(few.chosen(component) == many.chosen(component) for component in COMPONENTS))
    fewer, greater = price_design(few), price_design(many)
    # Only what is priced on both sides can be compared.
    known = {line.id for line in fewer.unpriced} | {line.id for line in greater.unpriced}
    before = add_up(line for line in fewer.lines if line.id not in known)
    after = add_up(line for line in greater.lines if line.id not in known)
    assert after.expected >= before.expected
    assert after.high >= before.high


@pytest.mark.slow
@given(workloads(), workloads())
@COMMON
def test_a_difference_is_the_difference(first: Workload, second: Workload) -> None:
    a, b = report_for(first), report_for(second)
    same = compare_reports(a, a)
    assert same.changed == ()
    assert same.delta == ZERO
    there, back = compare_reports(a, b), compare_reports(b, a)
    assert there.delta.expected == -back.delta.expected
    assert there.unknown == back.unknown
    assume(not a.unpriced and not b.unpriced)
    assert there.delta.expected == b.total.expected - a.total.expected


@given(
    workloads(),
    st.sampled_from(["memories_per_user", "retrieves_per_user_day", "memory_bytes", "peak_factor", "response_kb"]),
)
@COMMON
def test_more_of_a_driver_never_costs_less_within_a_tier(workload: Workload, driver: str) -> None:
    pricer = Pricer(design(workload, catalogue()))
    point = workload.point("expected")
    value = getattr(point, driver)
    assert pricer.total_usd(point._replace(**{driver: value * 2})) >= pricer.total_usd(point)
