"""Tables of the HTML report about prices: where each comes from, and which could not be found."""

from decimal import Decimal

from sizing.assessment import Assessment
from sizing.catalogue import STALE_AFTER_DAYS, Price
from sizing.cost.report import CostLine
from sizing.messages import Language, label
from sizing.render.cost_tables import show_price
from sizing.render.labels import name_component, name_line, show_quantity
from sizing.render.plan_tables import name_place, sayer
from sizing.render.report_table import Cell, ReportTable


def tabulate_prices(assessment: Assessment, language: Language) -> ReportTable:
    """Return every price behind the report, with its source; stale ones are marked."""
    say = sayer(language)
    known = [price for price in assessment.report.prices if price.usd is not None]
    stale = {price.key for price in assessment.stale_prices}
    rows = tuple(_price_row(price, price.key in stale, language) for price in known)
    names = ("price", "usd", "unit", "original", "as-of", "evidence", "source")
    note = say("prices-note", stale=len(stale), count=len(known), days=STALE_AFTER_DAYS) if stale else ""
    return ReportTable(
        title=say("prices-caption"),
        columns=tuple(say(name) for name in names),
        rows=rows,
        right=frozenset({1, 3}),
        note=note,
    )


def _price_row(price: Price, stale: bool, language: Language) -> tuple[str | Cell, ...]:
    say = sayer(language)
    if price.currency == "USD":
        original = f"{price.amount} USD"
    else:
        original = say("rate", amount=price.amount, currency=price.currency, rate=price.per_usd)
    dated: str | Cell = price.as_of
    if stale:
        mark = say("stale") if price.as_of else ""
        dated = Cell(text=price.as_of or say("undated"), detail=mark, tone="stale")
    note = price.note if price.origin == "catalogue" else " · ".join(filter(None, (price.note, price.origin)))
    return (
        price.name,
        show_price(price.usd or Decimal(0)),
        label(f"html.unit.{price.unit}", language, price.unit),
        original,
        dated,
        label(f"evidence.{price.evidence}", language),
        Cell(text=price.source, detail=note),
    )


def _quantity_cell(line: CostLine, language: Language) -> Cell:
    low, expected, high = (show_quantity(quantity) for quantity in line.quantity)
    unit = label(f"html.unit.{line.unit}", language, line.unit)
    ends = sayer(language)("range-of", low=low, high=high)
    return Cell(text=f"{expected} {unit}", detail="" if low == expected == high else ends)


def tabulate_unpriced(assessment: Assessment, language: Language) -> ReportTable:
    """Return the lines without a list price and where one was looked for."""
    say = sayer(language)
    rows = tuple(
        (
            name_component(line.component, language),
            Cell(
                text=name_line(line, language) + ("" if line.kind == "resource" else " *"),
                detail=f"{line.service}/{line.sku}",
            ),
            name_place(line.site, language),
            _quantity_cell(line, language),
            line.price.source if line.price is not None else say("silent"),
        )
        for line in assessment.report.unpriced
    )
    return ReportTable(
        title=say("unknown-caption"),
        columns=(say("component"), say("line"), say("site"), say("quantity-month"), say("searched")),
        rows=rows,
    )
