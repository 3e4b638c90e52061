"""A Qdrant server, or the client's local mode: opened, asked again where that is safe, and never quoted at length."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from threading import Event, Lock
from typing import TypeVar

from qdrant_client import QdrantClient
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    stop_any,
    stop_before_delay,
    wait_random_exponential,
)
from tenacity.nap import sleep_using_event

from app.backends.qdrant.faults import REASON_CHARACTERS, REPORTED, Fault, explain, read
from app.errors import IndexUnavailable

T = TypeVar("T")

MOST_ATTEMPTS = 4
FIRST_WAIT_S, LONGEST_WAIT_S = 0.1, 2.0
"""Ours: short, since a search that waits could be answered by the store; each wait is a random part of twice the last,
as https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/ advises."""
_backoff = wait_random_exponential(multiplier=FIRST_WAIT_S, max=LONGEST_WAIT_S)


class _Setback(Exception):
    """A call failed that may succeed in a moment."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.status)
        self.fault = fault


class Server:
    """Calls of one client. May be used from any thread; in local mode, which may not, one after the other.

    `name` is how messages call it, without credentials; `secrets` are taken out of what it says.
    """

    def __init__(
        self,
        client: QdrantClient,
        *,
        name: str,
        timeout_s: float,
        secrets: tuple[str, ...] = (),
        is_local: bool = False,
        concerns: tuple[str, ...] = (),
    ) -> None:
        self.name = name
        self.timeout_s = timeout_s
        self.is_local = is_local
        self.concerns = concerns
        """What its address and key leave to be desired, in sentences."""
        self._client = client
        self._secrets = tuple(secret for secret in secrets if secret)
        self._closing = Event()
        self._turn: AbstractContextManager[object] = Lock() if is_local else nullcontext()

    def ask(
        self,
        call: Callable[[QdrantClient], T],
        *,
        starting: bool = False,
        attempts: int = MOST_ATTEMPTS,
        timeout_s: float | None = None,
    ) -> T:
        """What a call returns that may be repeated without harm; repeated while its failure may pass.

        A last attempt begins before the timeout is over, that of the call where it has its own. Raises
        `IndexUnavailable`, `StoreFull` or, `starting`, `SettingsError`.
        """
        limit_s = self.timeout_s if timeout_s is None else timeout_s
        try:
            return self._repeat(lambda: self._attempt(call), attempts, limit_s)
        except _Setback as setback:
            fault = setback.fault
        except REPORTED as failure:
            fault = read(failure)
        raise explain(self._cleaned(fault), self.name, timeout_s=limit_s, starting=starting) from None

    def close(self) -> None:
        """Let go of connections and end the waits; harmless when repeated."""
        if not self._closing.is_set():
            self._closing.set()
            with self._turn:
                self._client.close()

    def _repeat(self, attempt: Callable[[], T], attempts: int, limit_s: float) -> T:
        retrying = Retrying(
            retry=retry_if_exception_type(_Setback),
            wait=_wait_s,
            stop=stop_any(stop_after_attempt(attempts), stop_before_delay(limit_s)),
            sleep=sleep_using_event(self._closing),
            reraise=True,
        )
        return retrying(attempt)

    def _attempt(self, call: Callable[[QdrantClient], T]) -> T:
        try:
            self._check_open()
            with self._turn:
                return call(self._client)
        except REPORTED as failure:
            self._check_open()
            fault = read(failure)
            if fault.may_pass:
                raise _Setback(fault) from None
            raise

    def _check_open(self) -> None:
        if self._closing.is_set():
            raise IndexUnavailable(f"the connection to {self.name} is closed: repeat when the service is up again")

    def _cleaned(self, fault: Fault) -> Fault:
        """The fault without secrets, and with no more of its reason than tells what to do."""
        reason = fault.reason
        for secret in self._secrets:
            reason = reason.replace(secret, "***")
        return replace(fault, reason=reason[:REASON_CHARACTERS])


def _wait_s(state: RetryCallState) -> float:
    setback = state.outcome.exception() if state.outcome is not None else None
    if isinstance(setback, _Setback) and setback.fault.wait_s is not None:
        return setback.fault.wait_s
    return _backoff(state)
