"""A provider of any package: checks, compares and answers as the real one would where that can be known offline."""

import json
from collections.abc import Mapping
from typing import Any

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from infra.preview.offline.differences import compare
from infra.preview.offline.identities import Maker
from infra.preview.offline.lookups import answer, default_region
from infra.preview.offline.naming import NAMED_BY, is_named_by_hand, name_resource
from infra.preview.offline.record import MADE_UP, Note, write_note
from infra.preview.offline.replacements import judge
from infra.preview.offline.sdk import Sdk, Shape
from infra.preview.offline.values import SECRET, SIGNATURE, UNKNOWN, from_struct, is_unknown, to_struct, unwrap


class OfflineProvider(provider_pb2_grpc.ResourceProviderServicer):
    """One provider of a program. `sdk` is the installed SDK of the package, or None where there is none to read."""

    def __init__(self, package: str, sdk: Sdk | None) -> None:
        self._package, self._sdk = package, sdk
        self._region = default_region(package)
        self._tags: dict[str, Any] = {}
        if sdk is None:
            write_note(Note(kind="unknown-package", about=package))

    def Handshake(self, request: Any, context: Any) -> Any:
        return provider_pb2.ProviderHandshakeResponse(accept_secrets=True, supports_autonaming_configuration=True)

    def Parameterize(self, request: Any, context: Any) -> Any:
        given = request.value
        return provider_pb2.ParameterizeResponse(name=given.name or self._package, version=given.version or "0.0.0")

    def GetPluginInfo(self, request: Any, context: Any) -> Any:
        return plugin_pb2.PluginInfo(version=self._version)

    def GetSchema(self, request: Any, context: Any) -> Any:
        schema = {"name": self._package, "version": self._version}
        return provider_pb2.GetSchemaResponse(schema=json.dumps(schema))

    def CheckConfig(self, request: Any, context: Any) -> Any:
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: Any) -> Any:
        # As the real ones: a provider is never replaced; AWS's resources are, by their own region (`Diff`).
        before = unwrap(from_struct(request.old_inputs if request.old_inputs.fields else request.olds))
        found = compare(before, unwrap(from_struct(request.news)), request.ignoreChanges)
        kind = provider_pb2.DiffResponse
        names = sorted({str(each.path[0]) for each in found})
        return kind(changes=kind.DIFF_SOME if found else kind.DIFF_NONE, diffs=names)

    def Configure(self, request: Any, context: Any) -> Any:
        given = unwrap(from_struct(request.args))
        region = given.get("region")
        if region and not is_unknown(region):
            self._region = str(region)
        tags = given.get("defaultTags") or {}
        tags = json.loads(tags) if isinstance(tags, str) and not is_unknown(tags) else tags
        self._tags = dict((tags.get("tags") if isinstance(tags, dict) else None) or {})
        return provider_pb2.ConfigureResponse(
            acceptSecrets=True, acceptResources=False, supportsPreview=True, supports_autonaming_configuration=True
        )

    def Cancel(self, request: Any, context: Any) -> Any:
        return empty_pb2.Empty()

    def Attach(self, request: Any, context: Any) -> Any:
        return empty_pb2.Empty()

    def GetMapping(self, request: Any, context: Any) -> Any:
        return provider_pb2.GetMappingResponse()

    def GetMappings(self, request: Any, context: Any) -> Any:
        return provider_pb2.GetMappingsResponse()

    def Check(self, request: Any, context: Any) -> Any:
        before, now, token = from_struct(request.olds), from_struct(request.news), _token(request.urn)
        proposed = None
        if request.HasField("autonaming"):
            options = request.autonaming
            proposed = "" if options.mode == options.DISABLE else options.proposed_name
        named = name_resource(token, request.urn, self._shape(token), before, now, proposed)
        return provider_pb2.CheckResponse(inputs=to_struct(named))

    def Diff(self, request: Any, context: Any) -> Any:
        token, state = _token(request.urn), unwrap(from_struct(request.olds))
        before = unwrap(from_struct(request.old_inputs)) if request.old_inputs.fields else state
        now = unwrap(from_struct(request.news))
        if self._moves(token, state, now):
            before, now = {**before, "region": state["region"]}, {**now, "region": self._region}
        found = compare(before, now, request.ignoreChanges)
        verdict = judge(token, found)
        if verdict.unsure:
            details = tuple(sorted(verdict.unsure))
            write_note(Note(kind="unsure", about=token, urn=request.urn, details=details))
        kind, each_kind = provider_pb2.DiffResponse, provider_pb2.PropertyDiff
        detailed = {
            each.text: each_kind(
                kind=each_kind.Kind.Value(each.kind + ("_REPLACE" if each.text in verdict.forcing else "")),
                inputDiff=True,
            )
            for each in found
        }
        replaces = sorted({str(each.path[0]) for each in found if each.text in verdict.forcing})
        return kind(
            changes=kind.DIFF_SOME if found else kind.DIFF_NONE,
            diffs=sorted({str(each.path[0]) for each in found}),
            replaces=replaces,
            deleteBeforeReplace=bool(replaces) and self._blocks_its_successor(token, before, now),
            detailedDiff=detailed,
            hasDetailedDiff=True,
        )

    def Create(self, request: Any, context: Any) -> Any:
        token, inputs = _token(request.urn), from_struct(request.properties)
        shape = self._shape(token)
        if request.preview:
            outputs = self._plain_outputs(shape, inputs)
            if shape is not None:
                outputs |= {
                    name: UNKNOWN for name, field in shape.outputs.items() if field.required and name not in outputs
                }
            return provider_pb2.CreateResponse(id="", properties=to_struct(outputs))
        plain = unwrap(inputs)
        return provider_pb2.CreateResponse(
            id=self._maker(request.urn, plain).id(plain), properties=to_struct(self._answered(request.urn, inputs, {}))
        )

    def Update(self, request: Any, context: Any) -> Any:
        inputs, state = from_struct(request.news), from_struct(request.olds)
        given = from_struct(request.old_inputs)
        kept = {name: value for name, value in state.items() if name not in given}
        return provider_pb2.UpdateResponse(properties=to_struct(self._answered(request.urn, inputs, kept)))

    def Read(self, request: Any, context: Any) -> Any:
        inputs = from_struct(request.inputs) or from_struct(request.properties)
        if request.properties.fields:
            return provider_pb2.ReadResponse(id=request.id, properties=request.properties, inputs=request.inputs)
        # An import, or a resource that another program made: nobody knows what it is like.
        write_note(Note(kind="made-up", about=_token(request.urn), urn=request.urn, details=(f"id={request.id}",)))
        outputs = to_struct(self._answered(request.urn, inputs, {}))
        return provider_pb2.ReadResponse(id=request.id, properties=outputs, inputs=to_struct(inputs))

    def Delete(self, request: Any, context: Any) -> Any:
        return empty_pb2.Empty()

    def Invoke(self, request: Any, context: Any) -> Any:
        found = answer(request.tok, unwrap(from_struct(request.args)), self._region, self._sdk)
        return provider_pb2.InvokeResponse(**{"return": to_struct(found)})

    def Call(self, request: Any, context: Any) -> Any:
        found = answer(request.tok, unwrap(from_struct(request.args)), self._region, self._sdk)
        return provider_pb2.CallResponse(**{"return": to_struct(found)})

    def Construct(self, request: Any, context: Any) -> Any:
        context.abort(
            grpc.StatusCode.UNIMPLEMENTED,
            f"{request.type} is a component that the plugin of {self._package} puts together: it cannot be previewed "
            "without that plugin. Preview this stack with credentials.",
        )

    @property
    def _version(self) -> str:
        return self._sdk.version if self._sdk is not None and self._sdk.version else "0.0.0"

    def _shape(self, token: str) -> Shape | None:
        return self._sdk.resource(token) if self._sdk is not None else None

    def _maker(self, urn: str, inputs: Mapping[str, Any]) -> Maker:
        name = inputs.get(NAMED_BY.get(_token(urn), "name"))
        logical = str(name) if isinstance(name, str) and not is_unknown(name) else urn.rpartition("::")[2]
        region = inputs.get("region")
        region = region if isinstance(region, str) and not is_unknown(region) else self._region
        return Maker(token=_token(urn), seed=urn, name=logical, region=region)

    def _plain_outputs(self, shape: Shape | None, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """The inputs as outputs, and what the provider adds of its own configuration."""
        outputs = {name: value for name, value in inputs.items() if not name.startswith("__")}
        if shape is not None and "tagsAll" in shape.outputs:
            tags = outputs.get("tags") or {}
            outputs["tagsAll"] = tags if SIGNATURE in tags or is_unknown(tags) else {**self._tags, **tags}
        if shape is not None and "region" in shape.outputs and "region" not in outputs:
            outputs["region"] = self._region
        return outputs

    def _answered(self, urn: str, inputs: Mapping[str, Any], kept: Mapping[str, Any]) -> dict[str, Any]:
        """The outputs after a change: the inputs, what was there, and made-up values for the rest."""
        shape = self._shape(_token(urn))
        outputs = {**kept, **self._plain_outputs(shape, inputs)}
        before = set(kept.get(MADE_UP) or ())
        plain = {name: value for name, value in unwrap(inputs).items() if not is_unknown(value)}
        made: dict[str, Any] = {}
        if shape is not None:
            made = self._maker(urn, plain).outputs(shape, plain, outputs.keys())
        if _token(urn) == "random:index/randomPassword:RandomPassword" and "result" not in kept:
            made["result"] = {SIGNATURE: SECRET, "value": "made-up-password"}
        names = sorted((before & outputs.keys() - inputs.keys()) | made.keys())
        return {**outputs, **made, MADE_UP: names}

    def _moves(self, token: str, state: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
        """Whether a resource of AWS would go to another region because its provider does."""
        here = state.get("region")
        return self._package == "aws" and bool(here) and "region" not in now and here != self._region

    def _blocks_its_successor(self, token: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
        """Whether the old one must go first: its name is the program's and stays, as the bridge decides it."""
        key = NAMED_BY.get(token, "name")
        return is_named_by_hand(token, now) and before.get(key) == now.get(key)


def _token(urn: str) -> str:
    return urn.split("::")[2].rpartition("$")[2]
