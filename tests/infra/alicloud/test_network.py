"""The network: every zone has its vSwitches, the ways out are the plan's, and what is there already stays as it is."""

from dataclasses import replace
from ipaddress import IPv4Network

import pytest

from infra.address_ranges import ExistingNetwork, count_zones
from infra.alicloud.network import SUBNET_PREFIX, FlowLogStore, Network, NetworkArgs
from infra.alicloud.zones import list_zones
from infra.errors import InvalidStack, NotEnoughZones
from infra.tagging import Tags
from sizing.plan import NetworkSpec
from tests.infra.recorder import Recording, record

TAGS = Tags(environment="prod", stack="alicloud-prod", more={})
HIGHLY_AVAILABLE = NetworkSpec(zones=3, nat="per-zone", nat_gateways=2, public_addresses=5)
SINGLE_HOST = NetworkSpec(zones=1, nat="none", nat_gateways=0, public_addresses=1)
EXISTING = ExistingNetwork(
    vpc_id="vpc-1",
    cidr="10.9.0.0/16",
    public_subnet_ids=("vsw-a", "vsw-b"),
    private_subnet_ids=("vsw-c", "vsw-d"),
    data_subnet_ids=("vsw-e", "vsw-f"),
    subnet_prefix=SUBNET_PREFIX,
)


def build(
    spec: NetworkSpec, *, existing: ExistingNetwork | None = None, flow_log: FlowLogStore | None = None
) -> Recording:
    count = count_zones(spec) if existing is None else len(existing.public_subnet_ids)
    zones = tuple(f"cn-beijing-{letter}" for letter in "hij"[:count])

    def program() -> None:
        made = Network(
            "network",
            NetworkArgs(
                spec=spec, region="cn-beijing", zone_names=zones, tags=TAGS, existing=existing, flow_log=flow_log
            ),
        )
        assert len(made.public_subnet_ids) == len(made.private_subnet_ids) == len(made.data_subnet_ids) == len(zones)

    return record(program, region="cn-beijing")


@pytest.mark.parametrize("spec", [HIGHLY_AVAILABLE, SINGLE_HOST])
def test_switches_lie_apart_in_each_zone(spec: NetworkSpec) -> None:
    switches = build(spec).of("alicloud:vpc/switch:Switch")
    assert len(switches) == 3 * count_zones(spec)
    blocks = [IPv4Network(each.props["cidrBlock"]) for each in switches]
    assert all(block.subnet_of(IPv4Network("10.20.0.0/16")) for block in blocks)
    assert not any(one.overlaps(other) for at, one in enumerate(blocks) for other in blocks[:at])
    for kind in ("public", "private", "data"):
        zones = [each.props["zoneId"] for each in switches if f"-{kind}-" in each.name]
        assert zones == [f"cn-beijing-{letter}" for letter in "hij"]


def test_private_switches_go_out_by_the_gateways_of_the_plan_and_data_has_no_way_out() -> None:
    found = build(HIGHLY_AVAILABLE)
    gateways = found.of("alicloud:vpc/natGateway:NatGateway")
    assert len(gateways) == len(found.of("alicloud:ecs/eipAddress:EipAddress")) == 2
    assert {each.props["natType"] for each in gateways} == {"Enhanced"}
    routes = found.of("alicloud:vpc/routeEntry:RouteEntry")
    assert [each.props["nexthopId"] for each in routes] == ["network-nat-1-id", "network-nat-2-id", "network-nat-1-id"]
    translated = {each.props["sourceVswitchId"] for each in found.of("alicloud:vpc/snatEntry:SnatEntry")}
    assert translated == {f"network-private-{zone}-id" for zone in (1, 2, 3)}
    tables = {each.props["vswitchId"]: each.props["routeTableId"]
              for each in found.of("alicloud:vpc/routeTableAttachment:RouteTableAttachment")}  # fmt: skip
    leading = {each.props["routeTableId"] for each in routes}
    assert {tables[f"network-data-{zone}-id"] for zone in (1, 2, 3)} == {"network-data-routes-id"}
    assert "network-data-routes-id" not in leading
    assert {tables[f"network-private-{zone}-id"] for zone in (1, 2, 3)} == leading


def test_a_single_host_pays_for_no_gateway() -> None:
    types = {each.type for each in build(SINGLE_HOST)}
    assert not types & {"alicloud:vpc/natGateway:NatGateway", "alicloud:ecs/eipAddress:EipAddress"}


def test_flows_are_logged_where_a_store_is_given() -> None:
    log = build(HIGHLY_AVAILABLE, flow_log=FlowLogStore(project="p", store="flows")).one(
        "alicloud:vpc/flowLog:FlowLog"
    ).props  # fmt: skip
    assert (log["trafficType"], log["resourceType"], log["projectName"], log["logStoreName"]) == (
        "All", "VPC", "p", "flows",
    )  # fmt: skip
    assert not build(HIGHLY_AVAILABLE).of("alicloud:vpc/flowLog:FlowLog")


def test_an_existing_network_is_used_and_not_touched() -> None:
    spec = replace(HIGHLY_AVAILABLE, zones=2)
    assert [each.type for each in build(spec, existing=EXISTING)] == ["reme:alicloud:Network"]
    with pytest.raises(NotEnoughZones, match="has 2 zones and the plan needs 3"):
        build(HIGHLY_AVAILABLE, existing=EXISTING)
    with pytest.raises(InvalidStack, match="one vsw-"):
        replace(EXISTING, data_subnet_ids=("subnet-1", "subnet-2"))


def test_zones_are_those_of_the_settings_or_the_region_s_first_ones() -> None:
    found: list[tuple[str, ...]] = []

    def program() -> None:
        found.append(list_zones(2, "cn-beijing", ()))
        found.append(list_zones(2, "cn-beijing", ("cn-beijing-l", "cn-beijing-k", "cn-beijing-h")))

    record(program, region="cn-beijing")
    assert found == [("cn-beijing-h", "cn-beijing-i"), ("cn-beijing-l", "cn-beijing-k")]
    with pytest.raises(NotEnoughZones, match="has 1 zones"):
        record(lambda: found.append(list_zones(2, "cn-beijing", ("cn-beijing-l",))), region="cn-beijing")
