"""What cannot be read is refused with file, line, value and remedy."""

import gzip
import zipfile
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from sizing.errors import BillError
from sizing.watch.bill_reading import BillOptions, read_bills
from tests.sizing.watch.bills import make_bill, save, write_cur

OPTIONS = BillOptions(rates={"USD": Decimal(1), "CNY": Decimal(7)}, today=date(2026, 11, 22))
CUR = (
    "lineItem/UsageStartDate,lineItem/ProductCode,lineItem/LineItemType,lineItem/UnblendedCost,lineItem/CurrencyCode\n"
)
ALI = "账单日期,产品Code,账单类型,应付金额,币种\n"

CASES = {
    "future": ("date,service,cost\n2026-11-01,compute,1\n2026-11-23,compute,1\n", "line 3", "2026-11-23", "--today"),
    "future month": ("账期,产品Code,应付金额,币种\n2026-12,ecs,1,CNY\n", "line 2", "2026-12", "--today"),
    "no date": ("账单日期,账期,产品Code,应付金额,币种\n,,ecs,1,CNY\n", "line 2", "has no date", "Every line"),
    "bad date": ("date,service,cost\n2026-13-01,compute,1\n", "line 2", "2026-13-01", "YYYY-MM-DD"),
    "bad month": ("账期,产品Code,应付金额,币种\nNov,ecs,1,CNY\n", "line 2", "Nov", "YYYY-MM"),
    "amount": ("date,service,cost\n2026-11-01,compute,$5\n", "line 2", "'$5'", "decimal point"),
    "thousands": ('date,service,cost\n2026-11-01,compute,"1,200.50"\n', "line 2", "1,200.50", "separators"),
    "nan": ("date,service,cost\n2026-11-01,compute,NaN\n", "line 2", "NaN", "decimal point"),
    "huge": ("date,service,cost\n2026-11-01,compute,1e999999\n", "line 2", "1e999999", "decimal point"),
    "too fine": ("date,service,cost\n2026-11-01,compute,0e-999999\n", "line 2", "0e-999999", "decimal point"),
    "long ago": ("date,service,cost\n0001-01-01,compute,1\n", "line 2", "0001-01-01", "YYYY-MM-DD"),
    "infinite": (
        "date,service,cost\n2026-11-01,compute,1\n2026-11-02,compute,Infinity\n",
        "line 3",
        "Infinity",
        "decimal",
    ),
    "blank amount": ("date,service,cost\n2026-11-01,compute,\n", "line 2", "''", "decimal point"),
    "negative": ("date,service,cost\n2026-11-01,compute,-5\n", "line 2", "-5", "--negatives-as-credits"),
    "negative usage": (f"{CUR}2026-11-01,AmazonEC2,Usage,-0.01,USD\n", "line 2", "-0.01", "Refund"),
    "negative order": (f"{ALI}2026-11-01,ecs,后付费账单,-0.01,CNY\n", "line 2", "-0.01", "退款"),
    "currency": ("date,service,cost,currency\n2026-11-01,compute,5,EUR\n", "line 2", "EUR", "--rate EUR=0.92"),
    "mixed": (
        "date,service,cost,currency\n2026-11-01,compute,5,USD\n2026-11-01,compute,5,CNY\n",
        "line 3",
        "CNY",
        "split",
    ),
    "long line": ("date,service,cost\n2026-11-01,compute,1,200.5\n", "line 2", "4 fields", "quotes"),
    "short line": ("date,service,cost\n2026-11-01,compute,1\n2026-11-0", "line 3", "1 fields", "Export"),
    "open quote": ('date,service,cost\n2026-11-01,"compute,1\n', "line 2", "end of data", "quote"),
    "a sum": ("date,service,cost\n2026-11-01,compute,1\n2026-11-01,Total,1\n", "line 3", "Total", "Remove"),
    "empty": ("", "bill.csv", "empty", "Export"),
    "blank": ("\n\n", "bill.csv", "empty", "Export"),
    "no lines": ("date,service,cost\n", "bill.csv", "no lines", "Export"),
    "unknown": ("day,thing,usd\n2026-11-01,compute,1\n", "line 1", "day, thing, usd", "--bill-format"),
    "no currency": (
        "BillingDate,ProductCode,PretaxAmount\n2026-11-01,ecs,1\n",
        "bill.csv",
        "no currency",
        "--currency",
    ),
}


