"""The network: every zone has its subnets, the ways out are the plan's, and what is there already stays as it is."""

from dataclasses import replace
from ipaddress import IPv4Network

import pytest

from infra.address_ranges import ExistingNetwork, count_zones, cut_range
from infra.aws.network import Network, NetworkArgs
from infra.errors import InvalidStack, NotEnoughZones
from infra.tagging import Tags
from sizing.plan import NetworkSpec
from tests.infra.recorder import Recording, record

TAGS = Tags(environment="prod", stack="aws-prod", more={})
HIGHLY_AVAILABLE = NetworkSpec(zones=3, nat="per-zone", nat_gateways=2, public_addresses=5)
SINGLE_HOST = NetworkSpec(zones=1, nat="none", nat_gateways=0, public_addresses=1)
EXISTING = ExistingNetwork(
    vpc_id="vpc-1",
    cidr="10.9.0.0/16",
    public_subnet_ids=("subnet-a", "subnet-b"),
    private_subnet_ids=("subnet-c", "subnet-d"),
    data_subnet_ids=("subnet-e", "subnet-f"),
)


def build(spec: NetworkSpec, *, existing: ExistingNetwork | None = None, logs: str | None = None) -> Recording:
    count = count_zones(spec) if existing is None else len(existing.public_subnet_ids)
    zones = tuple(f"eu-west-1{letter}" for letter in "abc"[:count])

    def program() -> None:
        made = Network(
            "network",
            NetworkArgs(
                spec=spec, region="eu-west-1", zone_names=zones, tags=TAGS, existing=existing, flow_log_bucket_arn=logs
            ),
        )
        assert len(made.public_subnet_ids) == len(made.private_subnet_ids) == len(made.data_subnet_ids) == len(zones)
        assert made.zone_names == zones

    return record(program, region="eu-west-1")


@pytest.mark.parametrize("spec", [HIGHLY_AVAILABLE, SINGLE_HOST])
def test_subnets_lie_apart_in_each_zone_and_give_out_no_address(spec: NetworkSpec) -> None:
    subnets = build(spec).of("aws:ec2/subnet:Subnet")
    assert len(subnets) == 3 * count_zones(spec)
    blocks = [IPv4Network(each.props["cidrBlock"]) for each in subnets]
    assert all(block.subnet_of(IPv4Network("10.20.0.0/16")) for block in blocks)
    assert not any(one.overlaps(other) for at, one in enumerate(blocks) for other in blocks[:at])
    assert all(each.props["mapPublicIpOnLaunch"] is False for each in subnets)
    for kind in ("public", "private", "data"):
        zones = [each.props["availabilityZone"] for each in subnets if f"-{kind}-" in each.name]
        assert zones == [f"eu-west-1{letter}" for letter in "abc"[: len(zones)]]


def test_private_subnets_go_out_by_the_gateways_of_the_plan() -> None:
    found = build(HIGHLY_AVAILABLE)
    assert len(found.of("aws:ec2/natGateway:NatGateway")) == len(found.of("aws:ec2/eip:Eip")) == 2
    ways = {each.name: each.props for each in found.of("aws:ec2/route:Route")}
    assert ways["network-public-out"]["gatewayId"] == "network-internet-id"
    assert [ways[f"network-private-{zone}-out"]["natGatewayId"] for zone in (1, 2, 3)] == [
        "network-nat-1-id",
        "network-nat-2-id",
        "network-nat-1-id",
    ]
    assert len(ways) == 4, "data subnets have no way out"


def test_a_single_host_pays_for_no_gateway() -> None:
    found = build(SINGLE_HOST)
    assert not found.of("aws:ec2/natGateway:NatGateway")
    assert not found.of("aws:ec2/eip:Eip")
    assert [each.name for each in found.of("aws:ec2/route:Route")] == ["network-public-out"]


def test_objects_are_reached_inside_the_network_from_every_subnet() -> None:
    found = build(HIGHLY_AVAILABLE)
    endpoint = found.one("aws:ec2/vpcEndpoint:VpcEndpoint").props
    assert endpoint["serviceName"] == "com.amazonaws.eu-west-1.s3"
    tables = {f"{each.name}-id" for each in found.of("aws:ec2/routeTable:RouteTable")}
    assert set(endpoint["routeTableIds"]) == tables
    associated = [each.props["subnetId"] for each in found.of("aws:ec2/routeTableAssociation:RouteTableAssociation")]
    assert sorted(associated) == sorted(f"{each.name}-id" for each in found.of("aws:ec2/subnet:Subnet"))


def test_the_default_group_lets_nothing_pass_and_traffic_is_logged() -> None:
    found = build(HIGHLY_AVAILABLE, logs="arn:aws:s3:::logs")
    group = found.one("aws:ec2/defaultSecurityGroup:DefaultSecurityGroup").props
    assert group["ingress"] == group["egress"] == []
    log = found.one("aws:ec2/flowLog:FlowLog").props
    assert (log["trafficType"], log["logDestination"]) == ("ALL", "arn:aws:s3:::logs")
    assert not build(HIGHLY_AVAILABLE).of("aws:ec2/flowLog:FlowLog")


def test_an_existing_network_is_used_and_not_touched() -> None:
    spec = replace(HIGHLY_AVAILABLE, zones=2)
    assert [each.type for each in build(spec, existing=EXISTING)] == ["reme:aws:Network"]
    with pytest.raises(NotEnoughZones, match="has 2 zones and the plan needs 3"):
        build(HIGHLY_AVAILABLE, existing=EXISTING)


@pytest.mark.parametrize(
    "change",
    [
        {"vpc_id": ""},
        {"cidr": "10.9.0.1/16"},
        {"cidr": "8.8.0.0/16"},
        {"data_subnet_ids": ()},
        {"private_subnet_ids": ("subnet-c",)},
        {"public_subnet_ids": ("subnet-a", "subnet-a")},
    ],
)
def test_an_existing_network_is_named_whole_or_not_at_all(change: dict[str, object]) -> None:
    with pytest.raises(InvalidStack, match="network"):
        replace(EXISTING, **change)  # type: ignore[arg-type]


@pytest.mark.parametrize("cidr", ["10.0.0.0/15", "10.0.0.0/25", "nonsense", "10.20.0.0/33"])
def test_a_range_that_a_vpc_cannot_have_is_refused(cidr: str) -> None:
    with pytest.raises(InvalidStack, match=r"network\.cidr"):
        cut_range(cidr)


def test_too_few_zones_are_refused() -> None:
    def program() -> None:
        Network("network", NetworkArgs(spec=HIGHLY_AVAILABLE, region="eu-west-1", zone_names=("a", "b"), tags=TAGS))

    with pytest.raises(NotEnoughZones, match="has 2 zones and the plan needs 3"):
        record(program)
