"""Names: a simple record for one region, records by latency with checks for several."""

import pytest

from infra.aws.routing import Endpoint, Routing, RoutingArgs, Zone, ZoneArgs
from infra.errors import InvalidStack
from infra.tagging import Tags
from tests.infra.recorder import Recording, record

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
