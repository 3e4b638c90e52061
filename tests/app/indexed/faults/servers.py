"""The servers of vector indexes, each with its way to be killed, to be started again and to run out of space."""

import resource
from contextlib import AbstractContextManager, ExitStack
from typing import Any, Protocol
from urllib.parse import urlsplit

from elasticsearch import Elasticsearch

from tests.app.indexes.qdrant_world import KEY, World
from tests.servers.chroma import ChromaServer
from tests.servers.elasticsearch import ElasticsearchServer

TIMEOUT_S = 3.0
"""Long enough for a busy machine, short enough to be waited for."""
BATCH = 20
_LITTLE_BYTES = 4096
"""Less than any file of Chroma's has."""


class Beside(Protocol):
    """A server beside the store. `host` and `port` are its address, `batch` is in each request that tells of memories."""

    host: str
    port: int
    batch: bytes

    def describe(self, host: str, port: int, name: str) -> dict[str, Any]:
        """The sections of settings for a collection of this name, reached by an address."""
        ...

    def kill(self) -> None:
        """Let it die without a farewell."""
        ...

    def start(self) -> object:
        """Start it again with its data."""
        ...

    def fill(self, name: str) -> None:
        """Let it take no writes, for want of space."""
        ...

    def free(self, name: str) -> None:
        """Let it take them again."""
        ...


class Chroma:
    """A Chroma that may write no byte further than it did: what a full disk does to it."""

    batch = b"/upsert"

    def __init__(self, server: ChromaServer) -> None:
        self._server = server
        self.host, self.port = server.host, server.port
        self.kill, self.start = server.kill, server.start

    def describe(self, host: str, port: int, name: str) -> dict[str, Any]:
        """Its settings."""
        chroma = {"host": host, "port": port, "collection_name": name, "timeout_s": TIMEOUT_S}
        return {"vector_index": {"backend": "chroma", "batch_size": BATCH}, "chroma": chroma}

    def fill(self, name: str) -> None:
        """Limit the size of files (RLIMIT_FSIZE), which needs no privilege and which root does not pass by."""
        self._limit(_LITTLE_BYTES)

    def free(self, name: str) -> None:
        """Lift the limit, and start it again: what it could not finish it answers with errors until then."""
        self._limit(resource.RLIM_INFINITY)
        self.kill()
        self.start()

    def _limit(self, size_bytes: int) -> None:
        for process in self._server.processes():
            _, most = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (size_bytes, most))


class ElasticSearch:
    """An Elasticsearch whose indices get the block that the flood-stage watermark sets."""

    batch = b"/_bulk"

    def __init__(self, server: ElasticsearchServer) -> None:
        parts = urlsplit(server.url)
        self._url = server.url
        self.host, self.port = str(parts.hostname), int(parts.port or 0)
        self.kill, self.start = server.kill, server.start

    def describe(self, host: str, port: int, name: str) -> dict[str, Any]:
        """Its settings."""
        elasticsearch = {
            "hosts": [f"http://{host}:{port}"],
            "index_name": name,
            "number_of_shards": 1,
            "number_of_replicas": 0,
            "timeout_s": TIMEOUT_S,
        }
        return {"vector_index": {"backend": "elasticsearch", "batch_size": BATCH}, "elasticsearch": elasticsearch}

    def fill(self, name: str) -> None:
        """Set the block."""
        self._block(name, True)

    def free(self, name: str) -> None:
        """Take it away, as the server does when there is space again."""
        self._block(name, None)

    def _block(self, name: str, value: bool | None) -> None:
        client = Elasticsearch([self._url], request_timeout=60)
        try:
            client.indices.put_settings(
                index=f"{name}-*", settings={"index.blocks.read_only_allow_delete": value}, expand_wildcards="open"
            )
        finally:
            client.close()


class Qdrant:
    """A stand-in for a Qdrant server over its engine; it says what Qdrant's disk watcher says."""

    host = "127.0.0.1"

    def __init__(self, transport: str, stack: ExitStack) -> None:
        self._world = World(transport, stack)
        self._serving: AbstractContextManager[int] | None = None
        self.batch = b"/points?" if transport == "rest" else b"opens_ms"
        self.start()
        self.port = self._world.port
        stack.callback(self.kill)

    def describe(self, host: str, port: int, name: str) -> dict[str, Any]:
        """Its settings."""
        by_grpc = self._world.transport == "grpc"
        qdrant = {
            "host": host,
            "port": 1 if by_grpc else port,
            "grpc_port": port if by_grpc else 1,
            "prefer_grpc": by_grpc,
            "https": False,
            "api_key": KEY,
            "collection_name": name,
            "timeout_s": TIMEOUT_S,
        }
        return {"vector_index": {"backend": "qdrant", "batch_size": BATCH}, "qdrant": qdrant}

    def kill(self) -> None:
        """Serve no more; the engine is its disk."""
        if self._serving is not None:
            self._serving.__exit__(None, None, None)
            self._serving = None

    def start(self) -> None:
        """Serve, at the port of before."""
        self._serving = self._world.serve()
        self._world.port = self._serving.__enter__()

    def fill(self, name: str) -> None:
        """Refuse writes."""
        reason = "No space left on device: WAL buffer size exceeds available disk space"
        for call in ("upsert", "delete"):
            self._world.standin.fail(on=call, status=500, reason=reason, times=None)

    def free(self, name: str) -> None:
        """Take them."""
        self._world.standin.recover()
