"""A stand-in for a Qdrant server by either transport, over the engine, and clients of it."""

from contextlib import AbstractContextManager, ExitStack, closing
from typing import Any, Protocol

from app.backends import qdrant
from app.backends.qdrant.index import QdrantIndex
from tests.app.indexes.qdrant_engine import EngineClient
from tests.app.indexes.qdrant_grpc import serve_grpc
from tests.app.indexes.qdrant_rest import serve_rest
from tests.app.indexes.qdrant_standin import Standin
from tests.servers.ports import PortLease
from tests.servers.waiting import PATIENCE_S

KEY = "key-0123456789"


class Serving(Protocol):
    """A stand-in's way to serve."""

    def __call__(self, standin: Standin, *, port: int = 0, certificate: str = "") -> AbstractContextManager[int]: ...


SERVING: dict[str, Serving] = {"rest": serve_rest, "grpc": serve_grpc}


class World:
    """A stand-in over the engine, by one transport, and clients of it."""

    def __init__(self, transport: str, stack: ExitStack) -> None:
        self.transport = transport
        self.engine = EngineClient()
        stack.callback(self.engine.close)
        self.standin = Standin(engine=self.engine, api_key=KEY)
        self._stack = stack
        self._lease = stack.enter_context(closing(PortLease()))
        self.port = self._lease.number

    def serve(self, **options: Any) -> AbstractContextManager[int]:
        """Serve, always at the same port, which stays its own while nobody listens."""
        return SERVING[self.transport](self.standin, port=self.port, **options)

    def start(self, **options: Any) -> None:
        """Serve until the test ends."""
        self.port = self._stack.enter_context(self.serve(**options))

    def open(self, **settings: Any) -> QdrantIndex:
        """A client, which the test's end closes."""
        fields: dict[str, Any] = {"host": "127.0.0.1", "https": False, "api_key": KEY, "timeout_s": PATIENCE_S}
        by_grpc = {"prefer_grpc": True, "grpc_port": self.port, "port": 1}
        fields |= by_grpc if self.transport == "grpc" else {"port": self.port, "grpc_port": 1}
        index = qdrant.open_index(**{**fields, **settings})
        self._stack.callback(index.close)
        return index
