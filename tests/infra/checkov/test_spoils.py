"""Each check fails on a stack that is spoiled for it, at a resource that passes in the same stack unspoiled."""

import pytest

from tests.infra.checkov.scan import Finding, scan
from tests.infra.checkov.spoils import can_spoil, read_spoils, spoil_resources
from tests.infra.checkov.tables import read_rules
from tests.infra.checkov.translation import name_type, translate
from tests.infra.recorder import Recorded

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("checkov")]

SPOILS = read_spoils()
PASSES = {rule.id for rule in read_rules() if rule.status == "passes"}


def test_a_check_fails_on_a_stack_that_is_spoiled_for_it_and_only_that_is_called_passing(
    stacks: dict[str, tuple[Recorded, ...]], findings: list[Finding]
) -> None:
    # The types that checks look at or that spoils change: the others only make reading slow.
    types = {finding.resource.partition(".")[0] for finding in findings}
    types |= {name_type(spoil["type"]) for spoil in SPOILS.values()}
    read = {
        name: [each for each in found if each.custom and name_type(each.type) in types]
        for name, found in stacks.items()
    }
    places = {id_: _choose_stack(id_, read, findings) for id_ in SPOILS}
    spoiled = {id_: spoil_resources(SPOILS[id_], read[place]) for id_, place in places.items()}
    found = scan({name: translate(resources) for name, resources in (read | spoiled).items()}, SPOILS)
    passing = {(each.plan, each.id, each.resource) for each in found if each.passed}
    failing = {
        each.id
        for each in found
        if each.plan == each.id and not each.passed and (places[each.id], each.id, each.resource) in passing
    }
    assert failing == PASSES


def _choose_stack(id_: str, read: dict[str, list[Recorded]], findings: list[Finding]) -> str:
    """The smallest stack that passes the check and has what the spoil changes."""
    passing = {finding.plan for finding in findings if finding.passed and finding.id == id_}
    fitting = [name for name in passing if can_spoil(SPOILS[id_], read[name])]
    assert fitting, f"no stack can be spoiled for {id_}"
    return min(fitting, key=lambda name: (len(read[name]), name))
