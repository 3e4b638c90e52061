"""Every token that a model counts is charged, once, to whoever asked, and never beyond a cap."""

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from threading import Lock
from typing import cast

import pytest

from app.domain.language import Answer, ModelTask, Prompt
from app.domain.spending import SYSTEM, LedgerEntry, Payer, Reservation, SpendCap, charging
from app.domain.usage import NO_TOKENS, TokenUsage
from app.errors import ModelTimeout, ModelUnavailable, SpendCapReached, StoreBusy
from app.ports import Accounts, Ledger
from app.service.metered_models import MeteredModel, count_at_most
from app.service.spending import Spending
from app.service.till import LAPSE_MS, Till
from tests.app.service.conftest import Bench, principal

PAYER = Payer(tenant_id="acme", workspace_id="w", key_id="k1", operation="extract")
PROMPT = Prompt(
    task=ModelTask.PERSONAL, system="Say what is worth keeping.", user="我喜欢咖啡 and tea", schema={"a": 1}
)
ADMIN = principal()
PRICED = "gpt-4o-mini"
"""0.15 USD a million tokens in, 0.075 from the cache, 0.60 out (the planner's catalogue)."""


class ScriptedModel:
    """Counts what it is told to, or as many tokens as it was sent characters; keeps its own book."""

    def __init__(self, model: str = PRICED, *usages: TokenUsage | Exception) -> None:
        self._model = model
        self._usages = list(usages)
        self._lock = Lock()
        self.counted: list[TokenUsage] = []

    def model_of(self, task: ModelTask) -> str:
        return self._model

    def complete(self, prompt: Prompt) -> Answer:
        with self._lock:
            usage = self._usages.pop(0) if self._usages else TokenUsage(input_tokens=len(prompt.user), output_tokens=7)
            if isinstance(usage, Exception):
                self.counted.append(getattr(usage, "usage", NO_TOKENS))
                raise usage
            self.counted.append(usage)
        return Answer(text="yes", model="a name of the provider's own", usage=usage)


def make_till(
    bench: Bench,
    *,
    ledger: Ledger | None = None,
    daily_usd: Decimal | None = None,
    monthly_usd: Decimal | None = None,
) -> Till:
    spending = Spending(ledger=bench.store.ledger, clock=bench.clock, daily_usd=daily_usd, monthly_usd=monthly_usd)
    return Till(ledger=ledger or bench.store.ledger, spending=spending, meter=bench.store.meter, clock=bench.clock)


def metered(model: ScriptedModel, till: Till, max_tokens: int = 100) -> MeteredModel:
    return MeteredModel(model, till=till, max_tokens=dict.fromkeys(ModelTask, max_tokens))


def entries(bench: Bench, tenant_id: str = "acme") -> tuple[LedgerEntry, ...]:
    return bench.store.ledger.read(tenant_id).items


def total(usages: Sequence[TokenUsage]) -> TokenUsage:
    return sum(usages, start=NO_TOKENS)


def test_the_ledger_adds_up_to_what_was_counted_to_the_token(benches: Callable[[], Bench]) -> None:
    bench = benches()
    model = ScriptedModel(
        PRICED,
        TokenUsage(input_tokens=1000, output_tokens=200, cached_tokens=400),
        ModelTimeout("late", usage=TokenUsage(input_tokens=30, output_tokens=3)),
        ModelUnavailable("down"),
    )
    asked = metered(model, make_till(bench))
    operations = ("extract", "retrieve", "compress")
    for number in range(60):
        task = tuple(ModelTask)[number % 5]
        with charging(replace(PAYER, operation=operations[number % 3])):
            try:
                answer = asked.complete(replace(PROMPT, task=task, user="x" * number))
                assert answer.text == "yes"
            except (ModelTimeout, ModelUnavailable):
                continue
    written = entries(bench)
    counted = total(model.counted)
    assert len(written) == 59, "one call counted nothing"
    assert (
        total(
            [
                TokenUsage(
                    input_tokens=one.input_tokens, output_tokens=one.output_tokens, cached_tokens=one.cached_tokens
                )
                for one in written
            ]
        )
        == counted
    )
    uncached = counted.input_tokens - counted.cached_tokens
    expected = uncached * Decimal("1.5e-7") + counted.cached_tokens * Decimal("7.5e-8")
    expected += counted.output_tokens * Decimal("6e-7")
    assert bench.store.ledger.spent_usd("acme", "w", since_ms=0) == expected
    assert {one.model for one in written} == {PRICED}, "charged by the name that has a price"
    records = bench.store.meter.read("acme")
    assert {record.operation for record in records} == set(operations)
    assert sum(record.input_tokens for record in records) == counted.input_tokens
    assert sum(record.output_tokens for record in records) == counted.output_tokens
    assert sum(record.calls for record in records) == 59


