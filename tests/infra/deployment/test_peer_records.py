"""What Route 53 has of a region on another cloud after an update, on the emulated AWS: real engine, real provider."""

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import pytest

from tests.emulated_aws.stage import ANYTHING, Stage
from tests.infra.deployment.conftest import Deployer, write_project
from tests.infra.worlds import ADDRESS, SINGAPORE, WORLD

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("emulated-aws")]
STACK = "global-us-east-1"
BALANCER = "balancer.us-east-1.elb.amazonaws.com"
PROGRAM = f"""
import pulumi

from infra.aws.routing import Endpoint, PeerRouting, PeerRoutingArgs, Routing, RoutingArgs, Zone, ZoneArgs
from infra.peers import find_routes
from infra.planning import plan_stack
from infra.settings import read_settings
from infra.tagging import Tags

settings = read_settings()
tags = Tags(environment=settings.environment, stack=settings.stack, more={{}})
zone = Zone("zone", ZoneArgs(domain=settings.domain, zone_id=None, tags=tags, protect=False))
shared = {{"record_name": f"origin.{{settings.domain}}", "zone_id": zone.zone_id, "tags": tags}}
here = Endpoint(dns_name="{BALANCER}", zone_id="Z35SXDOTRQ7X7K")
Routing("routing", RoutingArgs(endpoint=here, region=settings.region, by_latency=True, alias=False, **shared))
for route in find_routes(plan_stack(settings), settings.domain, settings.peers):
    PeerRouting("peer", PeerRoutingArgs(route=route, **shared))
pulumi.export("zone_id", zone.zone_id)
"""


@pytest.fixture
def names(stage: Stage, tmp_path: Path) -> Deployer:
    """A stack of the names alone."""
    deployer = write_project(stage, tmp_path, name="reme-cloud", program=PROGRAM)
    (tmp_path / "state").mkdir()
    deployer.variables = {"PULUMI_BACKEND_URL": f"file://{tmp_path / 'state'}"}
    return deployer


def test_both_clouds_regions_share_a_name_and_each_has_its_check(names: Deployer) -> None:
    # the emulator is shared: its zones outlive a test
    domain = f"{uuid4().hex[:8]}.example.com"
    told: dict[str, Any] = {"workload": WORLD["reme-cloud:workload"], "domain": domain}
    names.write_stack(STACK, **told)
    assert names("up", STACK, "--no-image", "--yes").code == 0
    assert {each["SetIdentifier"] for each in read_records(names.stage, domain, "origin")} == {"us-east-1"}

    names.write_stack(STACK, **told, peers={SINGAPORE: {"address": ADDRESS}})
    made = names("up", STACK, "--no-image", "--yes")
    assert made.code == 0, made.err
    shared = {each["SetIdentifier"]: each for each in read_records(names.stage, domain, "origin")}
    assert {key: (each["Type"], each["Region"]) for key, each in shared.items()} == {
        "us-east-1": ("CNAME", "us-east-1"),
        SINGAPORE: ("CNAME", "ap-southeast-1"),
    }
    assert shared[SINGAPORE]["ResourceRecords"] == [{"Value": ADDRESS}]
    checks = read_checks(names.stage)
    found = {key: checks[each["HealthCheckId"]]["FullyQualifiedDomainName"] for key, each in shared.items()}
    assert found == {"us-east-1": BALANCER, SINGAPORE: f"ap-southeast-1.{domain}"}
    (own,) = read_records(names.stage, domain, "ap-southeast-1")
    assert own["ResourceRecords"] == [{"Value": ADDRESS}]
    assert "nothing to change" in names("up", STACK, "--no-image", "--yes").out


def read_records(stage: Stage, domain: str, label: str) -> list[Mapping[str, Any]]:
    """The records of a name."""
    with closing(connect(stage)) as client:
        (zone,) = [each for each in client.list_hosted_zones()["HostedZones"] if each["Name"] == f"{domain}."]
        found = client.list_resource_record_sets(HostedZoneId=zone["Id"])["ResourceRecordSets"]
    return [each for each in found if each["Name"] == f"{label}.{domain}."]


def read_checks(stage: Stage) -> dict[str, Mapping[str, Any]]:
    """What the health checks ask, by id."""
    with closing(connect(stage)) as client:
        return {each["Id"]: each["HealthCheckConfig"] for each in client.list_health_checks()["HealthChecks"]}


def connect(stage: Stage) -> Any:
    return boto3.client(
        "route53",
        endpoint_url=stage.environment()["AWS_ENDPOINT_URL"],
        region_name="us-east-1",
        aws_access_key_id=ANYTHING,
        aws_secret_access_key=ANYTHING,
    )
