"""Keys of the machine's role, from a metadata service on this machine."""

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from app.backends.green import RoleKeys
from app.domain.moderation import TextSource, Verdict
from app.errors import ModelRefused, ModelUnavailable
from tests.app.moderation.conftest import MakeGreen
from tests.app.moderation.green_server import KEY_ID, KEY_SECRET, TOKEN, Fault, GreenServer

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@dataclass
class Metadata:
    """The metadata service of a machine with a role, in its hardened mode."""

    address: str = ""
    role: str = "reme-node"
    lives_s: float = 3600.0
    body: str = ""
    paths: list[str] = field(default_factory=list)


@pytest.fixture
def metadata() -> Iterator[Metadata]:
    service = Metadata()

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            self._send(200 if int(self.headers["X-aliyun-ecs-metadata-token-ttl-seconds"]) > 0 else 400, "a-token")

        def do_GET(self) -> None:
            service.paths.append(self.path)
            folder = "/latest/meta-data/ram/security-credentials/"
            if self.headers["X-aliyun-ecs-metadata-token"] != "a-token":
                self._send(403, "")
            elif self.path == folder and service.role:
                self._send(200, service.role)
            elif service.role and self.path == folder + service.role:
                ends = NOW + timedelta(seconds=service.lives_s)
                said = {
                    "AccessKeyId": KEY_ID,
                    "AccessKeySecret": KEY_SECRET,
                    "SecurityToken": TOKEN,
                    "Expiration": ends.strftime("%Y-%m-%dT%H:%M:%SZ"),
                    "Code": "Success",
                }
                self._send(200, service.body or json.dumps(said))
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
    service.address = f"http://127.0.0.1:{listening.server_address[1]}"
    thread = Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield service
    listening.shutdown()
    thread.join()
    listening.server_close()


def test_the_role_s_key_is_found_once_and_renewed_before_its_end(metadata: Metadata) -> None:
    moment = [NOW]
    with closing(RoleKeys(address=metadata.address, now=lambda: moment[0])) as keys:
        found = keys.find()
        assert (found.id, found.secret, found.session_token) == (KEY_ID, KEY_SECRET, TOKEN)
        assert keys.find() is found
        assert len(metadata.paths) == 2
        moment[0] += timedelta(minutes=56)
        keys.find()
        assert len(metadata.paths) == 4


def test_a_role_that_is_named_is_not_looked_for(metadata: Metadata) -> None:
    with closing(RoleKeys("reme-node", address=metadata.address, now=lambda: NOW)) as keys:
        keys.find()
    assert metadata.paths == ["/latest/meta-data/ram/security-credentials/reme-node"]


def test_a_machine_without_a_role_says_what_to_do(metadata: Metadata) -> None:
    metadata.role = ""
    with closing(RoleKeys(address=metadata.address)) as keys, pytest.raises(ModelRefused, match="attach one"):
        keys.find()


def test_what_does_not_read_is_not_shown(metadata: Metadata) -> None:
    metadata.body = '{"AccessKeyId": "LTAI-half", "AccessKeySecret": "half-a-secret"}'
    with closing(RoleKeys(address=metadata.address)) as keys, pytest.raises(ModelRefused) as refused:
        keys.find()
    assert "half" not in str(refused.value)


def test_no_metadata_service_is_told() -> None:
    with closing(RoleKeys(address="http://127.0.0.1:9")) as keys, pytest.raises(ModelUnavailable, match="access_key"):
        keys.find()


@pytest.mark.usefixtures("without_waits")
def test_green_is_asked_with_the_role_and_a_new_key_where_one_ended(
    metadata: Metadata, make_green: MakeGreen, server: GreenServer
) -> None:
    server.token = TOKEN
    with closing(RoleKeys(address=metadata.address, now=lambda: NOW)) as keys:
        server.faults.append(Fault.EXPIRED)
        judged = make_green(keys).judge(["tea"], source=TextSource.INPUT)
        assert judged.verdicts == (Verdict(allowed=True),)
        assert len(metadata.paths) == 4
