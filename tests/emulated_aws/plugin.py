"""`pulumi-resource-aws` of the tests: `python -m tests.emulated_aws.plugin`.

Reads TF_AWS_PROVIDER (the binary), AWS_ENDPOINT_URL (the emulator), AWS_EMULATED_ROUTES (`service=url`, with commas: services
of another emulator), AWS_EMULATED_LOG (what was refused, created, changed, deleted) and AWS_EMULATED_STATE (a folder for
Terraform's own state, which holds secrets in the clear and so does not belong into Pulumi's).
"""

import hashlib
import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import msgpack
from google.protobuf import empty_pb2, struct_pb2
from google.protobuf.json_format import MessageToDict
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from infra.preview.offline.serving import serve
from tests.emulated_aws.names import MADE_UP, camel
from tests.emulated_aws.refusals import Refused
from tests.emulated_aws.terraform import State, TerraformProvider
from tests.emulated_aws.tokens import NAMED_BY, RENAMED, UNNAMED, WHOLE, find_differences, find_type
from tests.emulated_aws.values import UNKNOWN, UNKNOWN_PULUMI, block_to_pulumi, type_of

_HANDLE = "__terraform"
VERSION = "7.51.1"
"""Of Pulumi's SDK, whose programs it serves."""


class EmulatedAws(provider_pb2_grpc.ResourceProviderServicer):
    """One provider of a program: a region, default tags."""

    def __init__(self, terraform: TerraformProvider) -> None:
        self._terraform = terraform
        self._states = Path(os.environ["AWS_EMULATED_STATE"])
        self._log = Path(os.environ.get("AWS_EMULATED_LOG") or os.devnull)
        routes = os.environ.get("AWS_EMULATED_ROUTES", "")
        self._routes = dict(route.split("=", 1) for route in routes.split(",") if route)

    def GetPluginInfo(self, request: Any, context: Any) -> Any:
        return plugin_pb2.PluginInfo(version=VERSION)

    def GetSchema(self, request: Any, context: Any) -> Any:
        return provider_pb2.GetSchemaResponse(schema=json.dumps({"name": "aws", "version": VERSION}))

    def CheckConfig(self, request: Any, context: Any) -> Any:
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: Any) -> Any:
        return provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_NONE)

    def Configure(self, request: Any, context: Any) -> Any:
        arguments = MessageToDict(request.args)
        region = arguments.get("region") or os.environ.get("AWS_REGION", "us-east-1")
        tags = arguments.get("defaultTags") or {}
        tags = json.loads(tags) if isinstance(tags, str) else tags
        self._terraform.configure(region, tags.get("tags") or {}, self._routes)
        return provider_pb2.ConfigureResponse(acceptSecrets=False, acceptResources=False, supportsPreview=True)

    def Cancel(self, request: Any, context: Any) -> Any:
        return empty_pb2.Empty()

    def Check(self, request: Any, context: Any) -> Any:
        before, now = MessageToDict(request.olds), MessageToDict(request.news)
        try:
            type_ = self._type(request.urn)
            inputs = self._named(type_, request.urn, before, now)
            self._terraform.validate(type_, inputs)
        except Refused as refused:
            self._note(f"REFUSED {request.urn}: {refused}")
            return provider_pb2.CheckResponse(
                inputs=request.news, failures=[provider_pb2.CheckFailure(reason=str(refused))]
            )
        return provider_pb2.CheckResponse(inputs=_struct(inputs))

    def Diff(self, request: Any, context: Any) -> Any:
        with self._refusing(context, request.urn):
            type_, prior = self._type(request.urn), self._load(request.olds)
            inputs = MessageToDict(request.news)
            planned, answer = self._terraform.plan(type_, prior, inputs)
            known = prior.values or {}
            differing = {name for name in planned if planned[name] != known.get(name)}
            # what the program changed is a change, whatever the emulator keeps of it
            emulated = find_differences(type_) - self._terraform.compare(
                type_, MessageToDict(request.old_inputs), inputs
            )
            for name in sorted(differing & emulated):
                self._note(f"EMULATED {type_} {name}")
            changed = sorted(differing - emulated)
            replacing = sorted({path.steps[0].attribute_name for path in answer.requires_replace} & set(changed))
            if changed:
                self._note(f"DIFFERS {request.urn}: {changed} replacing={replacing}")
            kind = provider_pb2.DiffResponse
            return kind(
                changes=kind.DIFF_SOME if changed else kind.DIFF_NONE,
                diffs=[camel(name) for name in changed],
                replaces=[camel(name) for name in replacing],
            )

    def Create(self, request: Any, context: Any) -> Any:
        with self._refusing(context, request.urn):
            type_, inputs = self._type(request.urn), MessageToDict(request.properties)
            if request.preview:
                planned, _ = self._terraform.plan(type_, State(None), inputs)
                return provider_pb2.CreateResponse(id="", properties=self._outputs(type_, planned))
            state = self._apply(type_, State(None), inputs)
            values = state.values or {}
            self._note(f"CREATED {request.urn} {values.get('id')}")
            return provider_pb2.CreateResponse(
                id=str(values.get("id") or values.get("arn") or request.urn), properties=self._save(type_, state)
            )

    def Update(self, request: Any, context: Any) -> Any:
        with self._refusing(context, request.urn):
            type_, prior, inputs = self._type(request.urn), self._load(request.olds), MessageToDict(request.news)
            if request.preview:
                planned, _ = self._terraform.plan(type_, prior, inputs)
                return provider_pb2.UpdateResponse(properties=self._outputs(type_, planned))
            state = self._apply(type_, prior, inputs)
            self._note(f"CHANGED {request.urn}")
            return provider_pb2.UpdateResponse(properties=self._save(type_, state))

    def Read(self, request: Any, context: Any) -> Any:
        with self._refusing(context, request.urn):
            type_, prior = self._type(request.urn), self._load(request.properties)
            if prior.values is None:
                raise Refused("an import is not emulated")
            state = prior if WHOLE in find_differences(type_) else self._terraform.read(type_, prior)
            if state.values is None:
                return provider_pb2.ReadResponse()
            kept = {name: prior.values[name] for name in find_differences(type_) - {WHOLE}}
            state = State({**state.values, **kept}, state.private)
            return provider_pb2.ReadResponse(id=request.id, properties=self._save(type_, state), inputs=request.inputs)

    def Delete(self, request: Any, context: Any) -> Any:
        with self._refusing(context, request.urn):
            self._apply(self._type(request.urn), self._load(request.properties), None)
            self._note(f"DELETED {request.urn}")
            return empty_pb2.Empty()

    def Invoke(self, request: Any, context: Any) -> Any:
        with self._refusing(context, request.tok):
            type_ = find_type(request.tok, self._terraform.lookups, prefix="get")
            found = self._terraform.look_up(type_, MessageToDict(request.args))
            props = _struct(block_to_pulumi(found, self._terraform.lookups[type_].block))
            return provider_pb2.InvokeResponse(**{"return": props})

    def _apply(self, type_: str, prior: State, inputs: dict[str, Any] | None) -> State:
        """Apply; of what the emulators do not have at all, keep the plan, with something for what is not known."""
        if WHOLE not in find_differences(type_):
            return self._terraform.apply(type_, prior, inputs)
        self._note(f"EMULATED {type_} {WHOLE}")
        if inputs is None:
            return State(None)
        planned, answer = self._terraform.plan(type_, prior, inputs)
        types = {each.name: type_of(each) for each in self._terraform.resources[type_].block.attributes}
        values = {
            name: _make_up(types.get(name, ["list"])) if each == UNKNOWN else each for name, each in planned.items()
        }
        return State(values, answer.planned_private)

    def _type(self, urn: str) -> str:
        return find_type(urn.split("::")[2].rpartition("$")[2], self._terraform.resources)

    def _named(self, type_: str, urn: str, before: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
        """The inputs with Terraform's names, and the name that the bridge makes up: the logical one and seven digits."""
        for (of, name), other in RENAMED.items():
            if of == type_ and name in now:
                now[other] = now.pop(name)
        attributes = {attribute.name: attribute for attribute in self._terraform.resources[type_].block.attributes}
        key = NAMED_BY.get(type_, "name")
        plain = attributes.get("name")
        nameable = key != "name" or (plain is not None and (plain.optional or not plain.computed))
        if nameable and type_ not in UNNAMED and not {key, f"{key}Prefix"} & set(now):
            logical = urn.rpartition("::")[2]
            logical = logical.lower() if key == "bucket" else logical
            made = f"{logical}-{hashlib.sha256(urn.encode()).hexdigest()[:7]}"
            now[key] = before.get(key) or made
        return now

    def _outputs(self, type_: str, values: dict[str, Any]) -> Any:
        return _struct(block_to_pulumi(values, self._terraform.resources[type_].block))

    def _save(self, type_: str, state: State) -> Any:
        handle = uuid.uuid4().hex
        (self._states / handle).write_bytes(msgpack.packb([state.values, state.private]))
        outputs = self._outputs(type_, state.values or {})
        outputs.update({_HANDLE: handle})
        return outputs

    def _load(self, props: Any) -> State:
        handle = MessageToDict(props).get(_HANDLE)
        if not handle:
            return State(None)
        values, private = msgpack.unpackb((self._states / handle).read_bytes(), strict_map_key=False)
        return State(values, private)

    @contextmanager
    def _refusing(self, context: Any, what: str) -> Iterator[None]:
        try:
            yield
        except Refused as refused:
            self._note(f"REFUSED {what}: {refused}")
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(refused))

    def _note(self, line: str) -> None:
        with self._log.open("a", encoding="utf-8") as log:
            log.write(line + "\n")


def _make_up(type_: Any) -> Any:
    """A value for what nobody computes."""
    if isinstance(type_, list):
        return {} if type_[0] in ("map", "object") else []
    return {"bool": False, "number": 0}.get(type_, f"{MADE_UP}{uuid.uuid4().hex}")


def _struct(values: dict[str, Any]) -> Any:
    made = struct_pb2.Struct()
    made.update(json.loads(json.dumps(values, default=lambda each: UNKNOWN_PULUMI if each == UNKNOWN else str(each))))
    return made


def main() -> None:
    """Serve until the engine ends this process."""
    terraform = TerraformProvider(os.environ["TF_AWS_PROVIDER"])
    try:
        serve(EmulatedAws(terraform))
    finally:
        terraform.close()


if __name__ == "__main__":
    main()
