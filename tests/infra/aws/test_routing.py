"""Names: a simple record for one region, records by latency with checks for several."""

import pytest

from infra.aws.routing import Endpoint, PeerRouting, PeerRoutingArgs, Routing, RoutingArgs, Zone, ZoneArgs
from infra.errors import InvalidStack
from infra.peers import PeerRoute
from infra.tagging import Tags
from tests.infra.recorder import Recording, record
from tests.infra.stacks import record_stack
from tests.infra.worlds import ADDRESS, SINGAPORE, WORLD

TAGS = Tags(environment="test", stack="aws-test", more={})
RECORD = "aws:route53/record:Record"
CHECK = "aws:route53/healthCheck:HealthCheck"
BALANCER = Endpoint(dns_name="balancer.us-east-1.elb.amazonaws.com", zone_id="ZELB")


def route(endpoint: Endpoint = BALANCER, *, by_latency: bool = False, alias: bool = True) -> Recording:
    def program() -> None:
        Routing(
            "routing",
            RoutingArgs(
                record_name="reme.example.com",
                zone_id="Z1",
                endpoint=endpoint,
                region="us-east-1",
                by_latency=by_latency,
                alias=alias,
                tags=TAGS,
            ),
        )

    return record(program)


def test_one_region_has_a_plain_alias_and_no_check() -> None:
    made = route()

    props = made.one(RECORD).props
    assert props["aliases"] == [{"name": BALANCER.dns_name, "zoneId": "ZELB", "evaluateTargetHealth": False}]
    assert props["type"] == "A" and "setIdentifier" not in props and "ttl" not in props
    assert not made.of(CHECK)


def test_a_host_has_its_address() -> None:
    props = route(Endpoint(addresses=("198.51.100.7",))).one(RECORD).props
    assert (props["type"], props["records"], props["ttl"]) == ("A", ["198.51.100.7"], 60)


def test_a_region_among_several_is_found_by_latency_and_leaves_when_it_fails() -> None:
    made = route(by_latency=True)

    props = made.one(RECORD).props
    assert props["setIdentifier"] == "us-east-1" and props["latencyRoutingPolicies"] == [{"region": "us-east-1"}]
    assert props["aliases"][0]["evaluateTargetHealth"] and props["healthCheckId"] == "routing-check-id"
    check = made.one(CHECK).props
    assert (check["type"], check["port"], check["resourcePath"], check["enableSni"]) == ("HTTPS", 443, "/health", True)
    assert (check["requestInterval"], check["failureThreshold"]) == (10, 3)
    assert check["fqdn"] == BALANCER.dns_name and len(check["regions"]) >= 3


def test_beside_another_cloud_every_region_is_named() -> None:
    props = route(by_latency=True, alias=False).one(RECORD).props
    assert (props["type"], props["records"]) == ("CNAME", [BALANCER.dns_name])
    assert "aliases" not in props


def test_an_endpoint_that_leads_nowhere_is_refused() -> None:
    with pytest.raises(InvalidStack, match=r"reme\.example\.com"):
        route(Endpoint())


@pytest.mark.parametrize("protect", [True, False])
def test_a_zone_is_made_where_none_exists(protect: bool) -> None:
    def program() -> None:
        Zone("zone", ZoneArgs(domain="reme.example.com", zone_id=None, tags=TAGS, protect=protect))

    made = record(program)
    zone = made.one("aws:route53/zone:Zone")
    assert zone.protect is protect and zone.props["forceDestroy"] is not protect


def test_an_existing_zone_is_used_and_not_made() -> None:
    found: list[str] = []

    def program() -> None:
        zone = Zone("zone", ZoneArgs(domain="reme.example.com", zone_id="Z7", tags=TAGS, protect=True))
        zone.zone_id.apply(found.append)

    made = record(program)
    assert found == ["Z7"] and not made.of("aws:route53/zone:Zone")


