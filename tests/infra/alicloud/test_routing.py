"""Names: a record of an address for a host, of a balancer's name for a cluster, in a zone of ours or of others."""

from typing import Any

import pulumi
import pytest

from infra.alicloud.routing import Routing, RoutingArgs, Zone, ZoneArgs
from infra.errors import InvalidStack
from infra.tagging import Tags
from tests.infra.recorder import Recording, record

TAGS = Tags(environment="global", stack="global-ap-southeast-1", more={})
RECORD = "alicloud:dns/alidnsRecord:AlidnsRecord"
BALANCER = "alb-1.cn-hangzhou.alb.aliyuncsslb.com"


def route(**more: Any) -> Recording:
    def program() -> None:
        Routing("routing", RoutingArgs(**{"record_name": "memory.example.com", "zone_name": "example.com", **more}))

    return record(program, region="cn-hangzhou")


def test_a_host_has_the_record_of_its_address() -> None:
    assert route(address="198.51.100.7").one(RECORD).props == {
        "domainName": "example.com",
        "rr": "memory",
        "type": "A",
        "value": "198.51.100.7",
        "ttl": 600,
    }


def test_a_balancer_is_led_to_by_its_name() -> None:
    props = route(dns_name=BALANCER).one(RECORD).props
    assert (props["type"], props["value"], props["rr"]) == ("CNAME", BALANCER, "memory")
    assert route(dns_name=BALANCER, record_name="example.com").one(RECORD).props["rr"] == "@"


def test_a_zone_that_is_made_comes_before_its_records() -> None:
    def program() -> None:
        zone = Zone("zone", ZoneArgs(domain="memory.example.com", tags=TAGS, protect=True))
        pulumi.export("name_servers", zone.name_servers)
        Routing(
            "routing",
            RoutingArgs(
                record_name="eu-central-1.memory.example.com",
                zone_name="memory.example.com",
                zone=zone.name,
                dns_name=BALANCER,
            ),
        )

    made = record(program, region="cn-hangzhou")
    zone = made.one("alicloud:dns/alidnsDomain:AlidnsDomain")
    assert zone.protect and zone.props["domainName"] == "memory.example.com"
    # the service takes no longer ones
    assert zone.props["tags"]["stack"] == "global-ap-southeast-" and zone.props["tags"]["environment"] == "global"
    assert made.one(RECORD).props["domainName"] == "memory.example.com"
    assert made.one(RECORD).props["rr"] == "eu-central-1"
    assert made.outputs["name_servers"] == ["ns1.alidns.com", "ns2.alidns.com"]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"zone_name": "example.org", "address": "198.51.100.7"}, "the zone that memory.example.com lies in"),
        ({"zone_name": "ample.com", "address": "198.51.100.7"}, "the zone that memory.example.com lies in"),
        ({}, "one address or one balancer"),
        ({"address": "198.51.100.7", "dns_name": BALANCER}, "one address or one balancer"),
    ],
)
def test_a_name_that_leads_nowhere_is_refused(more: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidStack, match=message):
        route(**more)
