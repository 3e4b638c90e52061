"""What is known about the request that is being answered, for its log line and its metrics."""

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from time import perf_counter

from app.domain.access import Principal
from app.telemetry.masking import SECRETS

TRACE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/+=@-]{0,127}")
"""A request id that a caller may give: printable, short enough to repeat in every log line."""
UNMATCHED = "unmatched"


@dataclass(kw_only=True, slots=True)
class Exchange:
    """One request and its answer. `tokens` counts what models were asked meanwhile."""

    trace_id: str
    operation: str = UNMATCHED
    workspace_id: str = ""
    principal: Principal | None = None
    tokens: int = 0
    started_s: float = field(default_factory=perf_counter)

    @property
    def duration_ms(self) -> float:
        """Milliseconds since the request came."""
        return (perf_counter() - self.started_s) * 1000


_current: ContextVar[Exchange | None] = ContextVar("exchange", default=None)


def current_exchange() -> Exchange | None:
    """The request that the calling thread or task works for, if any."""
    return _current.get()


@contextmanager
def enter_exchange(exchange: Exchange) -> Iterator[Exchange]:
    """Make an exchange the current one; threads started through it see it too."""
    token = _current.set(exchange)
    try:
        yield exchange
    finally:
        _current.reset(token)


def choose_trace_id(offered: str) -> str:
    """The caller's request id where a log may hold it as it is, or a new one of 32 hex digits."""
    if TRACE_ID.fullmatch(offered) and not SECRETS.search(offered):
        return offered
    return secrets.token_hex(16)
