"""Metered use: what a tenant's workspaces did and what models were asked for."""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, kw_only=True, slots=True)
class UsageRecord:
    """The use of one operation in one workspace on one day (UTC, "2026-11-22").

    `operation` is "retrieve", "add", "update", "delete", "extract", "embed" or "moderate"; `items` counts the
    memories or texts that it handled; tokens are those of models, zero where no model was asked.
    `model` is empty but for operations that asked one. Only the ledger tells the rest: `task` is a `ModelTask` or
    "embed", `cached_tokens` are those of `input_tokens` that the provider took from its cache, and `usd` is what the
    calls cost, None where no list price was known.
    """

    tenant_id: str
    workspace_id: str
    day: str
    operation: str
    model: str = ""
    calls: int = 1
    items: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    task: str = ""
    cached_tokens: int = 0
    usd: Decimal | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenUsage:
    """Tokens that a provider counted. `cached_tokens` is the part of `input_tokens` that it took from its cache."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0

    def __add__(self, other: "TokenUsage") -> "TokenUsage":
        return TokenUsage(
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cached_tokens=self.cached_tokens + other.cached_tokens,
        )


NO_TOKENS = TokenUsage()
