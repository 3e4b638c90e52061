"""The report's lines as CSV, for a spreadsheet."""

import csv
from io import StringIO

from sizing.assessment import Assessment

COLUMNS = (
    "site",
    "component",
    "resource",
    "kind",
    "provider",
    "service",
    "sku",
    "sku_low",
    "sku_high",
    "unit",
    "quantity_low",
    "quantity_expected",
    "quantity_high",
    "unit_usd",
    "monthly_usd_low",
    "monthly_usd_expected",
    "monthly_usd_high",
    "driver",
    "evidence",
    "as_of",
    "source",
)


def to_csv(assessment: Assessment) -> str:
    """Return one row per cost line; a line without a list price has empty cost cells and says so in ``evidence``."""
    buffer = StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(COLUMNS)
    for line in assessment.report.lines:
        money = line.monthly_usd
        price = line.price
        writer.writerow(
            [
                line.site,
                line.component,
                line.resource,
                line.kind,
                line.provider,
                line.service,
                line.sku,
                line.low_sku,
                line.high_sku,
                line.unit,
                *line.quantity,
                "" if line.unit_usd is None else line.unit_usd,
                *(("", "", "") if money is None else (money.low, money.expected, money.high)),
                line.driver,
                "none" if price is None else price.evidence,
                "" if price is None else price.as_of,
                "" if price is None else price.source,
            ]
        )
    return buffer.getvalue()
