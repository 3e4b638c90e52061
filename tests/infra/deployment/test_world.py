"""An environment over two clouds by one command: in which order, who is told what, and what is shown of it."""

import json
from pathlib import Path
from uuid import uuid4

import pytest

from tests.emulated_aws.stage import Stage
from tests.infra.deployment.conftest import Deployer, Ended, write_project
from tests.infra.worlds import ADDRESS, SINGAPORE, WORLD

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("emulated-aws")]

US, EU, SG = "global-us-east-1", "global-eu-west-1", "global-ap-southeast-1"
PAPER = f"""
import json
from pathlib import Path

import pulumi

config = pulumi.Config("reme-cloud")
if not pulumi.runtime.is_dry_run():
    made = [pulumi.get_stack(), config.get_object("peers") or {{}}]
    with Path("deployed").open("a") as file:
        file.write(json.dumps(made) + "\\n")
pulumi.export("entrance_address", "{ADDRESS}" if config.get("cloud") == "alicloud" else "elb.example.com")
pulumi.export("health_url", "")
"""


@pytest.fixture
def world(stage: Stage, tmp_path: Path) -> Deployer:
    """Three regions on two clouds, without resources; each notes what it was told."""
    deployer = write_project(stage, tmp_path, name="reme-cloud", program=PAPER)
    workload = WORLD["reme-cloud:workload"]
    deployer.write_stack(US, workload=workload)
    deployer.write_stack(EU, workload=workload)
    deployer.write_stack(SG, workload=workload, cloud="alicloud")
    state = tmp_path / f"state-{uuid4().hex}"
    state.mkdir()
    deployer.variables = {"PULUMI_BACKEND_URL": f"file://{state}"}
    return deployer


def read_deployed(deployer: Deployer) -> list[list[object]]:
    """The stacks in the order of their updates, and the peers that each was told of."""
    return [json.loads(line) for line in (deployer.project / "deployed").read_text(encoding="utf-8").splitlines()]


def up(deployer: Deployer, *arguments: str) -> Ended:
    done = deployer("up", "global", "--no-image", *arguments)
    assert done.code == 0, done.err
    return done


def test_the_first_region_comes_first_and_again_when_the_others_addresses_are_known(world: Deployer) -> None:
    made = up(world, "--yes")
    peers = {SINGAPORE: {"address": ADDRESS}}
    assert read_deployed(world) == [[US, {}], [EU, {}], [SG, {}], [US, peers]]
    assert [f"{stack}: {place} of 3" in made.err for place, stack in enumerate((US, EU, SG), start=1)] == [True] * 3
    assert f"{US}: told of the other regions" in made.out
    assert SINGAPORE in (world.project / f"Pulumi.{US}.yaml").read_text(encoding="utf-8")

    up(world, "--yes")
    assert len(read_deployed(world)) == 4, "what is known is not said again"

    status = json.loads(world("status", "global", "--json").out)["stacks"]
    assert [(each["region"], each["servers"]) for each in status] == [
        ("aws:us-east-1", "none"),
        ("aws:eu-west-1", "none"),
        (SINGAPORE, "none"),
    ]
    shown = world("status", "global").out
    assert shown.startswith("global: 3 regions\n")
    assert f"{SINGAPORE}    {SG}    deployed, servers none" in shown


def test_what_was_cut_off_before_the_regions_were_told_goes_on_from_there(world: Deployer) -> None:
    for stack in (US, EU, SG):
        assert world("up", stack, "--no-image", "--yes").code == 0
    assert [told for _, told in read_deployed(world)] == [{}, {}, {}]
    declined = world("up", "global", "--no-image", stdin="n\n")
    assert (declined.code, len(read_deployed(world))) == (0, 3)
    up(world, "--yes")
    assert read_deployed(world)[3:] == [[US, {SINGAPORE: {"address": ADDRESS}}]]


def test_a_region_that_fails_stops_what_comes_after_it(world: Deployer) -> None:
    broken = (world.project / "__main__.py").read_text(encoding="utf-8")
    fault = (
        f'if pulumi.get_stack() == "{EU}" and not pulumi.runtime.is_dry_run():\n    raise pulumi.RunError("no quota")\n'
    )
    (world.project / "__main__.py").write_text(broken + fault, encoding="utf-8")
    failed = world("up", "global", "--no-image", "--yes")
    assert failed.code == 1
    assert f"stopped. Done: {US}; failed: {EU}; not touched: {SG}" in failed.err