def test_who_pays_is_who_asked(bench: Bench) -> None:
    asked = metered(ScriptedModel(), make_till(bench))
    asked.complete(PROMPT)
    with charging(PAYER):
        asked.complete(PROMPT)
    assert [one.payer for one in entries(bench)] == [PAYER]
    assert [one.payer for one in entries(bench, SYSTEM.tenant_id)] == [SYSTEM]
    assert entries(bench)[0].task == "personal"
    assert entries(bench)[0].at_ms == bench.clock.now_ms()


@pytest.mark.parametrize("period", ["daily_usd", "monthly_usd"])
def test_a_cap_refuses_before_anything_is_asked(bench: Bench, period: str) -> None:
    model = ScriptedModel()
    tiny_usd = Decimal("0.000001")
    till = make_till(bench, daily_usd=tiny_usd) if period == "daily_usd" else make_till(bench, monthly_usd=tiny_usd)
    asked = metered(model, till)
    with charging(PAYER), pytest.raises(SpendCapReached, match=r"of the 0\.000001 USD"):
        asked.complete(PROMPT)
    assert model.counted == []
    assert entries(bench) == ()
    assert bench.store.meter.read("acme") == ()
    assert till.refused == 1


def test_a_call_that_no_cap_lets_pass_sets_nothing_aside(bench: Bench) -> None:
    """The day's cap lets it pass and the month's does not."""
    till = make_till(bench, daily_usd=Decimal("0.0012"), monthly_usd=Decimal("0.000001"))
    with charging(PAYER):
        for _ in range(3):
            with pytest.raises(SpendCapReached, match=r"of the 0\.000001 USD"):
                metered(ScriptedModel(), till).complete(PROMPT)


def test_caps_begin_anew_with_the_day_and_the_month(bench: Bench) -> None:
    bench.clock.set(1_801_439_999_000)  # 2027-01-31 23:59:59
    usage = TokenUsage(input_tokens=10_000, output_tokens=100)
    model = ScriptedModel(PRICED, usage, usage)
    asked = metered(model, make_till(bench, daily_usd=Decimal("0.002"), monthly_usd=Decimal("0.003")))
    with charging(PAYER):
        asked.complete(PROMPT)
        with pytest.raises(SpendCapReached):
            asked.complete(PROMPT)
        bench.clock.step(1000)
        asked.complete(PROMPT)
    status = Spending(ledger=bench.store.ledger, clock=bench.clock).status(ADMIN, "w")
    assert [period.spent_usd for period in status] == [Decimal("0.00156")] * 2


@pytest.mark.parametrize("callers", [32])
def test_caps_hold_under_callers_at_once(benches: Callable[[], Bench], callers: int) -> None:
    bench = benches()
    cap_usd = Decimal("0.01")
    usage = TokenUsage(input_tokens=1000, output_tokens=100)
    model = ScriptedModel(PRICED, *[usage] * 1000)
    ledger = WatchedLedger(bench.store.ledger, cap_usd)
    asked = metered(model, make_till(bench, ledger=cast(Ledger, ledger), daily_usd=cap_usd))

    def ask(number: int) -> bool:
        with charging(replace(PAYER, key_id=f"k{number}")):
            try:
                asked.complete(PROMPT)
            except SpendCapReached:
                return False
            return True

    with ThreadPoolExecutor(callers) as threads:
        passed = sum(threads.map(ask, range(320)))
    spent_usd = bench.store.ledger.spent_usd("acme", "w", since_ms=0)
    assert spent_usd == passed * Decimal("0.00021")
    assert len(model.counted) == len(entries(bench)) == passed
    assert Decimal("0.009") < spent_usd <= cap_usd
    assert ledger.most_usd <= cap_usd


class WatchedLedger:
    """Adds up, by itself, what is spent and set aside at any moment."""

    def __init__(self, ledger: Accounts, cap_usd: Decimal) -> None:
        self._ledger = ledger
        self._lock = Lock()
        self._held: dict[str, Decimal] = {}
        self.most_usd = Decimal(0)

    def reserve(self, reservation: Reservation, cap: SpendCap | None) -> None:
        self._ledger.reserve(reservation, cap)
        with self._lock:
            self._held[reservation.id] = reservation.usd
            self.most_usd = max(self.most_usd, sum(self._held.values(), start=Decimal(0)))

    def settle(self, entry: LedgerEntry) -> None:
        with self._lock:  # lowered before the money is free for others, so that the sum is never too low
            self._held[entry.id] = min(self._held[entry.id], cast(Decimal, entry.usd))
        self._ledger.settle(entry)

    def __getattr__(self, name: str) -> object:
        return getattr(self._ledger, name)


