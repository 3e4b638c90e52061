"""Metered use, its cost at list prices, and the workload that really sizes."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from app.domain.access import Role
from app.domain.usage import UsageRecord
from app.errors import InvalidRequest, NotFound
from app.service.metering import day_of
from app.service.pricing import price_tokens
from app.service.ranking import MS_PER_DAY
from sizing.commands.main import run
from sizing.footprint import measure
from sizing.measures import DAYS_PER_MONTH
from sizing.planner import size
from sizing.workload_document import load_document, read_workload
from tests.app.service.conftest import Bench, draft, principal

ADMIN = principal()


def meter(bench: Bench, day: str, operation: str, **fields: Any) -> None:
    bench.store.meter.record(
        [UsageRecord(**{"tenant_id": "acme", "workspace_id": "w", "day": day, "operation": operation, **fields})]
    )


def test_a_day_is_that_of_the_clock_in_utc() -> None:
    assert day_of(0) == "1970-01-01"
    assert day_of(1_800_000_000_000) == "2027-01-15"


def test_a_report_adds_up_days_and_keeps_them(bench: Bench) -> None:
    meter(bench, "2027-01-01", "retrieve", calls=3, items=30)
    meter(bench, "2027-01-03", "retrieve", calls=2, items=20)
    meter(bench, "2027-01-03", "extract", model="gpt-4o-mini", calls=1, items=4, input_tokens=10, output_tokens=20)
    report = bench.usage.report(ADMIN)
    assert (report.tenant_id, report.workspace_id) == ("acme", None)
    assert (report.from_day, report.to_day, len(report.records)) == ("2027-01-01", "2027-01-03", 3)
    assert [(line.operation, line.model, line.calls, line.items) for line in report.lines] == [
        ("extract", "gpt-4o-mini", 1, 4),
        ("retrieve", "", 5, 50),
    ]
    later = bench.usage.report(ADMIN, from_day="2027-01-02")
    assert [line.calls for line in later.lines] == [1, 2]
    assert bench.usage.report(ADMIN, to_day="2027-01-02").lines[0].calls == 3
    empty = bench.usage.report(ADMIN, from_day="2028-01-01")
    assert (empty.lines, empty.cost_usd, empty.from_day, empty.to_day) == ((), Decimal(0), "2028-01-01", "")


def test_tokens_cost_their_list_price(bench: Bench) -> None:
    """gpt-4o-mini: 0.15 USD for a million tokens in, 0.60 out (the planner's catalogue)."""
    meter(bench, "2027-01-01", "extract", model="gpt-4o-mini", input_tokens=2_000_000, output_tokens=500_000)
    meter(bench, "2027-01-01", "retrieve")
    meter(bench, "2027-01-01", "embed", model="some-local-model", items=9)
    report = bench.usage.report(ADMIN)
    assert {line.operation: line.cost_usd for line in report.lines} == {
        "embed": Decimal(0),
        "extract": Decimal("0.60"),
        "retrieve": Decimal(0),
    }
    assert isinstance(report.cost_usd, Decimal)
    assert report.cost_usd == Decimal("0.60")
    assert report.unpriced_models == ()


def test_no_price_is_not_nothing(bench: Bench) -> None:
    meter(bench, "2027-01-01", "extract", model="gpt-4o-mini", input_tokens=1_000_000)
    meter(bench, "2027-01-01", "extract", model="a-model-nobody-lists", input_tokens=5)
    report = bench.usage.report(ADMIN)
    assert [line.cost_usd for line in report.lines] == [None, Decimal("0.15")]
    assert (report.cost_usd, report.priced_usd) == (None, Decimal("0.15"))
    assert report.unpriced_models == ("a-model-nobody-lists",)


def test_prices_of_models_and_embeddings() -> None:
    assert price_tokens("text-embedding-3-small", input_tokens=1_000_000, output_tokens=0) == Decimal("0.02")
    assert price_tokens("gpt-4.1-mini", input_tokens=1_000_000, output_tokens=1_000_000) == Decimal("2.0")
    cached = price_tokens("gpt-4o-mini", input_tokens=1_000_000, output_tokens=0, cached_tokens=400_000)
    assert cached == Decimal("0.12"), "0.15 USD a million, and half of it from the cache"
    plain = price_tokens("qwen-plus", input_tokens=1_000_000, output_tokens=0)
    assert price_tokens("qwen-plus", input_tokens=1_000_000, output_tokens=0, cached_tokens=1_000_000) == plain
    assert price_tokens("a-model-nobody-lists", input_tokens=0, output_tokens=0) == 0
    assert price_tokens("a-model-nobody-lists", input_tokens=0, output_tokens=1) is None
    assert price_tokens("", input_tokens=1, output_tokens=0) is None
    assert price_tokens("bge-m3", input_tokens=1, output_tokens=0) is None


def test_a_principal_reads_the_use_of_what_it_sees(bench: Bench) -> None:
    for workspace_id in ("w1", "w2", "v1"):
        meter(bench, "2027-01-01", "retrieve", workspace_id=workspace_id)
    meter(bench, "2027-01-01", "retrieve", workspace_id="w3", tenant_id="umbrella")
    limited = principal(Role.READER, "w*")
    assert [record.workspace_id for record in bench.usage.report(limited).records] == ["w1", "w2"]
    assert bench.usage.report(limited, workspace_id="w1").lines[0].calls == 1
    assert bench.usage.report(limited, workspace_id="w3").lines == ()
    for action in (bench.usage.report, bench.usage.as_workload):
        with pytest.raises(NotFound):
            action(limited, workspace_id="v1")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"from_day": "yesterday"}, "from_day is 'yesterday': write a day as YYYY-MM-DD"),
        ({"to_day": "20270101"}, "to_day is '20270101'"),
        ({"to_day": "2027-02-30"}, "to_day is '2027-02-30'"),
        ({"from_day": "2027-01-02", "to_day": "2027-01-01"}, "is after to_day"),
    ],
)
def test_days_are_days(bench: Bench, fields: dict[str, str], message: str) -> None:
    for action in (bench.usage.report, bench.usage.as_workload):
        with pytest.raises(InvalidRequest, match=message):
            action(ADMIN, **fields)


