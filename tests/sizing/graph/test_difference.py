"""What changes between two states, by the engine's own steps and by comparing."""

from dataclasses import replace

import pytest
from hypothesis import given

from sizing.graph.change import HIDDEN, Change
from sizing.graph.difference import find_changes, preview_changes
from sizing.graph.resources import UNKNOWN, Resource, ResourceGraph, build_graph
from tests.sizing.graph.strategies import graphs
from tests.sizing.graph.test_documents import open_preview, open_state

OPPOSITE = {"create": "delete", "delete": "create", "update": "update", "replace": "replace", "same": "same"}


def by_name(changes: tuple[Change, ...]) -> dict[str, Change]:
    return {each.name: each for each in changes}


def volume(**inputs: object) -> Resource:
    return Resource(
        urn="urn:pulumi:dev::demo::aws:ebs/volume:Volume::v", type="aws:ebs/volume:Volume", name="v", inputs=inputs
    )


def compare(before: Resource, after: Resource) -> Change:
    return find_changes(build_graph("dev", [before]), build_graph("dev", [after]))[0]


def test_the_engine_says_what_happens_and_which_property_forces_it() -> None:
    found = by_name(preview_changes(open_preview("preview.json")))
    assert {name: each.action for name, each in found.items() if each.action != "same"} == {
        "data": "replace",
        "nat": "delete",
        "left": "delete",
        "db": "update",
        "site-host": "update",
        "address": "create",
        "computed": "create",
    }
    assert found["data"].forcing == ("availabilityZone",) and found["data"].loses_data
    assert [(each.path, each.before, each.after) for each in found["data"].changed] == [
        ("availabilityZone", "us-east-1a", "us-east-1b")
    ]
    assert [(each.path, each.before, each.after, each.forces) for each in found["site-host"].changed] == [
        ("instanceType", "t3.medium", "t3.large", False),
        ("rootBlockDevice.volumeSize", 20, 40, False),
    ]


def test_a_rename_is_neither_a_deletion_nor_a_creation() -> None:
    found = by_name(preview_changes(open_preview("preview.json")))
    assert found["renamed-key"].action == "same"
    assert found["renamed-key"].former_urn.endswith("::key")
    assert "key" not in found


def test_what_is_kept_when_it_leaves_the_stack_loses_no_data() -> None:
    found = by_name(preview_changes(open_preview("preview.json")))
    assert found["left"].action == "delete" and not found["left"].loses_data
    assert found["left"].destructive and not found["db"].destructive


def test_what_loses_data_comes_first() -> None:
    found = preview_changes(open_preview("preview.json"))
    assert found[0].name == "data"
    assert [each.loses_data for each in found] == sorted((each.loses_data for each in found), reverse=True)


def test_a_preview_that_changes_nothing_has_no_change() -> None:
    assert {each.action for each in preview_changes(open_preview("preview-nothing.json"))} == {"same"}


def test_two_states_differ_by_what_their_preview_says() -> None:
    preview = open_preview("preview.json")
    told, compared = by_name(preview_changes(preview)), by_name(find_changes(open_state(), preview.after))
    # what only the engine knows: that a key was renamed, and that a new zone forces a new volume
    names = set(told) & set(compared) - {"renamed-key", "data"}
    assert {name: told[name].action for name in names} == {name: compared[name].action for name in names}
    assert compared["key"].action == "delete" and compared["data"].action == "update"
    assert [each.path for each in told["site-host"].changed] == [each.path for each in compared["site-host"].changed]


def test_paths_go_as_deep_as_both_sides_have_the_same_form() -> None:
    before = volume(size=1, list=[{"a": 1}, {"a": 2}], map={"a.b": 1, "c": None}, __defaults=["x"])
    after = volume(size=1, list=[{"a": 1}, {"a": 3}], map={"a.b": 2}, __defaults=[])
    assert [(each.path, each.before, each.after) for each in compare(before, after).changed] == [
        ("list[1].a", 2, 3),
        ('map["a.b"]', 1, 2),
    ]


def test_an_unknown_value_differs_from_a_known_one_only() -> None:
    assert compare(volume(size=UNKNOWN), volume(size=UNKNOWN)).action == "same"
    assert compare(volume(size=1), volume(size=UNKNOWN)).changed[0].after is UNKNOWN


def test_a_secret_that_changes_is_told_without_its_value() -> None:
    before, after = volume(token={"a": "first value"}), volume(token={"a": "second value"})
    change = compare(replace(before, secrets=frozenset({"token"})), after)
    assert [(each.path, each.before, each.after) for each in change.changed] == [("token", HIDDEN, HIDDEN)]
    assert "first value" not in repr(change) and "second value" not in repr(change)


def test_another_id_is_another_resource() -> None:
    assert compare(replace(volume(size=1), id="v-1"), replace(volume(size=1), id="v-2")).action == "replace"


@pytest.mark.slow
@given(graphs())
def test_nothing_changes_against_itself(graph: ResourceGraph) -> None:
    changes = find_changes(graph, graph)
    assert len(changes) == len(graph)
    assert all(each.action == "same" and not each.changed and not each.loses_data for each in changes)


@given(graphs(), graphs())
def test_the_way_back_is_the_opposite(before: ResourceGraph, after: ResourceGraph) -> None:
    there = {each.urn: each for each in find_changes(before, after)}
    back = {each.urn: each for each in find_changes(after, before)}
    assert there.keys() == back.keys() == {each.urn for each in (*before, *after)}
    for urn, change in there.items():
        assert back[urn].action == OPPOSITE[change.action]
        assert (change.before, change.after) == (back[urn].after, back[urn].before)
        assert [(each.path, each.before, each.after) for each in change.changed] == [
            (each.path, each.after, each.before) for each in back[urn].changed
        ]
