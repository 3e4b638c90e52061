"""Changes and costs of two small graphs, as the result tells them."""

from decimal import Decimal

import pytest

from infra.preview.changes import KNOWN_LATER, MAX_VALUE, count_unchanged, describe_changes, show_value
from infra.preview.costs import describe_costs
from infra.preview.spending import StackCost
from sizing.graph.difference import find_changes
from sizing.graph.resources import UNKNOWN, ResourceGraph
from sizing.pricing.cost_change import compare_costs
from sizing.pricing.pricer import price_graph
from tests.infra.preview.graphs import BUCKET, graph, instance, resource


def costs(before: ResourceGraph, after: ResourceGraph, *, new: bool = False, removed: bool = False) -> StackCost:
    """The described costs of two graphs."""
    return describe_costs(compare_costs(price_graph(before), price_graph(after)), is_new=new, is_removed=removed)


def test_a_larger_machine() -> None:
    found = costs(graph(instance()), graph(instance(kind="t3.large")))
    (row,) = found.rows
    assert row.component == "compute"
    # t3.medium $0.0416 and t3.large $0.0832 an hour, 730 hours; the disks are the same
    assert row.delta.expected in (Decimal("30.36"), Decimal("30.37"))
    assert not found.partial


def test_what_is_new_has_no_before_and_what_is_removed_no_after() -> None:
    new = costs(graph(), graph(instance()), new=True)
    removed = costs(graph(instance()), graph(), removed=True)
    assert new.before is None
    assert new.counts_before is None
    assert removed.after is None
    assert new.after == removed.before


def test_an_unknown_class_is_counted_and_not_zero() -> None:
    found = costs(graph(instance()), graph(instance(kind=UNKNOWN)))
    assert found.partial
    assert found.counts_after is not None
    assert found.counts_after.unknown == 1
    (unpriced,) = found.unpriced
    assert (unpriced.status, unpriced.name) == ("unknown", "host")
    assert "instanceType" in unpriced.reason


def test_a_kind_that_nobody_knows_is_named() -> None:
    mesh = resource("aws:gamelift/fleet:Fleet", "mesh")
    found = costs(graph(), graph(instance(), mesh))
    assert [(each.name, each.status) for each in found.unpriced] == [("mesh", "unsupported")]


def test_what_is_billed_by_use_is_not_taken_for_free() -> None:
    found = costs(graph(), graph(resource(BUCKET, "uploads")))
    assert found.after is not None
    assert found.after.unpriced == 1
    assert [each.status for each in found.unpriced] == ["by-use"]


def test_components_and_providers_of_the_engine_are_not_changes() -> None:
    component = resource("reme:aws:Host", "host-component", custom=False)
    provider = resource("pulumi:providers:aws", "default_7_51_1")
    own = resource("pulumi:providers:aws", "us-east-1", {"region": "us-east-1"})
    changes = find_changes(graph(), graph(component, provider, own, instance()))
    assert {each.name for each in describe_changes(changes)} == {"host", "us-east-1"}


def test_unchanged_resources_are_counted() -> None:
    changes = find_changes(graph(instance()), graph(instance()))
    assert describe_changes(changes) == ()
    assert count_unchanged(changes) == 1


def test_a_property_is_shown_before_and_after() -> None:
    (change,) = describe_changes(find_changes(graph(instance()), graph(instance(kind="t3.large"))))
    assert [(each.path, each.before, each.after) for each in change.properties] == [
        ("instanceType", "t3.medium", "t3.large")
    ]


@pytest.mark.parametrize("path", ["masterPassword", "apiKey", "authToken", "privateKey", "clientSecret"])
def test_a_value_by_a_secret_name_is_hidden_though_nobody_marked_it(path: str) -> None:
    before, after = resource("aws:x/y:Y", "y", {path: "hunter2"}), resource("aws:x/y:Y", "y", {path: "hunter3"})
    (change,) = describe_changes(find_changes(graph(before), graph(after)))
    assert "hunter" not in change.model_dump_json()
    assert change.properties[0].secret


def test_a_marked_secret_is_hidden() -> None:
    sides = [resource("aws:x/y:Y", "y", {"value": each}, secrets=frozenset({"value"})) for each in ("one", "two")]
    (change,) = describe_changes(find_changes(graph(sides[0]), graph(sides[1])))
    assert (change.properties[0].secret, change.properties[0].before) == (True, "")


def test_an_arn_of_a_secret_is_no_secret() -> None:
    sides = [resource("aws:x/y:Y", "y", {"secretArn": each}) for each in ("arn:1", "arn:2")]
    (change,) = describe_changes(find_changes(graph(sides[0]), graph(sides[1])))
    assert change.properties[0].after == "arn:2"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, ""),
        (True, "true"),
        (20.0, "20"),
        (0.5, "0.5"),
        ("a\nb", "a b"),
        (UNKNOWN, KNOWN_LATER),
        ({"a": [1, UNKNOWN]}, f'{{"a": [1, "{KNOWN_LATER}"]}}'),
        ("x" * 500, "x" * (MAX_VALUE - 1) + "…"),
    ],
)
def test_values_are_shown_on_a_line(value: object, shown: str) -> None:
    assert show_value(value) == shown
