"""The till: takes the money for calls of models before they are made, and writes down what they cost."""

import logging
from collections.abc import Callable, Sequence
from decimal import Decimal
from threading import Lock
from typing import TypeVar
from uuid import uuid4

from app.domain.memory import Scope
from app.domain.spending import LedgerEntry, Payer, Reservation, current_payer
from app.domain.usage import NO_TOKENS, TokenUsage, UsageRecord
from app.errors import ModelError, ModelUnavailable, SpendCapReached, StoreError
from app.ports import Clock, Ledger, Meter
from app.service.metering import day_of
from app.service.pricing import price_tokens
from app.service.spending import Spending

log = logging.getLogger("reme.spending")

T = TypeVar("T")

LAPSE_MS = 600_000
"""What is set aside for a call lapses after this, ours: ten times the deadline of a call (`llm.*.deadline_s`, 60 s)."""


class Till:
    """Takes the money for calls of models: sets aside the most that one can cost, then settles what was counted.

    The payer is `current_payer()`. `lapse_ms` must be more than the longest call takes. A call is charged to the day
    on which it began. May be used from any thread.
    """

    def __init__(
        self, *, ledger: Ledger, spending: Spending, meter: Meter, clock: Clock, lapse_ms: int = LAPSE_MS
    ) -> None:
        self._ledger = ledger
        self._spending = spending
        self._meter = meter
        self._clock = clock
        self._lapse_ms = lapse_ms
        self._lock = Lock()
        self._unsettled: list[LedgerEntry] = []
        self._refused = 0
        self._unpriced: set[str] = set()

    @property
    def refused(self) -> int:
        """Calls that a cap refused in this process."""
        return self._refused

    @property
    def unsettled(self) -> int:
        """Calls that were made and are not in the ledger yet, because it could not be written to."""
        return len(self._unsettled)

    def close(self) -> None:
        """Write what could not be written before; call it before the store is closed."""
        self._settle_all(())

    def charge(
        self,
        task: str,
        model: str,
        ask: Callable[[], T],
        *,
        most: TokenUsage,
        count: Callable[[T], TokenUsage],
        items: int = 0,
    ) -> T:
        """Ask a model, and charge the payer with the tokens that `count` reads from its answer or that its error tells.

        Raises `SpendCapReached` before anything was asked, `ModelUnavailable` where the ledger cannot be written to,
        and what `ask` raises. A model without a list price is asked whatever the cap: nobody knows what it costs.
        """
        payer, at_ms, entry_id = current_payer(), self._clock.now_ms(), uuid4().hex
        reserved = self._reserve(payer, entry_id, at_ms, model, most)
        usage = NO_TOKENS
        try:
            answer = ask()
            usage = count(answer)
        except ModelError as fault:
            usage = fault.usage
            raise
        finally:
            if usage == NO_TOKENS:
                self._release(entry_id, reserved=reserved)
            else:
                self._settle_all((_enter(entry_id, at_ms, payer, task, model, usage),))
                self._record(payer, at_ms, model, usage, items)
        return answer

    def _reserve(self, payer: Payer, entry_id: str, at_ms: int, model: str, most: TokenUsage) -> bool:
        usd = _price(model, most)
        if usd is None:
            if model not in self._unpriced:
                self._unpriced.add(model)
                log.warning("no list price of model %s is known: its calls are counted, but no cap binds them", model)
            return False
        reservation = Reservation(id=entry_id, at_ms=at_ms, expires_ms=at_ms + self._lapse_ms, payer=payer, usd=usd)
        scope = Scope(tenant_id=payer.tenant_id, workspace_id=payer.workspace_id)
        try:
            for cap in self._spending.find_caps(scope, now_ms=at_ms) or (None,):
                self._ledger.reserve(reservation, cap)
        except SpendCapReached:
            with self._lock:
                self._refused += 1
            self._release(entry_id, reserved=True)  # an earlier cap may have let it pass
            raise
        except StoreError as fault:
            raise ModelUnavailable(
                f"the ledger cannot be written to, so no model is asked ({fault.message}): mend the store, then repeat"
            ) from fault
        return True

    def _release(self, entry_id: str, *, reserved: bool) -> None:
        if not reserved:
            return
        try:
            self._ledger.release(entry_id)
        except StoreError as fault:  # it lapses by itself
            log.warning("what was set aside for a call is not free yet: %s", fault.message)

    def _settle_all(self, entries: Sequence[LedgerEntry]) -> None:
        """Write entries, and those before them that could not be written; an answer is not lost for it."""
        with self._lock:
            waiting, self._unsettled = [*self._unsettled, *entries], []
        for position, each in enumerate(waiting):
            try:
                self._ledger.settle(each)
            except StoreError as fault:
                log.warning("%d calls are not in the ledger yet: %s", len(waiting) - position, fault.message)
                with self._lock:
                    self._unsettled += waiting[position:]
                return

    def _record(self, payer: Payer, at_ms: int, model: str, usage: TokenUsage, items: int) -> None:
        self._meter.record(
            [
                UsageRecord(
                    tenant_id=payer.tenant_id,
                    workspace_id=payer.workspace_id,
                    day=day_of(at_ms),
                    operation=payer.operation,
                    model=model,
                    items=items,
                    input_tokens=usage.input_tokens,
                    output_tokens=usage.output_tokens,
                )
            ]
        )


def _price(model: str, usage: TokenUsage) -> Decimal | None:
    return price_tokens(
        model,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cached_tokens=usage.cached_tokens,
    )


def _enter(entry_id: str, at_ms: int, payer: Payer, task: str, model: str, usage: TokenUsage) -> LedgerEntry:
    return LedgerEntry(
        id=entry_id,
        at_ms=at_ms,
        payer=payer,
        task=task,
        model=model,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cached_tokens=usage.cached_tokens,
        usd=_price(model, usage),
    )
