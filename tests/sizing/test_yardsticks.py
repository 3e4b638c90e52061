"""Measured figures: up to date, with their sources, and the formulas give back what was measured."""

import math
from collections.abc import Callable
from datetime import date

import pytest

from sizing.footprint import SAFE_SHARE, retrieval_vcpu_s
from sizing.stores import (
    chroma_disk_gb,
    chroma_ram_gb,
    elasticsearch_disk_gb,
    elasticsearch_node_gb,
    elasticsearch_ram_gb,
    local_index_mb,
    pgvector_index_gb,
    postgres_data_gb,
    postgres_disk_gb,
    postgres_ram_gb,
    postgres_wal_gb,
    sqlite_disk_gb,
    vectors_disk_gb,
    vectors_ram_gb,
)
from sizing.yardsticks import MEASURED_DIMENSIONS, SERVICE_DIMENSIONS, measured, yardsticks
from tools.write_yardsticks import HELD, MIB_MB, ROOT, SIZES, TABLE, find, fit_line, read_result, write_table

ROUNDING = 0.002
"""Figures in the table have four digits."""


def test_the_table_is_up_to_date() -> None:
    assert TABLE.read_text(encoding="utf-8") == write_table(), "run python tools/write_yardsticks.py"


def test_every_figure_names_results_that_exist_and_a_day() -> None:
    assert yardsticks()
    for found in yardsticks().values():
        files = [part for part in found.source.split(", ") if part.startswith("benchmarks/")]
        assert files and all((ROOT / name).is_file() for name in files), found
        assert date.fromisoformat(found.date) <= date(2100, 1, 1)
        assert found.value > 0
        assert found.sizes and found.unit
    with pytest.raises(KeyError):
        measured("sqlite", "colour")


def test_a_line_through_points_of_a_line_errs_nothing() -> None:
    line = fit_line([(1.0, 12.0), (10.0, 30.0), (100.0, 210.0)])
    assert (line.fixed, line.each) == pytest.approx((10.0, 2.0))
    assert line.error == pytest.approx(0.0, abs=1e-9)


def test_the_error_of_a_line_is_that_of_its_worst_point_and_no_part_is_below_zero() -> None:
    points = [(1.0, 1.0), (10.0, 20.0), (100.0, 200.0)]
    line = fit_line(points)
    assert line.fixed == 0.0
    assert line.error == pytest.approx(max(abs(line.each * x / y - 1) for x, y in points))
    assert fit_line(points[:2]).error is None


def chroma_ram(memories: float) -> float:
    return chroma_ram_gb(memories, MEASURED_DIMENSIONS)


def chroma_disk(memories: float) -> float:
    return chroma_disk_gb(memories, MEASURED_DIMENSIONS)


def elasticsearch_ram(memories: float) -> float:
    return elasticsearch_node_gb() + elasticsearch_ram_gb(memories, MEASURED_DIMENSIONS)


def elasticsearch_disk(memories: float) -> float:
    return elasticsearch_disk_gb(0.0, memories, MEASURED_DIMENSIONS)


def sqlite_disk(memories: float) -> float:
    return sqlite_disk_gb(0.0, memories, MEASURED_DIMENSIONS)


def postgres_disk(memories: float) -> float:
    return postgres_data_gb(0.0, memories, MEASURED_DIMENSIONS) + postgres_wal_gb(memories)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("store", "quantity", "key", "formula"),
    [
        ("sqlite", "disk_fixed", "file_mb", sqlite_disk),
        ("chroma", "disk_fixed", "file_mb", chroma_disk),
        ("chroma", "ram_fixed", "server_mb", chroma_ram),
        ("elasticsearch", "disk_fixed", "file_mb", elasticsearch_disk),
        ("elasticsearch", "ram_fixed", "server_mb", elasticsearch_ram),
        ("postgres", "disk_fixed", "file_mb", postgres_disk),
    ],
)
def test_the_formulas_give_back_what_was_measured(
    store: str, quantity: str, key: str, formula: Callable[[float], float], size: str
) -> None:
    name = f"stores-{size}"
    values = find(name, HELD, store)
    # An index lies beside the embedded store, whose file is measured by itself.
    beside = find(name, HELD, "sqlite")[key] if store in ("chroma", "elasticsearch") else 0.0
    error = (yardsticks()[store, quantity].error_percent or 0.0) / 100
    expected_gb = (values[key] - beside) * MIB_MB / 1000
    assert formula(values["rows"]) == pytest.approx(expected_gb, rel=error + ROUNDING)


