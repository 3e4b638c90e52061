"""A provider that fails loses nothing: words find what was kept at once, meaning when its vectors were made."""

from decimal import Decimal
from typing import Any

import pytest

from app.domain.embedding import EmbeddingIdentity
from app.domain.memory import MemoryPatch, Scope
from app.domain.query import MemoryFilter, SearchMode, SearchQuery
from app.errors import EmbeddingMismatch, SettingsError, StoreBusy
from app.service.backlog import MINUTE_MS, PORTION, WAITS_MS
from app.service.memories import Memories
from tests.app.service.backlog.conftest import ADMIN, DIMENSIONS, MODEL, Bench, break_down
from tests.app.service.conftest import draft
from tests.standin import Fault, ModelServer

HERE = Scope(tenant_id="acme", workspace_id="here")


@pytest.mark.parametrize("fault", [Fault.SERVER_ERROR, Fault.UNAUTHORISED, Fault.HANG, Fault.WRONG_DIMENSIONS])
def test_what_is_added_while_the_provider_fails_is_found_by_words_and_later_by_meaning(
    bench: Bench, server: ModelServer, fault: Fault
) -> None:
    server.fail(fault, times=None, retry_after="3600")
    bench.model.hasty = fault is Fault.HANG
    bench.add("green tea", "black coffee")
    bench.model.hasty = False
    assert bench.find("tea", SearchMode.KEYWORD) == ["green tea"]
    server.recover()
    assert bench.find("green tea", SearchMode.VECTOR) == []
    assert bench.services.jobs.work() == 0
    bench.clock.step(MINUTE_MS)
    assert bench.services.jobs.work() == 1
    assert bench.find("green tea", SearchMode.VECTOR)[0] == "green tea"
    assert not bench.store.spaces.lacking(1)
    assert bench.services.jobs.work() == 0


def test_changes_and_restorations_are_kept_as_well(bench: Bench, server: ModelServer) -> None:
    bench.add("green tea", "milk")
    tea, milk = sorted(bench.services.memories.scan(ADMIN, "here", MemoryFilter()).items, key=lambda each: each.seq)
    bench.services.memories.delete(ADMIN, "here", [milk.id])
    break_down(server)
    bench.services.memories.update(ADMIN, "here", tea.id, MemoryPatch(content="black coffee"))
    bench.services.memories.restore(ADMIN, "here", milk.id)
    assert bench.find("coffee", SearchMode.KEYWORD) == ["black coffee"]
    server.recover()
    assert bench.find("milk", SearchMode.VECTOR) == ["milk"], "a restored memory has the vector that it had"
    bench.clock.step(MINUTE_MS)
    bench.services.jobs.work()
    assert bench.find("black coffee", SearchMode.VECTOR)[0] == "black coffee"


def test_a_job_that_fails_waits_longer_each_time_and_is_never_given_up(bench: Bench, server: ModelServer) -> None:
    server.fail(Fault.UNAUTHORISED, times=None)
    bench.add("green tea")
    wait_ms = MINUTE_MS
    for expected_ms in (*WAITS_MS, WAITS_MS[-1]):
        bench.clock.step(wait_ms - 1)
        assert bench.services.jobs.work() == 0
        bench.clock.step(1)
        assert bench.services.jobs.work() == 1
        wait_ms = expected_ms
    server.recover()
    bench.clock.step(wait_ms)
    assert bench.services.jobs.work() == 1
    assert bench.find("green tea", SearchMode.VECTOR) == ["green tea"]


def test_a_provider_that_fails_for_all_is_asked_once_a_minute(bench: Bench, server: ModelServer) -> None:
    server.fail(Fault.UNAUTHORISED, times=None)
    for number in range(5):
        bench.add("green tea", workspace_id=f"w{number}")
    server.recover()
    break_down(server)
    bench.clock.step(MINUTE_MS)
    assert [bench.services.jobs.work(), bench.services.jobs.work()] == [1, 0]
    server.recover()
    bench.clock.step(MINUTE_MS)
    assert bench.services.jobs.work() == 5
    assert not bench.store.spaces.lacking(1)


