"""Every format, encoding and container gives the sums of the file, to the last decimal."""

import gzip
import zipfile
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sizing.cost.report import COMPONENTS
from sizing.watch.bill_reading import BillOptions, read_bills
from sizing.watch.daily import Month, sum_of_month
from sizing.watch.formats import detect_format, formats
from sizing.watch.ledger import Entry, Ledger, add_up
from sizing.watch.services import OTHER
from tests.sizing.watch.bills import (
    PRODUCTS,
    WRITERS,
    Bill,
    Line,
    make_bill,
    save,
    write_alicloud,
    write_cur,
    write_cur2,
    write_plain,
)

TODAY = date(2026, 11, 22)
RATES = {"USD": Decimal(1), "CNY": Decimal("7.0")}
NOVEMBER = make_bill(date(2026, 11, 1), date(2026, 11, 21), seed=5)


def options(**values: object) -> BillOptions:
    return BillOptions(**{"rates": RATES, "today": TODAY, **values})  # type: ignore[arg-type]


def by_component(ledger: Ledger) -> dict[str, Decimal]:
    sums: dict[str, Decimal] = {}
    for entry in ledger.entries:
        sums[entry.component] = sums.get(entry.component, Decimal(0)) + entry.usd
    return sums


@pytest.mark.parametrize("name", list(WRITERS))
def test_each_format_is_detected_and_summed_exactly(tmp_path: Path, name: str) -> None:
    ledger = read_bills([save(tmp_path / "bill.csv", WRITERS[name](NOVEMBER))], options())

    assert ledger.usd == NOVEMBER.total
    assert by_component(ledger) == NOVEMBER.by_component()
    (file,) = ledger.files
    assert (file.bill_format, file.lines, file.repeated) == (name, len(NOVEMBER.lines), 0)
    assert (file.first_day, file.last_day) == (date(2026, 11, 1), date(2026, 11, 21))
    assert (file.amount, file.currency) == (NOVEMBER.total, "USD")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_chinese_bill_in_each_encoding(tmp_path: Path, encoding: str) -> None:
    ledger = read_bills([save(tmp_path / "账单.csv", write_alicloud(NOVEMBER), encoding)], options())

    assert ledger.files[0].amount == NOVEMBER.total
    assert ledger.files[0].currency == "CNY"
    assert ledger.files[0].encoding == encoding.removesuffix("-sig")
    assert set(by_component(ledger)) == {product.component for product in PRODUCTS}


def test_yuan_are_converted_once_and_every_sum_stays_exact(tmp_path: Path) -> None:
    ledger = read_bills([save(tmp_path / "bill.csv", write_alicloud(NOVEMBER))], options())

    assert add_up(list(by_component(ledger).values())) == ledger.usd
    assert abs(ledger.usd - NOVEMBER.total / 7) < Decimal("0.000001")
    dearer = read_bills([tmp_path / "bill.csv"], options(rates={**RATES, "CNY": Decimal(14)}))
    assert abs(dearer.usd * 2 - ledger.usd) < Decimal("0.000001")


def test_gzip_and_zip(tmp_path: Path) -> None:
    text = write_cur(NOVEMBER).encode()
    packed, archive = tmp_path / "cur.csv.gz", tmp_path / "bill.zip"
    packed.write_bytes(gzip.compress(text))
    with zipfile.ZipFile(archive, "w") as target:
        target.writestr("2026-11/bill.csv", text)

    assert read_bills([packed], options()).usd == NOVEMBER.total
    assert read_bills([archive], options()).usd == NOVEMBER.total


def test_a_month_without_days_is_one_lump(tmp_path: Path) -> None:
    text = "账期,产品Code,产品,应付金额,币种\n2026-10,ecs,云服务器 ECS,700.00,CNY\n2026-11,oss,对象存储 OSS,7.00,CNY\n"
    ledger = read_bills([save(tmp_path / "bill.csv", text)], options())

    assert [(entry.day, entry.lump, entry.usd) for entry in ledger.entries] == [
        (date(2026, 10, 1), True, Decimal(100)),
        (date(2026, 11, 1), True, Decimal(1)),
    ]


