"""A meter that counts for the metrics too."""

from collections.abc import Iterable

from app.domain.usage import UsageRecord
from app.ports import Meter
from app.service.moderation import OPERATION as MODERATION
from app.telemetry.exchange import current_exchange
from app.telemetry.metrics import Metrics


class CountingMeter:
    """A meter that also counts tokens and calls of content moderation for the metrics, tokens for the log line too."""

    def __init__(self, meter: Meter, metrics: Metrics) -> None:
        self._meter = meter
        self._metrics = metrics

    def record(self, records: Iterable[UsageRecord]) -> None:
        """Add to the day's counts."""
        kept = tuple(records)
        for record in kept:
            if record.operation == MODERATION:
                self._metrics.count_moderation_calls(record.model, record.calls)
            tokens = record.input_tokens + record.output_tokens
            if tokens:
                self._metrics.count_tokens(record.operation, tokens)
                exchange = current_exchange()
                if exchange is not None:
                    exchange.tokens += tokens
        self._meter.record(kept)

    def read(
        self, tenant_id: str, *, workspace_id: str | None = None, from_day: str = "", to_day: str = ""
    ) -> tuple[UsageRecord, ...]:
        """The counts of the days from `from_day` to `to_day`, both included."""
        return self._meter.read(tenant_id, workspace_id=workspace_id, from_day=from_day, to_day=to_day)
