"""What look-ups answer: facts of `infra/preview/data/lookups.json`, or an echo of what was asked, made up and noted.

Account numbers and images' ids are placeholders, the same in base and head, so that they never make a difference.
"""

import json
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from infra.preview.offline.identities import ACCOUNTS, Maker, partition_of
from infra.preview.offline.record import Note, write_note
from infra.preview.offline.replacements import DATA
from infra.preview.offline.sdk import Sdk

Answer = dict[str, Any]


@cache
def _facts() -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads((DATA / "lookups.json").read_text(encoding="utf-8"))
    return found


def default_region(package: str) -> str:
    """The region of a provider that is told none; empty for a cloud that is not known."""
    return str(_facts().get(package, {}).get("default_region", ""))


def list_zones(package: str, region: str) -> list[str]:
    """The names of a region's zones; a region that is not known has three."""
    letters = _facts()[package]["zones"].get(region, "abc")
    return [f"{region}-{letter}" if package == "alicloud" else f"{region}{letter}" for letter in letters]


def answer(token: str, arguments: Mapping[str, Any], region: str, sdk: Sdk | None) -> Answer:
    """What a look-up such as `aws:ec2/getAmi:getAmi` answers; whatever is not of the tables is noted as made up."""
    region = str(arguments.get("region") or region)
    known = _ANSWERS.get(token.rpartition(":")[2]) if token.partition(":")[0] == "aws" else None
    known = known or (_ALICLOUD.get(token.rpartition(":")[2]) if token.startswith("alicloud:") else None)
    fixed = known(arguments, region) if known is not None else None
    echo = {name: value for name, value in arguments.items() if value is not None}
    shape = sdk.look_up(token) if sdk is not None else None
    seed = json.dumps([token, region, echo], sort_keys=True, default=str)
    name = str(next((value for value in echo.values() if isinstance(value, str)), token.rpartition(":")[2]))
    made: Answer = {"id": name}
    if shape is not None:
        made = Maker(token=token, seed=seed, name=name, region=region).outputs(shape, echo, {*echo, *(fixed or {})})
    if fixed is None or token.rpartition(":")[2] in _PLACEHOLDERS:
        write_note(Note(kind="made-up", about=token, details=tuple(f"{key}={echo[key]}" for key in sorted(echo))))
    fields = shape.outputs if shape is not None else {}
    told = {name: _fit(value, fields[name].type) if name in fields else value for name, value in echo.items()}
    return {**made, **told, **(fixed or {})}


def _fit(value: Any, type_: str) -> Any:
    """A value as the type that the SDK declares: a program may ask with the text "true", and is answered with true."""
    if type_ == "bool" and value in ("true", "false"):
        return value == "true"
    if type_ in ("int", "float") and isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    if type_ == "str" and isinstance(value, bool | int | float):
        whole = not isinstance(value, bool) and float(value).is_integer()
        return str(int(value)) if whole else str(value).lower()
    return value


def _zones(_given: Mapping[str, Any], region: str) -> Answer:
    names = list_zones("aws", region)
    return {"id": region, "names": names, "zoneIds": [f"{region}-az{place}" for place in range(1, len(names) + 1)]}


def _identity(_given: Mapping[str, Any], region: str) -> Answer:
    account = ACCOUNTS["aws"]
    arn = f"arn:{partition_of(region)}:iam::{account}:user/preview"
    return {"id": account, "accountId": account, "arn": arn, "userId": account}


def _region(_given: Mapping[str, Any], region: str) -> Answer:
    suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    return {"id": region, "name": region, "region": region, "endpoint": f"ec2.{region}.{suffix}", "description": region}


def _partition(_given: Mapping[str, Any], region: str) -> Answer:
    suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    partition = partition_of(region)
    return {
        "id": partition,
        "partition": partition,
        "dnsSuffix": suffix,
        "reverseDnsPrefix": ".".join(suffix.split(".")[::-1]),
    }


def _ami(_given: Mapping[str, Any], _here: str) -> Answer:
    image = str(_facts()["aws"]["image_id"])
    return {"id": image, "imageId": image, "architecture": "x86_64", "rootDeviceName": "/dev/xvda"}


def _parameter(arguments: Mapping[str, Any], region: str) -> Answer:
    name = str(arguments.get("name", ""))
    value = str(_facts()["aws"]["image_id"]) if "ami" in name or "image" in name else f"placeholder of {name}"
    arn = f"arn:{partition_of(region)}:ssm:{region}:{ACCOUNTS['aws']}:parameter/{name.lstrip('/')}"
    return {
        "id": name,
        "name": name,
        "value": value,
        "insecureValue": value,
        "type": "String",
        "version": 1,
        "arn": arn,
    }


