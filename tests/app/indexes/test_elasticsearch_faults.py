"""What goes wrong on the way to Elasticsearch: said in words of ours, tried again where it may pass, no secret in it."""

import json
import logging
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from time import monotonic
from typing import Any

import pytest

from app.backends.elasticsearch import ElasticsearchIndex, open_index
from app.backends.elasticsearch.connections import Server
from app.errors import IndexUnavailable, MemoryServiceError, SettingsError, StoreError, StoreFull
from tests.app.contract.samples import IDENTITY
from tests.app.indexes.elasticsearch_opening import ServerAddress, opened
from tests.app.indexes.samples import ask, entry, numbers
from tests.servers.waiting import PATIENCE_S

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("elasticsearch")]

SECRET = "kX9vQ2tL7pRw4s"  # noqa: S105
LONG_S = 60.0
"""Longer than a limit that is kept takes on a busy machine."""
OPERATIONS = [({"delete": {"_id": str(number)}},) for number in range(1, 5)]


class Overloaded:
    """Stands in for a server that refuses, which a real one does only under a load that no test can make.

    It gives its answers one after another, the last one again and again, and keeps what it was sent.
    """

    def __init__(self, *answers: tuple[int, Any], product: str = "Elasticsearch") -> None:
        self.received: list[list[Any]] = []
        received, left = self.received, list(answers)

        class Handler(BaseHTTPRequestHandler):
            """Answers any method."""

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

            def answer(self) -> None:
                """Send the next answer."""
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                received.append([json.loads(line) for line in body.splitlines() if line])
                status, said = left.pop(0) if len(left) > 1 else left[0]
                content = json.dumps(said).encode()
                self.send_response(status)
                self.send_header("X-Elastic-Product", product)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_PUT = do_POST = do_DELETE = answer  # noqa: N815

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    @contextmanager
    def serving(self) -> Iterator[Server]:
        """A connection to it while it serves."""
        Thread(target=self._server.serve_forever, daemon=True).start()
        server = Server([self.url], timeout_s=PATIENCE_S)
        try:
            yield server
        finally:
            server.close()
            self._server.shutdown()
            self._server.server_close()


def refusal(status: int, kind: str, reason: str = "") -> tuple[int, Any]:
    """What the server says when it refuses."""
    cause = {"type": kind, "reason": f"{reason} {SECRET}"}
    return status, {"error": {**cause, "root_cause": [cause]}, "status": status}


def outcomes(*statuses: int | tuple[int, str]) -> tuple[int, Any]:
    """The answer to a bulk request."""
    items = [
        {"delete": {"status": one} if isinstance(one, int) else {"status": one[0], "error": {"type": one[1]}}}
        for one in statuses
    ]
    return 200, {"errors": any(not isinstance(one, int) for one in statuses), "items": items}


REJECTED, CONFLICT = (429, "es_rejected_execution_exception"), (409, "version_conflict_engine_exception")


def test_what_was_refused_for_now_is_told_again_and_nothing_else() -> None:
    standin = Overloaded(outcomes(200, REJECTED, CONFLICT, REJECTED), outcomes(REJECTED, 404), outcomes(200))
    with standin.serving() as server:
        server.write("alias", OPERATIONS)
    assert standin.received == [
        [line for operation in part for line in operation]
        for part in (OPERATIONS, [OPERATIONS[1], OPERATIONS[3]], [OPERATIONS[1]])
    ]


@pytest.mark.parametrize("status", [429, 502, 503])
def test_a_server_that_is_overloaded_is_asked_again(status: int) -> None:
    standin = Overloaded(refusal(status, "circuit_breaking_exception"), (200, {"count": 3}))
    with standin.serving() as server:
        assert server.ask(lambda client: client.count(index="x").body) == {"count": 3}
    assert len(standin.received) == 2


def test_a_server_that_stays_overloaded_is_unavailable() -> None:
    standin = Overloaded(outcomes(200, 200, REJECTED, 200), outcomes(REJECTED))
    with standin.serving() as server, pytest.raises(IndexUnavailable, match=r"429 \(es_rejected_execution_exception\)"):
        server.write("alias", OPERATIONS)
    assert 2 < len(standin.received) < 10


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        (refusal(401, "security_exception", "missing credentials"), IndexUnavailable, "check api_key"),
        (refusal(403, "security_exception"), IndexUnavailable, "check api_key"),
        (refusal(429, "cluster_block_exception", "TOO_MANY_REQUESTS/12/"), StoreFull, "flood-stage"),
        (refusal(403, "cluster_block_exception"), StoreFull, "read-only"),
        (refusal(404, "index_not_found_exception"), IndexUnavailable, "restart the service"),
        (refusal(400, "document_parsing_exception"), StoreError, "400"),
        (refusal(500, "null_pointer_exception"), IndexUnavailable, "server's log"),
        ((418, "tea"), StoreError, "418"),
    ],
)
def test_a_refusal_is_said_in_our_words_at_once(
    answer: tuple[int, Any], kind: type[MemoryServiceError], said: str
) -> None:
    standin = Overloaded(answer)
    with standin.serving() as server, pytest.raises(kind, match=said) as failure:
        server.ask(lambda client: client.count(index="x").body)
    assert SECRET not in failure.value.message
    assert len(standin.received) == 1


