"""Distillation from end to end: a provider's HTTP, its faults, the ledger's caps, and the job that makes up for them."""

from collections.abc import Callable, Iterator
from contextlib import closing
from decimal import Decimal
from typing import Any

import pytest

from app.backends.extractors.model import ModelExtractor
from app.backends.extractors.rule import RuleExtractor
from app.backends.models.choices import ModelChoice
from app.backends.models.language import OpenAILanguageModel
from app.domain.conversation import Message, Trajectory
from app.domain.language import ModelTask
from app.domain.memory import Layer
from app.domain.query import MemoryFilter
from app.ports import LanguageModel
from app.service.conversations import Conversations
from app.service.deferral import MS_PER_DAY, SPREAD_MS, Deferral
from app.service.deferred import DeferredDistillation
from app.service.jobs import Jobs
from app.service.merging import IndexedMemories, Merger
from app.service.metered_models import MeteredModel
from app.service.quarantine import GuardedIndex
from tests.app.scripted_model import fact
from tests.app.service.conftest import Bench, principal
from tests.app.service.test_metered_models import PRICED, make_till
from tests.standin import KEY, Fault, ModelServer, model_server

ANA = principal()
ROME, OSLO = "The user lives in Rome.", "The user has lived in Oslo since March."


@pytest.fixture(scope="module")
def running() -> Iterator[ModelServer]:
    with model_server() as started:
        yield started


@pytest.fixture
def server(running: ModelServer) -> ModelServer:
    running.forget()
    return running


@pytest.fixture
def model(server: ModelServer) -> Iterator[OpenAILanguageModel]:
    """A model that a busy machine does not make time out."""
    with closing(_reach(server, timeout_s=60.0, deadline_s=180.0)) as made:
        yield made


@pytest.fixture
def hasty_model(server: ModelServer) -> Iterator[OpenAILanguageModel]:
    """A model that gives up soon, for the time of a fault; a good answer that comes late is such a fault as well."""
    with closing(_reach(server, timeout_s=0.2, deadline_s=0.5)) as made:
        yield made


def _reach(server: ModelServer, *, timeout_s: float, deadline_s: float) -> OpenAILanguageModel:
    choice = ModelChoice(
        model_name="small",
        api_base=server.address,
        api_key=KEY,
        timeout_s=timeout_s,
        deadline_s=deadline_s,
        max_tokens=1024,
    )
    return OpenAILanguageModel(dict.fromkeys(ModelTask, choice))


def _script(server: ModelServer) -> None:
    """Both statements, and that the second ends the first; a later script is asked first."""

    def extract(request: Any) -> Any:
        return {
            "memories": [
                fact(text, [1], slot=slot)
                for word, text, slot in (("Rome", ROME, "home"), ("Oslo", OSLO, ""))
                if f"live in {word}" in request.user
            ]
        }

    def merge(request: Any) -> Any:
        return {"decisions": [{"number": 1, "decision": "contradicts", "id": "m1", "valid_from": ""}]}

    server.script(extract, containing="<conversation>")
    server.script(merge, containing="<data>")


class House:
    """Conversations and jobs over a model."""

    def __init__(self, bench: Bench, model: LanguageModel) -> None:
        self.bench = bench
        self.use(model)

    def use(self, model: LanguageModel) -> None:
        bench = self.bench
        deferral = Deferral(queue=bench.store.jobs, clock=bench.clock)
        self.conversations = Conversations(
            memories=bench.memories,
            extractor=ModelExtractor(model, rules=RuleExtractor()),
            merger=Merger(
                model=model,
                related=IndexedMemories(index=GuardedIndex(bench.store.index), embedder=bench.embedder),
            ),
            deferral=deferral,
        )
        self.jobs = Jobs(
            queue=bench.store.jobs,
            memories=bench.memories,
            conversations=self.conversations,
            deferred=DeferredDistillation(distiller=self.conversations.distiller, deferral=deferral, clock=bench.clock),
        )

    def say(self, text: str) -> str:
        self.bench.clock.step(60_000)
        trajectory = Trajectory(messages=(Message(role="user", content=text),))
        return self.conversations.remember_personal(ANA, "w", [trajectory], user_id="ana").skipped

    def texts(self) -> list[str]:
        page = self.bench.memories.scan(ANA, "w", MemoryFilter(layers=(Layer.DISTILLED,)), limit=100)
        return sorted(memory.content for memory in page.items)


