"""The meter that counts tokens for the metrics and for the log line of a request."""

from app.api.meters import CountingMeter
from app.domain.usage import UsageRecord
from app.telemetry.exchange import Exchange, enter_exchange
from app.telemetry.metrics import Metrics, StoreState


class Ledger:
    def __init__(self) -> None:
        self.records: list[UsageRecord] = []

    def record(self, records: object) -> None:
        assert isinstance(records, tuple)
        self.records += records

    def read(self, *_: object, **__: object) -> tuple[UsageRecord, ...]:
        return tuple(self.records)


def test_tokens_are_counted_for_the_metric_and_for_the_request() -> None:
    ledger = Ledger()
    metrics = Metrics(facts={}, observe=lambda: StoreState(workspaces=0, memories={}, db_bytes=0))
    meter = CountingMeter(ledger, metrics)
    record = UsageRecord(
        tenant_id="t", workspace_id="w", day="2026-11-22", operation="extract", input_tokens=300, output_tokens=50
    )
    exchange = Exchange(trace_id="x")
    with enter_exchange(exchange):
        meter.record(iter([record, record]))
    meter.record([record])
    assert exchange.tokens == 700
    assert meter.read("t") == (record, record, record)
    assert 'reme_llm_tokens_total{operation="extract"} 1050.0' in metrics.render().decode()