def _document(arguments: Mapping[str, Any], _here: str) -> Answer:
    statements = []
    for given in arguments.get("statements") or ():
        made: Answer = {"Effect": given.get("effect") or "Allow"}
        for name, other in (
            ("sid", "Sid"),
            ("actions", "Action"),
            ("notActions", "NotAction"),
            ("resources", "Resource"),
            ("notResources", "NotResource"),
        ):
            value = given.get(name)
            if value:
                made[other] = value[0] if isinstance(value, list) and len(value) == 1 else value
        for name, other in (("principals", "Principal"), ("notPrincipals", "NotPrincipal")):
            found = {each["type"]: each["identifiers"] for each in given.get(name) or ()}
            if found:
                made[other] = "*" if found == {"*": ["*"]} else found
        condition: dict[str, dict[str, Any]] = {}
        for each in given.get("conditions") or ():
            condition.setdefault(each["test"], {})[each["variable"]] = each["values"]
        statements.append({**made, **({"Condition": condition} if condition else {})})
    text = json.dumps({"Version": arguments.get("version") or "2012-10-17", "Statement": statements})
    return {"id": str(len(statements)), "json": text, "minifiedJson": text}


def _alicloud_zones(_given: Mapping[str, Any], region: str) -> Answer:
    names = list_zones("alicloud", region)
    zones = [{"id": each, "localName": each, "availableInstanceTypes": [], "multiZoneIds": []} for each in names]
    return {"id": region, "ids": names, "zones": zones}


def _alicloud_regions(arguments: Mapping[str, Any], region: str) -> Answer:
    named = str(arguments.get("name") or region)
    one = {"id": named, "regionId": named, "localName": named}
    return {"id": named, "ids": [named], "regions": [one]}


def _alicloud_account(_given: Mapping[str, Any], _here: str) -> Answer:
    return {"id": ACCOUNTS["alicloud"]}


def _alicloud_images(_given: Mapping[str, Any], _here: str) -> Answer:
    image = str(_facts()["alicloud"]["image_id"])
    return {"id": image, "ids": [image], "images": [{"id": image, "imageId": image, "name": image, "size": 20}]}


def _alicloud_switches(arguments: Mapping[str, Any], region: str) -> Answer:
    """Those that are asked for, over the region's zones in turn, each with a range of its own."""
    ids, zones = list(arguments.get("ids") or ()), list_zones("alicloud", region)
    found = [
        {"id": each, "vswitchId": each, "cidrBlock": f"10.0.{place}.0/24", "zoneId": zones[place % len(zones)]}
        for place, each in enumerate(ids)
    ]
    return {"id": region, "ids": ids, "vswitches": found}


def _alicloud_types(arguments: Mapping[str, Any], region: str) -> Answer:
    cores, memory = arguments.get("cpuCoreCount") or 2, arguments.get("memorySize") or 8
    # ecs.g7 has four GB a core and sizes by cores (ECS, "General-purpose instance families").
    type_ = "ecs.g7.large" if cores <= 2 else "ecs.g7.xlarge" if cores <= 4 else f"ecs.g7.{int(cores) // 4}xlarge"
    one = {
        "id": type_,
        "cpuCoreCount": cores,
        "memorySize": memory,
        "availabilityZones": list_zones("alicloud", region),
    }
    return {"id": type_, "ids": [type_], "instanceTypes": [one]}


_ANSWERS: Mapping[str, Callable[[Mapping[str, Any], str], Answer]] = {
    "getAvailabilityZones": _zones,
    "getCallerIdentity": _identity,
    "getRegion": _region,
    "getPartition": _partition,
    "getAmi": _ami,
    "getParameter": _parameter,
    "getPolicyDocument": _document,
}
_ALICLOUD: Mapping[str, Callable[[Mapping[str, Any], str], Answer]] = {
    "getZones": _alicloud_zones,
    "getRegions": _alicloud_regions,
    "getAccount": _alicloud_account,
    "getImages": _alicloud_images,
    "getInstanceTypes": _alicloud_types,
    "getSwitches": _alicloud_switches,
}
_PLACEHOLDERS = frozenset({"getAmi", "getParameter", "getImages", "getInstanceTypes", "getSwitches"})
"""Look-ups whose answer has the right form and a made-up value, which counts as made up."""
