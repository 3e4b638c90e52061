"""Metered models as a workload that sizes to what was metered, and a plan beside what became of it."""

import json
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import pytest

from app.domain.access import Role
from app.domain.spending import LedgerEntry, Payer
from app.domain.usage import UsageRecord
from app.errors import InvalidRequest
from app.service.planned_use import UseComparison, read_planned
from app.service.pricing import price_tokens
from app.service.usage import Usage
from sizing.commands.main import run
from sizing.footprint import Footprint, measure
from sizing.measures import DAYS_PER_MONTH
from sizing.workload import Workload
from sizing.workload_document import read_workload
from tests.app.service.conftest import Bench, draft, principal

ADMIN = principal()
DAYS = 10
FIRST_MS = 1_798_761_600_000
"""2027-01-01 00:00 UTC."""
EMBEDDING = "text-embedding-3-small"
SPAN = {"from_day": "2027-01-01", "to_day": "2027-01-10"}


def usage_of(bench: Bench) -> Usage:
    store = bench.store
    return Usage(
        meter=store.meter,
        workspaces=store.workspaces,
        memories=store.memories,
        clock=bench.clock,
        ledger=store.ledger,
    )


def ask(
    bench: Bench, day: int, operation: str, task: str, model: str, tokens: tuple[int, int, int], items: int = 0
) -> None:
    """One call of a model, as the till writes it down: in the ledger and in the meter."""
    input_tokens, output_tokens, cached_tokens = tokens
    payer = Payer(tenant_id="acme", workspace_id="w", key_id="k1", operation=operation)
    usd = price_tokens(model, input_tokens=input_tokens, output_tokens=output_tokens, cached_tokens=cached_tokens)
    bench.store.ledger.settle(
        LedgerEntry(
            id=uuid4().hex,
            at_ms=FIRST_MS + day * 86_400_000,
            payer=payer,
            task=task,
            model=model,
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            cached_tokens=cached_tokens,
            usd=usd,
        )
    )
    record(bench, day, operation, model=model, items=items, input_tokens=input_tokens, output_tokens=output_tokens)


def record(bench: Bench, day: int, operation: str, **fields: object) -> None:
    values = {
        "tenant_id": "acme",
        "workspace_id": "w",
        "day": f"2027-01-{day + 1:02}",
        "operation": operation,
        **fields,
    }
    bench.store.meter.record([UsageRecord(**values)])  # type: ignore[arg-type]


def use(bench: Bench) -> None:
    """Ten equal days; of 20 texts to embed a day the caches know 8."""
    bench.memories.add(ADMIN, "w", [draft(f"fact {number}") for number in range(20)])
    bench.clock.set(FIRST_MS + 20 * 86_400_000)
    for day in range(DAYS):
        record(bench, day, "retrieve", calls=12, items=60)
        record(bench, day, "add", calls=9, items=20)
        record(bench, day, "embed", model=EMBEDDING, calls=20, items=20)
        for _ in range(4):
            ask(bench, day, "extract", "personal", "gpt-4o-mini", (700, 300, 100))
        for _ in range(2):
            ask(bench, day, "extract", "task", "gpt-4o", (2000, 700, 0))
        ask(bench, day, "extract", "tool", "gpt-4o-mini", (500, 350, 0))
        for _ in range(6):
            ask(bench, day, "retrieve", "rerank", "gpt-4o-mini", (400, 200, 0))
        ask(bench, day, "compress", "compression", "gpt-4o-mini", (3500, 1000, 500))
        ask(bench, day, "retrieve", "embed", EMBEDDING, (90, 0, 0), items=6)
        ask(bench, day, "add", "embed", EMBEDDING, (360, 0, 0), items=6)
        ask(bench, day, "reembed", "embed", EMBEDDING, (9000, 0, 0), items=500)


def month_of(workload: Workload) -> Footprint:
    return measure(workload.point("expected"), dimensions=workload.dimensions)


def test_tokens_by_task_become_the_drivers_of_a_plan(bench: Bench) -> None:
    use(bench)
    workload = read_workload(usage_of(bench).as_workload(ADMIN, **SPAN))
    expected = {name: driver.expected for name, driver in workload.drivers.items()}
    per_day = {
        "retrieves_per_user_day": 12,
        "personal_summaries_per_user_day": 9 - 2 - 1,
        "task_summaries_per_user_day": 2,
        "tool_summaries_per_user_day": 1,
        "compressions_per_user_day": 1,
        "rerank_share": 0.5,
        "task_input_tokens": 2000,
        "task_output_tokens": 700,
        "rerank_output_tokens": 200,
        "cache_hit_rate": 0.4,
        "llm_cached_input_share": (4 * 100 + 500) / (4 * 700 + 2 * 2000 + 500 + 6 * 400 + 3500),
        "query_embedding_tokens": 90 / 12 / 0.6,
        "memory_embedding_tokens": 360 / 9 / 0.6,
    }
    assert {name: expected[name] for name in per_day} == pytest.approx(per_day)
    assert dict(workload.models) == {
        **dict.fromkeys(("personal", "tool", "rerank", "compression"), "gpt-4o-mini"),
        "task": "gpt-4o",
        "embedding": EMBEDDING,
    }
    month = month_of(workload)
    assert {task: tokens / DAYS_PER_MONTH for task, tokens in month.input_tokens.items()} == pytest.approx(
        {"personal": 2800, "task": 4000, "tool": 500, "rerank": 2400, "compression": 3500}
    )
    assert month.writes / DAYS_PER_MONTH == pytest.approx(9)
    assert month.embedding_tokens / DAYS_PER_MONTH == pytest.approx(450)


