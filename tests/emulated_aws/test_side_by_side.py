"""Development and production beside each other on one emulated AWS, through whole lives: the real engine and provider."""

import json
from collections.abc import Sequence

import pytest

from tests.emulated_aws.lives import Life
from tests.emulated_aws.stage import Stage
from tests.emulated_aws.steps import begin, change_a_host, end, expect_left, list_promised, side_by_side, take_a_version
from tests.infra.deployment.conftest import Deployer

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("emulated-stacks")]


def test_dev_and_prod_live_side_by_side(own_stage: Stage) -> None:
    project = own_stage.copy_project("aws-dev", "aws-prod")
    zone_id = own_stage.prepare_zone(project, "aws-prod")
    dev, prod = (Life(stage=own_stage, project=project, stack=stack) for stack in ("aws-dev", "aws-prod"))
    # the lifting itself waits long for the database: test_stacks.py has it
    prod.configure("protect", "false")

    def live_in_dev() -> Sequence[str]:
        deploy = Deployer(own_stage, project)
        made = deploy("up", "aws-dev", "--yes")
        assert made.code == 0, made.err[-4000:]
        assert "aws-dev (dev, aws:us-east-1): single-host" in made.out
        (found,) = json.loads(deploy("status", "dev", "--json").out)["stacks"]
        assert (found["deployed"], found["health"], found["outputs"]["tier"]) == (True, "inside", "single-host")
        change_a_host(dev)
        dev.configure("tier", "single-host-qdrant")
        done = dev.up()
        assert not [each for each in done if each.startswith("DELETED aws:ebs/")], "the disk must stay"
        assert dev.output("tier") == "single-host-qdrant"
        promised = list_promised(dev)
        gone = deploy("destroy", "aws-dev", "--yes")
        assert gone.code == 0, gone.err[-4000:]
        assert gone.out.count("  stays: ") == len(promised) > 0
        assert not dev.resources()
        assert not dev.refused()
        return promised

    def live_in_prod() -> Sequence[str]:
        begin(prod, at_least=200)
        take_a_version(prod)
        return end(prod)

    promised = side_by_side(live_in_dev, live_in_prod)
    expect_left(own_stage, (dev, prod), [zone_id, *(id_ for each in promised for id_ in each)])
