"""Chroma: what its client is told, what its `where` cannot say, and its server paused, killed and of another kind."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from secrets import token_hex
from threading import Thread
from time import monotonic
from typing import Any, TypeAlias

import pytest

from app.backends.chroma import open_index
from app.domain.query import Comparison, Condition
from app.errors import IndexUnavailable, SettingsError
from app.ports import VectorIndex
from tests.app.contract.samples import IDENTITY, THERE, where
from tests.app.indexes.samples import NOW_MS, ask, entry, expect, gone, numbers
from tests.servers.chroma import ChromaServer
from tests.servers.waiting import PATIENCE_S, wait_until

pytestmark = pytest.mark.xdist_group("chroma")
SECRET = "ck-secret-1234"  # noqa: S105 - of this test


@contextmanager
def answering(status: int, body: bytes = b"<html>no Chroma</html>") -> Iterator[tuple[int, list[dict[str, str]]]]:
    """A server that answers everything alike; yields its port and the headers of what it was asked."""
    asked: list[dict[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(dict(self.headers))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815 - the name that http.server asks for

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_address[1], asked
        finally:
            server.shutdown()
            thread.join()


Opener: TypeAlias = Callable[..., VectorIndex]


@pytest.fixture
def open_own() -> Iterator[Opener]:
    """Opens clients of a server, which are closed after the test."""
    with ExitStack() as opened:

        def open_one(server: Any, **settings: Any) -> VectorIndex:
            patient = {"search_timeout_s": PATIENCE_S, "timeout_s": PATIENCE_S}
            index = open_index(server.host, server.port, **{**patient, **settings})
            opened.callback(index.close)
            return index

        yield open_one


@pytest.fixture
def open_here(chroma_server: Any, open_own: Opener) -> Iterator[Opener]:
    """Opens clients of a collection of this test."""
    name = f"t{token_hex(6)}"

    def open_one(**settings: Any) -> VectorIndex:
        return open_own(chroma_server, name=name, **settings)

    yield open_one
    open_one().drop()


def test_the_api_key_is_sent_and_never_said() -> None:
    with answering(401) as (port, asked):
        index = open_index("127.0.0.1", port, api_key=SECRET, headers={"X-Team": "memory"})
        with pytest.raises(SettingsError) as failure:
            index.prepare(IDENTITY)
        index.close()
    assert asked[0]["X-Chroma-Token"] == SECRET
    assert asked[0]["X-Team"] == "memory"
    for said in (failure.value.message, repr(index), repr(vars(index))):
        assert SECRET not in said


@pytest.mark.parametrize("status", [200, 404, 429, 502])
def test_another_server_than_chroma_is_unavailable(status: int) -> None:
    with answering(status) as (port, _):
        index = open_index("127.0.0.1", port)
        with pytest.raises(IndexUnavailable, match="127.0.0.1"):
            index.prepare(IDENTITY)
        index.close()


def test_the_graph_is_built_as_the_settings_say_and_anew_when_they_change(open_here: Opener) -> None:
    index = open_here(m=8, ef_construction=64, ef_search=50)
    mark = index.prepare(IDENTITY)
    index.apply([entry(1, "tea")])
    assert open_here(m=8, ef_construction=64, ef_search=50).prepare(IDENTITY) == mark
    other = open_here(m=32, ef_construction=64, ef_search=50)
    assert other.prepare(IDENTITY) != mark
    assert other.count() == 0


@pytest.mark.parametrize(
    "condition",
    [
        Condition(key="day", comparison=Comparison.GTE, values=("2026-11-01",)),
        Condition(key="n", comparison=Comparison.GT, values=(2**53,)),
        Condition(key="n", comparison=Comparison.LTE, values=(2**53 + 200,)),
    ],
)
def test_more_is_asked_for_until_enough_of_it_passes(open_here: Opener, condition: Condition) -> None:
    index = open_here()
    index.prepare(IDENTITY)
    entries = [
        entry(
            number, f"note {number}", metadata={"day": f"2026-{1 + number % 12:02}-05", "n": 2**53 + number % 300 - 5}
        )
        for number in range(1, 601)
    ]
    index.apply(entries)
    wanted = where(condition)
    assert numbers(ask(index, wanted=wanted, limit=600)) == expect(entries, wanted=wanted)
    assert len(ask(index, wanted=wanted, limit=40)) == 40


def test_texts_that_are_alike_and_have_ended_hide_no_others(open_here: Opener) -> None:
    index = open_here()
    index.prepare(IDENTITY)
    index.apply([entry(number, "tea", valid_to_ms=NOW_MS) for number in range(1, 301)])
    index.apply([entry(number, f"note {number}") for number in range(301, 306)])
    assert numbers(ask(index, "tea")) == set(range(301, 306))
    assert len(ask(index, "tea", limit=3)) == 3


def test_texts_that_are_alike_in_one_workspace_do_not_hide_those_of_another(open_here: Opener) -> None:
    index = open_here()
    index.prepare(IDENTITY)
    index.apply([entry(number, "tea", scope=THERE) for number in range(1, 1001)])
    index.apply([entry(number, f"note {number}") for number in range(1001, 1021)])
    index.apply([entry(number, "tea", scope=THERE) for number in range(2001, 2500)])
    assert numbers(ask(index, "tea")) == set(range(1001, 1021))
    assert len(ask(index, "tea", limit=10)) == 10


@pytest.mark.slow
def test_a_server_that_stands_still_is_given_up_in_time(own_chroma: ChromaServer, open_own: Opener) -> None:
    patient = open_own(own_chroma)
    mark = patient.prepare(IDENTITY)
    patient.apply([entry(1, "tea")])
    soon = {"search_timeout_s": 0.5, "timeout_s": 1.0}
    index = open_own(own_chroma, **soon)

    def is_prepared() -> bool:
        with suppress(IndexUnavailable):
            return index.prepare(IDENTITY) == mark
        return False

    wait_until(is_prepared, "the collection to be found")
    own_chroma.pause()
    try:
        started = monotonic()
        with pytest.raises(IndexUnavailable):
            ask(index)
        with pytest.raises(IndexUnavailable):
            index.apply([entry(2, "milk")])
        with pytest.raises(IndexUnavailable):
            open_own(own_chroma, **soon).prepare(IDENTITY)
        assert monotonic() - started < PATIENCE_S
    finally:
        own_chroma.resume()
    assert patient.prepare(IDENTITY) == mark
    assert 1 in numbers(ask(patient))


@pytest.mark.slow
def test_what_it_was_told_outlasts_its_server(own_chroma: ChromaServer, open_own: Opener) -> None:
    index = open_own(own_chroma)
    mark = index.prepare(IDENTITY)
    index.apply([entry(number, f"note {number}") for number in range(1, 201)])
    index.apply([gone(number) for number in range(1, 101)])
    own_chroma.kill()
    with pytest.raises(IndexUnavailable):
        ask(index)
    own_chroma.start()
    assert index.prepare(IDENTITY) == mark
    assert numbers(ask(index)) == set(range(101, 201))
