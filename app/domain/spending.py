"""Who pays for a call of a model, and what calls cost."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, kw_only=True, slots=True)
class Payer:
    """The workspace and key that a call of a model is charged to, and the operation that asked for it.

    `operation` is one of the meter's: "retrieve", "add", "update", "extract", "compress" or "reembed".
    """

    tenant_id: str
    workspace_id: str
    key_id: str
    operation: str


SYSTEM = Payer(tenant_id="", workspace_id="", key_id="", operation="system")
"""Pays for what nobody asked for, such as a check whether the model answers."""

_payer: ContextVar[Payer] = ContextVar("payer", default=SYSTEM)


def current_payer() -> Payer:
    """Who pays for what this thread or task is doing."""
    return _payer.get()


@contextmanager
def charging(payer: Payer) -> Iterator[None]:
    """Charge all calls of models within to a payer."""
    token = _payer.set(payer)
    try:
        yield
    finally:
        _payer.reset(token)


@dataclass(frozen=True, kw_only=True, slots=True)
class LedgerEntry:
    """One call of a model, for good: entries are added, never changed.

    `id` is that of the reservation (32 hex digits). `task` is a `ModelTask`, or "embed". `usd` is None where
    no list price is known.
    """

    id: str
    at_ms: int
    payer: Payer
    task: str
    model: str
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    usd: Decimal | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Reservation:
    """Money set aside for a call under way: at most `usd`. It lapses at `expires_ms` if its process died."""

    id: str
    at_ms: int
    expires_ms: int
    payer: Payer
    usd: Decimal


@dataclass(frozen=True, kw_only=True, slots=True)
class SpendCap:
    """The most that a workspace may spend from a moment on."""

    usd: Decimal
    since_ms: int