def test_kinds_of_aws_lines(tmp_path: Path) -> None:
    head = (
        "lineItem/UsageStartDate,lineItem/UsageEndDate,lineItem/ProductCode,lineItem/UsageType,"
        "lineItem/LineItemType,lineItem/UnblendedCost,lineItem/CurrencyCode\n"
    )
    day = "2026-11-01T00:00:00Z,2026-11-02T00:00:00Z"
    month = "2026-11-01T00:00:00Z,2026-12-01T00:00:00Z"
    text = head + (
        f"{day},AmazonEC2,BoxUsage:t3.medium,Usage,1.00,USD\n"
        f"{day},AmazonEC2,BoxUsage:t3.medium,SavingsPlanCoveredUsage,2.00,USD\n"
        f"{day},AmazonEC2,BoxUsage:t3.medium,SavingsPlanNegation,-2.00,USD\n"
        f"{month},AmazonEC2,HeavyUsage:t3.medium,RIFee,30.00,USD\n"
        f"{month},AmazonEC2,,Tax,4.00,USD\n"
        f"{day},AmazonEC2,,Credit,-5.00,USD\n"
        f"{day},AmazonEC2,,Refund,-0.50,USD\n"
        f"{day},AmazonEC2,BoxUsage:t3.medium,EdpDiscount,-0.10,USD\n"
        f"{day},AmazonEC2,BoxUsage:t3.medium,FlatRateSubscription,9.00,USD\n"
    )
    ledger = read_bills([save(tmp_path / "cur.csv", text)], options())

    def sum_of(kind: str) -> Decimal:
        return add_up([entry.usd for entry in ledger.entries if entry.kind == kind])

    assert (sum_of("charge"), sum_of("fee")) == (Decimal("9.90"), Decimal(30))
    assert (sum_of("tax"), sum_of("credit"), sum_of("refund")) == (Decimal(4), Decimal(-5), Decimal("-0.5"))
    assert ledger.usd == Decimal("38.40")
    assert all(entry.lump for entry in ledger.entries if entry.kind != "charge")
    assert ("watch.note.line-type", {"type": "FlatRateSubscription", "file": "cur.csv"}) in ledger.notes


def test_kinds_of_alibaba_lines(tmp_path: Path) -> None:
    text = (
        "账期,账单日期,产品Code,产品,消费类型,账单类型,应付金额,币种\n"
        "2026-11,2026-11-02,ecs,云服务器 ECS,后付费,后付费账单,7.00,CNY\n"
        "2026-11,2026-11-02,ecs,云服务器 ECS,预付费,预付费订单,70.00,CNY\n"
        "2026-11,2026-11-03,ecs,云服务器 ECS,预付费,退款,-14.00,CNY\n"
    )
    ledger = read_bills([save(tmp_path / "bill.csv", text)], options())

    assert [(entry.kind, entry.lump, entry.usd) for entry in ledger.entries] == [
        ("charge", False, Decimal(1)),
        ("fee", True, Decimal(10)),
        ("refund", True, Decimal(-2)),
    ]


def test_a_tag_names_the_component(tmp_path: Path) -> None:
    head = "lineItem/UsageStartDate,lineItem/ProductCode,lineItem/LineItemType,lineItem/UnblendedCost"
    legacy = save(
        tmp_path / "legacy.csv", f"{head},resourceTags/user:Role\n2026-11-01,AmazonEC2,Usage,1,vector-store\n"
    )
    names = "line_item_usage_start_date,line_item_product_code,line_item_line_item_type,line_item_unblended_cost"
    export = save(
        tmp_path / "export.csv", f'{names},resource_tags\n2026-11-01,AmazonEC2,Usage,2,"{{""user_Role"": ""cache""}}"\n'
    )
    chinese = save(
        tmp_path / "ali.csv",
        "账单日期,产品Code,应付金额,币种,实例标签\n2026-11-01,ecs,7,CNY,key:Role value:llm; key:x value:y\n",
    )
    untagged = save(
        tmp_path / "untagged.csv", f"{head},resourceTags/user:Role\n2026-11-01,AmazonEC2,Usage,3,frontend\n"
    )

    ledger = read_bills([legacy, export, chinese, untagged], options(component_tag="Role"))

    assert [(entry.component, entry.tagged) for entry in ledger.entries] == [
        ("vector_store", True),
        ("cache", True),
        ("llm", True),
        ("compute", False),
    ]
    assert ("watch.note.tag-values", {"tag": "Role", "values": "frontend"}) in ledger.notes
    without = read_bills([untagged], options(component_tag="Missing"))
    assert ("watch.note.no-tag", {"tag": "Missing"}) in without.notes