def test_one_memory_that_is_refused_for_good_is_said() -> None:
    standin = Overloaded(outcomes(200, REJECTED, (400, "document_parsing_exception"), 200))
    with standin.serving() as server, pytest.raises(StoreError, match="document_parsing_exception"):
        server.write("alias", OPERATIONS)


def test_another_product_is_a_wrong_setting() -> None:
    with Overloaded((200, {}), product="Other").serving() as server, pytest.raises(SettingsError, match="check hosts"):
        server.ask(lambda client: client.count(index="x").body)


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_that_is_refused_at_the_start_is_a_wrong_setting(status: int) -> None:
    standin = Overloaded(refusal(status, "security_exception"))
    with standin.serving():
        index = open_index([standin.url], api_key=SECRET)
        with pytest.raises(SettingsError, match="privilege monitor") as failure:
            index.prepare(IDENTITY)
        index.close()
    assert SECRET not in failure.value.message


def test_a_server_that_does_not_tell_its_version_is_a_wrong_setting() -> None:
    standin = Overloaded((200, {"nodes": {"a": {"version": "unknown"}}}))
    with standin.serving():
        index = open_index([standin.url])
        with pytest.raises(SettingsError, match="version"):
            index.prepare(IDENTITY)
        index.close()


def attempts(index: ElasticsearchIndex) -> Sequence[Callable[[], object]]:
    """Everything that asks the server."""
    return (
        lambda: index.apply([entry(1, f"my key is {SECRET}")]),
        lambda: ask(index),
        index.count,
        index.check,
        index.drop,
        lambda: index.prepare(IDENTITY),
    )


def test_a_server_that_does_not_answer_is_given_up_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        index = open_index([f"http://127.0.0.1:{silent.getsockname()[1]}"], timeout_s=0.5)
        started_s = monotonic()
        with pytest.raises(IndexUnavailable, match=r"did not answer within 0.5 s"):
            index.prepare(IDENTITY)
        assert monotonic() - started_s < LONG_S
        index.close()


def test_a_server_that_nobody_reaches_is_given_up_soon() -> None:
    index = open_index(["http://127.0.0.1:1"], timeout_s=PATIENCE_S)
    started_s = monotonic()
    with pytest.raises(IndexUnavailable, match="127.0.0.1:1 was not reached"):
        index.prepare(IDENTITY)
    assert monotonic() - started_s < LONG_S
    index.close()


def test_a_plain_server_that_is_asked_by_tls_is_said(elasticsearch_server: ServerAddress) -> None:
    index = open_index([elasticsearch_server.url.replace("http:", "https:")], timeout_s=PATIENCE_S)
    with pytest.raises(IndexUnavailable, match="ca_certs"):
        index.prepare(IDENTITY)
    index.close()


CREDENTIALS: Sequence[Mapping[str, Any]] = (
    {"hosts": [f"http://elastic:{SECRET}@127.0.0.1:1"]},
    {"hosts": ["http://127.0.0.1:1"], "api_key": SECRET},
    {"hosts": ["http://127.0.0.1:1"], "username": "elastic", "password": SECRET},
)


@pytest.mark.parametrize("given", CREDENTIALS, ids=["address", "key", "password"])
def test_secrets_and_texts_are_in_no_error_and_no_log(
    given: Mapping[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    index = open_index(**given, timeout_s=0.5)
    assert SECRET not in repr(index) + str(vars(index))
    for attempt in attempts(index):
        with pytest.raises(IndexUnavailable) as failure:
            attempt()
        assert SECRET not in failure.value.message
        assert "127.0.0.1:1" in failure.value.message
    index.close()
    assert SECRET not in caplog.text


def test_texts_are_in_no_log_of_a_server_that_answers(
    elasticsearch_server: ServerAddress, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with opened(elasticsearch_server) as index:
        index.apply([entry(1, f"my key is {SECRET}")])
        assert numbers(ask(index)) == {1}
    assert SECRET.lower() not in caplog.text.lower()


@pytest.mark.parametrize(
    "given",
    [
        {"hosts": []},
        {"hosts": [f"{SECRET}:9200"]},
        {"hosts": [f"ftp://elastic:{SECRET}@es:9200"]},
        {"hosts": [f"http://elastic:{SECRET}@es:99999999"]},
        {"hosts": ["http://es:9200"], "api_key": SECRET, "username": "elastic"},
        {"hosts": ["https://es:9200"], "ca_certs": "/nowhere/ca.pem", "password": SECRET},
    ],
)
def test_addresses_and_credentials_that_cannot_be_used_are_refused(given: Mapping[str, Any]) -> None:
    with pytest.raises(SettingsError) as failure:
        open_index(**given)
    assert SECRET not in failure.value.message


def test_a_check_tells_a_missing_shard(elasticsearch_server: ServerAddress) -> None:
    with opened(elasticsearch_server) as index:
        index.check()
        index.drop()
        with pytest.raises(IndexUnavailable, match="made anew when the service starts"):
            index.check()
