"""The running Terraform provider: its schemas, and the calls of Terraform's plugin protocol, version 5."""

import ctypes
import json
import os
import signal
import subprocess
from dataclasses import dataclass
from threading import Lock
from typing import Any

import grpc
import msgpack
import tfplugin5_pb2 as messages
import tfplugin5_pb2_grpc as calls

from tests.emulated_aws.refusals import Refused
from tests.emulated_aws.values import UNKNOWN, block_to_terraform, by_hash, empty, propose

_COOKIE = "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2"
"""What Terraform's plugins want to see before they start (go-plugin's handshake; no secret)."""

_PR_SET_PDEATHSIG = 1
"""Of Linux (prctl(2))."""
ANYTHING = "test"
"""The emulators check no keys."""


@dataclass(frozen=True)
class State:
    """What the provider knows of a resource: its attributes, and bytes of its own."""

    values: dict[str, Any] | None
    private: bytes = b""


class TerraformProvider:
    """A provider process that ends with this one; configured once, for one region."""

    def __init__(self, binary: str) -> None:
        environment = {
            **os.environ,
            "TF_PLUGIN_MAGIC_COOKIE": _COOKIE,
            "PLUGIN_PROTOCOL_VERSIONS": "5",
            "AWS_ACCESS_KEY_ID": ANYTHING,
            "AWS_SECRET_ACCESS_KEY": ANYTHING,
        }
        self._process = subprocess.Popen(
            [binary],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            preexec_fn=_end_with_parent,  # noqa: PLW1509 - there is no other thread yet
        )
        assert self._process.stdout is not None
        address = self._process.stdout.readline().strip().split("|")[3]
        self._channel = grpc.insecure_channel(f"unix:{address}", options=[("grpc.max_receive_message_length", -1)])
        self.stub = calls.ProviderStub(self._channel)
        schema = self.stub.GetSchema(messages.GetProviderSchema.Request())
        self._schema = schema.provider
        self.resources, self.lookups = schema.resource_schemas, schema.data_source_schemas
        self._configured, self._lock = False, Lock()

    def close(self) -> None:
        """End the process."""
        self._channel.close()
        self._process.terminate()

    def configure(self, region: str, tags: dict[str, str], routes: dict[str, str], *, plans_only: bool = False) -> None:
        """Tell it its region, default tags and the addresses of services that are not at AWS_ENDPOINT_URL.

        One that only plans asks nobody for its account.
        """
        with self._lock:
            if self._configured:
                return
            config = empty(self._schema.block)
            config.update(
                region=region,
                access_key=ANYTHING,
                secret_key=ANYTHING,
                skip_credentials_validation=True,
                skip_metadata_api_check="true",
                skip_region_validation=True,
                s3_use_path_style=True,
                skip_requesting_account_id=plans_only,
                max_retries=1 if plans_only else None,
            )
            nested = {each.type_name: each.block for each in self._schema.block.block_types}
            if tags:
                config["default_tags"] = [{**empty(nested["default_tags"]), "tags": tags}]
            if routes:
                config["endpoints"] = [{**empty(nested["endpoints"]), **routes}]
            answer = self.stub.Configure(messages.Configure.Request(terraform_version="1.11.4", config=pack(config)))
            _check(answer.diagnostics)
            self._configured = True

    def validate(self, type_: str, inputs: dict[str, Any]) -> None:
        """Raises Refused with the provider's words for inputs that it would not take."""
        config = pack(block_to_terraform(inputs, self.resources[type_].block))
        request = messages.ValidateResourceTypeConfig.Request(type_name=type_, config=config)
        _check(self.stub.ValidateResourceTypeConfig(request).diagnostics)

    def compare(self, type_: str, before: dict[str, Any], now: dict[str, Any]) -> set[str]:
        """The attributes and blocks that two inputs set otherwise."""
        block = self.resources[type_].block
        former, latter = (block_to_terraform(by_hash(inputs), block) for inputs in (before, now))
        return {name for name in latter if latter[name] != former[name]}

    def plan(self, type_: str, prior: State, inputs: dict[str, Any] | None) -> tuple[dict[str, Any], Any]:
        """What would become of a resource (of none inputs: its deletion), and the provider's answer."""
        block = self.resources[type_].block
        config = None if inputs is None else block_to_terraform(inputs, block)
        request = messages.PlanResourceChange.Request(
            type_name=type_,
            prior_state=pack(prior.values),
            proposed_new_state=pack(None if config is None else propose(prior.values, config, block)),
            config=pack(config),
            prior_private=prior.private,
        )
        answer = self.stub.PlanResourceChange(request)
        _check(answer.diagnostics)
        return unpack(answer.planned_state), answer

    def apply(self, type_: str, prior: State, inputs: dict[str, Any] | None) -> State:
        """Create, change or delete a resource."""
        _, planned = self.plan(type_, prior, inputs)
        config = None if inputs is None else block_to_terraform(inputs, self.resources[type_].block)
        request = messages.ApplyResourceChange.Request(
            type_name=type_,
            prior_state=pack(prior.values),
            planned_state=planned.planned_state,
            config=pack(config),
            planned_private=planned.planned_private,
        )
        answer = self.stub.ApplyResourceChange(request)
        _check(answer.diagnostics)
        return State(unpack(answer.new_state), answer.private)

    def read(self, type_: str, state: State) -> State:
        """A resource as it is now; without values it is gone."""
        request = messages.ReadResource.Request(
            type_name=type_, current_state=pack(state.values), private=state.private
        )
        answer = self.stub.ReadResource(request)
        _check(answer.diagnostics)
        return State(unpack(answer.new_state), answer.private)

    def look_up(self, type_: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """What a data source answers."""
        config = pack(block_to_terraform(arguments, self.lookups[type_].block))
        answer = self.stub.ReadDataSource(messages.ReadDataSource.Request(type_name=type_, config=config))
        _check(answer.diagnostics)
        return dict(unpack(answer.state))


def _end_with_parent() -> None:
    """Let the kernel end this process with the plugin, which the engine may kill without a word."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def pack(value: Any) -> Any:
    """A value as the protocol has it."""
    return messages.DynamicValue(msgpack=msgpack.packb(value))


def unpack(packed: Any) -> Any:
    """A value of the protocol; what is not known yet is UNKNOWN."""
    if not packed.msgpack:
        return json.loads(packed.json or b"null")
    return msgpack.unpackb(packed.msgpack, ext_hook=lambda *_: UNKNOWN, strict_map_key=False)


def _check(diagnostics: Any) -> None:
    wrong = []
    for each in diagnostics:
        if each.severity == messages.Diagnostic.ERROR:
            steps = ".".join(step.attribute_name or str(step.element_key_int) for step in each.attribute.steps)
            wrong.append(f"{each.summary}: {each.detail} [{steps}]")
    if wrong:
        raise Refused("; ".join(wrong))
