"""`pulumi-resource-random` of the tests: passwords, made once and kept; the vendor's plugin cannot be had everywhere."""

import json
import secrets
import string
from typing import Any

from google.protobuf import empty_pb2, struct_pb2
from google.protobuf.json_format import MessageToDict
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from infra.preview.offline.serving import serve

VERSION = "4.21.4"


class RandomValues(provider_pb2_grpc.ResourceProviderServicer):
    """Knows `random:index/randomPassword:RandomPassword`; a changed input replaces it."""

    def GetPluginInfo(self, request: Any, context: Any) -> Any:
        return plugin_pb2.PluginInfo(version=VERSION)

    def GetSchema(self, request: Any, context: Any) -> Any:
        return provider_pb2.GetSchemaResponse(schema=json.dumps({"name": "random", "version": VERSION}))

    def CheckConfig(self, request: Any, context: Any) -> Any:
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: Any) -> Any:
        return provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_NONE)

    def Configure(self, request: Any, context: Any) -> Any:
        return provider_pb2.ConfigureResponse(acceptSecrets=False, acceptResources=False, supportsPreview=True)

    def Cancel(self, request: Any, context: Any) -> Any:
        return empty_pb2.Empty()

    def Check(self, request: Any, context: Any) -> Any:
        return provider_pb2.CheckResponse(inputs=request.news)

    def Diff(self, request: Any, context: Any) -> Any:
        before, now = MessageToDict(request.old_inputs), MessageToDict(request.news)
        changed = sorted(key for key in before.keys() | now.keys() if before.get(key) != now.get(key))
        kind = provider_pb2.DiffResponse
        return kind(changes=kind.DIFF_SOME if changed else kind.DIFF_NONE, diffs=changed, replaces=changed)

    def Create(self, request: Any, context: Any) -> Any:
        inputs = MessageToDict(request.properties)
        if request.preview:
            return provider_pb2.CreateResponse(id="", properties=request.properties)
        kinds = {
            "upper": string.ascii_uppercase,
            "lower": string.ascii_lowercase,
            "numeric": string.digits,
            "special": str(inputs.get("overrideSpecial") or "!@#$%&*()-_=+[]{}<>:?"),
        }
        alphabet = "".join(characters for kind, characters in kinds.items() if inputs.get(kind, True))
        made = struct_pb2.Struct()
        made.update({**inputs, "result": "".join(secrets.choice(alphabet) for _ in range(int(inputs["length"])))})
        return provider_pb2.CreateResponse(id="none", properties=made)

    def Read(self, request: Any, context: Any) -> Any:
        return provider_pb2.ReadResponse(id=request.id, properties=request.properties, inputs=request.inputs)

    def Delete(self, request: Any, context: Any) -> Any:
        return empty_pb2.Empty()


if __name__ == "__main__":
    serve(RandomValues())
