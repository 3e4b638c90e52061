"""Recorded resources as Terraform's, which is what Checkov reads.

Names go back by rule: snake case, and lists of blocks in the singular. What differs is in the tables below;
`test_translation.py` compares every name with the schema of Terraform's provider.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pulumi

from tests.emulated_aws.names import snake
from tests.emulated_aws.tokens import RENAMED, find_type
from tests.infra.recorder import ACCOUNT, Recorded

TYPES = frozenset((Path(__file__).parent / "types.txt").read_text(encoding="utf-8").split())
"""Terraform's types that the stacks and their spoils use."""
MAPS = frozenset({"dimensions", "parameters", "recovery_point_tags", "tags", "variable_map"})
"""Objects with free keys: maps of Terraform, not blocks."""
_VALUES = {"security_ip_lists": "security_ip_list", "vpc_zone_identifiers": "vpc_zone_identifier"}
"""Lists of plain values that have the singular in Terraform."""
_BLOCKS = {
    ("aws_appautoscaling_policy", "dimensions"): "dimensions",
    ("aws_launch_template", "block_device_mappings"): "block_device_mappings",
    ("aws_launch_template", "network_interfaces"): "network_interfaces",
    ("aws_launch_template", "tag_specifications"): "tag_specifications",
    ("aws_route53_record", "aliases"): "alias",
    ("aws_ssm_association", "targets"): "targets",
    ("aws_wafv2_web_acl_logging_configuration", "redacted_fields"): "redacted_fields",
    ("alicloud_cs_kubernetes", "addons"): "addons",
    ("alicloud_db_instance", "parameters"): "parameters",
    ("alicloud_ecs_launch_template", "data_disks"): "data_disks",
}
"""Blocks whose name in Terraform is not the singular by the rule."""


@dataclass(frozen=True)
class Reference:
    """An attribute of another resource, such as `aws_vpc.network-vpc.id`."""

    path: str


@dataclass(frozen=True, kw_only=True)
class Translated:
    """A resource of Terraform; References stand in `values` where the program passed what another resource has."""

    type: str
    name: str
    values: Mapping[str, Any]

    @property
    def address(self) -> str:
        """Its address in Terraform, such as `aws_vpc.network-vpc`."""
        return f"{self.type}.{self.name}"


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """What differs between clouds: Terraform's type of a type of Pulumi (empty where it is left out), and what the
    recorder makes up for a resource and others are given, to its attribute."""

    name_type: Callable[[str], str]
    list_made_up: Callable[[Recorded], Mapping[str, str]]


def name_type(type_: str) -> str:
    """Terraform's type of a type of Pulumi such as `aws:ec2/vpc:Vpc`, empty for another provider's. Raises Refused."""
    return find_type(type_, TYPES) if type_.startswith("aws:") else ""


def translate(resources: Iterable[Recorded], dialect: Dialect | None = None) -> list[Translated]:
    """Every resource of a cloud, AWS where none is said: components and other providers' resources are left out.

    Raises Refused for a new type of AWS.
    """
    told = dialect or AWS
    found = [(told.name_type(each.type), each) for each in resources if told.name_type(each.type)]
    made_up: dict[str, list[str]] = {}
    for type_, each in found:
        for value, attribute in told.list_made_up(each).items():
            made_up.setdefault(value, []).append(f"{type_}.{_label(each)}.{attribute}")
    return [
        Translated(type=type_, name=_label(each), values=_translate_block(each.props, type_, made_up))
        for type_, each in found
    ]


def _label(each: Recorded) -> str:
    return re.sub(r"[^\w-]", "-", each.name)


def _list_made_up(each: Recorded) -> dict[str, str]:
    """What the recorder makes up for a resource and others are given, to its attribute."""
    service = each.type.split(":")[1].partition("/")[0]
    if each.type == "aws:s3/bucket:Bucket":
        bucket = each.props.get("bucket", f"{each.name}-1234567")
        return {f"{each.name}-id": "id", bucket: "bucket", f"arn:aws:s3:::{bucket}": "arn"}
    prefix = {"aws:ebs/volume:Volume": "vol-", "aws:ec2/instance:Instance": "i-"}.get(each.type)
    id_ = f"{prefix}{each.name}" if prefix else f"{each.name}-id"
    return {id_: "id", f"arn:aws:{service}:*:{ACCOUNT}:{each.name}": "arn", f"{each.name}-1234567": "name"}


AWS = Dialect(name_type=name_type, list_made_up=_list_made_up)


def _translate_block(props: Mapping[str, Any], type_: str, made_up: Mapping[str, list[str]]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, value in props.items():
        if value is None or value == [] or key.startswith("__"):
            continue
        name = snake(RENAMED.get((type_, key), key))
        blocks = isinstance(value, list) and any(isinstance(each, Mapping) for each in value)
        if isinstance(value, Mapping) and name not in MAPS:
            values[name] = [_translate_block(value, type_, made_up)]
        elif blocks:
            values[_BLOCKS.get((type_, name), _singular(name))] = [
                _translate_block(each, type_, made_up) for each in value
            ]
        elif isinstance(value, list):
            values[_VALUES.get(name, name)] = [_translate_value(each, name, made_up) for each in value]
        else:
            values[name] = _translate_value(value, name, made_up)
    return values


def _singular(name: str) -> str:
    return re.sub(r"s$", "", re.sub(r"ies$", "ys", name))


def _translate_value(value: Any, name: str, made_up: Mapping[str, list[str]]) -> Any:
    if isinstance(value, pulumi.FileAsset):
        return str(value.path)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if not isinstance(value, str):
        return value
    paths = made_up.get(re.sub(r"^(arn:aws:\w+:)[\w-]*(:\d{12}:)", r"\1*\2", value), [])
    # Several resources may have a name in common: the one whose type the property's name has, such as `plan_id`.
    fitting = [path for path in paths if path.partition(".")[0].endswith(f"_{name.rpartition('_')[0]}")] or paths
    return Reference(fitting[0]) if fitting else value
