"""A gate before a server that speaks HTTP, with TLS or without: it answers some requests itself, and hands on the others."""

import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any, ClassVar

_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"})
_PATIENCE_S = 60.0


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What the gate answers in the server's place."""

    status: int
    body: bytes
    content_type: str


Judge = Callable[[Mapping[str, str]], Reply | None]
"""What is answered to a request with these headers, their names in small letters; None where it is handed on."""


@dataclass(eq=False)
class Gate:
    """Where it leads, and its own `endpoint`. `asked` are the methods of all requests that came."""

    target: tuple[str, int]
    judge: Judge
    endpoint: str = ""
    asked: list[str] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)


@contextmanager
def open_gate(host: str, port: int, judge: Judge, *, certificate: str = "") -> Iterator[Gate]:
    """A gate before an address, with TLS where there is a PEM file of a certificate and its key."""
    gate = Gate(target=(host, port), judge=judge)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"gate": gate}))
    server.daemon_threads = True
    gate.endpoint = f"http{'s' if certificate else ''}://127.0.0.1:{server.server_address[1]}"
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield gate
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    gate: ClassVar[Gate]
    protocol_version = "HTTP/1.1"

    def handle(self) -> None:
        try:
            super().handle()
        except OSError:  # a client that went, or that does not trust the certificate
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        return

    def handle_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with self.gate.lock:
            self.gate.asked.append(self.command)
            reply = self.gate.judge({name.lower(): value for name, value in self.headers.items()})
        if reply is not None:
            self._answer(reply.status, {"Content-Type": reply.content_type}, reply.body)
            return
        onward = HTTPConnection(*self.gate.target, timeout=_PATIENCE_S)
        try:
            onward.request(self.command, self.path, body, dict(self.headers.items()))
            answer = onward.getresponse()
            kept = {name: value for name, value in answer.getheaders() if name.lower() not in _HOP}
            self._answer(answer.status, kept, answer.read())
        finally:
            onward.close()

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = handle_any  # noqa: N815
