"""The engine's files as the graphs that they describe: all of them were written by the engine (`engine/record.py`)."""

import json
from pathlib import Path
from typing import Any

import pytest

from sizing.graph import documents
from sizing.graph.documents import open_document, read_document
from sizing.graph.errors import InvalidGraph
from sizing.graph.preview_file import Preview, complete_preview
from sizing.graph.resources import ResourceGraph, is_unknown

DATA = Path(__file__).parent / "data"
URN = "urn:pulumi:dev::demo::"


def open_preview(name: str) -> Preview:
    found = open_document(DATA / name)
    assert isinstance(found, Preview)
    return found


def open_state(name: str = "state.json", **regions: str) -> ResourceGraph:
    found = open_document(DATA / name, regions)
    assert isinstance(found, ResourceGraph)
    return found


def load(name: str) -> dict[str, Any]:
    return dict(json.loads((DATA / name).read_text(encoding="utf-8")))


def test_a_state_has_every_resource_with_its_region() -> None:
    graph = open_state()
    assert graph.stack == "dev"
    assert {each.name: each.region for each in graph.custom} == {
        "data": "us-east-1",
        "far": "eu-west-1",  # its provider's
        "own-region": "ap-southeast-1",  # its own, over its provider's
        "db": "us-east-1",
        "objects": "us-east-1",
        "left": "us-east-1",
        "key": "us-east-1",
        "nat": "us-east-1",
        "site-vpc": "us-east-1",
        "site-subnet": "us-east-1",
        "site-host": "us-east-1",
        "disk": "cn-beijing",
    }


def test_components_providers_and_what_is_only_read_are_nothing_of_the_stack_in_a_cloud() -> None:
    graph = open_state()
    assert not {each.name for each in graph.custom} & {"site", "ireland", "demo-dev", "of-others"}
    component = graph.find(f"{URN}demo:index:Site::site")
    assert component is not None and not component.custom
    host = graph.find(f"{URN}demo:index:Site$aws:ec2/instance:Instance::site-host")
    assert host is not None and host.parent == component.urn


def test_a_resource_knows_what_its_properties_come_from() -> None:
    graph = open_state()
    nat = graph.of("aws:ec2/natGateway:NatGateway")[0]
    assert [each.name for each in graph.referred(nat, "subnetId")] == ["site-subnet"]


@pytest.mark.parametrize(("name", "plain"), [("state.json", False), ("state-shown.json", True)])
def test_a_secret_is_named_and_never_shown(name: str, plain: bool) -> None:
    graph = open_state(name)
    database = graph.of("aws:rds/instance:Instance")[0]
    assert "password" in database.secrets
    value = database.inputs["password"]
    assert (value == "of the tests") is plain
    assert is_unknown(value) is not plain
    assert "of the tests" not in repr(graph)


def test_a_preview_has_both_sides_and_what_is_not_known_yet() -> None:
    preview = open_preview("preview.json")
    before = {each.name for each in preview.before.custom}
    after = {each.name for each in preview.after.custom}
    assert before - after == {"left", "nat", "key"}
    assert after - before == {"address", "computed", "renamed-key"}
    computed = next(each for each in preview.after if each.name == "computed")
    assert is_unknown(computed.inputs["instanceType"])
    assert {each.name: each.region for each in preview.after.custom}["disk"] == "cn-beijing"


def test_the_side_before_a_preview_is_the_state_that_it_was_made_on() -> None:
    state, preview = open_state(), open_preview("preview.json")
    assert {each.urn: each.inputs for each in state.custom} == {each.urn: each.inputs for each in preview.before.custom}


def test_a_new_stack_has_nothing_before() -> None:
    preview = open_preview("preview-new.json")
    assert preview.complete and not preview.before.custom
    assert len(preview.after.custom) == len(open_state().custom)


def test_steps_of_a_replacement_are_one() -> None:
    once, thrice = open_preview("preview.json"), open_preview("preview-replacements.json")
    assert thrice.complete
    assert dict(once.steps) == dict(thrice.steps)
    assert len(load("preview-replacements.json")["steps"]) == len(load("preview.json")["steps"]) + 2


def test_a_refresh_before_the_preview_is_no_change_of_its_own() -> None:
    document = load("preview.json")
    refreshed = [{**step, "op": "refresh", "detailedDiff": None} for step in document["steps"] if step["op"] == "same"]
    found = read_document({**document, "steps": [*refreshed, *document["steps"]]}, "preview.json")
    assert isinstance(found, Preview)
    assert found.complete and dict(found.steps) == dict(open_preview("preview.json").steps)


