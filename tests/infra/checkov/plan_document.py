"""The form in which Checkov reads resources: Terraform's plan as JSON.

Plain Terraform was tried too: both forms give the same failures, but only in a plan Checkov reads the definitions of
containers and the policies that are JSON inside a text. References stand apart in a plan: a value that is known only
after the resource is made is missing among the values, and named in the configuration.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from tests.infra.checkov.translation import Reference, Translated

PROVIDERS = {"aws": "registry.terraform.io/hashicorp/aws", "alicloud": "registry.terraform.io/aliyun/alicloud"}
"""The provider of a type, by the type's first word."""


def write_plan(resources: Iterable[Translated]) -> dict[str, Any]:
    """A plan that creates the resources."""
    planned, configured = [], []
    for each in resources:
        place = {"address": each.address, "mode": "managed", "type": each.type, "name": each.name}
        cloud = each.type.partition("_")[0]
        planned.append(place | {"provider_name": PROVIDERS[cloud], "values": _list_known(each.values)})
        configured.append(place | {"provider_config_key": cloud, "expressions": _list_references(each.values)})
    return {
        "format_version": "1.2",
        "terraform_version": "1.9.0",
        "planned_values": {"root_module": {"resources": planned}},
        "configuration": {"root_module": {"resources": configured}},
    }


def _is_blocks(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(each, Mapping) for each in value)


def _list_known(values: Mapping[str, Any]) -> dict[str, Any]:
    known: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Reference):
            continue
        if _is_blocks(value):
            known[name] = [_list_known(each) for each in value]
        elif isinstance(value, list):
            known[name] = [None if isinstance(each, Reference) else each for each in value]
        else:
            known[name] = value
    return known


def _list_references(values: Mapping[str, Any]) -> dict[str, Any]:
    expressions: dict[str, Any] = {}
    for name, value in values.items():
        if _is_blocks(value):
            expressions[name] = [_list_references(each) for each in value]
            continue
        found = [each for each in (value if isinstance(value, list) else [value]) if isinstance(each, Reference)]
        # As Terraform writes them: the attribute, then its resource.
        paths = [path for each in found for path in (each.path, each.path.rpartition(".")[0])]
        expressions[name] = {"references": paths} if paths else {}
    return expressions
