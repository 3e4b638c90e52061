"""Metrics: their names, their labels, and that one application's counts are not another's."""

import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from app.telemetry.metrics import Metrics, StoreState


def make() -> Metrics:
    state = StoreState(workspaces=2, memories={"personal": 3, "task": 1}, db_bytes=4096)
    return Metrics(facts={"version": "1"}, observe=lambda: state)


def read(metrics: Metrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(metrics.render().decode())
        for sample in family.samples
    }


def test_requests_are_counted_and_timed() -> None:
    metrics = make()
    metrics.count_request("search_memories", "POST", 200, 0.004)
    metrics.count_request("search_memories", "BREW", 405, 0.3)
    found = read(metrics)
    labels = (("method", "POST"), ("operation", "search_memories"), ("status", "200"))
    assert found["reme_http_requests_total", labels] == 1
    odd = (("method", "OTHER"), ("operation", "search_memories"), ("status", "405"))
    assert found["reme_http_requests_total", odd] == 1
    assert found["reme_http_request_duration_seconds_count", (("operation", "search_memories"),)] == 2
    below = (("le", "0.005"), ("operation", "search_memories"))
    assert found["reme_http_request_duration_seconds_bucket", below] == 1


@pytest.mark.parametrize("target_s", [0.1, 0.2, 0.5, 0.8, 1.0, 2.0])
def test_every_target_of_the_requirements_is_a_bucket(target_s: float) -> None:
    metrics = make()
    metrics.count_request("x", "GET", 200, 0.1)
    assert ("reme_http_request_duration_seconds_bucket", (("le", str(target_s)), ("operation", "x"))) in read(metrics)


def test_the_store_is_shown_as_it_is_when_asked() -> None:
    found = read(make())
    assert found["reme_memories", (("kind", "personal"),)] == 3
    assert found["reme_workspaces", ()] == 2
    assert found["reme_db_bytes", ()] == 4096
    assert found["reme_build_info", (("version", "1"),)] == 1
    assert found["process_resident_memory_bytes", ()] > 0


def test_the_caches_totals_become_counters() -> None:
    metrics = make()
    metrics.count_cache(5, 7)
    metrics.count_cache(6, 7)
    metrics.count_cache(6, 9)
    found = read(metrics)
    assert (found["reme_embedding_cache_hits_total", ()], found["reme_embedding_cache_misses_total", ()]) == (6, 9)


def test_legs_are_timed_in_seconds() -> None:
    metrics = make()
    metrics.count_legs({"vector": 2.0, "keyword": 0.4})
    found = read(metrics)
    assert found["reme_search_leg_seconds_sum", (("leg", "vector"),)] == pytest.approx(0.002)
    assert found["reme_search_leg_seconds_count", (("leg", "keyword"),)] == 1


def test_two_applications_share_no_counts() -> None:
    first, second = make(), make()
    first.count_request("x", "GET", 200, 0.1)
    assert not [key for key in read(second) if key[0] == "reme_http_requests_total"]


WORKER = """
import sys
from app.telemetry.metrics import Metrics, StoreState
metrics = Metrics(facts={"version": "1"}, observe=lambda: StoreState(workspaces=1, memories={"task": 4}, db_bytes=9))
for _ in range(int(sys.argv[1])):
    metrics.count_request("search_memories", "POST", 200, 0.01)
print(metrics.render().decode())
"""


@pytest.mark.slow
def test_several_workers_answer_with_the_counts_of_all(tmp_path: Path) -> None:
    root = Path(__file__).parents[3]
    texts = [
        subprocess.run(
            [sys.executable, "-c", WORKER, str(count)],
            cwd=root,
            env={"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for count in (3, 4)
    ]
    counted = 'reme_http_requests_total{method="POST",operation="search_memories",status="200"} '
    assert counted + "3.0" in texts[0]
    assert counted + "7.0" in texts[1]
    assert texts[1].count('reme_memories{kind="task"} 4.0') == 1