def test_a_region_on_another_cloud_has_its_part_in_the_shared_name_a_check_and_a_name_of_its_own() -> None:
    route = PeerRoute(
        key=SINGAPORE, address=ADDRESS, latency_region="ap-southeast-5", own_name="ap-southeast-1.reme.example.com"
    )

    def program() -> None:
        args = PeerRoutingArgs(route=route, record_name="origin.reme.example.com", zone_id="Z1", tags=TAGS)
        PeerRouting("peer", args)

    made = record(program)
    shared = made.one(RECORD, "peer-shared-record").props
    assert (shared["name"], shared["type"], shared["records"]) == ("origin.reme.example.com", "CNAME", [ADDRESS])
    assert shared["latencyRoutingPolicies"] == [{"region": "ap-southeast-5"}]
    assert (shared["setIdentifier"], shared["healthCheckId"]) == (SINGAPORE, "peer-shared-check-id")
    check = made.one(CHECK).props
    assert (check["fqdn"], check["resourcePath"], check["requestInterval"]) == (route.own_name, "/health", 10)
    own = made.one(RECORD, "peer-own-record").props
    assert (own["name"], own["records"]) == ("ap-southeast-1.reme.example.com", [ADDRESS])
    assert "setIdentifier" not in own


class TestAnEnvironmentOverTwoClouds:
    def test_the_first_region_writes_every_record_so_that_one_region_s_loss_moves_its_traffic(self) -> None:
        made = record_stack("global-us-east-1", WORLD | {"reme-cloud:peers": {SINGAPORE: {"address": ADDRESS}}})

        shared = [each.props for each in made.of(RECORD) if each.props["name"] == "origin.memory.example.com"]
        assert {each["setIdentifier"]: each["latencyRoutingPolicies"][0]["region"] for each in shared} == {
            "us-east-1": "us-east-1",
            SINGAPORE: "ap-southeast-1",
        }
        assert {each["type"] for each in shared} == {"CNAME"}
        checks = {f"{each.name}-id": each.props["fqdn"] for each in made.of(CHECK)}
        here, there = sorted(shared, key=lambda each: str(each["setIdentifier"]), reverse=True)
        assert checks[here["healthCheckId"]] == here["records"][0]
        assert checks[there["healthCheckId"]] == "ap-southeast-1.memory.example.com"
        names = {each.props["name"] for each in made.of(RECORD)}
        assert {"us-east-1.memory.example.com", "ap-southeast-1.memory.example.com"} <= names

    @pytest.mark.slow
    def test_every_other_region_writes_its_own_records_alone(self) -> None:
        made = record_stack("global-eu-west-1", WORLD)
        shared = [each.props for each in made.of(RECORD) if each.props["name"] == "origin.memory.example.com"]
        assert [each["setIdentifier"] for each in shared] == ["eu-west-1"]
        assert "eu-west-1.memory.example.com" in {each.props["name"] for each in made.of(RECORD)}

    def test_a_region_s_certificate_proves_its_own_name(self) -> None:
        certificate = record_stack("global-eu-west-1").one("aws:acm/certificate:Certificate", "certificate-certificate")
        assert "eu-west-1.memory.example.com" in certificate.props["subjectAlternativeNames"]

    @pytest.mark.slow
    def test_before_the_other_cloud_s_address_is_known_nothing_leads_there(self) -> None:
        made = record_stack("global-us-east-1", WORLD)
        assert len(made.of(CHECK)) == 1

    def test_the_balancer_is_named_for_others(self) -> None:
        made = record_stack("global-eu-west-1", WORLD)
        assert made.outputs["entrance_address"] == "balancer-alb.eu-west-1.elb.amazonaws.com"

    @pytest.mark.parametrize("stack", ["global-eu-west-1", "aws-prod", "aws-dev"])
    def test_who_does_not_route_is_told_of_no_peer(self, stack: str) -> None:
        world = WORLD if stack.startswith("global") else {}
        with pytest.raises(InvalidStack, match="only AWS's first region"):
            record_stack(stack, world | {"reme-cloud:peers": {SINGAPORE: {"address": ADDRESS}}})
