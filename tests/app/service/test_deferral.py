"""Deferral: whatever fails, nothing that was said is lost, rules answer, and a model distils it later, once."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from app.backends.extractors.model import ModelExtractor
from app.backends.extractors.rule import RuleExtractor
from app.domain.access import Role
from app.domain.conversation import Message, Trajectory
from app.domain.job import Job, JobState
from app.domain.language import Prompt
from app.domain.memory import JsonObject, Layer, MemoryKind, Scope
from app.domain.query import MemoryFilter
from app.errors import (
    InvalidRequest,
    MalformedAnswer,
    ModelError,
    ModelRefused,
    ModelTimeout,
    ModelUnavailable,
    SpendCapReached,
    StoreBusy,
)
from app.service.conversations import Conversations, Remembered
from app.service.deferral import DELAYS_MS, DISTIL, MS_PER_DAY, SPREAD_MS, TRIES, Deferral, DistilRequest, StoredRun
from app.service.deferred import REST_MS, DeferredDistillation
from app.service.jobs import Jobs
from app.service.marks import read_mark
from app.service.memories import Memories
from app.service.merging import IndexedMemories, Merger
from app.service.quarantine import GuardedIndex
from tests.app.scripted_model import ScriptedModel, fact, is_merging, lesson, read_data
from tests.app.service.conftest import Bench, principal

ANA = principal()
SCOPE = Scope(tenant_id="acme", workspace_id="w")
FAILURES = [ModelUnavailable(), ModelTimeout(), ModelRefused(), MalformedAnswer(), SpendCapReached()]
SAID = ("I live in Rome.", "I like tea.")
ROME, TEA = "The user lives in Rome.", "The user likes tea."


class Shop:
    """Conversations over a model that fails while `failure` is set; its facts repeat what the rules find."""

    def __init__(self, bench: Bench, *, windows: int = 4, window_tokens: int = 6_000) -> None:
        self.bench = bench
        self.failure: ModelError | None = None
        self.fails_at: Callable[[Prompt], bool] = lambda prompt: True
        self.model = ScriptedModel(self._answer)
        self.deferral = Deferral(queue=bench.store.jobs, clock=bench.clock)
        self.extractor = ModelExtractor(self.model, rules=RuleExtractor(), windows=windows, window_tokens=window_tokens)
        index = GuardedIndex(bench.store.index)
        self.merger = Merger(model=self.model, related=IndexedMemories(index=index, embedder=bench.embedder))
        self.open(bench.memories)

    def open(self, memories: Memories) -> None:
        self.conversations = Conversations(
            memories=memories, extractor=self.extractor, merger=self.merger, deferral=self.deferral
        )
        self.deferred = DeferredDistillation(
            distiller=self.conversations.distiller, deferral=self.deferral, clock=self.bench.clock
        )
        self.jobs = Jobs(
            queue=self.bench.store.jobs,
            memories=memories,
            conversations=self.conversations,
            deferred=self.deferred,
        )

    def _answer(self, prompt: Prompt) -> Any:
        if self.failure is not None and self.fails_at(prompt):
            return self.failure
        data = read_data(prompt)
        if is_merging(prompt):
            return {
                "decisions": [
                    {"number": new["number"], "decision": "updates", "id": known["id"], "valid_from": ""}
                    for new in data["new"]
                    for known in data["known"]
                    if new["text"].split()[-1].strip(".") in known["text"]
                ]
            }
        if "lessons" in prompt.schema["properties"]:  # type: ignore[operator]
            lines = [line["line"] for run in data for line in run["messages"]]
            return {"lessons": [lesson("deploying a service", "Free the disk first.", lines)]}
        known = {
            "Rome": fact(ROME, slot="home"),
            "tea": fact(TEA, slot="taste:tea"),
            "dogs": fact("The user has dogs."),
        }
        return {
            "memories": [
                {**known[word], "lines": [line["line"]]} for line in data for word in known if word in line["text"]
            ]
        }

    def say(self, *said: str, **fields: Any) -> Remembered:
        messages = tuple(Message(role="user", content=one) for one in said)
        remembered = self.conversations.remember_personal(
            ANA, "w", [Trajectory(messages=messages, **fields)], user_id="ana"
        )
        self.bench.clock.step(1_000)
        return remembered

    def wait(self, ms: int = DELAYS_MS[-1]) -> int:
        """Let time go by and work; returns how many jobs were tried."""
        self.bench.clock.step(ms)
        return self.jobs.work()

    def texts(self, *, superseded: bool = False, layer: Layer = Layer.DISTILLED) -> list[str]:
        page = self.bench.memories.scan(ANA, "w", MemoryFilter(layers=(layer,)), limit=1000, superseded=superseded)
        return sorted(memory.content for memory in page.items)


@pytest.fixture
def shop(benches: Callable[[], Bench]) -> Shop:
    return Shop(benches())


@pytest.mark.parametrize("site", ["extraction", "merging"])
@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: type(failure).__name__)
def test_whatever_fails_wherever_it_is_made_up_for_later_and_once(shop: Shop, failure: ModelError, site: str) -> None:
    if site == "merging":
        shop.say("Rome is in Italy, where I live.")
    shop.failure, shop.fails_at = failure, lambda prompt: is_merging(prompt) == (site == "merging")
    remembered = shop.say(*SAID)
    assert remembered.skipped
    assert len(remembered.raw_ids) == 2
    standing = [text for text in shop.texts() if "tea" in text]
    assert len(standing) == 1, "somebody answers at once"
    for _ in range(3):
        assert shop.wait() <= 1
        assert [text for text in shop.texts() if "tea" in text] == standing, "what failed changes nothing"
    shop.failure = None
    shop.wait(MS_PER_DAY)
    assert shop.texts() == [TEA, ROME]
    raw = shop.bench.memories.get(ANA, "w", remembered.raw_ids[-1])
    mark = read_mark(raw)
    assert mark is not None
    assert (mark.extractor, mark.skipped) == ("model:small", "")
    asked, history = len(shop.model.prompts), shop.texts(superseded=True)
    again = shop.say(*SAID)
    assert (again.inserted, again.skipped, again.extractor) == (0, "", "model:small")
    assert sorted(memory.content for memory in again.memories) == [TEA, ROME]
    assert shop.wait(MS_PER_DAY) == 0
    assert (len(shop.model.prompts), shop.texts(superseded=True)) == (asked, history)


def test_what_waits_is_asked_again_after_growing_times(shop: Shop) -> None:
    shop.failure = ModelUnavailable()
    shop.say(*SAID)
    for delay_ms in (*DELAYS_MS, DELAYS_MS[-1]):
        asked = len(shop.model.prompts)
        assert shop.wait(delay_ms - 2_000) == 0
        assert shop.wait(2_000) == 1
        assert len(shop.model.prompts) == asked + 1


def test_a_cap_waits_for_the_next_day(shop: Shop) -> None:
    shop.failure = SpendCapReached()
    shop.say(*SAID)
    asked = len(shop.model.prompts)
    left_ms = MS_PER_DAY - shop.bench.clock.now_ms() % MS_PER_DAY
    assert shop.wait(left_ms - 1) == 0
    assert len(shop.model.prompts) == asked
    shop.failure = None
    assert shop.wait(SPREAD_MS + 1) == 1
    assert shop.texts() == [TEA, ROME]


def test_while_a_model_fails_other_jobs_do_not_wait_for_it(shop: Shop) -> None:
    shop.failure = ModelTimeout()
    for number in range(5):
        shop.say(f"I have {number} dogs.")
    asked = len(shop.model.prompts)
    assert shop.wait(DELAYS_MS[0]) == 1
    assert len(shop.model.prompts) == asked + 1
    assert shop.wait(REST_MS - 1) == 0
    assert shop.wait(1) == 1


def test_without_a_model_nothing_waits(shop: Shop) -> None:
    shop.model.name = ""
    remembered = shop.say(*SAID)
    assert (remembered.extractor, remembered.skipped) == ("rule", "no model")
    assert shop.wait(MS_PER_DAY) == 0


def test_a_model_that_was_taken_away_is_waited_for(shop: Shop) -> None:
    shop.failure = ModelUnavailable()
    shop.say(*SAID)
    shop.model.name, shop.failure = "", None
    assert shop.wait() == 1
    shop.model.name = "small"
    assert shop.wait() == 1
    assert shop.texts() == [TEA, ROME]


def test_turns_that_come_meanwhile_are_distilled_apart(shop: Shop) -> None:
    shop.failure = ModelUnavailable()
    shop.say(*SAID)
    shop.failure = None
    grown = shop.say(*SAID, "I have dogs.")
    assert (grown.extractor, grown.skipped) == ("model:small", "")
    shop.wait()
    assert shop.texts() == ["The user has dogs.", TEA, ROME]


def test_a_later_statement_is_not_undone(shop: Shop) -> None:
    """What was said before and is distilled after it becomes history."""
    shop.failure = ModelUnavailable()
    shop.say("I live in Rome.")
    shop.say("News:", "I live in Oslo.")
    shop.failure = None
    shop.wait()
    assert shop.texts() == ["I live in Oslo"]
    assert ROME in shop.texts(superseded=True)


def test_what_was_erased_meanwhile_is_not_distilled(shop: Shop) -> None:
    shop.failure = ModelUnavailable()
    remembered = shop.say(*SAID, "I have dogs.")
    tea = [memory.id for memory in remembered.memories if "tea" in memory.content]
    shop.bench.memories.delete(ANA, "w", [remembered.raw_ids[1], *tea])
    shop.failure = None
    shop.wait()
    assert "tea" not in shop.model.prompts[-1].user
    assert shop.texts() == ["The user has dogs.", ROME]
    shop.failure = ModelUnavailable()
    shop.say("Hello", "I live in Rome.")
    shop.bench.memories.purge(ANA, "w", user_id="ana")
    shop.failure = None
    assert shop.wait() == 1
    assert shop.texts(superseded=True) == []


def test_a_long_conversation_is_done_in_portions(benches: Callable[[], Bench]) -> None:
    shop = Shop(benches(), windows=2, window_tokens=300)
    said = [f"I have {number} dogs. " + "word " * 100 for number in range(1, 13)]
    remembered = shop.say(*said)
    assert (remembered.extractor, remembered.skipped) == ("model:small", "length")
    jobs = 0
    while done := shop.wait(1):
        jobs += done
    assert 2 <= jobs <= 5
    shown = [line["line"] for prompt in shop.model.prompts if not is_merging(prompt) for line in read_data(prompt)]
    assert len(shown) == len(said), "each turn once"
    mark = read_mark(shop.bench.memories.get(ANA, "w", remembered.raw_ids[-1]))
    assert mark is not None
    assert mark.skipped == ""


RUN = (
    Message(role="user", content="Deploy the service"),
    Message(role="tool", content="ERROR: disk full"),
    Message(role="assistant", content="I freed some space. Deployed."),
)


def test_runs_of_a_task_are_compared_now_or_later(shop: Shop) -> None:
    runs = [Trajectory(messages=RUN, score=1.0), Trajectory(messages=RUN[:2], score=0.0)]
    other = Trajectory(
        messages=(Message(role="user", content="Bake a cake"), Message(role="assistant", content="Done."))
    )
    shop.failure = ModelUnavailable()
    remembered = shop.conversations.remember_tasks(ANA, "w", [*runs, other])
    assert remembered.skipped == "unavailable"
    ruled = shop.texts()
    assert len(ruled) >= 3
    assert [len(read_data(prompt)) for prompt in shop.model.prompts] == [2, 1]
    shop.failure = None
    shop.wait()
    assert [len(read_data(prompt)) for prompt in shop.model.prompts if not is_merging(prompt)] == [2, 1, 2, 1]
    learned = shop.bench.memories.scan(
        ANA, "w", MemoryFilter(kinds=(MemoryKind.TASK,), layers=(Layer.DISTILLED,)), limit=100
    )
    (made,) = [memory for memory in learned.items if memory.content == "Free the disk first."]
    assert made.when_to_use == "deploying a service"
    assert set(made.source_ids) >= set(remembered.raw_ids[:3])
    assert shop.wait(MS_PER_DAY) == 0


def test_a_run_that_is_judged_anew_meanwhile_is_distilled_as_judged(shop: Shop) -> None:
    shop.failure = ModelUnavailable()
    shop.conversations.remember_tasks(ANA, "w", [Trajectory(messages=RUN, score=1.0)])
    shop.failure = None
    shop.conversations.remember_tasks(ANA, "w", [Trajectory(messages=RUN, score=0.0)])
    asked = len(shop.model.prompts)
    assert shop.wait() == 1
    assert len(shop.model.prompts) == asked, "the first judgement holds no more"


class Breaking(Memories):
    """Fails at the call of a method, as a process that dies would."""

    def __init__(self, bench: Bench, *, of: str, at: int) -> None:
        super().__init__(
            store=bench.store.memories, embedder=bench.embedder, clock=bench.clock, meter=bench.store.meter
        )
        self.of, self.left = of, at

    def _break(self, name: str) -> None:
        if name == self.of:
            self.left -= 1
            if self.left == 0:
                raise StoreBusy

    def add(self, *given: Any, **named: Any) -> Any:
        self._break("add")
        return super().add(*given, **named)

    def update(self, *given: Any, **named: Any) -> Any:
        self._break("update")
        return super().update(*given, **named)


@pytest.mark.parametrize(("of", "at"), [("add", 1), ("update", 1), ("update", 2), ("update", 3)])
def test_a_job_that_breaks_off_is_completed_and_writes_once(shop: Shop, of: str, at: int) -> None:
    shop.failure = ModelUnavailable()
    shop.say(*SAID)
    shop.failure = None
    shop.open(Breaking(shop.bench, of=of, at=at))
    shop.wait()
    for _ in range(2):
        shop.wait()
    assert shop.texts() == [TEA, ROME]
    assert len([text for text in shop.texts(superseded=True) if text in {ROME, TEA}]) == 2


def test_two_workers_at_the_same_turns_write_once(shop: Shop) -> None:
    """The second claims while the first asks the model, and both have an answer."""
    shop.failure = ModelUnavailable()
    remembered = shop.say(*SAID)
    request = _request(shop, remembered)
    shop.failure = None
    answer = shop.model.answer
    inner: list[Prompt] = []

    def nested(prompt: Prompt) -> Any:
        if not inner:
            inner.append(prompt)
            shop.conversations.distiller.resume(ANA, "w", request)
        return answer(prompt)

    shop.model.answer = nested
    shop.conversations.distiller.resume(ANA, "w", request)
    assert shop.texts() == [TEA, ROME]
    assert len(shop.texts(superseded=True)) == 4, "two by rules, two by the model"


def _request(shop: Shop, remembered: Remembered) -> DistilRequest:
    return DistilRequest(kind=MemoryKind.PERSONAL, user_id="ana", runs=(StoredRun(raw_ids=remembered.raw_ids),))


def _claim(shop: Shop) -> Job:
    shop.bench.clock.step(MS_PER_DAY)
    job = shop.bench.store.jobs.claim((DISTIL,), lease_ms=1_000)
    assert job is not None
    return job


def test_a_job_ends_after_many_tries_or_without_rights(shop: Shop) -> None:
    shop.failure = ModelUnavailable()
    shop.say(*SAID)
    job = _claim(shop)
    assert shop.deferred.work(replace(job, attempts=TRIES - 1)).state is JobState.QUEUED
    ended = shop.deferred.work(replace(job, attempts=TRIES))
    assert (ended.state, ended.error) == (JobState.FAILED, "no model distilled the turns: unavailable")
    reader = {**job.payload["principal"], "role": Role.READER.value}  # type: ignore[dict-item]
    assert shop.deferred.work(replace(job, payload={**job.payload, "principal": reader})).state is JobState.FAILED
    wrong: list[JsonObject] = [{}, {"request": {}}, {**job.payload, "request": {"kind": "tool"}}]
    for payload in wrong:
        assert shop.deferred.work(replace(job, payload=payload)).state is JobState.FAILED


def test_a_job_tells_nobody_what_was_said(shop: Shop) -> None:
    shop.failure = ModelUnavailable()
    shop.say(*SAID)
    job = _claim(shop)
    assert "Rome" not in repr(job.payload)
    shop.model.answer = lambda prompt: 1 / 0 if "Rome" in prompt.user else None
    assert shop.deferred.work(job).error == "internal error: ZeroDivisionError"


def test_clients_cannot_queue_it(shop: Shop) -> None:
    with pytest.raises(InvalidRequest):
        shop.jobs.submit(ANA, "w", DISTIL, {"kind": "personal", "user_id": "", "runs": []})
