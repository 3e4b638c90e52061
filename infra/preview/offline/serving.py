"""Serving a provider to the engine: the port on the first line, then calls until the process ends."""

import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from pulumi.runtime.proto import provider_pb2_grpc

_THREADS = 64
"""Of a large stack the engine asks as much at the same time, and most of it waits."""


def serve(servicer: Any) -> None:
    """Answer the engine's calls on a free port of this machine."""
    no_limit = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    server = grpc.server(ThreadPoolExecutor(_THREADS), options=no_limit)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    signal.signal(signal.SIGTERM, lambda *_: server.stop(grace=None))
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    server.wait_for_termination()
