"""Synthetic bills: seeded, in every format, with what they hold known to the last decimal."""

import csv
import io
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

TEN_PLACES = Decimal("1e-10")


@dataclass(frozen=True)
class Product:
    """One product of the bill: its mean cost a day, its spread (share), and how each format names it."""

    component: str
    daily: float
    spread: float
    aws: tuple[str, str]
    alicloud: tuple[str, str, str]

    @property
    def plain(self) -> str:
        return self.component


PRODUCTS = (
    Product("compute", 8.1, 0.02, ("AmazonEC2", "USE1-BoxUsage:c6i.xlarge"), ("ecs", "云服务器 ECS", "实例")),
    Product("database", 5.2, 0.01, ("AmazonRDS", "USE1-Multi-AZUsage:db.t4g.medium"), ("rds", "云数据库 RDS", "实例")),
    Product("object_store", 0.4, 0.05, ("AmazonS3", "USE1-TimedStorage-ByteHrs"), ("oss", "对象存储 OSS", "存储空间")),
    Product("network", 1.3, 0.20, ("AmazonEC2", "USE1-NatGateway-Bytes"), ("nat_gw", "NAT网关", "处理流量")),
    Product("logs", 0.9, 0.15, ("AmazonCloudWatch", "USE1-DataProcessing-Bytes"), ("sls", "日志服务", "索引流量")),
    Product("llm", 11.0, 0.20, ("AmazonBedrock", "USE1-Input-Tokens"), ("sfm", "大模型服务平台百炼", "tokens")),
    Product("other", 0.3, 0.10, ("AmazonPinpoint", "USE1-Messages"), ("pinpoint", "Pinpoint", "Messages")),
)


@dataclass(frozen=True)
class Line:
    """One charge: what it is for, the day, and the exact amount in the bill's currency."""

    number: int
    day: date
    product: Product
    amount: Decimal


@dataclass(frozen=True)
class Spike:
    """A planted anomaly: the component costs ``factor`` times its mean on that day."""

    component: str
    day: date
    factor: float


@dataclass(frozen=True)
class Bill:
    """The lines of a bill, and their exact sums."""

    lines: tuple[Line, ...]
    skipped: frozenset[date] = field(default_factory=frozenset)

    @property
    def total(self) -> Decimal:
        return sum((line.amount for line in self.lines), Decimal(0))

    def by_component(self, month: str = "") -> Mapping[str, Decimal]:
        sums: dict[str, Decimal] = {}
        for line in self.lines:
            if line.day.isoformat().startswith(month):
                sums[line.product.component] = sums.get(line.product.component, Decimal(0)) + line.amount
        return sums


def make_bill(
    first: date,
    last: date,
    *,
    seed: int = 1,
    lines_a_day: int = 3,
    spike: Spike | None = None,
    skip: Iterable[date] = (),
    products: Sequence[Product] = PRODUCTS,
    scale: float = 1.0,
) -> Bill:
    """Draw a bill: each product's daily cost is normal around its mean and split over some lines."""
    dice = random.Random(seed)  # noqa: S311
    skipped = frozenset(skip)
    lines: list[Line] = []
    for offset in range((last - first).days + 1):
        day = first + timedelta(days=offset)
        for product in products:
            cost = max(0.01, dice.gauss(product.daily, product.daily * product.spread)) * scale
            if spike and (spike.component, spike.day) == (product.component, day):
                cost = product.daily * scale * spike.factor
            shares = [dice.uniform(0.5, 1.5) for _ in range(lines_a_day)]
            for share in shares:
                amount = Decimal(repr(cost * share / sum(shares))).quantize(TEN_PLACES)
                if day not in skipped:
                    lines.append(Line(len(lines), day, product, amount))
    return Bill(tuple(lines), skipped)


def write_cur(bill: Bill, extra: Iterable[Mapping[str, str]] = ()) -> str:
    """Return the bill as a legacy Cost and Usage Report; ``extra`` are whole rows (see cur_row)."""
    return _write(CUR_COLUMNS, [*(cur_row(line) for line in bill.lines), *extra])