@pytest.mark.parametrize("case", list(CASES))
def test_refusals_name_place_value_and_remedy(tmp_path: Path, case: str) -> None:
    text, *needles = CASES[case]
    with pytest.raises(BillError) as caught:
        read_bills([save(tmp_path / "bill.csv", text)], OPTIONS)

    message = str(caught.value)
    for needle in ("bill.csv", *needles):
        assert needle in message
    assert caught.value.exit_code == 2
    assert "Traceback" not in message


def test_line_numbers_count_lines_of_the_file_and_not_records(tmp_path: Path) -> None:
    text = 'date,service,cost\n\n2026-11-01,"two\nlines",1\n\n2026-11-02,compute,x\n'
    with pytest.raises(BillError, match="line 6: the amount 'x'"):
        read_bills([save(tmp_path / "bill.csv", text)], OPTIONS)


def test_a_line_far_down_is_found(tmp_path: Path) -> None:
    good = "2026-11-01,compute,1\n" * 45_000
    with pytest.raises(BillError, match="line 45002: the amount 'x'"):
        read_bills([save(tmp_path / "bill.csv", f"date,service,cost\n{good}2026-11-01,compute,x\n")], OPTIONS)


def test_a_missing_file_a_folder_and_a_wrong_encoding(tmp_path: Path) -> None:
    for path, words in ((tmp_path / "none.csv", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(BillError, match=words):
            read_bills([path], OPTIONS)
    for data, words in ((b"\xff\xfed\x00", "UTF-16"), (b"date,\xff\xff\xff\n", "neither UTF-8 nor GB 18030")):
        path = tmp_path / "bill.csv"
        path.write_bytes(data)
        with pytest.raises(BillError, match=words):
            read_bills([path], OPTIONS)


def test_broken_archives(tmp_path: Path) -> None:
    whole = gzip.compress(write_cur(make_bill(date(2026, 11, 1), date(2026, 11, 9))).encode())
    cut = tmp_path / "cut.csv.gz"
    cut.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BillError, match=r"cut\.csv\.gz cannot be read"):
        read_bills([cut], OPTIONS)
    broken = tmp_path / "broken.csv.gz"
    broken.write_bytes(whole[:100] + bytes(100) + whole[200:])
    with pytest.raises(BillError, match=r"broken\.csv\.gz cannot be read"):
        read_bills([broken], OPTIONS)
    several = tmp_path / "several.zip"
    with zipfile.ZipFile(several, "w") as archive:
        archive.writestr("a.csv", "x")
        archive.writestr("b.csv", "x")
    with pytest.raises(BillError, match=r"several\.zip holds 2 CSV files: a\.csv, b\.csv"):
        read_bills([several], OPTIONS)
    several.write_bytes(b"PK\x03\x04 and nothing else")
    with pytest.raises(BillError, match=r"several\.zip cannot be read"):
        read_bills([several], OPTIONS)


def test_a_named_format_that_does_not_fit(tmp_path: Path) -> None:
    path = save(tmp_path / "bill.csv", "date,service,cost\n2026-11-01,compute,1\n")
    with pytest.raises(BillError, match=r"as aws-cur the bill lacks the column lineItem/UnblendedCost"):
        read_bills([path], BillOptions(rates=OPTIONS.rates, today=OPTIONS.today, bill_format="aws-cur"))


def test_negatives_can_be_counted_as_credits(tmp_path: Path) -> None:
    path = save(tmp_path / "bill.csv", "date,service,cost\n2026-11-01,compute,5\n2026-11-01,compute,-2\n")
    options = BillOptions(rates=OPTIONS.rates, today=OPTIONS.today, negatives_as_credits=True)
    ledger = read_bills([path], options)

    assert [(entry.kind, entry.usd) for entry in ledger.entries] == [("charge", Decimal(5)), ("credit", Decimal(-2))]
