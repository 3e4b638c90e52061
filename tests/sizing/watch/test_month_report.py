"""A month's report: sums that add up, shares that lose nothing, the plan's error."""

from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sizing.cost.report import Money
from sizing.errors import BillError
from sizing.watch.bill_reading import BillOptions, read_bills
from sizing.watch.budgets import Budget, plan_budgets
from sizing.watch.daily import Month
from sizing.watch.ledger import Entry, Ledger, add_up
from sizing.watch.month_report import WatchOptions, WatchReport, assess_month
from sizing.watch.plan_report import PlanLine, PlanReport
from sizing.watch.plan_shares import share_entries
from tests.sizing.watch.bills import Spike, make_bill, save, write_cur
from tests.sizing.watch.entries import entry

TODAY = date(2026, 11, 22)
OCTOBER, NOVEMBER = Month(2026, 10), Month(2026, 11)
BILL_OPTIONS = BillOptions(rates={"USD": Decimal(1)}, today=TODAY)


def line(component: str, service: str, usd: str | None, sku: str = "") -> PlanLine:
    money = None if usd is None else Money(Decimal(0), Decimal(usd), Decimal(usd) * 2)
    return PlanLine(component, service, sku, money)


def plan(*lines: PlanLine) -> PlanReport:
    return PlanReport("plan.json", lines)


def ledger(*entries: Entry) -> Ledger:
    return Ledger(entries=entries, files=(), rates={}, notes=())


def report(
    entries: Ledger, planned: PlanReport | None = None, budgets: Mapping[str, Budget] | None = None, **values: object
) -> WatchReport:
    options = WatchOptions(**{"today": TODAY, **values})  # type: ignore[arg-type]
    return assess_month(entries, budgets or {}, planned, options)


def every_day(month: Month, usd: str, until: int = 31, **values: object) -> list[Entry]:
    return [entry(month.first + timedelta(days=i), usd, **values) for i in range(min(month.days, until))]


def test_a_bill_with_everything_adds_up(tmp_path: Path) -> None:
    bill = make_bill(date(2026, 11, 1), date(2026, 11, 22), seed=9, spike=Spike("llm", date(2026, 11, 17), 2.4))
    found = report(read_bills([save(tmp_path / "bill.csv", write_cur(bill))], BILL_OPTIONS))

    assert {row.name: row.month_to_date_usd for row in found.components} == bill.by_component()
    assert found.total.month_to_date_usd == found.bill_usd == bill.total
    assert ("llm", 17) in {(item.component, item.day.day) for item in found.anomalies}
    assert found.through == date(2026, 11, 21), "today is not over"
    assert found.other_products == ("AmazonPinpoint",)
    assert any(code == "watch.note.incomplete" for code, _ in found.notes)


def test_adjustments_are_in_the_bill_and_not_in_the_components() -> None:
    found = report(
        ledger(
            *every_day(NOVEMBER, "10", 21),
            entry(NOVEMBER.first, "31.50", kind="tax", lump=True),
            entry(NOVEMBER.first, "-50", kind="credit", lump=True),
            entry(NOVEMBER.first, "-0.25", kind="refund", lump=True),
        )
    )
    assert found.total.month_to_date_usd == Decimal(210)
    assert found.adjustments == {"tax": Decimal("31.50"), "credit": Decimal(-50), "refund": Decimal("-0.25")}
    assert found.bill_usd == Decimal("191.25")


def test_today_is_left_out_of_days_and_kept_in_sums() -> None:
    found = report(ledger(*every_day(NOVEMBER, "10", 21), entry(TODAY, "400")))
    assert found.anomalies == ()
    assert found.total.month_to_date_usd == Decimal(610)
    assert found.total.forecast.days_ahead == 9
    assert found.total.forecast.month_end_usd == Decimal("610.00"), "what is spent stays spent"
    later = report(ledger(*every_day(NOVEMBER, "10", 21), entry(TODAY, "400")), today=date(2026, 11, 23))
    assert [item.day for item in later.anomalies] == [TODAY, TODAY]


