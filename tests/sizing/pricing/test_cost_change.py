"""Before and after: the identities that hold for every pair of stacks."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from sizing.cost.report import ZERO, Money, add_up
from sizing.graph.difference import preview_changes
from sizing.graph.resources import Resource, ResourceGraph, build_graph
from sizing.pricing.cost_change import NOTHING, compare_costs
from sizing.pricing.pricer import price_graph
from sizing.pricing.quotation import Totals
from tests.sizing.graph.strategies import graphs, resources
from tests.sizing.graph.test_documents import open_preview
from tests.sizing.pricing.stacks import graph_of, make

CORNERS = ("low", "expected", "high")


def negate(totals: Totals) -> Totals:
    return NOTHING - totals


def test_a_preview_costs_what_its_changes_cost() -> None:
    preview = open_preview("preview.json")
    change = compare_costs(price_graph(preview.before), price_graph(preview.after), preview_changes(preview))
    found = {each.name: each.delta for each in change.resources}
    assert {name: delta.total.expected for name, delta in found.items() if delta and delta != NOTHING} == {
        "db": Decimal("52.47"),
        "site-host": Decimal("31.97"),
        "nat": Decimal("-32.85"),
        "address": Decimal("3.65"),
    }
    assert "key" not in found and found["renamed-key"] == NOTHING
    assert found["computed"] is None
    assert change.total.partial
    assert change.components["database"].delta.baseline.expected == Decimal("52.47")
    assert [each.name for each in change.changed] == ["db", "nat", "site-host", "address", "computed"]


def test_lines_of_no_resource_count_once() -> None:
    graph = graph_of(make("aws:kms/key"))
    more = price_graph(graph_of(make("aws:ec2/eip"))).lines
    change = compare_costs(price_graph(graph), price_graph(graph, more=more))
    assert change.total.delta.total.expected == Decimal("3.65")
    assert change.components["network"].delta.total.expected == Decimal("3.65")
    assert change.types["more"].delta.total.expected == Decimal("3.65")
    assert change.resources[0].delta == NOTHING


@given(graphs())
def test_totals_are_the_sums_of_lines_and_counts_of_resources(graph: ResourceGraph) -> None:
    cost = price_graph(graph)
    assert cost.totals.total == add_up(cost.lines)
    assert cost.totals.baseline == add_up(line for line in cost.lines if line.kind == "resource")
    assert sum(cost.counts.values()) == len(graph.custom)
    assert len({line.id for line in cost.lines}) == len(cost.lines)


@given(graphs(), graphs())
def test_the_way_back_costs_the_opposite(before: ResourceGraph, after: ResourceGraph) -> None:
    first, second = price_graph(before), price_graph(after)
    there, back = compare_costs(first, second), compare_costs(second, first)
    assert there.total.delta == negate(back.total.delta)
    opposite = {each.urn: each.delta for each in back.resources}
    for each in there.resources:
        delta, other = each.delta, opposite[each.urn]
        assert other is None if delta is None else other == negate(delta)
    for groups, others in ((there.components, back.components), (there.types, back.types)):
        assert {name: shift.delta for name, shift in groups.items()} == {
            name: negate(shift.delta) for name, shift in others.items()
        }
        total = NOTHING
        for shift in groups.values():
            total = total + shift.delta
        assert total == there.total.delta


@given(graphs())
def test_nothing_changes_against_itself(graph: ResourceGraph) -> None:
    cost = price_graph(graph)
    change = compare_costs(cost, cost)
    assert change.total.delta == NOTHING and not change.changed


@given(graphs(), st.integers(20, 39).flatmap(lambda number: resources(f"r-{number}")))
def test_another_resource_never_lowers_the_cost(graph: ResourceGraph, more: Resource) -> None:
    before = price_graph(graph).totals.total
    after = price_graph(build_graph(graph.stack, (*graph, more))).totals.total
    assert all(getattr(after, corner) >= getattr(before, corner) for corner in CORNERS)


@given(graphs())
def test_the_corners_are_in_order_and_the_unknown_stays_unknown(graph: ResourceGraph) -> None:
    for each in price_graph(graph).resources:
        money: Money = each.total
        assert ZERO.low <= money.low <= money.expected <= money.high
        if each.status in ("by-use", "free", "unsupported"):
            assert not each.lines
        if each.status != "priced":
            assert each.reason