def test_a_conversation_goes_through_a_provider(
    benches: Callable[[], Bench], server: ModelServer, model: OpenAILanguageModel
) -> None:
    _script(server)
    house = House(benches(), model)
    assert house.say("I live in Rome now.") == ""
    assert house.texts() == [ROME]
    assert house.say("I live in Oslo since March.") == ""
    assert house.texts() == [OSLO]
    assert server.usage.input_tokens > 0


@pytest.mark.slow
@pytest.mark.parametrize("at", [0, 1], ids=["extraction", "merging"])
@pytest.mark.parametrize(
    "fault",
    [
        Fault.DROPPED,
        Fault.HANG,
        Fault.NOT_JSON,
        Fault.BROKEN_VALUE,
        Fault.WRONG_SCHEMA,
        Fault.CUT_OFF,
        Fault.FILTERED,
        Fault.UNAUTHORISED,
    ],
    ids=lambda fault: fault.name.lower(),
)
def test_a_fault_of_a_provider_is_made_up_for(
    benches: Callable[[], Bench],
    server: ModelServer,
    model: OpenAILanguageModel,
    hasty_model: OpenAILanguageModel,
    fault: Fault,
    at: int,
) -> None:
    _script(server)
    house = House(benches(), model)
    assert house.say("I live in Rome now.") == ""
    house.use(hasty_model)
    server.fail(fault, times=None, after=at)
    assert house.say("I live in Oslo since March.") in {"unavailable", "refused", "malformed"}
    assert any("Oslo" in text for text in house.texts()), "rules or the model's own answer stand in"
    server.recover()
    house.use(model)
    house.bench.clock.step(MS_PER_DAY)
    assert house.jobs.work() == 1
    assert house.texts() == [OSLO]
    house.bench.clock.step(MS_PER_DAY)
    assert house.jobs.work() == 0


def test_a_cap_stops_the_model_and_nothing_else(benches: Callable[[], Bench], server: ModelServer) -> None:
    _script(server)
    bench = benches()
    choice = ModelChoice(
        model_name=PRICED, api_base=server.address, api_key=KEY, timeout_s=60.0, deadline_s=180.0, max_tokens=1024
    )
    with closing(OpenAILanguageModel(dict.fromkeys(ModelTask, choice))) as inner:

        def allow(daily_usd: Decimal) -> LanguageModel:
            till = make_till(bench, daily_usd=daily_usd)
            return MeteredModel(inner, till=till, max_tokens=dict.fromkeys(ModelTask, 1024))

        house = House(bench, allow(Decimal(1)))
        assert house.say("I live in Rome now.") == ""
        asked = len(server.calls)
        house.use(allow(Decimal("0.001")))
        assert house.say("I live in Oslo since March.") == "spend cap"
        assert len(server.calls) == asked, "the provider is not asked"
        assert any("Oslo" in text for text in house.texts())
        assert house.jobs.work() == 0
        house.use(allow(Decimal(1)))
        bench.clock.step(MS_PER_DAY + SPREAD_MS)
        assert house.jobs.work() == 1
    assert house.texts() == [OSLO]
    entries = bench.store.ledger.read("acme", workspace_id="w").items
    assert {(entry.payer.operation, entry.task) for entry in entries} == {("extract", "personal")}
    assert sum(entry.input_tokens for entry in entries) == server.usage.input_tokens