def test_days_not_yet_billed_in_full_can_be_left_out() -> None:
    entries = ledger(*every_day(NOVEMBER, "10", 20), entry(date(2026, 11, 21), "2"))
    assert report(entries, lag_days=1).through == date(2026, 11, 20)
    assert report(entries, lag_days=1).total.forecast.month_end_usd == Decimal("300.00")


def test_the_latest_month_is_reported_unless_another_is_named() -> None:
    entries = ledger(*every_day(OCTOBER, "10"), *every_day(NOVEMBER, "20", 21))
    assert report(entries).month == NOVEMBER
    assert report(entries, month=OCTOBER).total.month_to_date_usd == Decimal(310)
    assert report(entries, month=OCTOBER).total.forecast.method == "complete"
    with pytest.raises(BillError, match=r"--month 2026-09: the bills have nothing of it. They have: 2026-10, 2026-11"):
        report(entries, month=Month(2026, 9))


def test_anomalies_can_be_looked_for_in_the_last_days_only() -> None:
    entries = [*every_day(NOVEMBER, "10", 21)]
    entries[9] = entry(date(2026, 11, 10), "100")
    assert len(report(ledger(*entries)).anomalies) == 2, "compute and the total"
    assert report(ledger(*entries), anomaly_days=1).anomalies == ()
    entries[20] = entry(date(2026, 11, 21), "100")
    assert {item.day.day for item in report(ledger(*entries), anomaly_days=1).anomalies} == {21}


def test_missing_days_are_said() -> None:
    entries = [item for item in every_day(NOVEMBER, "10", 19) if item.day.day not in (5, 6)]
    found = report(ledger(*entries))
    assert [day.day for day in found.missing_days] == [5, 6, 20, 21]
    assert found.total.forecast.month_end_usd == Decimal("300.00")


def test_plan_difference_and_ratio() -> None:
    planned = plan(line("compute", "ec2", "200"), line("cache", "elasticache", "50"))
    found = report(ledger(*every_day(NOVEMBER, "10", 21)), planned)
    rows = {row.name: row for row in found.components}

    assert (rows["compute"].difference_usd, rows["compute"].ratio) == (Decimal("100.00"), Decimal("1.500"))
    assert rows["cache"].month_to_date_usd == 0
    assert found.total.difference_usd == Decimal("50.00")
    assert {row.name: row.difference_usd for row in found.services}["ec2"] == Decimal("100.00")


def test_a_partial_plan_has_no_difference() -> None:
    planned = plan(line("compute", "ecs", "200"), line("compute", "essd", None), line("cache", "tair", None))
    found = report(ledger(*every_day(NOVEMBER, "10", 21, service="ecs", provider="alicloud")), planned)
    for row in (*found.components, found.total):
        assert row.unpriced
        assert (row.difference_usd, row.ratio, row.error) == (None, None, None)
    assert {row.name: row.ratio for row in found.services}["ecs"] == Decimal("1.500")
    assert any(code == "watch.note.unpriced" for code, _ in found.notes)


def test_plan_error_over_complete_months() -> None:
    planned = plan(line("compute", "ec2", "300"))
    september = Month(2026, 9)
    entries = ledger(*every_day(september, "10"), *every_day(OCTOBER, "20"), *every_day(NOVEMBER, "1000", 21))
    error = report(entries, planned).components[0].error

    assert error is not None
    assert error.months == (september, OCTOBER)
    # |300 - 300| / 300 = 0 and |620 - 300| / 620 = 51.6 %
    assert error.percent == Decimal("25.8")


def test_a_month_with_a_gap_is_not_complete() -> None:
    planned = plan(line("compute", "ec2", "300"))
    entries = ledger(*every_day(OCTOBER, "20")[1:], *every_day(NOVEMBER, "1000", 21))
    assert report(entries, planned).components[0].error is None


