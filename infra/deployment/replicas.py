"""The regions of an environment told of each other: whose buckets get copies of whose objects."""

from collections.abc import Mapping
from typing import Any

from infra.planning import StackPlan
from infra.settings import ReplicaSettings
from infra.tagging import PROJECT

REPLICAS = f"{PROJECT}:replicas"


def find_replicas(
    planned: Mapping[str, StackPlan], outputs: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, ReplicaSettings]]:
    """By stack and region, the buckets that its objects are to be copied to: those of the other stacks whose regions
    its plan shares data with, as far as they are there."""
    buckets = {
        each.region.region: ReplicaSettings(
            bucket_arn=f"arn:aws:s3:::{outputs[name]['bucket']}", key_arn=str(outputs[name].get("bucket_key") or "")
        )
        for name, each in planned.items()
        if outputs.get(name, {}).get("bucket") and each.region.cloud == "aws"
    }
    return {
        name: {region: buckets[region] for region in each.peers if region in buckets} for name, each in planned.items()
    }


def describe_settings(replicas: Mapping[str, ReplicaSettings], known: Mapping[str, ReplicaSettings]) -> dict[str, str]:
    """The keys of a stack's file, with their values, that differ from what it knows already."""
    return {
        f"{REPLICAS}.{region}.{field}": value
        for region, found in replicas.items()
        if known.get(region) != found
        for field, value in found.model_dump().items()
        if value
    }
