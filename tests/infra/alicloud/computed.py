"""What the recorder makes up for Alibaba Cloud: what a resource computes, and what look-ups answer."""

from typing import Any

ACCOUNT = "1234567890123456"
IMAGE = "ubuntu_24_04_x64_20G_alibase_20250722.vhd"


def compute_alicloud(type_: str, name: str, state: dict[str, Any], region: str) -> dict[str, Any]:
    """What the cloud would add to a resource."""
    made: dict[str, dict[str, Any]] = {
        "alicloud:alb/loadBalancer:LoadBalancer": {
            "dnsName": f"alb-0123456789abcdef.{region}.alb.aliyuncsslb{'' if region.startswith('cn-') else 'intl'}.com"
        },
        "alicloud:cdn/domainNew:DomainNew": {"cname": f"{state.get('domainName')}.w.kunlunaq.com"},
        "alicloud:dns/alidnsDomain:AlidnsDomain": {"dnsServers": ["ns1.alidns.com", "ns2.alidns.com"]},
        "alicloud:ecs/eipAddress:EipAddress": {"ipAddress": "198.51.100.7"},
        "alicloud:ecs/instance:Instance": {"privateIp": "10.20.0.10", "primaryIpAddress": "10.20.0.10"},
        "alicloud:kms/key:Key": {"arn": f"acs:kms:{region}:{ACCOUNT}:key/{name}"},
        "alicloud:ram/role:Role": {"arn": f"acs:ram::{ACCOUNT}:role/{state.get('roleName')}", "roleId": "300000000000"},
        "alicloud:rds/instance:Instance": {"connectionString": f"{name}.pg.rds.aliyuncs.com"},
        "alicloud:redis/tairInstance:TairInstance": {"connectionDomain": f"{name}.redis.rds.aliyuncs.com"},
        "alicloud:vpc/natGateway:NatGateway": {"snatTableIds": f"stb-{name}"},
    }
    return state | made.get(type_, {})


def answer_alicloud(token: str, args: dict[str, Any], region: str) -> dict[str, Any]:
    """What a look-up answers."""
    zones = [f"{region}-{letter}" for letter in "hij"]
    answers: dict[str, dict[str, Any]] = {
        "alicloud:index/getAccount:getAccount": {"id": ACCOUNT},
        "alicloud:index/getZones:getZones": {"id": region, "ids": zones, "zones": [{"id": each} for each in zones]},
        "alicloud:ecs/getImages:getImages": {
            "id": IMAGE,
            "ids": [IMAGE],
            "images": [{"id": IMAGE, "imageId": IMAGE, "name": IMAGE}],
        },
        "alicloud:vpc/getSwitches:getSwitches": _answer_switches(args.get("ids") or [], zones),
    }
    if token not in answers:
        raise AssertionError(f"the recorder has no answer to {token}: add one to {__name__}")
    return answers[token]


def _answer_switches(ids: list[str], zones: list[str]) -> dict[str, Any]:
    """vSwitches that were there already, each with a range and a zone of its own."""
    found = [
        {"id": each, "vswitchId": each, "cidrBlock": f"10.9.{number}.0/24", "zoneId": zones[number % len(zones)]}
        for number, each in enumerate(ids)
    ]
    return {"id": "-".join(ids), "ids": ids, "vswitches": found}
