"""Qdrant's ways to be opened in tests: local mode, the engine, stand-ins for REST and gRPC over it, a server."""

import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from threading import RLock
from typing import Any, cast

import pytest
from qdrant_client import QdrantClient

from app.backends import qdrant
from app.backends.qdrant.index import QdrantIndex
from app.backends.qdrant.server import Server
from app.backends.qdrant.shape import Distance, Quantization, Shape
from app.ports import VectorIndex
from tests.app.indexes.qdrant_engine import EngineClient
from tests.app.indexes.qdrant_grpc import serve_grpc
from tests.app.indexes.qdrant_rest import serve_rest
from tests.app.indexes.qdrant_standin import Standin
from tests.servers.waiting import PATIENCE_S

SERVER = "QDRANT_URL"
"""The variable that names a Qdrant server; its key in QDRANT_API_KEY, its port of gRPC in QDRANT_GRPC_PORT."""
KEY = "key-of-a-stand-in"


class Shared:
    """A client that outlives those who close it, since local mode and the engine are their own servers.

    Its threads come one after the other.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self._lock = RLock()

    def __getattr__(self, name: str) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            with self._lock:
                return getattr(self._client, name)(*args, **kwargs)

        return call

    def end(self) -> None:
        """Close it."""
        self._client.close()

    def close(self) -> None:
        """Leave it open; the test's end closes it."""


_kept: dict[str, Any] = {}


def keep(request: pytest.FixtureRequest, name: str, make: Callable[[], Any], close: Callable[[Any], None]) -> Any:
    """What was made under a name in this test, closed after it."""
    if name not in _kept:
        made = _kept[name] = make()
        request.addfinalizer(lambda: close(_kept.pop(name, made)))
    return _kept[name]


def over(
    client: Any,
    name: str,
    *,
    is_local: bool = False,
    batch_size: int = 1000,
    distance: str = "cosine",
    quantization: str = "none",
    **shape: Any,
) -> QdrantIndex:
    """An index over a client in this process, such as a `Shared` one."""
    made = Shape(distance=Distance(distance), quantization=Quantization(quantization), **shape)
    server = Server(cast(QdrantClient, client), name="Qdrant in this process", timeout_s=10, is_local=is_local)
    return QdrantIndex(server, collection_name=name, shape=made, batch_size=batch_size)


def open_local(request: pytest.FixtureRequest, name: str) -> VectorIndex:
    """The client's local mode, in memory."""
    client = keep(request, f"local {name}", lambda: Shared(QdrantClient(":memory:")), Shared.end)
    return over(client, name, is_local=True)


def open_engine(request: pytest.FixtureRequest, name: str) -> VectorIndex:
    """Qdrant's engine in this process."""
    return over(keep(request, f"engine {name}", lambda: Shared(EngineClient()), Shared.end), name)


def open_rest(request: pytest.FixtureRequest, name: str) -> VectorIndex:
    """The engine behind a stand-in for the REST API."""
    port = keep(request, f"rest {name}", lambda: _Served(serve_rest), lambda made: made.close()).port
    return qdrant.open_index(url=f"http://127.0.0.1:{port}", api_key=KEY, collection_name=name, timeout_s=PATIENCE_S)


def open_grpc(request: pytest.FixtureRequest, name: str) -> VectorIndex:
    """The engine behind a stand-in for the gRPC API."""
    port = keep(request, f"grpc {name}", lambda: _Served(serve_grpc), lambda made: made.close()).port
    return qdrant.open_index(
        host="127.0.0.1",
        grpc_port=port,
        prefer_grpc=True,
        https=False,
        api_key=KEY,
        collection_name=name,
        timeout_s=PATIENCE_S,
    )


def open_server(request: pytest.FixtureRequest, name: str) -> VectorIndex:
    """The server that the environment names."""
    return qdrant.open_index(
        url=os.environ[SERVER],
        api_key=os.environ.get("QDRANT_API_KEY", ""),
        grpc_port=int(os.environ.get("QDRANT_GRPC_PORT", "6334")),
        prefer_grpc="QDRANT_GRPC_PORT" in os.environ,
        collection_name=name,
    )


def open_away() -> VectorIndex:
    """A client of an address at which nobody listens."""
    return qdrant.open_index(url="http://127.0.0.1:1", collection_name="away", timeout_s=2)


def open_away_grpc() -> VectorIndex:
    """A client over gRPC of an address at which nobody listens."""
    return qdrant.open_index(
        host="127.0.0.1", grpc_port=1, prefer_grpc=True, https=False, collection_name="away", timeout_s=2
    )


class _Served:
    """A stand-in over an engine of its own, and its port."""

    def __init__(self, serve: Callable[[Standin], AbstractContextManager[int]]) -> None:
        self.engine = EngineClient()
        self._serving = serve(Standin(engine=self.engine, api_key=KEY))
        self.port = self._serving.__enter__()

    def close(self) -> None:
        """Stop it."""
        self._serving.__exit__(None, None, None)
        self.engine.close()


FACTORIES: Mapping[str, Callable[[pytest.FixtureRequest, str], VectorIndex]] = {
    "qdrant_local": open_local,
    "qdrant_engine": open_engine,
    "qdrant_rest": open_rest,
    "qdrant_grpc": open_grpc,
    **({"qdrant_server": open_server} if SERVER in os.environ else {}),
}
"""All of them, for the contract; a server where there is one (`test_qdrant_server.py` says where there is none)."""

AWAY: Mapping[str, Callable[[], VectorIndex]] = {"qdrant_rest": open_away, "qdrant_grpc": open_away_grpc}
"""Clients of an address at which nobody listens."""
