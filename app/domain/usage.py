"""Metered use: what a tenant's workspaces did and what models were asked for."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class UsageRecord:
    """The use of one operation in one workspace on one day (UTC, "2026-11-22").

    `operation` is "retrieve", "add", "update", "delete", "extract" or "embed"; `items` counts the
    memories or texts that it handled; tokens are those of models, zero where no model was asked.
    `model` is empty but for operations that asked one.
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
