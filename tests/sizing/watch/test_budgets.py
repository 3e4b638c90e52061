"""Budgets alarm from their threshold on: not a cent earlier."""

from decimal import Decimal
from pathlib import Path

import pytest

from sizing.cost.report import Money
from sizing.errors import BillError
from sizing.watch.budgets import (
    Budget,
    check_budget,
    merge_budgets,
    plan_budgets,
    preset_budgets,
    preset_names,
    read_budgets,
)
from sizing.watch.forecasts import Forecast
from sizing.watch.plan_report import PlanLine, PlanReport


def ending(usd: str, ahead: int = 5) -> Forecast:
    return Forecast(method="smoothing", days_known=20, days_ahead=ahead, month_end_usd=Decimal(usd), intervals={})


def money(expected: str) -> Money:
    return Money(Decimal(0), Decimal(expected), Decimal(10) * Decimal(expected))


BUDGET = Budget("llm", Decimal(3000), Decimal("0.90"), "§8.3")


@pytest.mark.parametrize(
    ("spent", "forecast", "triggers"),
    [
        ("2699.99", "2699.99", []),
        ("2699.99", "2700.00", ["forecast"]),
        ("2700.00", "2700.00", ["month-to-date", "forecast"]),
        ("2699.9999999999", "2699.9999999999", []),
        ("0", "5000", ["forecast"]),
    ],
)
def test_the_limit_itself_alarms(spent: str, forecast: str, triggers: list[str]) -> None:
    alarms = list(check_budget(BUDGET, Decimal(spent), ending(forecast)))
    assert [alarm.trigger for alarm in alarms] == triggers


def test_a_complete_month_has_no_forecast_to_alarm() -> None:
    assert [alarm.trigger for alarm in check_budget(BUDGET, Decimal(2800), ending("2800", ahead=0))] == [
        "month-to-date"
    ]


def test_the_document_s_budgets_are_the_document_s() -> None:
    assert preset_names() == ("document",)
    found = preset_budgets("document")
    assert {name: (budget.monthly_usd, budget.threshold) for name, budget in found.items()} == {
        "llm": (Decimal(3000), Decimal("0.9")),
        "embedding": (Decimal(150), Decimal("0.9")),
        "vector_store": (Decimal(500), Decimal("0.9")),
        "compute": (Decimal(500), Decimal("0.85")),
        "object_store": (Decimal(100), Decimal("0.8")),
    }
    assert {budget.origin for budget in found.values()} == {"§8.3"}


def test_the_document_s_budgets_alarm_at_its_own_large_tier() -> None:
    """Errata 8.3: the large tier plans exactly these sums, so that the preset alarms permanently."""
    found = preset_budgets("document")
    for component, planned in (("vector_store", "500"), ("object_store", "100")):
        assert list(check_budget(found[component], Decimal(0), ending(planned)))


def test_default_budgets_are_the_plan_and_a_fifth() -> None:
    plan = PlanReport(
        "plan.json",
        (
            PlanLine("compute", "ec2", "t3.large", money("100.00")),
            PlanLine("llm", "llm", "gpt-4o-mini:input", money("40.00")),
            PlanLine("logs", "cloudwatch", "logs-ingested", money("0.10")),
        ),
    )
    found = plan_budgets(plan)

    assert found["compute"].monthly_usd == Decimal("120.00")
    assert found["compute"].threshold == Decimal("0.9")
    assert found["total"].monthly_usd == Decimal("168.12")
    assert found["logs"].monthly_usd == Decimal("1.10"), "a dollar of head-room at least"
    assert not list(check_budget(found["compute"], Decimal(100), ending("107.99")))
    assert list(check_budget(found["compute"], Decimal(100), ending("108.00")))


def test_a_partial_plan_gives_no_budget() -> None:
    lines = (PlanLine("compute", "ecs", "ecs.c7.large", money("85.00")), PlanLine("cache", "tair", "x", None))
    assert set(plan_budgets(PlanReport("plan.json", lines))) == {"compute"}


def test_own_budgets(tmp_path: Path) -> None:
    path = tmp_path / "budgets.toml"
    path.write_text('[total]\nmonthly_usd = 4000.10\n[compute]\nmonthly_usd = "500"\nthreshold = 0.85\n')
    found = read_budgets(path)

    assert found["total"] == Budget("total", Decimal("4000.10"), Decimal("0.9"), "budgets.toml")
    assert found["compute"].limit_usd == Decimal("425.00")
    assert merge_budgets(preset_budgets("document"), found)["compute"].origin == "budgets.toml"
    assert merge_budgets(preset_budgets("document"), found)["llm"].origin == "§8.3"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[disk]\nmonthly_usd = 3", "'disk' is no component"),
        ("[compute]\nmonthly_usd = 0", "compute.monthly_usd = 0"),
        ("[compute]\nmonthly_usd = -1", "compute.monthly_usd = -1"),
        ("[compute]\nmonthly_usd = inf", "compute.monthly_usd"),
        ("[compute]\nthreshold = 0.5", "compute.monthly_usd"),
        ("[compute]\nmonthly_usd = 5\nthreshold = 90", "compute.threshold = 90"),
        ("[compute]\nmonthly_usd = 5\nlimit = 1", "compute.limit"),
        ("compute = 5", "outside a table"),
        ("[compute", "is not TOML"),
    ],
)
def test_budgets_that_cannot_be(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "budgets.toml"
    path.write_text(text)
    with pytest.raises(BillError) as caught:
        read_budgets(path)
    assert words in str(caught.value)
    assert "budgets.toml" in str(caught.value)


def test_budgets_that_are_no_file(tmp_path: Path) -> None:
    with pytest.raises(BillError, match="cannot be read"):
        read_budgets(tmp_path / "none.toml")
    (tmp_path / "latin.toml").write_bytes(b"[compute] # \xe9\xff")
    with pytest.raises(BillError, match="not UTF-8"):
        read_budgets(tmp_path / "latin.toml")
