"""The regions on other clouds: who leads there, which region of AWS stands for each, and what is refused."""

import pytest
from botocore.session import get_session

from infra.errors import InvalidStack
from infra.peers import find_routes, list_routed, name_region
from infra.settings import PeerSettings
from infra.tables import read_table
from sizing.regions import regions
from tests.infra.stacks import plan_recorded, record_stack
from tests.infra.worlds import ADDRESS, REGIONS, SINGAPORE, WORLD, spread

US, EU = "global-us-east-1", "global-eu-west-1"
DOMAIN = "memory.example.com"
PEERS = {SINGAPORE: PeerSettings(address=ADDRESS)}
CALLERS = {SINGAPORE: {"addresses": "198.51.100.4,198.51.100.5"}, "aws:us-east-1": {"addresses": "198.51.100.1"}}


def test_aws_s_first_region_leads_to_the_open_regions_of_the_other_cloud() -> None:
    beijing = {"cloud": "alicloud", "region": "cn-beijing", "nodes": 3}
    assert [each.key for each in list_routed(plan_recorded(US, spread(*REGIONS, beijing)))] == [SINGAPORE]
    assert list_routed(plan_recorded(EU, WORLD)) == ()
    assert list_routed(plan_recorded(US, spread(*REGIONS[:2]))) == list_routed(plan_recorded("aws-prod")) == ()


def test_a_route_has_the_address_the_nearest_region_and_a_name() -> None:
    (route,) = find_routes(plan_recorded(US, WORLD), DOMAIN, PEERS)
    assert (route.key, route.address) == (SINGAPORE, ADDRESS)
    assert (route.latency_region, route.own_name) == ("ap-southeast-1", f"ap-southeast-1.{DOMAIN}")
    assert find_routes(plan_recorded(US, WORLD), DOMAIN, {}) == ()


def test_two_clouds_in_one_city_share_neither_a_record_nor_a_name() -> None:
    planned = plan_recorded(US, spread(*REGIONS, {"cloud": "aws", "region": "ap-southeast-1", "nodes": 2}))
    (route,) = find_routes(planned, DOMAIN, PEERS)
    assert (route.latency_region, route.own_name) == ("ap-southeast-5", f"alicloud-ap-southeast-1.{DOMAIN}")
    names = [name_region(DOMAIN, each, planned.plan) for each in planned.plan.regions]
    assert len(set(names)) == len(names) == 4


def test_what_is_no_peer_is_refused() -> None:
    planned = plan_recorded(US, WORLD)
    with pytest.raises(InvalidStack, match="valid: alicloud:ap-southeast-1"):
        find_routes(planned, DOMAIN, {"alicloud:eu-central-1": PEERS[SINGAPORE]})
    elsewhere = PeerSettings(address=ADDRESS.replace("ap-southeast-1", "cn-beijing"))
    with pytest.raises(InvalidStack, match="a balancer of ap-southeast-1"):
        find_routes(planned, DOMAIN, {SINGAPORE: elsewhere})


@pytest.mark.parametrize(
    "address",
    [
        "",
        "evil.example.com",
        "alb-0a1b2c3d4e5f.ap-southeast-1.alb.aliyuncs.com.example.com",
        f"{ADDRESS}\n",
        "10.0.0.1",
    ],
)
def test_an_address_that_is_no_balancer_is_refused(address: str) -> None:
    with pytest.raises(InvalidStack, match=r"peers\.alicloud:ap-southeast-1\.address"):
        record_stack(US, WORLD | {"reme-cloud:peers": {SINGAPORE: {"address": address}}})


def test_another_cloud_s_stack_is_told_of_no_peer() -> None:
    with pytest.raises(InvalidStack, match="stacks on AWS are told of the other regions"):
        record_stack("alicloud-dev", {"reme-cloud:peers": {SINGAPORE: {"address": ADDRESS}}})


def test_each_open_region_of_the_other_cloud_has_two_that_route_53_knows() -> None:
    rows = read_table("latency_regions.csv")
    known = get_session().get_service_model("route53").shape_for("ResourceRecordSetRegion").enum
    assert {row["latency_region"] for row in rows} <= set(known)
    opened = {each.key for each in regions().values() if each.cloud == "alicloud" and each.global_role != "isolated"}
    ranks = {key: [row["rank"] for row in rows if f"{row['cloud']}:{row['region']}" == key] for key in opened}
    assert all(found == ["1", "2"] for found in ranks.values())
    assert len(rows) == 2 * len(opened)
    assert all(row["source"] and row["date"] for row in rows)


class TestWhoCallsFromAnotherRegion:
    """Behind the CDN AWS's balancers let in the other regions' addresses, one by one, and nobody else besides."""

    def admitted(self, **more: object) -> set[tuple[int, str]]:
        made = record_stack(EU, {f"reme-cloud:{key}": value for key, value in more.items()})
        rules = [each.props for each in made.of("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule")]
        return {(int(each["fromPort"]), each["cidrIpv4"]) for each in rules if "cidrIpv4" in each}

    @pytest.mark.slow
    def test_each_of_their_addresses_gets_in(self) -> None:
        others = self.admitted()
        assert self.admitted(callers=CALLERS) - others == {
            (port, f"198.51.100.{last}/32") for port in (80, 443) for last in (1, 4, 5)
        }

    @pytest.mark.parametrize("addresses", ["0.0.0.0/0", "198.51.100.1/24", "", "x"])
    def test_no_range_of_them_does(self, addresses: str) -> None:
        with pytest.raises(InvalidStack, match="callers.aws:us-east-1.addresses"):
            record_stack(EU, {"reme-cloud:callers": {"aws:us-east-1": {"addresses": addresses}}})

    def test_stacks_on_alibaba_cloud_are_told_of_nobody(self) -> None:
        with pytest.raises(InvalidStack, match="stacks on AWS are told of the other regions"):
            record_stack("global-ap-southeast-1", {"reme-cloud:callers": CALLERS})
