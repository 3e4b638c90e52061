"""Green on this machine: a real HTTP server that takes TextModerationPlus as Alibaba Cloud's does, for tests.

It checks each signature by an implementation of its own, answers by the words of a text, and fails as it is told.
"""

import hmac
import json
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from typing import Any
from urllib.parse import parse_qs

KEY_ID, KEY_SECRET, TOKEN = "LTAI-standin", "secret-of-the-standin", "token-of-a-role"
LIMITS = {"llm_query_moderation": 2000, "llm_response_moderation": 5000}
"""Characters, in UTF-16, that the services take."""


class Fault(StrEnum):
    """What a call meets in place of a verdict."""

    HANG = "no answer"
    DROP = "connection closed before the answer"
    TRICKLE = "a byte of the body now and then"
    THROTTLED = "400 with the code Throttling.User"
    TOO_MANY = "429 with Retry-After"
    SERVER_ERROR = "500"
    BUSY_WITHIN = "200 with the code 588 in the body"
    INACTIVE = "200 with the code 408 in the body"
    NOT_JSON = "a body that is no JSON"
    NO_LEVEL = "JSON without a level of risk"
    NO_DATA = "JSON with the code 200 alone"
    FLOOD = "a body that is too large"
    REDIRECT = "307 to another host"
    EXPIRED = "400 with the code InvalidSecurityToken.Expired"


@dataclass
class GreenServer:
    """Answers as it is told. `texts` are those that it judged, with their service; `rejected` says what it refused."""

    address: str = ""
    token: str = ""
    texts: list[tuple[str, str]] = field(default_factory=list)
    rejected: list[str] = field(default_factory=list)
    calls: int = 0
    words: dict[str, tuple[str, str, float]] = field(default_factory=dict)
    faults: deque[Fault] = field(default_factory=deque)
    always: Fault | None = None
    lock: Any = field(default_factory=Lock)
    stopping: Event = field(default_factory=Event)
    nonces: set[str] = field(default_factory=set)

    def dislike(self, word: str, label: str = "violent_weapons", risk: str = "high", confidence: float = 97.5) -> None:
        """Find a label with a risk in every text that holds a word."""
        self.words[word] = (label, risk, confidence)

    def next_fault(self) -> Fault | None:
        """What the next call meets."""
        with self.lock:
            self.calls += 1
            return self.faults.popleft() if self.faults else self.always

    def judge(self, service: str, text: str) -> dict[str, Any]:
        """The answer for a text, in the form of the documentation."""
        with self.lock:
            self.texts.append((service, text))
        found = [(word, *said) for word, said in self.words.items() if word in text]
        risks = ["none", "low", "medium", "high"]
        risk = max((risk for _, _, risk, _ in found), key=risks.index, default="none")
        result = [
            {"Label": label, "Confidence": confidence, "RiskWords": word, "Description": f"holds {word}"}
            for word, label, _, confidence in found
        ]
        return {
            "Code": 200,
            "Message": "OK",
            "RequestId": "AAAA-BBBB",
            "Data": {"RiskLevel": risk, "Result": result or [{"Label": "nonLabel", "Description": "nothing found"}]},
        }