def cur_row(line: Line) -> dict[str, str]:
    """Return a line as a row of the legacy report."""
    start, end = line.day, line.day + timedelta(days=1)
    code, usage = line.product.aws
    return {
        "identity/LineItemId": f"id{line.number:08d}",
        "identity/TimeInterval": f"{start}T00:00:00Z/{end}T00:00:00Z",
        "bill/PayerAccountId": "111122223333",
        "lineItem/UsageAccountId": "111122223333",
        "lineItem/LineItemType": "Usage",
        "lineItem/UsageStartDate": f"{start}T00:00:00Z",
        "lineItem/UsageEndDate": f"{end}T00:00:00Z",
        "lineItem/ProductCode": code,
        "lineItem/UsageType": usage,
        "lineItem/Operation": "RunInstances",
        "lineItem/LineItemDescription": "$0.17 per hour, on demand",
        "lineItem/UnblendedCost": f"{line.amount}",
        "lineItem/CurrencyCode": "USD",
        "product/ProductName": code,
    }


CUR_COLUMNS = tuple(
    cur_row(Line(0, date(2026, 1, 1), PRODUCTS[0], Decimal(1))),
)


def write_cur2(bill: Bill) -> str:
    """Return the bill as an export of CUR 2.0: lower case names, timestamps with milliseconds."""
    rows = []
    for line in bill.lines:
        old = cur_row(line)
        rows.append(
            {
                "identity_line_item_id": old["identity/LineItemId"],
                "identity_time_interval": old["identity/TimeInterval"],
                "line_item_usage_account_id": old["lineItem/UsageAccountId"],
                "line_item_line_item_type": "Usage",
                "line_item_usage_start_date": f"{line.day} 00:00:00.000",
                "line_item_usage_end_date": f"{line.day + timedelta(days=1)} 00:00:00.000",
                "line_item_product_code": old["lineItem/ProductCode"],
                "line_item_usage_type": old["lineItem/UsageType"],
                "line_item_unblended_cost": old["lineItem/UnblendedCost"],
                "line_item_currency_code": "USD",
                "resource_tags": "{}",
            }
        )
    return _write(tuple(rows[0]), rows)


def write_alicloud(bill: Bill, currency: str = "CNY") -> str:
    """Return the bill as the Chinese console's bill details by day."""
    rows = []
    for line in bill.lines:
        code, name, item = line.product.alicloud
        rows.append(
            {
                "账期": f"{line.day:%Y-%m}",
                "账单日期": f"{line.day}",
                "账号ID": "1234567890123456\t",
                "产品Code": code,
                "产品": name,
                "产品明细": f"{name}-按量付费",
                "消费类型": "后付费",
                "账单类型": "后付费账单",
                "实例ID": f"i-{line.number:06d}",
                "计费项": item,
                "应付金额": f"{line.amount}",
                "币种": currency,
            }
        )
    return _write(tuple(rows[0]), rows)


def write_alicloud_english(bill: Bill, currency: str = "USD") -> str:
    """Return the bill with the names of the BSS API."""
    rows = []
    for line in bill.lines:
        code, name, item = line.product.alicloud
        rows.append(
            {
                "BillingCycle": f"{line.day:%Y-%m}",
                "BillingDate": f"{line.day}",
                "ProductCode": code,
                "ProductName": name,
                "SubscriptionType": "PayAsYouGo",
                "Item": "PayAsYouGoBill",
                "BillingItem": item,
                "InstanceID": f"i-{line.number:06d}",
                "PretaxAmount": f"{line.amount}",
                "Currency": currency,
            }
        )
    return _write(tuple(rows[0]), rows)


def write_plain(bill: Bill, currency: str | None = None) -> str:
    """Return the bill as date, service, cost and, if given, currency."""
    rows = []
    for line in bill.lines:
        row = {"date": f"{line.day}", "service": line.product.plain, "cost": f"{line.amount}"}
        rows.append({**row, "currency": currency} if currency else row)
    return _write(tuple(rows[0]), rows)


WRITERS = {
    "aws-cur": write_cur,
    "aws-cur2": write_cur2,
    "alicloud": write_alicloud_english,
    "plain": write_plain,
}
"""A writer in USD for each format."""


def save(path: Path, text: str, encoding: str = "utf-8") -> Path:
    """Write a bill and return its path."""
    path.write_bytes(text.encode(encoding))
    return path


def _write(columns: Sequence[str], rows: Iterable[Mapping[str, str]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
