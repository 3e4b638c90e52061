"""What several files hold is counted once, and only then."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from sizing.watch.bill_reading import BillOptions, read_bills
from sizing.watch.overlaps import Overlaps, find_twins
from tests.sizing.watch.bills import (
    Bill,
    cur_row,
    make_bill,
    save,
    write_alicloud,
    write_cur,
    write_cur2,
    write_plain,
)

OPTIONS = BillOptions(rates={"USD": Decimal(1), "CNY": Decimal(1)}, today=date(2026, 11, 22))
NOVEMBER = make_bill(date(2026, 11, 1), date(2026, 11, 21), seed=7)
FIRST_HALF = Bill(tuple(line for line in NOVEMBER.lines if line.day.day <= 14))
SECOND_HALF = Bill(tuple(line for line in NOVEMBER.lines if line.day.day >= 8))


@pytest.mark.parametrize("writer", [write_cur, write_cur2, write_alicloud])
def test_overlapping_files_are_counted_once(tmp_path: Path, writer: Callable[[Bill], str]) -> None:
    paths = [save(tmp_path / "a.csv", writer(FIRST_HALF)), save(tmp_path / "b.csv", writer(SECOND_HALF))]
    ledger = read_bills(paths, OPTIONS)
    repeated = len(FIRST_HALF.lines) + len(SECOND_HALF.lines) - len(NOVEMBER.lines)

    assert ledger.usd == NOVEMBER.total
    assert [file.repeated for file in ledger.files] == [0, repeated]
    assert ("watch.note.repeated", {"lines": repeated}) in ledger.notes


def test_a_file_within_another_adds_nothing(tmp_path: Path) -> None:
    paths = [save(tmp_path / "all.csv", write_cur(NOVEMBER)), save(tmp_path / "part.csv", write_cur(FIRST_HALF))]
    assert read_bills(paths, OPTIONS).usd == NOVEMBER.total


def test_a_repeated_identity_with_other_content_is_another_line(tmp_path: Path) -> None:
    """AWS guarantees the identity within one file of a delivery only."""
    line = NOVEMBER.lines[0]
    other = {**cur_row(line), "lineItem/UnblendedCost": "99"}
    paths = [
        save(tmp_path / "a.csv", write_cur(Bill((line,)))),
        save(tmp_path / "b.csv", write_cur(Bill((line,)), [other, other])),
    ]
    ledger = read_bills(paths, OPTIONS)

    assert ledger.usd == line.amount + 99
    assert ("watch.note.differing", {"lines": 1}) in ledger.notes


def test_equal_rows_within_an_alibaba_bill_all_count(tmp_path: Path) -> None:
    head = "账单日期,产品Code,应付金额,币种\n"
    row = "2026-11-01,sls,0.50,CNY\n"
    three, two = save(tmp_path / "three.csv", head + row * 3), save(tmp_path / "two.csv", head + row * 2)

    assert read_bills([three], OPTIONS).usd == Decimal("1.5")
    assert read_bills([three, two], OPTIONS).usd == Decimal("1.5")
    assert read_bills([two, three], OPTIONS).usd == Decimal("1.5")


def test_plain_lines_count_unless_an_id_says_otherwise(tmp_path: Path) -> None:
    """Two teams can pay the same for the same service on one day."""
    plain = "date,service,cost\n2026-11-01,compute,5\n"
    with_id = "id,date,service,cost\n7,2026-11-01,compute,5\n"
    for text, expected in ((plain, 10), (with_id, 5)):
        paths = [save(tmp_path / "a.csv", text), save(tmp_path / "b.csv", text)]
        assert read_bills(paths, OPTIONS).usd == expected


def test_two_deliveries_of_one_month_are_suspected(tmp_path: Path) -> None:
    """Their identities differ, their sums do not."""
    renamed = write_cur(NOVEMBER).replace("id0", "other0")
    paths = [save(tmp_path / "a.csv", write_cur(NOVEMBER)), save(tmp_path / "b.csv", renamed)]
    ledger = read_bills(paths, OPTIONS)

    assert ledger.usd == NOVEMBER.total * 2
    assert ("watch.note.twins", {"first": "a.csv", "second": "b.csv"}) in ledger.notes
    other = make_bill(date(2026, 11, 1), date(2026, 11, 21), seed=8)
    paths[1] = save(tmp_path / "b.csv", write_plain(other))
    assert not any(code == "watch.note.twins" for code, _ in read_bills(paths, OPTIONS).notes)


def test_few_or_zero_sums_prove_nothing() -> None:
    days: dict[tuple[object, str], Decimal] = {(day, "ec2"): Decimal(day) for day in range(4)}
    assert find_twins({"a": days, "b": dict(days)}) == []
    days[5, "ec2"] = Decimal(5)
    assert find_twins({"a": days, "b": dict(days)}) == [("a", "b")]


def test_same_names_in_two_folders_stay_apart(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    paths = [
        save(tmp_path / "bill.csv", write_cur(FIRST_HALF)),
        save(tmp_path / "x" / "bill.csv", write_cur(SECOND_HALF)),
    ]
    ledger = read_bills(paths, OPTIONS)

    assert len({file.name for file in ledger.files}) == 2
    assert ledger.usd == NOVEMBER.total


def test_an_empty_identity_always_counts() -> None:
    overlaps = Overlaps()
    assert overlaps.keep_identified(["", "", "a", "a"], ["x", "x", "x", "x"]) == [True, True, True, False]