def test_a_report_shows_tasks_and_what_the_ledger_says_they_cost(bench: Bench) -> None:
    use(bench)
    report = usage_of(bench).report(ADMIN, **SPAN)
    lines = {(line.operation, line.task): line for line in report.lines}
    assert (lines["retrieve", ""].calls, lines["retrieve", ""].input_tokens) == (120, 0)
    personal = lines["extract", "personal"]
    assert (personal.calls, personal.input_tokens, personal.cached_tokens) == (40, 28_000, 4_000)
    assert personal.cost_usd == 24_000 * Decimal("1.5e-7") + 4_000 * Decimal("7.5e-8") + 12_000 * Decimal("6e-7")
    assert report.cost_usd == bench.store.ledger.spent_usd("acme", "w", since_ms=0)
    nothing = usage_of(bench).report(principal(Role.READER, "v"))
    assert nothing.lines == ()


def compared(rows: Sequence[UseComparison]) -> dict[tuple[str, str], UseComparison]:
    return {(row.figure, row.unit): row for row in rows}


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    """A report of a plan for ten users, of whom a few are active."""
    path = tmp_path / "plan.json"
    with pytest.raises(SystemExit) as stop:
        run(["--users", "10", "--llm", "gpt-4o-mini", "--format", "json", "-o", str(path)])
    assert not stop.value.code
    return path


def test_planned_and_metered_figures_stand_side_by_side(bench: Bench, plan: Path) -> None:
    use(bench)
    planned = read_planned(plan)
    month = month_of(planned.workload)
    rows = compared(usage_of(bench).compare(ADMIN, planned, **SPAN))
    assert rows["retrieves", "a day"].planned == pytest.approx(month.retrieves / DAYS_PER_MONTH)
    assert rows["retrieves", "a day"].metered == pytest.approx(12)
    assert rows["task", "tokens out/day"].metered == pytest.approx(1400)
    assert rows["task", "tokens out/day"].planned == pytest.approx(month.output_tokens["task"] / DAYS_PER_MONTH)
    money = rows["models", "USD/month"]
    lines = [
        line for line in json.loads(plan.read_text())["cost"]["lines"] if line["component"] in ("llm", "embedding")
    ]
    assert money.planned == sum(Decimal(line["monthly_usd"]["expected"]) for line in lines)
    spent_usd = bench.store.ledger.spent_usd("acme", "w", since_ms=0)
    assert money.metered == (spent_usd / DAYS * Decimal(DAYS_PER_MONTH)).quantize(Decimal("0.01"))
    assert money.ratio == pytest.approx(float(money.metered or 0) / float(money.planned or 1))


def test_metered_use_as_a_plan_meets_itself(bench: Bench, tmp_path: Path) -> None:
    use(bench)
    path = tmp_path / "workload.json"
    path.write_text(json.dumps(usage_of(bench).as_workload(ADMIN, **SPAN)), encoding="utf-8")
    rows = compared(usage_of(bench).compare(ADMIN, read_planned(path), **SPAN))
    money = rows.pop(("models", "USD/month"))
    assert {row.ratio for row in rows.values()} == {1.0}
    # The move to another embedding is spent, but no part of a usual day; prices of a plan are those of its region.
    assert money.ratio == pytest.approx(1.0, rel=0.1)


def test_calls_without_a_price_are_no_saving(bench: Bench, plan: Path) -> None:
    use(bench)
    ask(bench, 1, "extract", "personal", "a-model-of-our-own", (10, 10, 0))
    money = compared(usage_of(bench).compare(ADMIN, read_planned(plan), **SPAN))["models", "USD/month"]
    assert (money.metered, money.ratio) == (None, None)
    assert usage_of(bench).report(ADMIN, **SPAN).unpriced_models == ("a-model-of-our-own",)


def test_amounts_beyond_all_sums_are_refused(plan: Path) -> None:
    document = json.loads(plan.read_text(encoding="utf-8"))
    for line in document["cost"]["lines"]:
        line["monthly_usd"] = dict.fromkeys(("low", "expected", "high"), "9e999999")
    plan.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(InvalidRequest, match="no plan"):
        read_planned(plan)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("plan.json", "{broken"),
        ("plan.json", "[]"),
        ("plan.json", '{"kind": "reme-size/report"}'),
        ("plan.json", '{"kind": "reme-size/report", "workload": {"users": 5}, "cost": {}}'),
        ("plan.yaml", "users: many"),
        ("plan.txt", "users: 5"),
        ("missing.json", None),
        ("missing.yaml", None),
    ],
)
def test_what_is_no_plan_is_refused(tmp_path: Path, name: str, text: str | None) -> None:
    path = tmp_path / name
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidRequest, match=name):
        read_planned(path)