def test_an_estimate_is_never_too_low(bench: Bench) -> None:
    """What a provider can count at most, three answers of the greatest length, is what the cap must hold."""
    texts = PROMPT.system + PROMPT.user
    assert count_at_most(texts) == len(texts.encode()) > len(texts)
    most = TokenUsage(input_tokens=3 * count_at_most(texts), output_tokens=300)
    asked = metered(ScriptedModel(PRICED, most), make_till(bench, daily_usd=Decimal("0.002")))
    with charging(PAYER):
        asked.complete(PROMPT)
    assert bench.store.ledger.spent_usd("acme", "w", since_ms=0) < Decimal("0.002")


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """The warnings that were logged."""
    caplog.set_level(logging.WARNING, logger="reme")
    return caplog


def test_a_model_without_a_price_is_counted_and_told_of_once(bench: Bench, told: pytest.LogCaptureFixture) -> None:
    asked = metered(ScriptedModel("a-model-of-our-own"), make_till(bench, daily_usd=Decimal(0)))
    with charging(PAYER):
        asked.complete(PROMPT)
        asked.complete(PROMPT)
    assert [one.usd for one in entries(bench)] == [None, None]
    assert [record.message for record in told.records] == [
        "no list price of model a-model-of-our-own is known: its calls are counted, but no cap binds them"
    ]


def test_a_defect_within_a_call_leaves_nothing_set_aside(bench: Bench) -> None:
    model = ScriptedModel(PRICED, RuntimeError("a defect"))
    asked = metered(model, make_till(bench, daily_usd=Decimal("0.0012")))
    with charging(PAYER):
        with pytest.raises(RuntimeError):
            asked.complete(PROMPT)
        asked.complete(PROMPT)
    assert len(entries(bench)) == 1


class FailingLedger:
    """A ledger whose file is busy for a while."""

    def __init__(self, ledger: Accounts, *methods: str) -> None:
        self._ledger = ledger
        self.failing = set(methods)

    def __getattr__(self, name: str) -> object:
        if name in self.failing:

            def fail(*_: object) -> None:
                raise StoreBusy

            return fail
        return getattr(self._ledger, name)


@pytest.mark.parametrize("then", ["the next call", "the end"])
def test_an_answer_is_not_lost_for_a_busy_ledger(bench: Bench, then: str) -> None:
    ledger = FailingLedger(bench.store.ledger, "settle")
    till = make_till(bench, ledger=cast(Ledger, ledger))
    asked = metered(ScriptedModel(), till)
    with charging(PAYER):
        assert asked.complete(PROMPT).text == "yes"
        assert (entries(bench), till.unsettled) == ((), 1)
        ledger.failing.clear()
        if then == "the end":
            till.close()
        else:
            asked.complete(PROMPT)
    assert len(entries(bench)) == (1 if then == "the end" else 2), "what could not be written then is written now"
    assert till.unsettled == 0


def test_no_model_is_asked_on_credit(bench: Bench) -> None:
    model = ScriptedModel()
    ledger = FailingLedger(bench.store.ledger, "reserve")
    asked = metered(model, make_till(bench, ledger=cast(Ledger, ledger)))
    with charging(PAYER), pytest.raises(ModelUnavailable, match="the ledger cannot be written to"):
        asked.complete(PROMPT)
    assert model.counted == []


def test_money_set_aside_by_a_process_that_died_comes_back(bench: Bench) -> None:
    ledger = FailingLedger(bench.store.ledger, "settle", "release")
    with charging(PAYER):
        for error in (None, ModelUnavailable("down")):
            dead = ScriptedModel(PRICED, *([error] if error else []))
            till = make_till(bench, ledger=cast(Ledger, ledger), daily_usd=Decimal("0.0012"))
            try:
                metered(dead, till).complete(PROMPT)
            except ModelUnavailable:
                assert error is not None
            alive = metered(ScriptedModel(), make_till(bench, daily_usd=Decimal("0.0012")))
            with pytest.raises(SpendCapReached):
                alive.complete(PROMPT)
            bench.clock.step(LAPSE_MS)
            alive.complete(PROMPT)


def test_a_task_that_nobody_does_is_not_charged(bench: Bench) -> None:
    asked = metered(ScriptedModel("", ModelUnavailable("nobody")), make_till(bench))
    with pytest.raises(ModelUnavailable, match="nobody"):
        asked.complete(PROMPT)
    assert asked.model_of(ModelTask.RERANK) == ""
