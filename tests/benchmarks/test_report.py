"""The report says what was reached and what was not, where a peer is ahead, and who is missing."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks.__main__ import PLAN, SUITES, main
from benchmarks.engines.roster import OURS, ROSTER
from benchmarks.goals import GOALS, SERVICE_LEVELS, judge
from benchmarks.measurement import ROOT, SIZES, Measurement, Outcome, load_outcome, summarise
from benchmarks.report import TITLES, format_figure, write_report


def measured(case: str, engine: str, **values: float) -> Measurement:
    return Measurement(case=case, engine=engine, rows=100_000, values=values)


@pytest.fixture
def outcomes() -> list[Outcome]:
    retrieve = Outcome(suite="retrieve", size="100k", started="2026-01-02 03:04")
    retrieve.surroundings = {"cores": 2, "load_before": 0.1, "load_after": 1.2}
    retrieve.measurements = [
        measured("hybrid", OURS, p50_ms=4, p95_ms=8, n=300),
        measured("hybrid", "lancedb", p50_ms=8, p95_ms=40, n=300),
        measured("vector", OURS, p50_ms=4, p95_ms=8, recall=0.97, n=300),
        measured("vector", "chroma", p50_ms=2, p95_ms=24, recall=0.99, n=300),
        measured("vector", "reme-0.2", p50_ms=4000, p95_ms=4100, n=5),
    ]
    retrieve.leave_out("mem0", f"its file {ROOT}/x | broke\nhere", "vector")
    filters = Outcome(suite="filters", size="100k")
    filters.measurements = [
        measured("type, 1 %", OURS, p50_ms=1),
        measured("type, 1 %", "chroma", p50_ms=80),
        measured("tag, 1 %", OURS, p50_ms=2),
        measured("tag, 1 %", "chroma", p50_ms=50),
    ]
    return [retrieve, filters]


def find(title: str, outcomes: list[Outcome]) -> tuple[float | None, bool | None]:
    verdict = judge(next(goal for goal in GOALS if goal.title.startswith(title)), outcomes)
    return verdict.measured, verdict.met


def test_goals_are_met_missed_or_not_measured(outcomes: list[Outcome]) -> None:
    assert find("hybrid retrieval, vector given", outcomes) == (8, True)
    assert find("recall@10 of the vector leg, 100,000", outcomes) == (0.97, False)
    assert find("start of the service", outcomes) == (None, None)
    # Of the filters the worst counts: 50 / 2, not 80 / 1.
    assert find("filtered search", outcomes) == (25, False)


def test_every_goal_names_a_suite_that_runs() -> None:
    for goal in (*GOALS, *SERVICE_LEVELS):
        assert (goal.suite, goal.size) in PLAN, goal.title
    assert {suite for suite, _ in PLAN} == set(SUITES) == set(TITLES)
    assert {size for _, size in PLAN} == set(SIZES)


def test_the_report_tells_all(outcomes: list[Outcome], tmp_path: Path) -> None:
    path = tmp_path / "docs" / "report.md"
    write_report(path, outcomes, ROSTER)
    text = path.read_text(encoding="utf-8")
    assert "| hybrid retrieval, vector given, 100,000 memories, p95 | below 10 ms | 8 ms | met |" in text
    assert "| recall@10 of the vector leg, 100,000 memories | at least 0.98 | 0.970 | **missed** |" in text
    assert "| One workspace, 100k: vector | chroma | p50 ms | 0.5x | recall@10 0.990 |" in text
    assert "| vector | chroma | 2 | 0.5x | 24 | 3x | 0.990 | 300 |  |" in text
    # Five questions have no 95th percentile.
    assert "| vector | reme-0.2 | 4,000 | 1,000x |  |  |  | 5 |  |" in text
    assert "| retrieve 100k | mem0 | vector | its file ./x \\| broke here |" in text
    assert str(ROOT) not in text
    assert "2026-01-02 03:04" in text


def test_an_empty_report_says_so(tmp_path: Path) -> None:
    write_report(tmp_path / "report.md", [], ROSTER)
    assert "Nothing was measured yet." in (tmp_path / "report.md").read_text(encoding="utf-8")


def test_outcomes_are_kept_whole(outcomes: list[Outcome], tmp_path: Path) -> None:
    path = outcomes[0].save(tmp_path)
    assert path.name == "retrieve-100k.json"
    assert load_outcome(path) == outcomes[0]


def test_times_become_percentiles() -> None:
    found = summarise([float(value) for value in range(1, 101)], "x_")
    assert found == {"x_p50_ms": 50.5, "x_p95_ms": 95.05, "x_p99_ms": 99.01, "x_n": 100}
    assert summarise([]) == {}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (float("nan"), "-"),
        (12345.6, "12,346"),
        (3.14159, "3.14"),
        (0.123, "0.12"),
        (0.98, "0.980"),
        (5, "5"),
    ],
)
def test_figures_have_three_digits_that_count(value: float | None, text: str) -> None:
    assert format_figure(value) == text


def test_the_command_refuses_an_unknown_engine() -> None:
    done = CliRunner().invoke(main, ["limits", "--engines", "nobody"])
    assert done.exit_code == 1
    assert "there is no engine nobody" in done.output
