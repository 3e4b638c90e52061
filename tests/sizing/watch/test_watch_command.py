"""``reme-size watch`` as a user runs it."""

import csv
import gzip
import io
import json
import re
import time
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from sizing.commands.main import cli
from sizing.messages import messages
from sizing.tables import read_table
from tests.sizing.watch.bills import (
    Spike,
    cur_row,
    make_bill,
    save,
    write_alicloud,
    write_cur,
    write_plain,
)

OCTOBER = make_bill(date(2026, 10, 1), date(2026, 10, 31), seed=1)
NOVEMBER = make_bill(
    date(2026, 11, 1), date(2026, 11, 21), seed=2, spike=Spike("llm", date(2026, 11, 17), 2.4), skip=[date(2026, 11, 9)]
)
CALM = make_bill(date(2026, 11, 1), date(2026, 11, 21), seed=2)
PLAN = {
    "kind": "reme-size/report",
    "schema_version": 1,
    "cost": {
        "currency": "USD",
        "lines": [
            {"component": component, "service": service, "sku": sku, "monthly_usd": usd}
            for component, service, sku, usd in (
                ("compute", "ec2", "c6i.xlarge", {"low": "240", "expected": "248.20", "high": "250"}),
                (
                    "database",
                    "rds-postgres",
                    "db.t4g.medium:multi-az",
                    {"low": "90", "expected": "94.17", "high": "99"},
                ),
                ("cache", "elasticache", "valkey:cache.t4g.small", {"low": "30", "expected": "37.38", "high": "37.38"}),
                ("llm", "llm", "gpt-4o-mini:input", {"low": "200", "expected": "330.00", "high": "900"}),
                ("logs", "cloudwatch", "logs-ingested", None),
            )
        ],
    },
}


def run(*arguments: str | Path, today: str = "2026-11-22") -> Result:
    return CliRunner().invoke(cli, ["watch", *map(str, arguments), "--today", today])


def document(result: Result) -> dict[str, object]:
    found = json.loads(result.stdout)
    assert isinstance(found, dict)
    return found


@pytest.fixture
def bills(tmp_path: Path) -> list[Path]:
    tax = {
        **cur_row(NOVEMBER.lines[0]),
        "identity/LineItemId": "tax",
        "lineItem/LineItemType": "Tax",
        "lineItem/UnblendedCost": "12.34",
        "lineItem/UsageEndDate": "2026-12-01T00:00:00Z",
    }
    october = tmp_path / "cur-2026-10.csv.gz"
    october.write_bytes(gzip.compress(write_cur(OCTOBER).encode()))
    return [october, save(tmp_path / "cur-2026-11.csv", write_cur(NOVEMBER, [tax]))]


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(PLAN))
    return path


def test_a_calm_bill_exits_with_0(tmp_path: Path) -> None:
    result = run(save(tmp_path / "bill.csv", write_plain(CALM)), "--preset", "document")
    assert result.exit_code == 0
    assert "No budget is reached, no day stands out." in result.stdout
    assert result.stderr == ""


def test_an_anomaly_exits_with_3(bills: list[Path]) -> None:
    result = run(*bills)
    assert result.exit_code == 3
    assert re.search(
        r"! Language models: \$26\.40 on 2026-11-17, 182 % of the \$14\.51 of the day before", result.stdout
    )


def test_a_budget_exits_with_3(tmp_path: Path) -> None:
    bill = save(tmp_path / "bill.csv", write_plain(CALM))
    budgets = tmp_path / "budgets.toml"
    budgets.write_text("[total]\nmonthly_usd = 900\n")
    result = run(bill, "--budgets", budgets)
    assert result.exit_code == 3
    assert "Total: the forecast of $" in result.stdout
    assert "so far has reached" not in result.stdout
    budgets.write_text("[total]\nmonthly_usd = 500\n")
    assert "so far has reached 90 % of the budget of $500.00 (budgets.toml)" in run(bill, "--budgets", budgets).stdout
    budgets.write_text("[total]\nmonthly_usd = 5000\n")
    assert run(bill, "--budgets", budgets).exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "No bill is named"),
        (["-"], "- is no bill"),
        (["none.csv"], "No such file"),
        (["{bill}", "{bill}"], "named twice"),
        (["{bill}", "--rate", "EUR"], "EUR"),
        (["{bill}", "--rate", "USD=2"], "CNY=7.2"),
        (["{bill}", "--currency", "EUR"], "--currency EUR has no rate"),
        (["{bill}", "--month", "2026-09"], "They have: 2026-11"),
        (["{bill}", "--month", "November"], "Write it as YYYY-MM"),
        (["{bill}", "--anomaly-floor", "-1"], "is not an amount"),
        (["{bill}", "--plan", "none.json"], "cannot be read as a plan"),
        (["{bill}", "--budgets", "none.toml"], "cannot be read"),
        (["{bill}", "--services", "none.csv"], "cannot be read as rules"),
        (["{bill}", "--bill-format", "aws-cur"], "as aws-cur the bill lacks"),
        (["{bill}", "--format", "xml"], "xml"),
    ],
)
def test_bad_input_exits_with_2_and_no_traceback(tmp_path: Path, arguments: list[str], words: str) -> None:
    bill = save(tmp_path / "bill.csv", write_plain(CALM))
    result = run(*(argument.replace("{bill}", str(bill)) for argument in arguments))
    assert result.exit_code == 2
    assert words in result.stderr
    assert result.stdout == ""
    assert isinstance(result.exception, SystemExit)


