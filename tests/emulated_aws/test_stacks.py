"""More whole lives of the repository's stacks, for `make test-full`: they take some minutes each, most of it waiting."""

import json
from collections.abc import Sequence
from contextlib import closing
from functools import partial

import pytest

from tests.emulated_aws.lives import Life
from tests.emulated_aws.stage import Stage
from tests.emulated_aws.steps import (
    NEXT,
    begin,
    change_a_host,
    end,
    expect_left,
    list_promised,
    side_by_side,
    take_a_version,
)
from tests.infra.deployment.conftest import Deployer

pytestmark = [pytest.mark.slow]
GROUP = "aws:lb/targetGroup:TargetGroup"


def publish(life: Life, version: str) -> None:
    """Put an image into the stack's registry, as `podman push` does."""
    repository = life.ids()["aws:ecr/repository:Repository registry-images"]
    manifest = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "tag": version}
    with closing(life.stage.connect("ecr")) as client:
        client.put_image(repositoryName=repository, imageManifest=json.dumps(manifest), imageTag=version)


def show_groups(life: Life) -> None:
    """Let the emulator see that both colours stand behind the balancer: it overlooks groups that have a weight."""
    with closing(life.stage.connect("elbv2")) as client:
        (balancer,) = client.describe_load_balancers()["LoadBalancers"]
        for colour in ("blue", "green"):
            made = client.create_listener(
                LoadBalancerArn=balancer["LoadBalancerArn"],
                Port=8000,
                Protocol="HTTP",
                DefaultActions=[{"Type": "forward", "TargetGroupArn": life.ids()[f"{GROUP} balancer-{colour}"]}],
            )
            client.delete_listener(ListenerArn=made["Listeners"][0]["ListenerArn"])


def list_running(life: Life) -> Sequence[str]:
    """The versions of the services that have tasks, as ECS tells them."""
    with closing(life.stage.connect("ecs")) as client:
        cluster = life.output("cluster")
        arns = client.list_services(cluster=cluster)["serviceArns"]
        services = client.describe_services(cluster=cluster, services=arns)["services"]
        tasks = [
            client.describe_task_definition(taskDefinition=each["taskDefinition"])
            for each in services
            if each["desiredCount"]
        ]
    return [each["taskDefinition"]["containerDefinitions"][0]["image"].rpartition(":")[2] for each in tasks]


def answer(life: Life) -> None:
    """Let both colours have a healthy target: no task runs on the emulator, so a group is empty until a test fills it."""
    with closing(life.stage.connect("elbv2")) as client:
        for colour in ("blue", "green"):
            group = life.ids()[f"{GROUP} balancer-{colour}"]
            client.register_targets(TargetGroupArn=group, Targets=[{"Id": "10.20.0.10", "Port": 8002}])


def test_protection_is_lifted_before_the_end(own_stage: Stage) -> None:
    project = own_stage.copy_project("aws-prod")
    zone_id = own_stage.prepare_zone(project, "aws-prod")
    prod, deploy = Life(stage=own_stage, project=project, stack="aws-prod"), Deployer(own_stage, project)
    begin(prod, at_least=200)
    refused = deploy("destroy", "prod", "--yes")
    assert (refused.code, "Add --unprotect aws-prod" in refused.err) == (2, True)
    promised = list_promised(prod)
    gone = deploy("destroy", "prod", "--yes", "--unprotect", "aws-prod")
    assert gone.code == 0, gone.err[-4000:]
    assert "  stays: a final snapshot of the database" in gone.out
    assert not prod.resources()
    expect_left(own_stage, [prod], [zone_id, *promised])


def test_a_cluster_takes_a_version_beside_the_other(own_stage: Stage) -> None:
    project = own_stage.copy_project("aws-staging")
    zone_id = own_stage.prepare_zone(project, "aws-staging")
    staging, deploy = Life(stage=own_stage, project=project, stack="aws-staging"), Deployer(own_stage, project)
    staging.configure("service.strategy", "blue-green")
    begin(staging, at_least=200)
    quick = ("--yes", "--check-minutes", "0.1", "--watch-minutes", "0.1", "--start-minutes", "0.5")
    show_groups(staging)
    publish(staging, "0.1.2")
    failed = deploy("promote", "staging", "--version", "0.1.2", *quick)
    assert failed.code == 3, failed.err[-4000:]
    assert "rolling back: it was not healthy" in failed.err
    assert list_running(staging) == ["0.1.0"]
    staging.expect_no_changes()
    answer(staging)
    publish(staging, NEXT)
    taken = deploy("promote", "staging", "--version", NEXT, *quick)
    assert taken.code == 0, taken.err[-4000:]
    assert "aws-staging: version 0.1.1 is in service" in taken.out
    assert list_running(staging) == [NEXT]
    back = deploy("rollback", "staging", "--yes")
    assert back.code == 0, back.err[-4000:]
    assert list_running(staging) == ["0.1.0"]
    expect_left(own_stage, [staging], [zone_id, *end(staging)])


def test_a_team_grows_on_its_host_only(own_stage: Stage) -> None:
    project = own_stage.copy_project("aws-team")
    zone_id = own_stage.prepare_zone(project, "aws-team")
    team = Life(stage=own_stage, project=project, stack="aws-team")
    begin(team, at_least=80)
    change_a_host(team)
    for key, value in {"tier": "ha", "domain": "memory.example.com", "zone-id": zone_id}.items():
        team.configure(key, value)
    taken = {step["urn"].rpartition("::")[2] for step in team.preview() if step["op"] == "delete"}
    # why docs/howto/stacks-on-aws.md makes a cluster beside the host, and not in its place
    assert {"host-data", "host-instance"} <= taken
    expect_left(own_stage, [team], [zone_id, *end(team)])


def test_two_regions_are_made_one_after_the_other(own_stage: Stage) -> None:
    project = own_stage.copy_project("global-us-east-1", "global-eu-west-1")
    us, eu = (Life(stage=own_stage, project=project, stack=f"global-{region}") for region in ("us-east-1", "eu-west-1"))
    for life in (us, eu):
        life.configure("protect", "false")
    us.up()
    eu.configure("zone-id", us.output("zone_id"))
    eu.up()
    assert len(us.ids()) > len(eu.ids()) > 220
    side_by_side(*(partial(take_a_version, life) for life in (us, eu)))
    # The first region's zone is everybody's, so it goes last; it is not protected here, and takes what is in it along.
    records = f"{us.output('zone_id')}_"
    promised = [id_ for id_ in (*end(eu), *end(us)) if not id_.startswith(records)]
    expect_left(own_stage, (us, eu), promised)
