"""Services whose embedder is a provider's, over one store that several processes may share."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from app.backends.clock import SteppingClock
from app.backends.extractors.rule import RuleExtractor
from app.backends.memory import open_store as open_in_ram
from app.backends.models.embedding import OpenAIEmbeddingModel
from app.backends.sqlite import open_store as open_file
from app.domain.embedding import EmbeddingIdentity
from app.domain.job import JobState
from app.domain.language import Embedded
from app.domain.query import SearchMode, SearchQuery
from app.ports import Clock
from app.ports.stores import Storage
from app.service.backlog import FILL
from app.service.metered_models import MeteredEmbedder
from app.service.spending import Spending
from app.service.suite import Services
from app.service.till import Till
from tests.app.service.conftest import draft, principal
from tests.app.service.suites import put_together
from tests.servers.waiting import PATIENCE_S
from tests.standin import KEY, Fault, ModelServer, model_server

ADMIN = principal()
MODEL, DIMENSIONS = "text-embedding-3-small", 256
LIMIT_S = 60.0
"""Of each call of the provider, which answers in milliseconds, but not on a machine that is busy."""
SHORT_S = 0.5
"""The same where no answer comes."""


class Provided:
    """A provider's model that gives up soon while it is `hasty`."""

    def __init__(self, address: str) -> None:
        self._models = {hasty: make_model(address, SHORT_S if hasty else LIMIT_S) for hasty in (False, True)}
        self.hasty = False

    @property
    def identity(self) -> EmbeddingIdentity:
        return self._models[self.hasty].identity

    def embed(self, texts: Sequence[str], *, query: bool = False) -> Embedded:
        return self._models[self.hasty].embed(texts, query=query)

    def close(self) -> None:
        for model in self._models.values():
            model.close()


@dataclass(kw_only=True)
class Bench:
    """Services of one process over a store, whose embedder is a provider's."""

    clock: SteppingClock
    store: Storage
    services: Services
    model: Provided

    def find(self, text: str, mode: SearchMode, workspace_id: str = "here") -> list[str]:
        result = self.services.retrieval.search(ADMIN, workspace_id, SearchQuery(text=text, mode=mode))
        assert (result.mode, result.degraded) == (mode, "")
        return [hit.memory.content for hit in result.hits]

    def add(self, *contents: str, workspace_id: str = "here") -> None:
        self.services.memories.add(ADMIN, workspace_id, [draft(content) for content in contents])

    def queued(self) -> list[Any]:
        """Claim all that is due, to look at it, and put it back as it was."""
        claimed = []
        while (job := self.store.jobs.claim((FILL,), lease_ms=1000)) is not None:
            claimed.append(job)
        for job in claimed:
            self.store.jobs.finish(job.id, job.token, JobState.QUEUED)
        return claimed


def make_bench(store: Storage, clock: SteppingClock, address: str, stack: ExitStack) -> Bench:
    model = stack.enter_context(closing(Provided(address)))
    till = Till(
        ledger=store.ledger, spending=Spending(ledger=store.ledger, clock=clock), meter=store.meter, clock=clock
    )
    services = put_together(store, MeteredEmbedder(model, till=till), RuleExtractor(), clock, parallel=True)
    stack.callback(services.close)
    return Bench(clock=clock, store=store, services=services, model=model)


def make_model(address: str, limit_s: float) -> OpenAIEmbeddingModel:
    return OpenAIEmbeddingModel(
        model_name=MODEL,
        api_base=address,
        api_key=KEY,
        dimensions=DIMENSIONS,
        timeout_s=limit_s,
        deadline_s=limit_s,
        query_deadline_s=limit_s,
        rest_s=0.0,
        requests_per_minute=100_000,
    )


def break_down(server: ModelServer) -> None:
    """Answer all with 500 and ask for an hour, so that nobody waits before the next attempt."""
    server.fail(Fault.SERVER_ERROR, times=None, retry_after="3600")


@pytest.fixture(scope="module")
def running() -> Iterator[ModelServer]:
    import_module("openai.resources.embeddings")  # takes longer than the hasty wait
    with model_server() as started:
        yield started


@pytest.fixture
def server(running: ModelServer) -> ModelServer:
    """A provider without faults."""
    running.forget()
    return running


@pytest.fixture
def open_bench(server: ModelServer, tmp_path: Path) -> Iterator[Callable[[], Bench]]:
    """Opens one store in a file, each time as another process would, with a clock that all share."""
    clock = SteppingClock()
    with ExitStack() as stack:
        yield lambda: make_bench(open_shared(tmp_path, clock), clock, server.address, stack)


def open_shared(folder: Path, clock: Clock) -> Storage:
    identity = EmbeddingIdentity(model=MODEL, dimensions=DIMENSIONS)
    return open_file(
        folder / "memory.db",
        identity=identity,
        clock=clock,
        synchronous="NORMAL",
        busy_timeout_ms=int(PATIENCE_S * 1000),
    )


@pytest.fixture(params=["in RAM", "in a file"])
def bench(request: pytest.FixtureRequest, server: ModelServer, open_bench: Callable[[], Bench]) -> Iterator[Bench]:
    """One process over a store of each backend."""
    if request.param == "in a file":
        yield open_bench()
        return
    clock = SteppingClock()
    with ExitStack() as stack:
        store = open_in_ram(identity=EmbeddingIdentity(model=MODEL, dimensions=DIMENSIONS), clock=clock)
        yield make_bench(store, clock, server.address, stack)