def test_a_bill_by_the_month_is_compared_by_the_month() -> None:
    planned = plan(line("compute", "ec2", "300"))
    found = report(ledger(entry(OCTOBER.first, "400", lump=True)), planned)
    assert found.total.forecast.method == "complete"
    assert found.total.error is not None
    assert found.total.error.percent == Decimal("25.0")
    assert any(code == "watch.note.no-daily" for code, _ in found.notes)


def test_default_budgets_alarm_on_what_the_plan_did_not_foresee() -> None:
    planned = plan(line("compute", "ec2", "200"))
    found = report(ledger(*every_day(NOVEMBER, "10", 21)), planned, plan_budgets(planned))
    assert [(alarm.budget.component, alarm.trigger) for alarm in found.alarms] == [
        ("compute", "forecast"),
        ("total", "forecast"),
    ]
    assert found.has_findings
    calm = report(ledger(*every_day(NOVEMBER, "7", 21)), planned, plan_budgets(planned))
    assert not calm.has_findings


SHARED = plan(
    line("compute", "ec2", "100", "c7g.large"),
    line("vector_store", "ec2", "200", "r7g.large"),
    line("monitoring", "ec2", "30", "t3.medium"),
    line("compute", "ebs", "10"),
    line("vector_store", "ebs", "30"),
    line("backup", "ebs", "5"),
)


def shares(*entries: Entry, planned: PlanReport = SHARED) -> dict[str, Decimal]:
    found: dict[str, Decimal] = {}
    for item in share_entries(entries, planned):
        found[item.component] = found.get(item.component, Decimal(0)) + item.usd
    return found


def test_an_instance_class_of_one_component_goes_there() -> None:
    assert shares(entry(NOVEMBER.first, "9", instance_class="r7g.large")) == {"vector_store": Decimal(9)}
    assert shares(entry(NOVEMBER.first, "9", instance_class="t3.medium")) == {"monitoring": Decimal(9)}


def test_what_cannot_be_told_apart_is_divided_by_the_plan() -> None:
    assert shares(entry(NOVEMBER.first, "8", service="ebs")) == {"compute": Decimal(2), "vector_store": Decimal(6)}
    assert shares(entry(NOVEMBER.first, "8", service="ebs", component="backup")) == {"backup": Decimal(8)}


def test_tags_and_adjustments_are_left_alone() -> None:
    assert shares(entry(NOVEMBER.first, "8", service="ebs", tagged=True)) == {"compute": Decimal(8)}
    assert shares(entry(NOVEMBER.first, "8", service="ebs", kind="tax")) == {"compute": Decimal(8)}


def test_a_plan_that_buys_the_product_for_another_component_alone() -> None:
    logs = plan(line("logs", "s3", "2"))
    assert shares(entry(NOVEMBER.first, "8", service="s3", component="object_store"), planned=logs) == {
        "logs": Decimal(8)
    }
    assert shares(entry(NOVEMBER.first, "8"), planned=logs) == {"compute": Decimal(8)}


@given(
    usd=st.decimals(min_value=-1000, max_value=100_000, places=12),
    weights=st.lists(st.integers(0, 10_000), min_size=3, max_size=3),
)
def test_shares_lose_nothing(usd: Decimal, weights: list[int]) -> None:
    names = ("compute", "vector_store", "monitoring")
    planned = plan(*(line(name, "ebs", str(weight)) for name, weight in zip(names, weights, strict=True)))
    assert add_up(list(shares(entry(NOVEMBER.first, str(usd), service="ebs"), planned=planned).values())) == usd


def test_shared_components_are_marked() -> None:
    entries = ledger(*every_day(NOVEMBER, "8", 21, service="ebs"), *every_day(NOVEMBER, "1", 21, component="llm"))
    found = report(entries, SHARED)
    assert {row.name for row in found.components if row.shared} == {"compute", "vector_store"}
    assert found.total.month_to_date_usd == Decimal(189)
    assert any(code == "watch.note.shared" for code, _ in found.notes)
