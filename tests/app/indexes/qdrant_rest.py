"""A stand-in for the REST API of a Qdrant server: the calls of the index, over HTTP or HTTPS. It is no Qdrant."""

import json
import re
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import BaseModel
from qdrant_client import models

from tests.app.indexes.qdrant_standin import Call, Fault, Standin, status_of

ROUTES: Mapping[tuple[str, str], str] = {
    ("GET", r"/"): "info",
    ("GET", r"/collections"): "list",
    ("GET", r"/collections/([^/]+)/exists"): "exists",
    ("GET", r"/collections/([^/]+)"): "get",
    ("PUT", r"/collections/([^/]+)"): "create",
    ("PATCH", r"/collections/([^/]+)"): "change",
    ("DELETE", r"/collections/([^/]+)"): "remove",
    ("PUT", r"/collections/([^/]+)/index"): "index",
    ("PUT", r"/collections/([^/]+)/points"): "upsert",
    ("POST", r"/collections/([^/]+)/points/delete"): "delete",
    ("POST", r"/collections/([^/]+)/points/count"): "count",
    ("POST", r"/collections/([^/]+)/points/query"): "query",
}


def answer(standin: Standin, name: str, collection: str, body: dict[str, Any]) -> Any:
    """What Qdrant gives as the `result` of a call."""
    engine = standin.engine
    calls: Mapping[str, Callable[[], Any]] = {
        "list": engine.get_collections,
        "exists": lambda: {"exists": engine.collection_exists(collection)},
        "get": lambda: engine.get_collection(collection),
        "create": lambda: engine.create_collection(collection, **_read_create(body)),
        "change": lambda: engine.update_collection(collection, **_read_change(body)),
        "remove": lambda: engine.delete_collection(collection),
        "index": lambda: engine.create_payload_index(
            collection, **models.CreateFieldIndex(**body).model_dump(include={"field_name"}), **_read_schema(body)
        ),
        "upsert": lambda: engine.upsert(collection, **_read_upsert(body)),
        "delete": lambda: engine.delete(collection, points_selector=models.PointIdsList(**body)),
        "count": lambda: engine.count(collection, exact=models.CountRequest(**body).exact),
        "query": lambda: engine.query_points(collection, **_read_query(body)),
    }
    return calls[name]()


@contextmanager
def serve_rest(standin: Standin, *, port: int = 0, certificate: str = "") -> Iterator[int]:
    """Serve on a port of 127.0.0.1, 0 a free one, with TLS where there is a PEM file of a certificate and its key."""

    class Handler(_Handler):
        pass

    Handler.standin = standin
    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    standin.closing.clear()
    try:
        yield server.server_address[1]
    finally:
        standin.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    standin: Standin

    def handle(self) -> None:
        try:
            super().handle()
        except (ConnectionError, ssl.SSLError):
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        for (method, pattern), name in ROUTES.items():
            match = re.fullmatch(pattern, parts.path)
            if match and method == self.command:
                collection = unquote(match.group(1)) if match.groups() else ""
                self._answer(name, collection, dict(parse_qsl(parts.query)), json.loads(body or b"{}"))
                return
        self._send(404, {"status": {"error": "no such path"}})

    do_PUT = do_POST = do_PATCH = do_DELETE = do_GET  # noqa: N815

    def _answer(self, name: str, collection: str, query: dict[str, str], body: dict[str, Any]) -> None:
        headers = {key.lower(): value for key, value in self.headers.items()}
        call = Call(name=name, collection=collection, headers=headers, asked={**query, **body})
        fault = self.standin.note(call)
        if fault is not None:
            self._fail(fault)
            return
        if name == "info":
            self._send(200, self.standin.info().model_dump())
            return
        try:
            result = answer(self.standin, name, collection, body)
        except ValueError as failure:
            self._send(status_of(failure), {"status": {"error": f"Wrong input: {failure}"}, "time": 0.0})
            return
        told = result.model_dump(mode="json", exclude_none=True) if isinstance(result, BaseModel) else result
        self._send(200, {"result": told, "status": "ok", "time": 0.0})

    def _fail(self, fault: Fault) -> None:
        if fault.hangs:
            self.standin.wait()
        if fault.hangs or fault.drops:
            self.close_connection = True
            return
        if fault.acknowledges:
            self._send(200, {"result": {"operation_id": 1, "status": "acknowledged"}, "status": "ok", "time": 0.0})
            return
        self._send(fault.status, {"status": {"error": fault.reason}, "time": 0.0}, fault.retry_after)

    def _send(self, status: int, told: Any, retry_after: str = "") -> None:
        body = told if isinstance(told, bytes) else json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if retry_after:
            self.send_header("Retry-After", retry_after)
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()


def _read_upsert(body: dict[str, Any]) -> dict[str, Any]:
    told = models.PointsList(**body)
    return {"points": list(told.points), "update_filter": told.update_filter}


def _read_create(body: dict[str, Any]) -> dict[str, Any]:
    made = models.CreateCollection(**body)
    return {
        "vectors_config": made.vectors,
        "hnsw_config": made.hnsw_config,
        "quantization_config": made.quantization_config,
        "metadata": made.metadata,
    }


def _read_change(body: dict[str, Any]) -> dict[str, Any]:
    change = models.UpdateCollection(**body)
    fields = {"hnsw_config": change.hnsw_config, "quantization_config": change.quantization_config}
    return {name: value for name, value in fields.items() if value is not None}


def _read_schema(body: dict[str, Any]) -> dict[str, Any]:
    return {"field_schema": models.CreateFieldIndex(**body).field_schema}


def _read_query(body: dict[str, Any]) -> dict[str, Any]:
    query = models.QueryRequest(**body)
    return {
        "query": getattr(query.query, "nearest", query.query),
        "query_filter": query.filter,
        "search_params": query.params,
        "limit": query.limit,
        "with_payload": query.with_payload,
        "with_vectors": query.with_vector,
    }
