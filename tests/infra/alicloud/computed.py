"""What the recorder makes up for Alibaba Cloud: what a resource computes, and what look-ups answer."""

from typing import Any

ACCOUNT = "1234567890123456"
IMAGE = "ubuntu_24_04_x64_20G_alibase_20250722.vhd"


def compute_alicloud(type_: str, name: str, state: dict[str, Any], region: str) -> dict[str, Any]:
    """What the cloud would add to a resource."""
    made: dict[str, dict[str, Any]] = {
        "alicloud:ecs/eipAddress:EipAddress": {"ipAddress": "198.51.100.7"},
        "alicloud:ecs/instance:Instance": {"privateIp": "10.20.0.10", "primaryIpAddress": "10.20.0.10"},
        "alicloud:kms/key:Key": {"arn": f"acs:kms:{region}:{ACCOUNT}:key/{name}"},
        "alicloud:ram/role:Role": {"arn": f"acs:ram::{ACCOUNT}:role/{state.get('roleName')}", "roleId": "300000000000"},
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
    }
    if token not in answers:
        raise AssertionError(f"the recorder has no answer to {token}: add one to {__name__}")
    return answers[token]
