"""The regions of an environment told of each other: whose buckets get copies of whose objects, where those on another
cloud are found, and who calls from where."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from infra.deployment.errors import DeploymentError
from infra.peers import list_routed
from infra.planning import StackPlan
from infra.settings import CallerSettings, PeerSettings, ReplicaSettings
from infra.tagging import PROJECT

REPLICAS = f"{PROJECT}:replicas"
PEERS = f"{PROJECT}:peers"
CALLERS = f"{PROJECT}:callers"


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


def find_peers(
    planned: Mapping[str, StackPlan], outputs: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, PeerSettings]]:
    """By stack and region, the balancers on other clouds that it leads to, as far as they are there.

    Raises DeploymentError for an address that is no balancer's.
    """
    addresses = {
        each.region.key: str(outputs[name]["entrance_address"])
        for name, each in planned.items()
        if outputs.get(name, {}).get("entrance_address")
    }
    return {
        name: {
            peer.key: _read_peer(peer.key, addresses[peer.key]) for peer in list_routed(each) if peer.key in addresses
        }
        for name, each in planned.items()
    }


def find_callers(
    planned: Mapping[str, StackPlan], outputs: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, CallerSettings]]:
    """By stack and region, the addresses that other open regions of the environment call from, as far as they are
    there. Only AWS's balancers ask who calls: Alibaba Cloud's let everybody connect behind a CDN."""
    found = {
        each.region.key: ",".join(map(str, outputs[name]["outbound_addresses"]))
        for name, each in planned.items()
        if outputs.get(name, {}).get("outbound_addresses") and each.region.role != "isolated"
    }
    return {
        name: {key: _read_caller(key, addresses) for key, addresses in found.items() if key != each.region.key}
        if each.region.cloud == "aws" and each.region.role != "isolated" and each.plan.spanning.latency_routing
        else {}
        for name, each in planned.items()
    }


def describe_settings(root: str, told: Mapping[str, BaseModel], known: Mapping[str, BaseModel]) -> dict[str, str]:
    """The keys below `root` of a stack's file, with their values, that differ from what it knows already."""
    return {
        f"{root}{_write_step(region)}.{field}": value
        for region, found in told.items()
        if known.get(region) != found
        for field, value in found.model_dump().items()
        if value
    }


def _read_peer(key: str, address: str) -> PeerSettings:
    try:
        return PeerSettings(address=address)
    except ValidationError:
        raise DeploymentError(f"the output entrance_address of {key} is {address!r}, which is no balancer's") from None


def _read_caller(key: str, addresses: str) -> CallerSettings:
    try:
        return CallerSettings(addresses=addresses)
    except ValidationError:
        raise DeploymentError(
            f"the output outbound_addresses of {key} is {addresses!r}, which are no addresses"
        ) from None


def _write_step(region: str) -> str:
    """A step of a path in the file: a region with its cloud is quoted (Pulumi's "Structured configuration")."""
    return f'["{region}"]' if ":" in region else f".{region}"