def verify(server: GreenServer, headers: dict[str, str], body: bytes) -> str:
    """Why a request is refused; empty where it is signed as version 3 of the signature asks."""
    said = headers.get("authorization", "")
    algorithm, _, rest = said.partition(" ")
    parts = dict(part.partition("=")[::2] for part in rest.split(","))
    if algorithm != "ACS3-HMAC-SHA256" or parts.get("Credential") != KEY_ID:
        return "InvalidAccessKeyId.NotFound"
    signed = parts.get("SignedHeaders", "").split(";")
    wanted = {name for name in headers if name.startswith("x-acs-")} | {"host", "content-type"}
    if set(signed) != wanted or signed != sorted(signed):
        return "IncompleteSignature"
    canonical = "POST\n/\n\n" + "".join(f"{name}:{headers[name]}\n" for name in signed)
    canonical += "\n" + ";".join(signed) + "\n" + sha256(body).hexdigest()
    text = "ACS3-HMAC-SHA256\n" + sha256(canonical.encode()).hexdigest()
    if hmac.new(KEY_SECRET.encode(), text.encode(), sha256).hexdigest() != parts.get("Signature"):
        return "SignatureDoesNotMatch"
    if headers["x-acs-content-sha256"] != sha256(body).hexdigest():
        return "ContentHashMismatch"
    sent = datetime.strptime(headers["x-acs-date"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    if abs(datetime.now(UTC) - sent) > timedelta(minutes=15):
        return "InvalidTimeStamp.Expired"
    with server.lock:
        if headers["x-acs-signature-nonce"] in server.nonces:
            return "SignatureNonceUsed"
        server.nonces.add(headers["x-acs-signature-nonce"])
    if headers.get("x-acs-security-token", "") != server.token:
        return "InvalidSecurityToken.Malformed"
    if (headers["x-acs-action"], headers["x-acs-version"]) != ("TextModerationPlus", "2022-03-02"):
        return "InvalidAction.NotFound"
    return ""


def _handler(server: GreenServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            fault = server.next_fault()
            if fault is not None:
                self._fail(fault)
                return
            headers = {name.lower(): value for name, value in self.headers.items()}
            reason = verify(server, headers, body)
            if reason:
                self._refuse(403, reason)
                return
            form = parse_qs(body.decode(), keep_blank_values=True)
            service, parameters = form["Service"][0], json.loads(form["ServiceParameters"][0])
            units = len(parameters["content"].encode("utf-16-le")) // 2
            if not 0 < units <= LIMITS.get(service, 0):
                self._refuse(400, "InvalidParameter")
                return
            self._send(200, server.judge(service, parameters["content"]))

        def _refuse(self, status: int, code: str) -> None:
            server.rejected.append(code)
            self._send(status, {"Code": code, "Message": "refused: see the text", "RequestId": "CCCC"})

        def _fail(self, fault: Fault) -> None:
            answers: dict[Fault, tuple[int, object]] = {
                Fault.THROTTLED: (400, {"Code": "Throttling.User", "Message": "Request was denied"}),
                Fault.EXPIRED: (400, {"Code": "InvalidSecurityToken.Expired", "Message": "expired"}),
                Fault.SERVER_ERROR: (500, {"Code": "InternalError", "Message": "an error"}),
                Fault.BUSY_WITHIN: (200, {"Code": 588, "Message": "too many", "RequestId": "DDDD"}),
                Fault.INACTIVE: (200, {"Code": 408, "Message": "not activated", "RequestId": "EEEE"}),
                Fault.NO_LEVEL: (200, {"Code": 200, "Data": {"Result": [{"Label": "nonLabel"}]}}),
                Fault.NO_DATA: (200, {"Code": 200}),
            }
            if fault in answers:
                self._send(*answers[fault])
            elif fault is Fault.TOO_MANY:
                self._send(429, {"Code": "Throttling"}, {"Retry-After": "0"})
            elif fault is Fault.REDIRECT:
                self._send(307, {}, {"Location": "http://127.0.0.1:9/"})
            elif fault is Fault.NOT_JSON:
                self._write(200, b"<html>all is well</html>")
            elif fault is Fault.FLOOD:
                self._write(200, b" " * 2_000_000)
            elif fault is Fault.HANG:
                server.stopping.wait()
                self.close_connection = True
            elif fault is Fault.DROP:
                self.close_connection = True
            elif fault is Fault.TRICKLE:
                self.send_response(200)
                self.send_header("Content-Length", "1000")
                self.end_headers()
                for _ in range(1000):
                    self.wfile.write(b" ")
                    self.wfile.flush()
                    if server.stopping.wait(0.05):
                        break
                self.close_connection = True

        def _send(self, status: int, answer: object, headers: dict[str, str] | None = None) -> None:
            self._write(status, json.dumps(answer).encode(), headers)

        def _write(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def handle(self) -> None:
            """A client that went away is not an error of the server."""
            try:
                super().handle()
            except OSError:
                return

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    return Handler


@contextmanager
def green_server() -> Iterator[GreenServer]:
    """A server on a free port, within."""
    server = GreenServer()
    listening = ThreadingHTTPServer(("127.0.0.1", 0), _handler(server))
    listening.daemon_threads = True
    server.address = f"http://127.0.0.1:{listening.server_address[1]}"
    thread = Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.stopping.set()
        listening.shutdown()
        thread.join()
        listening.server_close()
