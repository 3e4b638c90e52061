"""The names that a provider makes up where a program gives none: the logical one and seven digits.

As the bridge of Pulumi's providers does it (pulumi-terraform-bridge, `AutoName`), except that the digits are the same
in every run.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

from infra.preview.offline.sdk import Shape

NAMED_BY = {
    "aws:cloudwatch/dashboard:Dashboard": "dashboardName",
    "aws:elasticache/cluster:Cluster": "clusterId",
    "aws:elasticache/replicationGroup:ReplicationGroup": "replicationGroupId",
    "aws:opensearch/domain:Domain": "domainName",
    "aws:rds/cluster:Cluster": "clusterIdentifier",
    "aws:rds/clusterInstance:ClusterInstance": "identifier",
    "aws:rds/instance:Instance": "identifier",
    "aws:s3/bucket:Bucket": "bucket",
    "aws:s3/bucketV2:BucketV2": "bucket",
    "alicloud:oss/bucket:Bucket": "bucket",
    "alicloud:vpc/network:Network": "vpcName",
    "alicloud:vpc/switch:Switch": "vswitchName",
}
"""The property that names a resource, where it is not `name` (the providers' `resources.go` at Pulumi)."""
_LOWER = frozenset({"bucket", "clusterIdentifier", "identifier", "clusterId", "replicationGroupId", "domainName"})
DEFAULTS = "__defaults"
"""Where inputs say which of them the provider filled in, as the bridge writes it."""


def name_resource(
    token: str, urn: str, shape: Shape | None, before: Mapping[str, Any], now: Mapping[str, Any], proposed: str | None
) -> dict[str, Any]:
    """The inputs with a name, kept from before where there was one.

    `proposed` is the name that the engine's own rules make, empty where they forbid names to be made up, or None.
    """
    inputs = {**now, DEFAULTS: []}
    key = NAMED_BY.get(token, "name")
    field = shape.inputs.get(key) if shape is not None else None
    if field is None or field.required or field.type != "str" or proposed == "" or {key, f"{key}Prefix"} & now.keys():
        return inputs
    logical = urn.rpartition("::")[2]
    made = proposed or f"{logical}-{hashlib.sha256(urn.encode()).hexdigest()[:7]}"
    kept = before.get(key) if key in (before.get(DEFAULTS) or ()) else None
    inputs[key] = kept or (made.lower() if key in _LOWER else made)
    inputs[DEFAULTS] = [key]
    return inputs


def is_named_by_hand(token: str, inputs: Mapping[str, Any]) -> bool:
    """Whether the program gave the name, so that two of the resource cannot stand side by side."""
    key = NAMED_BY.get(token, "name")
    return key in inputs and key not in (inputs.get(DEFAULTS) or ())
