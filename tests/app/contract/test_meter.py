"""The meter."""

from app.domain.usage import UsageRecord
from tests.app.contract.backends import Backend


def record(day: str, operation: str = "add", **fields: object) -> UsageRecord:
    return UsageRecord(
        **{"tenant_id": "acme", "workspace_id": "project-1", "day": day, "operation": operation, **fields}  # type: ignore[arg-type]
    )


def test_nothing_was_used_at_first(backend: Backend) -> None:
    assert backend.meter.read("acme") == ()
    backend.meter.record([])
    assert backend.meter.read("acme") == ()


def test_counts_of_a_day_are_added_up(backend: Backend) -> None:
    backend.meter.record([record("2026-11-22", items=3), record("2026-11-22", items=4, calls=2)])
    assert backend.meter.read("acme") == (record("2026-11-22", calls=3, items=7),)
    backend.meter.record([record("2026-11-22", input_tokens=10, output_tokens=5)])
    assert backend.meter.read("acme") == (record("2026-11-22", calls=4, items=7, input_tokens=10, output_tokens=5),)


def test_what_differs_is_counted_apart(backend: Backend) -> None:
    records = [
        record("2026-11-22"),
        record("2026-11-23"),
        record("2026-11-22", "retrieve"),
        record("2026-11-22", "embed", model="a"),
        record("2026-11-22", "embed", model="b"),
        record("2026-11-22", workspace_id="project-2"),
    ]
    for _ in range(2):
        backend.meter.record(iter(records))
    assert len(backend.meter.read("acme")) == len(records)
    assert {one.calls for one in backend.meter.read("acme")} == {2}


def test_a_tenant_reads_its_own_counts(backend: Backend) -> None:
    own, foreign = record("2026-11-22"), record("2026-11-22", tenant_id="umbrella")
    backend.meter.record([own, foreign])
    assert backend.meter.read("acme") == (own,)
    assert backend.meter.read("umbrella") == (foreign,)
    assert backend.meter.read("nobody") == ()


def test_counts_are_read_by_workspace_and_days(backend: Backend) -> None:
    days = ["2026-11-30", "2026-11-22", "2026-12-01", "2025-12-31"]
    records = [record(day, workspace_id=workspace) for day in days for workspace in ("project-1", "project-2")]
    backend.meter.record(records)
    assert {one.day for one in backend.meter.read("acme", from_day="2026-11-22", to_day="2026-11-30")} == {
        "2026-11-22",
        "2026-11-30",
    }
    assert {one.day for one in backend.meter.read("acme", from_day="2026-11-23")} == {"2026-11-30", "2026-12-01"}
    assert {one.day for one in backend.meter.read("acme", to_day="2026-01-01")} == {"2025-12-31"}
    found = backend.meter.read("acme", workspace_id="project-2", from_day="2026-12-01", to_day="2026-12-01")
    assert found == (record("2026-12-01", workspace_id="project-2"),)
    assert backend.meter.read("acme", workspace_id="missing") == ()


def test_counts_are_in_the_order_of_days(backend: Backend) -> None:
    days = ["2026-11-30", "2026-11-22", "2026-12-01"]
    backend.meter.record(record(day) for day in days)
    assert [one.day for one in backend.meter.read("acme")] == sorted(days)
