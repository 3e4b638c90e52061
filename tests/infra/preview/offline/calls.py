"""An offline provider behind a real gRPC connection in this process."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pulumi_aws
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from infra.preview.offline.provider import OfflineProvider
from infra.preview.offline.sdk import find_sdk
from infra.preview.offline.values import from_struct, to_struct

PLACES = (Path(pulumi_aws.__file__).parents[1],)


def urn(token: str, name: str) -> str:
    """The URN of a resource of the tests' stack."""
    return f"urn:pulumi:dev::shop::{token}::{name}"


class Calls:
    """The engine's calls, with plain dictionaries."""

    def __init__(self, channel: Any) -> None:
        self.stub = provider_pb2_grpc.ResourceProviderStub(channel)

    def configure(self, **arguments: Any) -> None:
        self.stub.Configure(provider_pb2.ConfigureRequest(args=to_struct(arguments)))

    def check(self, resource: str, now: Mapping[str, Any], before: Mapping[str, Any] | None = None) -> dict[str, Any]:
        request = provider_pb2.CheckRequest(urn=resource, olds=to_struct(before or {}), news=to_struct(now))
        return from_struct(self.stub.Check(request).inputs)

    def create(self, resource: str, inputs: Mapping[str, Any], *, preview: bool = False) -> tuple[str, dict[str, Any]]:
        made = self.stub.Create(provider_pb2.CreateRequest(urn=resource, properties=to_struct(inputs), preview=preview))
        return made.id, from_struct(made.properties)

    def diff(
        self,
        resource: str,
        before: Mapping[str, Any],
        now: Mapping[str, Any],
        state: Mapping[str, Any] | None = None,
        ignored: tuple[str, ...] = (),
    ) -> Any:
        return self.stub.Diff(
            provider_pb2.DiffRequest(
                urn=resource,
                olds=to_struct(before if state is None else state),
                old_inputs=to_struct(before),
                news=to_struct(now),
                ignoreChanges=list(ignored),
            )
        )

    def look_up(self, token: str, **arguments: Any) -> dict[str, Any]:
        answer = self.stub.Invoke(provider_pb2.InvokeRequest(tok=token, args=to_struct(arguments)))
        return from_struct(getattr(answer, "return"))


@contextmanager
def serving(package: str) -> Iterator[Calls]:
    """Calls of a provider of this package, whose SDK is the installed one."""
    server = grpc.server(ThreadPoolExecutor(2))
    provider = OfflineProvider(package, find_sdk(package, PLACES))
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(provider, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield Calls(channel)
    server.stop(grace=None).wait()
