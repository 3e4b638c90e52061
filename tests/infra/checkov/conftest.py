"""Each stack recorded and read by Checkov once."""

import pytest

from tests.infra.checkov.alicloud import ALICLOUD, read_alicloud_rules
from tests.infra.checkov.scan import Finding, scan
from tests.infra.checkov.tables import read_rules
from tests.infra.checkov.translation import translate
from tests.infra.recorder import Recorded
from tests.infra.stacks import ALICLOUD_STACKS, ALTERNATIVES, AWS_STACKS, record_stack
from tests.policies.recorded import LASTING
from tests.servers.installation import ServerMissing

WITH_THEIR_OWN = ("managed prometheus", "prometheus", "datadog", "datadog on a host", "copies of objects")
"""Alternatives that make what no stack makes as it lies in the repository."""

Stacks = dict[str, tuple[Recorded, ...]]


@pytest.fixture(scope="session")
def stacks() -> Stacks:
    """What every stack registers, and alternatives with resources of their own."""
    found = {name: record_stack(name).resources for name in AWS_STACKS}
    for name in WITH_THEIR_OWN:
        stack, more = ALTERNATIVES[name]
        found[f"{stack} {name}"] = record_stack(stack, more).resources
    return found


@pytest.fixture(scope="session")
def findings(stacks: Stacks) -> list[Finding]:
    """What the checks say of every stack."""
    ids = {rule.id for rule in read_rules()}
    try:
        return scan({name: translate(resources) for name, resources in stacks.items()}, ids)
    except ServerMissing as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def alicloud_stacks() -> Stacks:
    """What every stack of Alibaba Cloud registers, its alternatives too."""
    found = {name: record_stack(name).resources for name in ALICLOUD_STACKS}
    for name, (stack, more) in ALTERNATIVES.items():
        if stack in ALICLOUD_STACKS:
            found[f"{stack} {name}"] = record_stack(stack, more).resources
    stack, more = LASTING
    return found | {f"{stack} lasting": record_stack(stack, more).resources}


@pytest.fixture(scope="session")
def alicloud_findings(alicloud_stacks: Stacks) -> list[Finding]:
    """What the checks say of every stack of Alibaba Cloud."""
    ids = {rule.id for rule in read_alicloud_rules()}
    try:
        return scan({name: translate(resources, ALICLOUD) for name, resources in alicloud_stacks.items()}, ids)
    except ServerMissing as missing:
        pytest.skip(str(missing))