def test_a_preview_without_what_stays_says_how_much_is_missing() -> None:
    preview = open_preview("preview-partial.json")
    assert not preview.complete
    assert preview.missing == len(open_preview("preview.json").steps) - len(preview.steps)


def test_a_partial_preview_is_completed_by_the_state() -> None:
    whole, completed = (
        open_preview("preview.json"),
        complete_preview(open_preview("preview-partial.json"), open_state()),
    )
    assert completed.complete
    assert {each.urn: each.inputs for each in completed.before.custom} == {
        each.urn: each.inputs for each in whole.before.custom
    }
    # a rename that changes nothing else is not in a partial file
    assert {each.name for each in completed.after.custom} - {"key"} == {each.name for each in whole.after.custom} - {
        "renamed-key"
    }


def test_another_state_does_not_complete_a_preview() -> None:
    smaller, without = load("state.json"), load("state.json")
    for document, name in ((smaller, "far"), (without, "nat")):
        found = document["deployment"]["resources"]
        found[:] = [each for each in found if not each["urn"].endswith(f"::{name}")]
    other = json.loads((DATA / "state.json").read_text(encoding="utf-8").replace("pulumi:dev::", "pulumi:prod::"))
    for document, words in ((smaller, "9 unchanged"), (without, "has not nat"), (other, "'prod'")):
        state = read_document(document, "state.json")
        assert isinstance(state, ResourceGraph)
        with pytest.raises(InvalidGraph, match=words):
            complete_preview(open_preview("preview-partial.json"), state)


def test_what_waits_for_its_deletion_is_left_out() -> None:
    document = load("state.json")
    volume = next(each for each in document["deployment"]["resources"] if each["urn"].endswith("::data"))
    document["deployment"]["resources"].append({**volume, "delete": True})
    graph = read_document(document, "state.json")
    assert isinstance(graph, ResourceGraph)
    assert len(graph.of("aws:ebs/volume:Volume")) == 2


def test_a_region_may_come_from_outside_where_the_file_has_none() -> None:
    document = load("state.json")
    for each in document["deployment"]["resources"]:
        if each["urn"].endswith("::default_7_51_1"):
            del each["inputs"]["region"]
    silent, told = read_document(document, "a"), read_document(document, "a", {"aws": "eu-central-1"})
    assert isinstance(silent, ResourceGraph) and isinstance(told, ResourceGraph)
    regions = [{each.name: each.region for each in graph.custom} for graph in (silent, told)]
    assert [each["data"] for each in regions] == ["", "eu-central-1"]
    assert [each["far"] for each in regions] == ["eu-west-1", "eu-west-1"]


REFUSED: dict[str, tuple[str, str]] = {
    "no JSON": ("{", "it is no JSON"),
    "a stream of events": ('{"sequence": 1}\n{"sequence": 2}', "a stream of events"),
    "a list": ("[]", "no JSON object"),
    "something else": ('{"a": 1}', "neither a preview nor an exported state"),
    "the backend's own file": ('{"version": 3, "checkpoint": {}}', "engine's backend"),
    "an old version": ('{"version": 2, "deployment": {}}', "its version is 2"),
    "no version": ('{"deployment": {}}', "version"),
    "resources of another shape": ('{"version": 3, "deployment": {"resources": [{"urn": 3}]}}', "resources.0.urn"),
    "a failed preview": ('{"steps": []}', "the preview failed"),
    "an unknown step": ('{"steps": [{"op": "fly", "urn": "u"}], "changeSummary": {}}', "'fly'"),
    "deep": ("[" * 100_000, "no JSON"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_other_files_are_refused_in_words(name: str, tmp_path: Path) -> None:
    text, words = REFUSED[name]
    path = tmp_path / "given.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidGraph, match=words) as refused:
        open_document(path)
    assert str(refused.value).startswith("given.json is not usable")


def test_a_missing_and_a_huge_file_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidGraph, match="cannot be read"):
        open_document(tmp_path / "missing.json")
    monkeypatch.setattr(documents, "MAX_FILE_BYTES", 10)
    with pytest.raises(InvalidGraph, match="at most 10 are read"):
        open_document(DATA / "state.json")


def test_an_error_never_has_the_value() -> None:
    document = load("state-shown.json")
    document["deployment"]["resources"][0]["custom"] = {"plaintext": "of the tests"}
    with pytest.raises(InvalidGraph) as refused:
        read_document(document, "state.json")
    assert "of the tests" not in str(refused.value)