def test_a_bad_day_is_bad_input(bills: list[Path]) -> None:
    assert run(*bills, today="0001-01-01").exit_code == 2
    result = run(*bills, today="22.11.2026")
    assert result.exit_code == 2
    assert "Write it as YYYY-MM-DD" in result.stderr


def test_json_holds_the_bill_to_the_last_decimal(bills: list[Path], plan: Path) -> None:
    found = document(run(*bills, "--plan", plan, "--format", "json"))
    components = {row["component"]: row for row in found["components"]}  # type: ignore[attr-defined]
    expected = NOVEMBER.by_component()

    assert {name: Decimal(row["month_to_date_usd"]) for name, row in components.items()} == {
        **expected,
        "cache": Decimal(0),
    }
    assert Decimal(str(found["bill_usd"])) == NOVEMBER.total + Decimal("12.34")
    assert found["adjustments"] == {"tax": "12.34", "credit": "0", "refund": "0"}
    assert components["compute"]["plan_usd"] == {"low": "240", "expected": "248.20", "high": "250"}
    assert components["compute"]["budget"]["monthly_usd"] == "297.84"
    assert components["logs"]["unpriced_lines"] == 1
    assert components["logs"]["budget"] is None
    error = components["compute"]["plan_error"]
    actual = OCTOBER.by_component()["compute"]
    assert error["months"] == ["2026-10"]
    assert abs(Decimal(error["mape_percent"]) - abs(actual - Decimal("248.20")) / actual * 100) <= Decimal("0.05")
    assert found["missing_days"] == ["2026-11-09"]
    assert [item["kind"] for item in found["findings"]][-1] == "anomaly"  # type: ignore[attr-defined]


def test_json_is_the_same_every_time(bills: list[Path], plan: Path, golden: Callable[[str, str], None]) -> None:
    first, second = (run(*bills, "--plan", plan, "--format", "json").stdout for _ in range(2))
    assert first == second
    golden("watch/report.json", first)


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("form", ["table", "markdown"])
def test_reports_for_people(
    bills: list[Path], plan: Path, golden: Callable[[str, str], None], language: str, form: str
) -> None:
    result = run(*bills, "--plan", plan, "--format", form, "--lang", language)
    assert result.exit_code == 3
    golden(f"watch/report-{language}.{'md' if form == 'markdown' else 'txt'}", result.stdout)


