"""The in-RAM meter."""

from collections.abc import Iterable
from dataclasses import replace

from app.backends.memory.state import State
from app.domain.usage import UsageRecord


class DailyMeter:
    """The `Meter` of the in-RAM backend; nothing is buffered."""

    def __init__(self, state: State) -> None:
        self._state = state

    def record(self, records: Iterable[UsageRecord]) -> None:
        """Add to the day's counts of tenant, workspace, operation and model."""
        with self._state.lock:
            usage = self._state.usage
            for record in records:
                key = (record.tenant_id, record.day, record.workspace_id, record.operation, record.model)
                usage[key] = _joined(usage[key], record) if key in usage else record

    def read(
        self, tenant_id: str, *, workspace_id: str | None = None, from_day: str = "", to_day: str = ""
    ) -> tuple[UsageRecord, ...]:
        """The counts in the order of day, workspace, operation and model."""
        with self._state.lock:
            usage = sorted(self._state.usage.items())
        return tuple(
            record
            for _, record in usage
            if record.tenant_id == tenant_id
            and workspace_id in (None, record.workspace_id)
            and record.day >= from_day
            and (not to_day or record.day <= to_day)
        )


def _joined(first: UsageRecord, second: UsageRecord) -> UsageRecord:
    return replace(
        first,
        calls=first.calls + second.calls,
        items=first.items + second.items,
        input_tokens=first.input_tokens + second.input_tokens,
        output_tokens=first.output_tokens + second.output_tokens,
    )