def use(bench: Bench) -> None:
    """Ten days of use by three users in two workspaces."""
    bench.memories.add(ADMIN, "w", [draft(f"fact {number} about someone" * 10) for number in range(40)])
    bench.memories.add(ADMIN, "v", [draft("alone")])
    for user_id in ("u1", "u2"):
        bench.workspaces.put_user(ADMIN, "w", user_id)
    for day in range(1, 11):
        meter(bench, f"2027-01-{day:02}", "retrieve", calls=60, items=600)
        meter(bench, f"2027-01-{day:02}", "add", calls=6, items=12)
        meter(
            bench, f"2027-01-{day:02}", "extract", model="gpt-4o-mini", calls=6, input_tokens=3_000, output_tokens=600
        )
        meter(bench, f"2027-01-{day:02}", "embed", model=bench.embedder.identity.model, calls=66, items=72)


def test_use_becomes_a_workload_that_sizes(bench: Bench, tmp_path: Path) -> None:
    use(bench)
    document = bench.usage.as_workload(ADMIN, to_day="2027-01-10")
    path = tmp_path / "metered.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    workload = read_workload(load_document(path))
    assert size(workload).tier == "single-host"
    month = measure(workload.point("expected"), dimensions=workload.dimensions)
    assert month.users == 3
    assert month.memories == pytest.approx(41)
    assert month.retrieves == pytest.approx(60 * DAYS_PER_MONTH)
    assert month.writes == pytest.approx(6 * DAYS_PER_MONTH)
    assert month.llm_tokens == pytest.approx(3_600 * DAYS_PER_MONTH)
    assert workload.models["personal"] == "gpt-4o-mini"
    assert (workload.embedding, workload.models["embedding"]) == ("local-cpu", "bge-m3")


def test_the_command_accepts_it(bench: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    use(bench)
    path = tmp_path / "metered.json"
    path.write_text(json.dumps(bench.usage.as_workload(ADMIN)), encoding="utf-8")
    with pytest.raises(SystemExit) as stop:
        run(["--file", str(path), "--format", "json"])
    assert not stop.value.code
    assert json.loads(capsys.readouterr().out)["plan"]["name"] == "metered-use"


def test_today_is_left_out_unless_it_is_all(bench: Bench) -> None:
    today, yesterday = (day_of(bench.clock.now_ms() - days * MS_PER_DAY) for days in (0, 1))
    meter(bench, today, "retrieve", calls=7)
    assert bench.usage.as_workload(ADMIN)["retrieves_per_user_day"] == 7
    meter(bench, yesterday, "retrieve", calls=20)
    assert bench.usage.as_workload(ADMIN)["retrieves_per_user_day"] == 20


def test_heavy_use_by_one_stays_within_the_bounds_of_the_planner(bench: Bench) -> None:
    meter(bench, "2027-01-01", "retrieve", calls=1_000_000)
    meter(bench, "2027-01-01", "add", calls=1, items=1, input_tokens=10**9, model="unknown")
    document = bench.usage.as_workload(ADMIN)
    assert (document["users"], document["retrieves_per_user_day"]) == (10, 100_000)
    assert document["personal_input_tokens"] == 1_000_000
    assert read_workload(document).drivers["users"].expected == 10


def test_remote_models_keep_their_names(bench: Bench) -> None:
    meter(bench, "2027-01-01", "embed", model="text-embedding-v3", items=5)
    meter(bench, "2027-01-01", "extract", model="unknown", input_tokens=9)
    workload = read_workload(bench.usage.as_workload(ADMIN))
    assert (workload.embedding, dict(workload.models)) == ("remote", {"embedding": "text-embedding-v3"})


def test_a_workload_of_one_workspace(bench: Bench) -> None:
    use(bench)
    meter(bench, "2027-01-01", "retrieve", calls=5, workspace_id="v")
    document = bench.usage.as_workload(principal(Role.READER, "v"), workspace_id="v")
    assert (document["users"], document["memories_per_user"], document["retrieves_per_user_day"]) == (1, 1, 5)


def test_without_use_there_is_no_workload(bench: Bench) -> None:
    with pytest.raises(InvalidRequest, match="nothing was metered from the beginning to today"):
        bench.usage.as_workload(ADMIN)
    with pytest.raises(InvalidRequest, match="nothing was metered from 2027-01-01 to 2027-01-02"):
        bench.usage.as_workload(ADMIN, from_day="2027-01-01", to_day="2027-01-02")
