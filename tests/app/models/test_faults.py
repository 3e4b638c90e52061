"""Every fault of a provider, at each kind of call: one bad call is made good, a lasting one is a typed error in time."""

import socket
from collections.abc import Callable, Container, Iterator
from contextlib import ExitStack, closing, suppress
from itertools import chain, repeat
from threading import Thread
from time import sleep
from typing import TypeAlias

import numpy as np
import pytest

from app.backends.models.attempts import MOST_ATTEMPTS, MOST_MALFORMED
from app.backends.models.embedding import OpenAIEmbeddingModel
from app.backends.models.language import OpenAILanguageModel
from app.errors import MalformedAnswer, ModelError, ModelRefused, ModelTimeout, ModelUnavailable
from tests.app.models.conftest import SHORT, VALUE, make_embedding, prompt
from tests.servers.waiting import PATIENCE_S
from tests.standin import Fault, ModelServer

pytestmark = pytest.mark.slow

PASSING: dict[Fault, type[ModelError]] = {
    Fault.HANG: ModelTimeout,
    Fault.RATE_LIMITED: ModelUnavailable,
    Fault.SERVER_ERROR: ModelUnavailable,
    Fault.DROPPED: ModelUnavailable,
    Fault.TRUNCATED: ModelUnavailable,
    Fault.TRICKLE: ModelTimeout,
    Fault.NOT_JSON: MalformedAnswer,
    Fault.NOT_AN_ANSWER: MalformedAnswer,
    Fault.EMPTY: MalformedAnswer,
    Fault.FLOOD: MalformedAnswer,
    Fault.PACKED: MalformedAnswer,
}
"""Faults that another attempt may not meet, and what they are if all do."""
OF_TEXT = {Fault.BROKEN_VALUE, Fault.WRONG_SCHEMA, Fault.CUT_OFF}
OF_VECTORS = {Fault.WRONG_COUNT, Fault.NOT_A_NUMBER, Fault.ZERO, Fault.WRONG_INDEX}
FINAL = {Fault.UNAUTHORISED, Fault.NOT_FOUND, Fault.BAD_REQUEST, Fault.REDIRECT, Fault.ENDLESS_REFUSAL}
HARMLESS = {Fault.MISSING_USAGE}
TEXT_ONLY = OF_TEXT | {Fault.FILTERED, Fault.BAD_FORMAT}
VECTORS_ONLY = OF_VECTORS | {Fault.WRONG_DIMENSIONS}


Call: TypeAlias = Callable[[], None]


def cases(faults: Container[Fault]) -> pytest.MarkDecorator:
    """Each fault at each kind of call that can meet it."""
    of = {"language": VECTORS_ONLY, "embedding": TEXT_ONLY}
    each = [(kind, fault) for kind in of for fault in Fault if fault in faults and fault not in of[kind]]
    return pytest.mark.parametrize(("kind", "fault"), each, ids=[f"{kind}-{fault.name}" for kind, fault in each])


def test_every_fault_is_in_the_matrix() -> None:
    assert set(Fault) == {*PASSING, *FINAL, *HARMLESS, *TEXT_ONLY, *VECTORS_ONLY}


@pytest.fixture
def calls(server: ModelServer, ask: Callable[..., OpenAILanguageModel]) -> Iterator[Callable[..., Call]]:
    """Makes calls of a kind that check what comes back, with limits other than those of tests."""
    server.script(VALUE)
    with ExitStack() as stack:

        def make(kind: str, **limits: float) -> Call:
            if kind == "language":
                language = ask(**limits)

                def complete() -> None:
                    assert language.complete(prompt()).value == VALUE

                return complete
            embedding = stack.enter_context(closing(make_embedding(server, **limits)))

            def embed() -> None:
                vectors = embedding.embed(["tea", "coffee"]).vectors
                assert vectors.shape == (2, 64)
                assert np.linalg.norm(vectors, axis=1) == pytest.approx([1.0, 1.0], abs=1e-5)

            return embed

        yield make


