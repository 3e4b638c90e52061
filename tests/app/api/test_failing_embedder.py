"""The service while the provider of its vectors fails: writes are taken, searches answer from keywords and say so."""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.api.query_vectors import QueryVectors
from app.api.v1.answers import SearchOut
from app.backends.embedders.hashing import HashingEmbedder
from app.backends.models.embedding import OpenAIEmbeddingModel
from app.errors import ModelUnavailable
from app.service.backlog import FILL, VectorBacklog
from tests.app.api.world import make_app, make_client, services_of
from tests.servers.waiting import wait_until
from tests.standin import KEY, Fault, ModelServer, model_server

WORKSPACE = "/v1/workspaces/w"
DEADLINE_S = 600.0
"""Of texts; that of questions is 5 s by default."""


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with model_server() as started:
        yield started


@pytest.fixture
def open_with_provider(
    open_client: Callable[..., TestClient], server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., TestClient]]:
    """Starts services that ask the provider; `limits` are arguments of its model that settings do not give."""
    with ExitStack() as stack:

        def start(limits: dict[str, Any], **settings: Any) -> TestClient:
            class Model(OpenAIEmbeddingModel):
                def __init__(self, **arguments: Any) -> None:
                    super().__init__(**arguments, **limits)
                    stack.callback(self.close)

            monkeypatch.setattr("app.providers.OpenAIEmbeddingModel", Model)
            return open_client(
                embedding={
                    "backend": "openai_compatible",
                    "model_name": "own-model",
                    "dimensions": 64,
                    "api_base": server.address,
                    "api_key": KEY,
                    "timeout_s": DEADLINE_S,
                    "deadline_s": DEADLINE_S,
                    **settings,
                }
            )

        yield start


def add(client: TestClient, content: str) -> None:
    body = {"type": "personal", "content": content}
    assert client.post(f"{WORKSPACE}/memories", json=body).status_code == 201


def search(client: TestClient, query: str, mode: str = "hybrid") -> dict[str, Any]:
    answer = client.post(f"{WORKSPACE}/search", json={"query": query, "mode": mode})
    assert answer.status_code == 200
    SearchOut.model_validate(answer.json())
    found: dict[str, Any] = answer.json()
    return found


def contents(found: dict[str, Any]) -> list[str]:
    return [hit["memory"]["content"] for hit in found["hits"]]


def usage_of(client: TestClient, operation: str) -> int:
    records = services_of(client).store.meter.read("default")
    return sum(record.items for record in records if record.operation == operation)


def test_what_was_taken_while_the_provider_failed_is_found_at_once_and_by_meaning_later(
    open_with_provider: Callable[..., TestClient], server: ModelServer
) -> None:
    client = open_with_provider({"rest_s": 0.0}, query_deadline_s=DEADLINE_S)
    add(client, "milk")
    assert "degraded" not in search(client, "milk")
    server.fail(Fault.SERVER_ERROR, times=None, retry_after="3600")
    add(client, "green tea")
    for mode in ("hybrid", "vector", "exact"):
        found = search(client, "green tea or what", mode)
        assert (found["mode"], found["degraded"], contents(found)) == ("keyword", "model-unavailable", ["green tea"])
    assert "degraded" not in search(client, "green tea", "keyword")
    server.recover()
    services = services_of(client)
    (lacking,) = services.store.spaces.lacking(9)
    assert services.store.jobs.claim((FILL,), lease_ms=1) is None, "it is due in a minute"
    assert services.backlog.fill(lacking.scope).vectors == 1
    found = search(client, "green tea", "vector")
    assert (found["mode"], contents(found)[0]) == ("vector", "green tea")


@pytest.mark.slow
def test_a_search_waits_for_the_deadline_of_questions_only(
    open_with_provider: Callable[..., TestClient], server: ModelServer, caplog: pytest.LogCaptureFixture
) -> None:
    client = open_with_provider({"rest_s": DEADLINE_S})
    add(client, "green tea")
    embedded = usage_of(client, "embed")
    server.fail(Fault.HANG, times=None)
    started = monotonic()
    with caplog.at_level("WARNING", logger="reme.retrieval"):
        for _ in range(2):
            found = search(client, "some tea")
            assert (found["degraded"], contents(found)) == ("model-timeout", ["green tea"])
    assert monotonic() - started < DEADLINE_S
    assert [call.body["input"] for call in server.calls].count(["some tea"]) <= 1, "what has just failed is left alone"
    assert usage_of(client, "embed") == embedded
    assert usage_of(client, "retrieve") == 2
    metrics = client.get("/metrics").text
    assert re.search(r'^reme_searches_degraded_total\{reason="model-timeout"\} 2\.0$', metrics, re.MULTILINE)
    assert len([line for line in caplog.records if line.name == "reme.retrieval"]) == 1
    assert "tea" not in caplog.text


def test_questions_that_are_embedded_together_fail_alone(
    open_client: Callable[..., TestClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = open_client()
    add(client, "green tea")
    embed = HashingEmbedder.embed_queries

    def refuse_several(self: HashingEmbedder, texts: Any) -> Any:
        raise ModelUnavailable

    monkeypatch.setattr(HashingEmbedder, "embed_queries", refuse_several)
    monkeypatch.setattr(QueryVectors, "is_worthwhile", True)
    assert "degraded" not in search(client, "green tea")
    monkeypatch.setattr(HashingEmbedder, "embed_query", refuse_several)
    found = search(client, "some tea")
    assert (found["degraded"], contents(found)) == ("model-unavailable", ["green tea"])
    monkeypatch.setattr(HashingEmbedder, "embed_queries", embed)
    assert "degraded" not in search(client, "other tea")


def test_a_start_fills_what_a_process_that_died_left(
    open_client: Callable[..., TestClient], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(self: object, texts: object) -> None:
        raise ModelUnavailable

    client = make_client(make_app(tmp_path, store={"backend": "sqlite"}))  # not entered: nobody fills it meanwhile
    with closing(services_of(client)):
        with monkeypatch.context() as failing:
            failing.setattr(HashingEmbedder, "embed", fail)
            failing.setattr(VectorBacklog, "note", lambda *_: None)
            add(client, "green tea")
        assert search(client, "green tea", "vector")["hits"] == []
    again = open_client(store={"backend": "sqlite"})
    wait_until(lambda: contents(search(again, "green tea", "vector")) == ["green tea"], "the vector of green tea")


@pytest.mark.parametrize("daily_usd", [None, "0"])
def test_a_start_without_the_provider_and_probes_that_cost_nothing(
    open_client: Callable[..., TestClient], server: ModelServer, daily_usd: str | None
) -> None:
    server.fail(Fault.UNAUTHORISED, times=None)
    client = open_client(
        embedding={
            "backend": "openai_compatible",
            "model_name": "text-embedding-3-small",
            "api_base": server.address,
            "api_key": KEY,
        },
        spending={"workspace_daily_usd": daily_usd},
    )
    add(client, "Ana lives in Lisbon")
    assert contents(search(client, "Lisbon")) == ["Ana lives in Lisbon"]
    asked = len(server.calls)
    assert client.get("/readyz").json() == {"status": "ready", "checks": {"store": "ok"}}
    assert len(server.calls) == asked