def test_control_characters_do_not_reach_the_terminal(tmp_path: Path) -> None:
    path = save(tmp_path / "bill.csv", "date,service,cost,type\n2026-11-01,co\x1b[31mffee\x07,1,ti\x1bp\n")
    ledger = read_bills([path], options())
    assert ledger.entries[0].product == "co[31mffee"
    assert ledger.notes[0][1]["type"] == "tip"


def test_formats_of_dates_and_padded_values(tmp_path: Path) -> None:
    text = 'Date, Service ,COST\n2026/11/1,"`compute"," 1.5\t"\n20261102,compute,2e-3\n2026年11月3日,Amazon Simple Storage Service,1\n'
    ledger = read_bills([save(tmp_path / "bill.csv", text)], options())

    assert [entry.day.day for entry in ledger.entries] == [1, 2, 3]
    assert by_component(ledger) == {"compute": Decimal("1.502"), "object_store": Decimal(1)}


def test_header_of_the_english_console(tmp_path: Path) -> None:
    text = "Billing Month,Billing Date,Product Name,Product Code,Pretax Amount,Currency\n2026-11,2026-11-04,Tair,kvstore,3.5,USD\n"
    ledger = read_bills([save(tmp_path / "bill.csv", text)], options())

    assert ledger.files[0].bill_format == "alicloud"
    assert by_component(ledger) == {"cache": Decimal("3.5")}


def test_every_known_format_needs_different_columns() -> None:
    for name, known in formats().items():
        header = [columns[0] for columns in known.needed.values()]
        assert detect_format("bill.csv", header).name == name


def test_the_format_can_be_named(tmp_path: Path) -> None:
    path = save(tmp_path / "bill.csv", write_plain(NOVEMBER))
    assert read_bills([path], options(bill_format="plain")).usd == NOVEMBER.total


amounts = st.decimals(min_value=0, max_value=10**6, places=12, allow_nan=False, allow_infinity=False)
lines = st.lists(
    st.tuples(st.dates(date(2026, 9, 1), TODAY), st.sampled_from(PRODUCTS), amounts), min_size=1, max_size=40
)


@settings(max_examples=40)
@given(drawn=lines, writer=st.sampled_from([write_cur, write_cur2, write_plain, write_alicloud]))
def test_components_add_up_to_the_bill(
    tmp_path_factory: pytest.TempPathFactory,
    drawn: list[tuple[date, object, Decimal]],
    writer: Callable[[Bill], str],
) -> None:
    bill = Bill(tuple(Line(i, day, product, amount) for i, (day, product, amount) in enumerate(drawn)))  # type: ignore[arg-type]
    path = save(tmp_path_factory.mktemp("bills") / "bill.csv", writer(bill))
    ledger = read_bills([path], options())

    assert ledger.files[0].amount == bill.total
    assert add_up(list(by_component(ledger).values())) == ledger.usd
    assert set(by_component(ledger)) <= {*COMPONENTS, OTHER}
    months = {Month.of(entry.day) for entry in ledger.entries}
    assert add_up([usd for month in months for usd in sum_of_month(ledger.entries, month).values()]) == ledger.usd
    if ledger.files[0].currency == "USD":
        assert ledger.usd == bill.total


def test_entries_are_sums_and_not_lines(tmp_path: Path) -> None:
    bill = make_bill(date(2026, 11, 1), date(2026, 11, 2), seed=6, lines_a_day=50)
    ledger = read_bills([save(tmp_path / "bill.csv", write_cur(bill))], options())

    assert len(ledger.entries) == 2 * len(PRODUCTS)
    assert isinstance(ledger.entries[0], Entry)
    assert ledger.usd == bill.total
