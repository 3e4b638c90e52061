"""A move to another embedding on one node: the others answer until it is made, then refuse until they follow."""

from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient

from app.backends.clock import SystemClock
from app.backends.embedders.hashing import HashingEmbedder
from app.backends.extractors.rule import RuleExtractor
from app.backends.postgres import open_store
from app.domain.access import LOCAL_ADMIN
from app.domain.memory import MemoryDraft, MemoryKind
from app.domain.query import SearchMode, SearchQuery
from app.errors import EmbeddingMismatch
from app.service.suite import Services
from tests.app.api.world import services_of
from tests.app.nodes.conftest import Nodes, StartNode
from tests.app.service.suites import put_together

pytestmark = pytest.mark.xdist_group("postgres")

NARROW = HashingEmbedder(dimensions=32)
TEXTS = [f"note number {number}" for number in range(20)]


def open_narrow(dsn: str) -> Services:
    """A node that embeds with fewer dimensions than the store was built with."""
    store = open_store(dsn, identity=NARROW.identity, clock=SystemClock(), min_pool_size=1, max_pool_size=4)
    return put_together(store, NARROW, RuleExtractor(), SystemClock(), parallel=False)


def remember(services: Services, *texts: str) -> None:
    services.memories.add(LOCAL_ADMIN, "w", [MemoryDraft(kind=MemoryKind.PERSONAL, content=text) for text in texts])


def find(services: Services, text: str, mode: SearchMode = SearchMode.VECTOR) -> str:
    return services.retrieval.search(LOCAL_ADMIN, "w", SearchQuery(text=text, mode=mode)).hits[0].memory.content


def silent(done: int, total: int) -> None:
    pass


def test_a_move_on_one_node_makes_the_others_refuse_until_they_follow(
    nodes: Nodes, start_node: StartNode, dsn: str
) -> None:
    wide = [services_of(node) for node in nodes]
    remember(wide[0], *TEXTS)
    moving = open_narrow(dsn)
    try:
        with pytest.raises(EmbeddingMismatch):
            moving.reembedding.check()
        with pytest.raises(EmbeddingMismatch):
            remember(moving, "too early")
        assert moving.reembedding.run(batch=7, progress=_look(wide)) == len(TEXTS)
        moving.reembedding.check()
        remember(moving, "written after the move")
        assert find(moving, "note number 7") == "note number 7"
        assert find(moving, "written after the move") == "written after the move"
        for services in wide:
            with pytest.raises(EmbeddingMismatch):
                remember(services, "too late")
            with pytest.raises(EmbeddingMismatch):
                find(services, "note number 7")
        _refuse_over_http(nodes[1])
        with pytest.raises(EmbeddingMismatch):
            start_node()
    finally:
        moving.close()


def _look(wide: list[Services]) -> Callable[[int, int], None]:
    """While the move is under way, every other node answers as before."""

    def look(done: int, total: int) -> None:
        assert done <= total == len(TEXTS)
        for services in wide:
            assert find(services, "note number 7") == "note number 7"

    return look


def _refuse_over_http(client: TestClient) -> None:
    answers = [
        client.post("/v1/workspaces/w/memories", json={"type": "task", "content": "too late"}),
        client.post("/v1/workspaces/w/search", json={"query": "note number 7", "mode": "vector"}),
    ]
    for answer in answers:
        assert answer.status_code == 500
        assert answer.json()["type"].endswith("embedding-mismatch")
    assert client.get("/v1/workspaces/w/memories").json()["items"][0]["content"] == TEXTS[0]


def test_two_nodes_that_move_at_once_move_once(nodes: Nodes, dsn: str) -> None:
    remember(services_of(nodes[0]), *TEXTS)
    first, second = open_narrow(dsn), open_narrow(dsn)
    try:
        first.store.spaces.begin(NARROW.identity)
        assert second.reembedding.run(batch=6, progress=silent) == len(TEXTS)
        assert first.reembedding.run(batch=6, progress=silent) == 0
        for services in (first, second):
            services.reembedding.check()
            assert find(services, "note number 3") == "note number 3"
    finally:
        first.close()
        second.close()
