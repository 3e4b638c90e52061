"""Pages for people and probes for machines: nothing from elsewhere, no secret, nothing that anyone may not know."""

import re
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from app.api.readiness import Readiness
from app.domain.access import LOCAL_ADMIN, Role
from app.errors import StoreCorrupt
from tests.app.api.world import services_of

Start = Callable[..., TestClient]
HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


class Page(HTMLParser):
    """The links, identifiers and elements of a page; fails on elements that are not closed in order."""

    VOID = ("meta", "link", "br", "img", "input", "hr")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: list[str] = []
        self.elements: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        values = dict(attrs)
        self.links += [str(values[name]) for name in ("href", "src") if name in values]
        if values.get("id"):
            self.ids.append(str(values["id"]))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes something else"


@pytest.fixture
def filled(client: TestClient) -> TestClient:
    client.post("/v1/workspaces/ws/memories", json={"type": "task", "content": "a secret recipe"})
    return client


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_a_page_loads_nothing_and_runs_nothing(filled: TestClient, path: str) -> None:
    answer = filled.get(path, headers=HTML)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
    page = Page(answer.text)
    assert not {"script", "img", "link", "iframe", "form"} & set(page.elements)
    assert not [link for link in page.links if "//" in link]
    assert "url(" not in answer.text
    assert "@import" not in answer.text
    assert len(page.ids) == len(set(page.ids))
    for link in page.links:
        if link.startswith("#"):
            assert link[1:] in page.ids
        else:
            assert filled.get("/" + link.removeprefix("./"), headers=HTML).status_code == 200


def test_the_front_page_says_how_it_is(filled: TestClient) -> None:
    text = filled.get("/", headers=HTML).text
    assert "Ready" in text
    assert "hashed-words-and-trigrams-1" in text
    assert re.search(r"<dt>Memories</dt><dd>1</dd>", text)
    assert "reme keys issue" in text
    assert "recipe" not in text
    data = filled.get("/", headers={"Accept": "application/json"}).json()
    assert (data["status"], data["memories"], data["workspaces"], data["access"]) == ("ready", 1, 1, "open")
    assert filled.get("/").json() == data


def test_with_a_key_the_front_page_counts_nothing(filled: TestClient) -> None:
    services_of(filled).keys.issue(LOCAL_ADMIN, name="k", role=Role.ADMIN, workspaces=("*",))
    filled.app.state.api.doorkeeper._keys_exist = (False, -10.0)  # type: ignore[attr-defined]
    text = filled.get("/", headers=HTML).text
    assert "Memories</dt>" not in text
    assert "X-API-Key" in text
    data = filled.get("/").json()
    assert (data["memories"], data["workspaces"], data["access"]) == (None, None, "key")


def test_a_host_name_is_escaped(client: TestClient) -> None:
    text = client.get("/", headers={**HTML, "Host": '127.0.0.1"><b>'}).text
    assert "<b>" not in text.replace("<b>required</b>", "")


def test_what_is_wrong_is_told(client: TestClient) -> None:
    def fail() -> None:
        raise StoreCorrupt

    readiness = client.app.state.api.readiness  # type: ignore[attr-defined]
    readiness._checks["store"] = fail
    readiness._since = -10.0
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["status"] == "not ready"
    assert answer.json()["checks"]["store"].startswith("store-corrupt: ")
    assert answer.json()["checks"]["embedder"] == "ok"
    assert "Not ready" in client.get("/", headers=HTML).text
    assert client.get("/livez").json() == {"status": "alive"}
    assert client.get("/health").json() == {"status": "healthy"}
    health = client.post("/health_check", json={}).json()
    assert (health["success"], health["metadata"]["health"]["healthy"]) == (False, False)


def test_probes_cost_nothing_when_asked_often() -> None:
    calls, now = [], [0.0]
    readiness = Readiness({"store": lambda: calls.append(1)}, seconds=lambda: now[0])
    for moment in (0.0, 0.5, 0.99, 1.0, 1.5):
        now[0] = moment
        assert readiness.examine() == {"store": "ok"}
    assert len(calls) == 2


def test_an_unforeseen_failure_is_named_without_its_text() -> None:
    def fail() -> None:
        raise RuntimeError("rk_secret")

    assert Readiness({"embedder": fail}).examine() == {"embedder": "failed with RuntimeError"}


def test_metrics_count_what_happened(filled: TestClient) -> None:
    filled.post("/v1/workspaces/ws/search", json={"query": "recipe"})
    filled.post("/v1/workspaces/ws/search", json={"query": "recipe"})
    filled.get("/nowhere")
    filled.app.state.api.upkeep._observe()  # type: ignore[attr-defined]
    answer = filled.get("/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    found: dict[tuple[str, Any], float] = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }
    searched = (("method", "POST"), ("operation", "search_memories"), ("status", "200"))
    assert found["reme_http_requests_total", searched] == 2
    assert found["reme_http_requests_total", (("method", "GET"), ("operation", "unmatched"), ("status", "404"))] == 1
    assert found["reme_search_leg_seconds_count", (("leg", "vector"),)] == 2
    assert found["reme_memories", (("kind", "task"),)] == 1
    assert found["reme_embedding_cache_hits_total", ()] >= 1
    assert "recipe" not in answer.text
    assert '"ws"' not in answer.text


def test_every_operation_is_in_the_reference(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    text = client.get("/docs").text
    page = Page(text)
    operations = [
        operation["operationId"]
        for item in document["paths"].values()
        for method, operation in item.items()
        if method != "parameters"
    ]
    assert len(operations) == len(set(operations)) > 50
    assert set(operations) <= set(page.ids)
    assert text.count("curl -X") >= len(operations)
    assert "problem-idempotency-conflict" in page.ids
