"""From two graphs to a result: what holds for every pair of stacks, and what the engine's run adds to it."""

from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from infra.preview.assembly import Sides, Terms, assemble, forget_made_up
from infra.preview.preview import find_terms
from infra.preview.result import Action, StackResult, Status
from infra.preview.spending import NOTHING, Parts
from infra.preview.states import restore_protection
from infra.preview.violations import describe_violations
from policies.judgement import Violation
from sizing.graph.difference import find_changes
from sizing.graph.resources import ResourceGraph
from tests.infra.preview.graphs import graph, instance, resource
from tests.sizing.graph.strategies import graphs

MIRRORED: dict[Action, Action] = {"create": "delete", "delete": "create", "update": "update", "replace": "replace"}


def compare(before: ResourceGraph, after: ResourceGraph, status: Status = "compared", **more: Any) -> StackResult:
    """The result of a stack without policies."""
    changes = find_changes(before, after)
    sides = {"name": "dev", "status": status, "how": "files", "before": before, "after": after, "changes": changes}
    return assemble(Sides(**{"unsure": {}, **sides, **more}), Terms(policies=False))


@given(graphs())
def test_nothing_changes_between_a_stack_and_itself(stack: ResourceGraph) -> None:
    found = compare(stack, stack)
    assert found.changes == ()
    assert found.unchanged == len(stack.custom)
    assert found.cost.delta == NOTHING
    assert all(row.delta == NOTHING for row in found.cost.rows)
    assert found.cost.counts_before == found.cost.counts_after


@given(graphs(), graphs())
def test_the_way_back_is_the_mirror_of_the_way_there(before: ResourceGraph, after: ResourceGraph) -> None:
    there, back = compare(before, after), compare(after, before)
    assert there.cost.delta == NOTHING - back.cost.delta
    assert {row.component: row.delta for row in there.cost.rows} == {
        row.component: NOTHING - row.delta for row in back.cost.rows
    }
    assert {each.urn: each.action for each in there.changes} == {
        each.urn: MIRRORED[each.action] for each in back.changes
    }
    assert there.unchanged == back.unchanged


@given(graphs(), graphs())
def test_rows_and_counts_add_up(before: ResourceGraph, after: ResourceGraph) -> None:
    found = compare(before, after)
    for side, stack in (("before", before), ("after", after)):
        parts = [getattr(row, side) for row in found.cost.rows]
        assert sum(parts, Parts()) == getattr(found.cost, side)
        assert getattr(found.cost, f"counts_{side}").total == len(stack.custom)
    assert sum((row.delta for row in found.cost.rows), NOTHING) == found.cost.delta
    urns = {each.urn for each in (*before.custom, *after.custom)}
    assert len(found.changes) + found.unchanged == len(urns), "each resource counts once, a replaced one too"
    assert found.cost.partial or not found.cost.unpriced


@given(graphs())
def test_what_is_new_costs_what_it_saves_when_it_goes(stack: ResourceGraph) -> None:
    nothing = graph()
    new, gone = compare(nothing, stack, "new"), compare(stack, nothing, "removed")
    assert new.cost.after == gone.cost.before
    assert new.cost.before is gone.cost.after is None
    assert Counter(each.action for each in new.changes) == Counter(
        {"create": len(stack.custom)} if stack.custom else {}
    )
    assert new.cost.unpriced == gone.cost.unpriced


def test_an_empty_stack_is_a_result() -> None:
    found = compare(graph(), graph())
    assert (found.changes, found.cost.rows, found.cost.delta.expected) == ((), (), Decimal(0))


def test_a_replacement_that_nobody_is_sure_of_names_what_may_force_it() -> None:
    before, after = graph(instance()), graph(instance(kind="t3.large"))
    urn = before.resources[0].urn
    (change,) = compare(before, after, unsure={urn: ("instanceType",)}).changes
    assert (change.action, change.certain, change.because) == ("replace", False, ("instanceType",))


def test_protection_is_that_of_the_state() -> None:
    before, state = graph(instance(), instance("free")), graph(instance(protected=True), instance("free"))
    found = {each.name: each.protected for each in compare(restore_protection(before, state), graph()).changes}
    assert found == {"host": True, "free": False}


def test_the_order_in_which_the_engine_took_the_resources_does_not_show() -> None:
    found = (instance("b"), resource("aws:gamelift/fleet:Fleet", "mesh"), instance("a"), resource("aws:x/y:Y", "c"))
    one, other = (compare(graph(), forget_made_up(graph(*order)), "new") for order in (found, found[::-1]))
    assert one == other


def judged(message: str, urn: str = "urn:pulumi:dev::demo::t::host", *, known: bool = True) -> Violation:
    return Violation(
        rule="r", level="mandatory", severity="high", urn=urn, message=message, remedy="Mend it.", judged=known
    )


def test_violations_are_new_unless_the_same_or_as_many_were_there() -> None:
    def tell(before: list[Violation], after: list[Violation]) -> dict[str, bool]:
        return {each.message: each.is_new for each in describe_violations(before, after)}

    one, two, more = judged("host: a is open"), judged("host: b is open"), judged("host: it costs $2")
    assert tell([], [one]) == {"a is open": True}
    assert tell([one], [one, two]) == {"a is open": False, "b is open": True}
    assert tell([judged("host: it costs $1")], [more]) == {"it costs $2": False}
    assert tell([one], [judged("other: a is open", "urn:pulumi:dev::demo::t::other")]) == {"a is open": True}
    assert tell([judged("later", known=False)], [judged("later", known=False)]) == {}


@pytest.mark.parametrize(
    "value", [1e12, 1e40, float("inf"), float("nan"), "nan", "1e400", 10**400, -5, True, [], "x" * 5000]
)
def test_no_value_of_a_property_ends_the_preview(value: Any) -> None:
    found = graph(
        resource("aws:ebs/volume:Volume", "disk", {"size": value, "type": "gp3"}),
        resource("aws:autoscaling/group:Group", "group", {"minSize": 1, "maxSize": value, "desiredCapacity": value}),
        resource("aws:rds/instance:Instance", "db", {"instanceClass": value, "allocatedStorage": value}),
        resource("aws:elasticache/replicationGroup:ReplicationGroup", "cache", {"numCacheClusters": value}),
        resource(f"{'x' * 1500}:a:B", "odd", {"size": value}),
    )
    result = compare(graph(), found, "new")
    assert len(result.changes) == 5
    assert result.cost.after is not None and result.cost.after.total.low >= 0
    assert result == type(result).model_validate_json(result.model_dump_json())


def test_waivers_are_those_of_the_folder_unless_others_are_named(tmp_path: Path) -> None:
    assert find_terms(Terms(), tmp_path).waivers is None
    (tmp_path / "policies").mkdir()
    here = tmp_path / "policies" / "waivers.csv"
    here.write_text("rule,urn,reason,expires\n", encoding="utf-8")
    assert find_terms(Terms(), tmp_path).waivers == here
    assert find_terms(Terms(waivers=tmp_path / "others.csv"), tmp_path).waivers == tmp_path / "others.csv"