def test_a_worker_of_the_service_takes_what_was_measured() -> None:
    for corpus in ("mix", "single"):
        values = find("http-100k", f"{corpus}: memory of a worker", "reme-cloud")
        worker_mb = measured("service", "ram_fixed") + local_index_mb(values["rows"], SERVICE_DIMENSIONS)
        assert worker_mb == pytest.approx(values["rss_mb"] * MIB_MB, rel=0.05)
    resident = {size: read_result(f"retrieve-{size}")["facts"]["resident_mb"]["reme-cloud"] for size in ("1k", "1m")}
    grown_mb = (resident["1m"] - resident["1k"]) * MIB_MB
    assert local_index_mb(1_000_000, SERVICE_DIMENSIONS) == pytest.approx(grown_mb, rel=ROUNDING)
    assert local_index_mb(100_000_000, SERVICE_DIMENSIONS) == pytest.approx(100_000_000 * SERVICE_DIMENSIONS / 8 / 1e6)


@pytest.mark.parametrize("corpus", ["single", "mix"])
def test_what_is_planned_of_a_vcpu_was_served_at_every_load(corpus: str) -> None:
    planned = SAFE_SHARE / retrieval_vcpu_s("sqlite-vec")
    for load in ("100 clients", "half of that rate", "one client"):
        values = find("http-100k", f"{corpus}: {load}", "reme-cloud")
        assert planned < values["requests_per_s"] / values["service_cpu"]


def test_other_stores_cost_a_retrieval_more_of_the_service() -> None:
    own = retrieval_vcpu_s("sqlite-vec")
    assert retrieval_vcpu_s("pgvector") - own == pytest.approx(measured("postgres", "retrieval_cpu_extra") / 1000)
    assert retrieval_vcpu_s("qdrant") == retrieval_vcpu_s("elasticsearch") > retrieval_vcpu_s("chromadb") > own


@pytest.mark.parametrize(("dimensions", "mib"), [(1024, 52), (512, 26)])
def test_the_index_of_pgvector_is_the_measured_one_of_half_precision(dimensions: int, mib: float) -> None:
    """20,000 vectors: a third of the 156 MiB that single precision took with 1024 dimensions."""
    assert pgvector_index_gb(20_000, dimensions) * 1e9 / 2**20 == pytest.approx(mib, rel=0.03)


def test_an_index_of_the_most_dimensions_has_a_page_for_each_vector() -> None:
    assert pgvector_index_gb(1e6, 3930) == pytest.approx(8.192)
    assert pgvector_index_gb(1e6, 4000) == pytest.approx(8.492)


def test_postgres_plans_its_log_and_long_texts_on_top() -> None:
    data_gb = postgres_data_gb(8.0, 500_000, 1024)
    assert data_gb == pytest.approx(8.0 * 1.5 + 500_000 * 8192 / 1e9, rel=0.01)
    assert postgres_disk_gb(8.0, 500_000, 1024) == pytest.approx(data_gb + 2 * measured("postgres", "wal_most") / 1000)
    assert postgres_wal_gb(math.inf) == postgres_wal_gb(1e9)


def test_postgres_holds_its_vector_index_in_ram_only_where_it_answers_searches() -> None:
    beside = postgres_ram_gb(8.0, 500_000, 1024, 40, searches_here=False)
    here = postgres_ram_gb(8.0, 500_000, 1024, 40, searches_here=True)
    assert beside == pytest.approx(0.1795 + 0.5 + 1.6 + 0.4)
    assert here - beside == pytest.approx(pgvector_index_gb(500_000, 1024) + 0.2 * 500_000 * 8192 * 2 / 3 / 1e9)


def test_long_texts_replace_the_short_ones_of_the_runs_and_vectors_are_counted_apart() -> None:
    assert sqlite_disk_gb(16.0, 1e6, 1024) == pytest.approx(16.0 + 2.176, rel=0.001)
    assert sqlite_disk_gb(16.0, 1e6, 512) == pytest.approx(16.0 + 1.088, rel=0.001)


@pytest.mark.parametrize("engine", ["sqlite-vec", "pgvector", "elasticsearch", "chromadb", "qdrant"])
def test_more_memories_never_take_less(engine: str) -> None:
    counts = [10.0**power for power in range(8)]
    for amounts in (
        [vectors_ram_gb(engine, memories, 1024) for memories in counts],
        [vectors_disk_gb(engine, memories / 1e5, memories, 1024) for memories in counts],
    ):
        assert amounts == sorted(amounts)