def test_csv_has_a_row_a_component(bills: list[Path], plan: Path) -> None:
    result = run(*bills, "--plan", plan, "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert [row["component"] for row in rows][-2:] == ["other", "total"]
    assert Decimal(rows[-1]["month_to_date_usd"]) == NOVEMBER.total
    assert sum(Decimal(row["month_end_usd"]) for row in rows[:-1]) == Decimal(rows[-1]["month_end_usd"])


def test_formats_can_be_mixed(tmp_path: Path) -> None:
    paths = [
        save(tmp_path / "aws.csv", write_cur(CALM)),
        save(tmp_path / "ali.csv", write_alicloud(CALM), "gb18030"),
        save(tmp_path / "llm.csv", write_plain(CALM)),
    ]
    found = document(run(*paths, "--rate", "CNY=1", "--format", "json"))
    assert Decimal(str(found["bill_usd"])) == CALM.total * 3
    assert found["rates"] == {"USD": "1", "CNY": "1"}


def test_the_rate_is_said(tmp_path: Path) -> None:
    path = save(tmp_path / "ali.csv", write_alicloud(CALM))
    assert "CNY is converted at 7.0 per USD (the catalogue's rate)" in " ".join(run(path).stdout.split())
    assert "CNY is converted at 7.12 per USD (given by --rate)" in " ".join(
        run(path, "--rate", "CNY=7.12").stdout.split()
    )


def test_without_budgets_it_says_so(tmp_path: Path) -> None:
    assert "No budget to hold the bill against" in run(save(tmp_path / "bill.csv", write_plain(CALM))).stdout


def test_the_report_can_be_written_to_a_file(tmp_path: Path) -> None:
    bill, target = save(tmp_path / "bill.csv", write_plain(CALM)), tmp_path / "report.json"
    result = run(bill, "--format", "json", "--output", target)
    assert (result.exit_code, result.stdout) == (0, "")
    assert target.read_text() == run(bill, "--format", "json").stdout
    assert run(bill, "-o", tmp_path / "none" / "report.json").exit_code == 2


def test_the_guide_shows_what_is_really_printed() -> None:
    root = Path(__file__).parents[3]
    guide = (root / "docs" / "howto" / "watch-costs.md").read_text(encoding="utf-8")
    assert (root / "tests" / "golden" / "watch" / "report-en.txt").read_text(encoding="utf-8") in guide


def test_help_has_examples() -> None:
    result = CliRunner().invoke(cli, ["watch", "--help"])
    assert result.exit_code == 0
    for words in ("Examples:", "--preset document", "Exit codes: 0", "date,service,cost"):
        assert words in result.stdout


def test_messages_have_the_same_places_in_both_languages() -> None:
    for row in read_table("messages/watch.csv"):
        places = [sorted(set(re.findall(r"{(\w+)}", row[language]))) for language in ("en", "zh")]
        assert places[0] == places[1], row["code"]
        assert row["en"]
        assert row["zh"]


def test_every_message_is_used() -> None:
    package = Path(__file__).parents[3] / "sizing"
    files = [*(package / "watch").glob("*.py"), package / "commands" / "watch.py"]
    source = "".join(path.read_text(encoding="utf-8") for path in files)
    for code in (code for code in messages("en") if code.startswith("watch.")):
        family, _, last = code.rpartition(".")
        assert code in source or f"{family}.{{" in source or f"{family}.{last.partition('-')[0]}-{{" in source, code


def test_a_bill_of_taxes_alone(tmp_path: Path) -> None:
    bill = save(tmp_path / "bill.csv", "date,service,cost,type\n2026-11-01,compute,7,tax\n")
    found = document(run(bill, "--format", "json"))
    assert (found["components"], found["bill_usd"]) == ([], "7")
    assert run(bill).exit_code == 0


VALID = (
    write_plain(CALM)[:400],
    write_cur(CALM)[:900],
    write_alicloud(CALM)[:500],
)


@settings(max_examples=150)
@given(
    text=st.sampled_from(VALID),
    cut=st.integers(0, 900),
    at=st.integers(0, 900),
    inserted=st.text(alphabet='0123456789.,-"\n\r\te+TZ:/账x\x00\x1b', max_size=12),
)
def test_no_damage_to_a_bill_gives_a_traceback(
    tmp_path_factory: pytest.TempPathFactory, text: str, cut: int, at: int, inserted: str
) -> None:
    damaged = (text[:at] + inserted + text[at:])[: cut or None]
    result = run(save(tmp_path_factory.mktemp("fuzz") / "bill.csv", damaged))
    assert result.exit_code in {0, 2, 3}, result.output
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    if result.exit_code == 2:
        assert result.stderr.startswith("reme-size: error: bill.csv")


@pytest.mark.slow
def test_a_large_bill_takes_seconds(tmp_path: Path) -> None:
    """200,000 lines, the report included; the limit is four times what a laptop needs, in time of this process alone."""
    large = make_bill(date(2026, 10, 1), date(2026, 11, 21), seed=3, lines_a_day=550)
    path = save(tmp_path / "large.csv", write_cur(large))
    started = time.process_time()
    result = run(path, "--format", "json")
    elapsed = time.process_time() - started

    assert len(large.lines) > 200_000
    assert Decimal(str(document(result)["bill_usd"])) == sum(large.by_component("2026-11").values())
    assert elapsed < 20, f"{elapsed:.1f} s"
