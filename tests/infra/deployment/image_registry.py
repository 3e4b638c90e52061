"""A registry of images that asks for a sign-in and moves no tag, with the two calls of ECR that a deployment makes."""

import base64
import json
import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from uuid import uuid4

USER, PASSWORD = "AWS", "of twelve hours"
_TARGET = "AmazonEC2ContainerRegistry_V20150921."


class ImageRegistry:
    """What was pushed: blobs by digest, manifests by repository and reference."""

    def __init__(self, user: str, password: str) -> None:
        sign_in = base64.b64encode(f"{user}:{password}".encode())
        self.token, self.sign_in = sign_in.decode(), f"Basic {sign_in.decode()}"
        self.blobs: dict[str, bytes] = {}
        self.uploads: dict[str, bytes] = {}
        self.manifests: dict[tuple[str, str], tuple[str, bytes]] = {}
        self.refused = 0
        self.host = ""

    def tags(self, repository: str) -> list[str]:
        """The tags of a repository."""
        return sorted(tag for name, tag in self.manifests if name == repository and not tag.startswith("sha256:"))

    def read_settings(self, repository: str, tag: str) -> Any:
        """The settings of an image, such as its architecture."""
        manifest = json.loads(self.manifests[repository, tag][1])
        assert all(layer["digest"] in self.blobs for layer in manifest["layers"])
        return json.loads(self.blobs[manifest["config"]["digest"]])


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    registry: ImageRegistry

    def log_message(self, *_: object) -> None:
        pass

    def do_POST(self) -> None:
        body = self._body()
        if self.path == "/":
            self._answer_ecr(json.loads(body))
        elif self._is_signed_in():
            upload = uuid4().hex
            self.registry.uploads[upload] = b""
            self._answer(202, headers={"Location": f"{self.path.rstrip('/')}/{upload}"})

    def do_PATCH(self) -> None:
        body = self._body()
        if self._is_signed_in():
            self.registry.uploads[self.path.rpartition("/")[2]] += body
            self._answer(202, headers={"Location": self.path})

    def do_PUT(self) -> None:
        body = self._body()
        if not self._is_signed_in():
            return
        if found := re.fullmatch(r"/v2/(.+)/manifests/(.+)", self.path):
            name, reference = found.groups()
            if (name, reference) in self.registry.manifests:
                self._answer(405, b'{"errors":[{"code":"TAG_INVALID","message":"the tag is immutable"}]}')
                return
            kind = self.headers["Content-Type"]
            digest = f"sha256:{sha256(body).hexdigest()}"
            self.registry.manifests[name, reference] = self.registry.manifests[name, digest] = (kind, body)
            self._answer(201, headers={"Docker-Content-Digest": digest})
            return
        place, _, digest = self.path.partition("?digest=")
        content = self.registry.uploads.pop(place.rpartition("/")[2]) + body
        digest = digest.replace("%3A", ":")
        assert digest == f"sha256:{sha256(content).hexdigest()}"
        self.registry.blobs[digest] = content
        self._answer(201, headers={"Docker-Content-Digest": digest})

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        if not self._is_signed_in():
            return
        if self.path == "/v2/":
            self._answer(200)
        elif (found := re.fullmatch(r"/v2/.+/blobs/(.+)", self.path)) and found[1] in self.registry.blobs:
            self._answer(200, self.registry.blobs[found[1]])
        elif (found := re.fullmatch(r"/v2/(.+)/manifests/(.+)", self.path)) and (
            kept := self.registry.manifests.get((found[1], found[2]))
        ):
            self._answer(200, kept[1], {"Content-Type": kept[0]})
        else:
            self._answer(404, b'{"errors":[]}')

    def _answer_ecr(self, asked: Any) -> None:
        action = self.headers["X-Amz-Target"].removeprefix(_TARGET)
        if action == "GetAuthorizationToken":
            given = [{"authorizationToken": self.registry.token}]
            self._answer(200, json.dumps({"authorizationData": given}).encode())
            return
        (tag,) = (each["imageTag"] for each in asked["imageIds"])
        if tag in self.registry.tags(asked["repositoryName"]):
            self._answer(200, json.dumps({"imageDetails": [{"imageTags": [tag]}]}).encode())
        else:
            self._answer(400, b'{"__type":"ImageNotFoundException","message":"no such image"}')

    def _is_signed_in(self) -> bool:
        if self.headers["Authorization"] == self.registry.sign_in:
            return True
        self.registry.refused += 1
        self._answer(401, headers={"WWW-Authenticate": 'Basic realm="images"'})
        return False

    def _body(self) -> bytes:
        if self.headers["Transfer-Encoding"] != "chunked":
            return self.rfile.read(int(self.headers["Content-Length"] or 0))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _answer(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


@contextmanager
def serve_registry(certificate: str, password: str = PASSWORD, *, user: str = USER) -> Iterator[ImageRegistry]:
    """An empty registry with TLS, at `host`; the PEM file has its certificate and the key."""
    registry = ImageRegistry(user, password)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"registry": registry}))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    registry.host = f"127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield registry
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