def test_a_text_that_is_refused_does_not_hold_up_the_others(bench: Bench, server: ModelServer) -> None:
    break_down(server)
    bench.add(*(f"note {number}" for number in range(PORTION + 5)))
    server.recover()
    server.fail(Fault.BAD_REQUEST, times=2)
    bench.clock.step(MINUTE_MS)
    assert bench.services.jobs.work() == 1
    (left,) = bench.store.spaces.lacking(9)
    assert left.text == "note 0"
    bench.clock.step(MINUTE_MS)
    assert bench.services.jobs.work() == 1
    assert not bench.store.spaces.lacking(1)


def test_each_workspace_pays_and_a_cap_holds_up_only_its_own(bench: Bench, server: ModelServer) -> None:
    spending = bench.services.spending
    spending.set_caps(ADMIN, "here", daily_usd=Decimal(0), monthly_usd=None)
    bench.add("green tea")
    assert server.calls == []
    assert bench.find("tea", SearchMode.KEYWORD) == ["green tea"]
    answer = bench.services.retrieval.search(ADMIN, "here", SearchQuery(text="tea"))
    assert (answer.mode, answer.degraded, len(answer.hits)) == (SearchMode.KEYWORD, "spend-cap-reached", 1)
    break_down(server)
    bench.add("black coffee", workspace_id="there")
    server.recover()
    bench.clock.step(MINUTE_MS)
    assert bench.services.jobs.work() == 2
    assert [each.scope for each in bench.store.spaces.lacking(9)] == [HERE]
    spending.set_caps(ADMIN, "here", daily_usd=Decimal(1), monthly_usd=None)
    bench.clock.step(MINUTE_MS)
    bench.services.jobs.work()
    assert bench.find("green tea", SearchMode.VECTOR) == ["green tea"]
    paid = [(each.payer.workspace_id, each.payer.operation, each.payer.key_id) for each in entries(bench)]
    assert paid == [("there", "add", ""), ("here", "add", ""), ("here", "retrieve", "k1")]


def test_whoever_asks_pays(bench: Bench) -> None:
    bench.add("green tea")
    (memory,) = bench.services.memories.scan(ADMIN, "here", MemoryFilter()).items
    bench.services.memories.update(ADMIN, "here", memory.id, MemoryPatch(content="black coffee"))
    bench.find("coffee", SearchMode.HYBRID)
    bench.services.reembedding.run(progress=lambda done, total: None)
    paid = [(each.payer.tenant_id, each.payer.workspace_id, each.payer.operation) for each in entries(bench)]
    assert paid == [("acme", "here", operation) for operation in ("add", "update", "retrieve")]


def entries(bench: Bench) -> tuple[Any, ...]:
    return bench.store.ledger.read("acme").items


def test_a_missing_setting_and_another_embedding_are_told(bench: Bench) -> None:
    class Broken:
        def __init__(self, failure: Exception) -> None:
            self._failure = failure
            self.identity = EmbeddingIdentity(model=MODEL, dimensions=DIMENSIONS)

        def embed(self, texts: object) -> Any:
            raise self._failure

        embed_query = embed_queries = embed

    for failure in (SettingsError(), EmbeddingMismatch()):
        memories = Memories(
            store=bench.store.memories, embedder=Broken(failure), clock=bench.clock, meter=bench.store.meter
        )
        with pytest.raises(type(failure)):
            memories.add(ADMIN, "here", [draft("green tea")])
    assert bench.find("tea", SearchMode.KEYWORD) == []


def test_a_job_that_cannot_be_queued_fails_no_write(
    bench: Bench, server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise StoreBusy

    break_down(server)
    with monkeypatch.context() as broken:
        broken.setattr(bench.store.jobs, "enqueue", refuse)
        bench.add("green tea")
    server.recover()
    assert bench.services.backlog.resume() == 1
    assert bench.services.backlog.resume() == 1
    assert bench.services.jobs.work() == 1
    assert bench.services.backlog.resume() == 0
    assert bench.find("green tea", SearchMode.VECTOR) == ["green tea"]


def test_a_workspace_that_was_deleted_is_not_made_again(bench: Bench, server: ModelServer) -> None:
    break_down(server)
    bench.add("green tea")
    bench.services.workspaces.delete(ADMIN, "here")
    server.recover()
    bench.clock.step(MINUTE_MS)
    bench.services.jobs.work()
    assert bench.services.workspaces.list(ADMIN).items == ()
