"""The environment `global` over two clouds: what its stacks' files say over those of `infra/stacks`."""

from collections.abc import Mapping
from typing import Any

SINGAPORE = "alicloud:ap-southeast-1"
ADDRESS = "alb-0a1b2c3d4e5f6g7h8i.ap-southeast-1.alb.aliyuncsslbintl.com"
REGIONS = (
    {"cloud": "aws", "region": "us-east-1", "nodes": 3},
    {"cloud": "aws", "region": "eu-west-1", "nodes": 2},
    {"cloud": "alicloud", "region": "ap-southeast-1", "nodes": 3},
)


def spread(*regions: Mapping[str, Any]) -> dict[str, Any]:
    """The workload of an environment of these regions."""
    workload = {"name": "memory-global", "users": 5000, "clouds": ["aws", "alicloud"], "regions": list(regions)}
    return {"reme-cloud:workload": workload}


WORLD = spread(*REGIONS)
