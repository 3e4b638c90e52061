"""The plan is read back from what reme-size writes, and nothing else is taken for one."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from sizing.assessment import assess
from sizing.errors import BillError
from sizing.render.document import to_json
from sizing.watch.plan_report import add_plan, read_plan, unpriced
from sizing.workload import sample_workload


def test_the_report_of_reme_size_is_read_back(tmp_path: Path) -> None:
    assessment = assess(sample_workload(500))
    path = tmp_path / "report.json"
    path.write_text(to_json(assessment), encoding="utf-8")
    plan = read_plan(path)

    assert add_plan(plan.lines) == assessment.report.total
    assert unpriced(plan.lines) == len(assessment.report.unpriced)
    assert plan.components == tuple(assessment.report.by_component)
    assert plan.file == "report.json"


def document(**changes: object) -> dict[str, object]:
    line = {"component": "llm", "service": "llm", "sku": "x", "monthly_usd": {"low": "1", "expected": "2", "high": "3"}}
    return {
        "kind": "reme-size/report",
        "schema_version": 1,
        "cost": {"currency": "USD", "lines": [line]},
        **changes,
    }


def test_a_line_without_a_price_is_in_no_sum(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    line = {"component": "cache", "service": "tair", "sku": "x", "monthly_usd": None}
    path.write_text(json.dumps(document(cost={"currency": "USD", "lines": [line]})))
    plan = read_plan(path)
    assert (add_plan(plan.lines).expected, unpriced(plan.lines)) == (Decimal(0), 1)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("not json", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "the document"),
        ("{}", "kind"),
        (json.dumps(document(kind="reme-size/watch")), "kind"),
        (json.dumps(document(schema_version=99)), "schema_version 99"),
        (json.dumps(document(cost={"currency": "USD", "lines": []})), "cost.lines"),
        (json.dumps(document(cost={"currency": "CNY", "lines": []})), "cost.currency"),
    ],
)
def test_what_is_no_plan(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "plan.json"
    path.write_text(text)
    with pytest.raises(BillError) as caught:
        read_plan(path)
    assert words in str(caught.value)
    assert "--format json" in str(caught.value)


def test_a_plan_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(BillError, match="cannot be read as a plan"):
        read_plan(tmp_path / "none.json")
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BillError, match="not UTF-8"):
        read_plan(tmp_path / "binary.json")
