"""`pulumi-resource-NAME` that answers what it is asked: a cloud's provider without a cloud, for the engine's files.

A resource's outputs are its inputs, an ARN, and, for the types of `_COMPUTED`, what its cloud would compute; in a
preview the computed ones are unknown. A change of a property of `_FORCES` replaces the resource.
"""

import json
import sys
from typing import Any

from google.protobuf import empty_pb2, struct_pb2
from google.protobuf.json_format import MessageToDict
from pulumi.runtime.proto import plugin_pb2, provider_pb2

from tests.emulated_aws.random_plugin import RandomValues
from tests.emulated_aws.serving import serve

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
_FORCES = {"availabilityZone", "cidrBlock", "engine", "internal", "namePrefix", "subnetId", "zoneId"}
_COMPUTED = ("arn",)


def _find_paths(key: str, before: Any, now: Any) -> list[str]:
    if not isinstance(before, dict) or not isinstance(now, dict):
        return [key]
    return [f"{key}.{inner}" for inner in sorted(before.keys() | now.keys()) if before.get(inner) != now.get(inner)]


class Echo(RandomValues):
    """Takes any type."""

    def __init__(self, name: str) -> None:
        self.name = name

    def GetPluginInfo(self, request: Any, context: Any) -> Any:  # noqa: N802 - the name that the engine calls
        return plugin_pb2.PluginInfo(version="1.0.0")

    def GetSchema(self, request: Any, context: Any) -> Any:  # noqa: N802 - the name that the engine calls
        return provider_pb2.GetSchemaResponse(schema=json.dumps({"name": self.name, "version": "1.0.0"}))

    def Diff(self, request: Any, context: Any) -> Any:  # noqa: N802 - the name that the engine calls
        before, now = MessageToDict(request.old_inputs), MessageToDict(request.news)
        changed = sorted(key for key in before.keys() | now.keys() if before.get(key) != now.get(key))
        forced = [key for key in changed if key in _FORCES]
        kind = provider_pb2.PropertyDiff
        detailed = {
            path: kind(kind=kind.UPDATE_REPLACE if key in forced else kind.UPDATE, inputDiff=True)
            for key in changed
            for path in _find_paths(key, before.get(key), now.get(key))
        }
        answer = provider_pb2.DiffResponse
        return answer(
            changes=answer.DIFF_SOME if changed else answer.DIFF_NONE,
            diffs=changed,
            replaces=forced,
            detailedDiff=detailed,
            hasDetailedDiff=True,
        )

    def Create(self, request: Any, context: Any) -> Any:  # noqa: N802 - the name that the engine calls
        name = request.urn.rpartition("::")[2]
        values = {key: UNKNOWN if request.preview else f"{key}-of-{name}" for key in _COMPUTED}
        made = struct_pb2.Struct()
        made.update({**MessageToDict(request.properties), **values})
        return provider_pb2.CreateResponse(id="" if request.preview else f"id-of-{name}", properties=made)

    def Update(self, request: Any, context: Any) -> Any:  # noqa: N802 - the name that the engine calls
        made = struct_pb2.Struct()
        made.update({**MessageToDict(request.olds), **MessageToDict(request.news)})
        return provider_pb2.UpdateResponse(properties=made)

    def Invoke(self, request: Any, context: Any) -> Any:  # noqa: N802 - the name that the engine calls
        return provider_pb2.InvokeResponse()

    def Delete(self, request: Any, context: Any) -> Any:  # noqa: N802 - the name that the engine calls
        return empty_pb2.Empty()


if __name__ == "__main__":
    serve(Echo(sys.argv[1]))
