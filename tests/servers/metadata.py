"""A stand-in for the metadata service of an ECS instance with a RAM role, in its hardened mode."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

FOLDER = "/latest/meta-data/ram/security-credentials/"


@dataclass(eq=False)
class MetadataStandIn:
    """A machine with a role, whose key ends `lives_s` after `moment`. `body` is said in place of the key where it is
    set; `away` refuses every call; `paths` notes each question for the role or for its key."""

    moment: datetime
    key_id: str
    secret: str
    token: str
    role: str = "reme-node"
    lives_s: float = 3600.0
    body: str = ""
    away: bool = False
    address: str = ""
    paths: list[str] = field(default_factory=list)


@contextmanager
def run_metadata(stand_in: MetadataStandIn) -> Iterator[MetadataStandIn]:
    """The running service; `address` is where."""

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            given = int(self.headers["X-aliyun-ecs-metadata-token-ttl-seconds"])
            self._send(503 if stand_in.away else 200 if given > 0 else 400, "a-token")

        def do_GET(self) -> None:
            stand_in.paths.append(self.path)
            if self.headers["X-aliyun-ecs-metadata-token"] != "a-token":
                self._send(403, "")
            elif self.path == FOLDER and stand_in.role:
                self._send(200, stand_in.role)
            elif stand_in.role and self.path == FOLDER + stand_in.role:
                ends = stand_in.moment + timedelta(seconds=stand_in.lives_s)
                said = {
                    "AccessKeyId": stand_in.key_id,
                    "AccessKeySecret": stand_in.secret,
                    "SecurityToken": stand_in.token,
                    "Expiration": ends.strftime("%Y-%m-%dT%H:%M:%SZ"),
                    "Code": "Success",
                }
                self._send(200, stand_in.body or json.dumps(said))
            else:
                self._send(404, "")

        def _send(self, status: int, text: str) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    stand_in.address = f"http://127.0.0.1:{listening.server_address[1]}"
    thread = Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield stand_in
    finally:
        listening.shutdown()
        thread.join()
        listening.server_close()
