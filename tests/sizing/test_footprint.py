"""Formulas against figures worked out by hand, and against the requirements' own."""

import pytest

from sizing.footprint import (
    backup_stock_gb,
    measure,
    object_stock_gb,
    peak_concurrency,
    peak_vcpu,
    service_ram_mb,
    stored_bytes,
)
from sizing.measures import DAYS_PER_MONTH, SECONDS_PER_MONTH
from sizing.stores import local_index_mb, qdrant_ram_gb
from sizing.workload import Point, sample_workload
from sizing.yardsticks import measured


def point(users: float = 100) -> Point:
    return sample_workload(users).point("expected")


@pytest.mark.parametrize(("memories", "gb"), [(1_000, 0.01), (10_000, 0.1), (100_000, 1.0), (1_000_000, 10.0)])
def test_the_document_table_of_database_sizes_at_ten_kilobytes(memories: int, gb: float) -> None:
    """§2.1: 1,000 memories are 10 MB … 1,000,000 are 10 GB."""
    load = measure(point(1)._replace(memories_per_user=memories, memory_bytes=10_000), dimensions=1024)
    assert load.database_gb == pytest.approx(gb)


def test_other_dimensions_move_the_stored_bytes_by_four_bytes_each() -> None:
    assert stored_bytes(20_000, 1024) == 20_000
    assert stored_bytes(20_000, 256) == 20_000 - 4 * 768
    assert stored_bytes(20_000, 3072) == 20_000 + 4 * 2048
    assert stored_bytes(300, 3072) == 4 * 3072 + 200


def test_operations_and_tokens_of_a_hundred_users_by_hand() -> None:
    load = measure(point(100), dimensions=1024)
    active_days = 100 * 0.5 * DAYS_PER_MONTH
    assert load.retrieves == pytest.approx(active_days * 10)
    assert load.writes == pytest.approx(active_days * (2 + 1 + 3))
    assert load.input_tokens["task"] == pytest.approx(active_days * 1 * 2000)
    assert load.output_tokens["rerank"] == pytest.approx(active_days * 10 * 0.5 * 200)
    embedded = (load.writes * 256 + load.retrieves * 32) * 0.6
    assert load.embedding_tokens == pytest.approx(embedded)
    requests = active_days * (10 + 6 + 0.2)
    assert load.rps_peak == pytest.approx(requests / SECONDS_PER_MONTH * 5)
    assert load.concurrency_peak == pytest.approx(load.rps_peak * 0.5)


def test_the_planning_tokens_lie_within_our_range() -> None:
    """§5.2 plans 50M tokens for 100 users; the computed range must reach it, or a default is absurd."""
    low, high = (measure(sample_workload(100).point(c), dimensions=1024).llm_tokens for c in ("low", "high"))
    assert low < 50e6 < high


def test_a_region_with_half_the_users_still_stores_and_embeds_all_memories() -> None:
    whole = measure(point(), dimensions=1024)
    half = measure(point(), dimensions=1024, share=0.5, replicas=2)
    assert half.memories == whole.memories
    assert half.requests == pytest.approx(whole.requests / 2)
    writes_embedded = whole.writes * 256 * 0.6
    assert half.embedding_tokens == pytest.approx(writes_embedded + half.retrieves * 32 * 0.6)
    assert half.replicated_gb > 0
    assert whole.replicated_gb == 0


def test_qdrant_planning_formula() -> None:
    assert qdrant_ram_gb(1_000_000, 1024) == pytest.approx(1.536)
    assert qdrant_ram_gb(1_000_000, 1024, 4.0) == pytest.approx(6.144)


def test_vcpus_of_the_peak_by_hand() -> None:
    load = measure(point(100_000), dimensions=1024)
    busy = load.retrieves / measured("service", "retrievals_per_vcpu")
    busy += (load.writes + load.compressions) / measured("service", "summaries_per_vcpu")
    assert peak_vcpu(load, "sqlite-vec") == pytest.approx(busy / SECONDS_PER_MONTH * 5 / 0.5)
    assert peak_vcpu(load, "elasticsearch") > peak_vcpu(load, "sqlite-vec")


def test_ram_follows_the_breakdown_of_section_1_1() -> None:
    plain = {"workers": 1, "memories": 0.0, "dimensions": 1024, "index_local": False, "model_ram_gb": 0.0}
    assert service_ram_mb(**plain, index_in_memory=False) == 250 + 100 + 75 + 500  # type: ignore[arg-type]
    assert service_ram_mb(**plain, index_in_memory=True) == 250 + 100 + 500 + 75 + 500  # type: ignore[arg-type]
    local = service_ram_mb(
        workers=2, memories=100_000, dimensions=1024, index_in_memory=False, index_local=True, model_ram_gb=3
    )
    assert local == pytest.approx(500 + 100 + 2 * local_index_mb(100_000, 1024) + 75 + 3000 + 500)


def test_steady_stock_and_backups() -> None:
    assert object_stock_gb(DAYS_PER_MONTH, 0, 30) == pytest.approx(30)
    assert object_stock_gb(10, 30, 20) == 0
    assert backup_stock_gb(100, 0.02, 90) == pytest.approx(280)
    assert peak_concurrency(20, 0.5) == 10


def test_no_working_memory_and_no_users_active_is_no_load() -> None:
    load = measure(point()._replace(active_share=0, working_memory_mb_per_user_month=0), dimensions=1024)
    assert load.requests == load.llm_tokens == load.egress_gb == load.object_puts == 0
    assert peak_vcpu(load, "qdrant") == 0
    assert load.database_gb > 0