@cases([*PASSING, *OF_TEXT, *OF_VECTORS, *HARMLESS])
def test_one_fault_is_made_good(server: ModelServer, calls: Callable[..., Call], kind: str, fault: Fault) -> None:
    server.fail(fault)
    late = PASSING.get(fault) is ModelTimeout
    calls(kind, **({"timeout_s": 2.0} if late else {}))()
    met, *others = [call.fault for call in server.calls]
    assert met == fault
    # On a busy machine the answer may be late as well, and is asked for once more.
    assert set(others) == {None} if late else others == [None] * (fault not in HARMLESS)


@pytest.mark.usefixtures("without_waits")
@cases([*PASSING, *OF_TEXT, *OF_VECTORS])
def test_a_lasting_fault_is_a_typed_error(
    server: ModelServer, calls: Callable[..., Call], kind: str, fault: Fault
) -> None:
    error = PASSING.get(fault, MalformedAnswer)
    server.fail(fault, times=None)
    with pytest.raises(error) as caught:
        calls(kind, **(SHORT if error is ModelTimeout else {}))()
    assert caught.value.usage == server.usage
    if error is ModelTimeout:  # whose deadline leaves time for some attempts, and on a busy machine for none
        assert len(server.calls) <= MOST_ATTEMPTS
    else:
        assert len(server.calls) == (MOST_MALFORMED if error is MalformedAnswer else MOST_ATTEMPTS)


@cases(FINAL)
def test_a_refusal_is_not_tried_again(server: ModelServer, calls: Callable[..., Call], kind: str, fault: Fault) -> None:
    server.fail(fault, times=None)
    with pytest.raises(ModelRefused):
        calls(kind)()
    forms = 3 if fault is Fault.BAD_REQUEST and kind == "language" else 1
    assert len(server.calls) == forms


def test_an_answer_that_was_filtered_is_refused_and_paid(server: ModelServer, language: OpenAILanguageModel) -> None:
    server.fail(Fault.FILTERED)
    with pytest.raises(ModelRefused) as caught:
        language.complete(prompt())
    assert caught.value.usage == server.usage
    assert len(server.calls) == 1


def test_other_dimensions_are_named_and_not_asked_for_again(
    server: ModelServer, embedding: OpenAIEmbeddingModel
) -> None:
    server.fail(Fault.WRONG_DIMENSIONS)
    with pytest.raises(MalformedAnswer, match=r"65 dimensions, not 64: set embedding\.dimensions") as caught:
        embedding.embed(["tea"])
    assert caught.value.usage == server.usage
    assert len(server.calls) == 1


@pytest.mark.usefixtures("without_waits")
def test_a_provider_that_is_not_there(ask: Callable[..., OpenAILanguageModel]) -> None:
    model = ask(api_base="http://127.0.0.1:9/v1")
    with pytest.raises(ModelUnavailable, match=r"127\.0\.0\.1:9"):
        model.complete(prompt())


def test_headers_that_trickle_end_at_the_timeout(ask: Callable[..., OpenAILanguageModel]) -> None:
    """A timeout of single reads would start anew with each of these bytes."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        thread = Thread(target=trickle_headers, args=(door,), daemon=True)
        thread.start()
        model = ask(api_base=f"http://127.0.0.1:{door.getsockname()[1]}/v1", **SHORT)
        with pytest.raises(ModelTimeout):
            model.complete(prompt())
        door.shutdown(socket.SHUT_RDWR)
        thread.join(PATIENCE_S)


def trickle_headers(door: socket.socket) -> None:
    """Answer each connection a byte at a time for as long as it is there, until the door is shut."""
    with suppress(OSError):
        while True:
            connection, _ = door.accept()
            with connection, suppress(OSError):
                for byte in chain(b"HTTP/1.1 200 OK\r\nX-Slow: ", repeat(ord("x"))):
                    connection.send(bytes([byte]))
                    sleep(0.05)
