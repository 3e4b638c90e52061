"""Names and figures as people read them, in both languages."""

from decimal import Decimal

from sizing.billing.charge import CLASS
from sizing.cost.report import CostLine, Money
from sizing.cost.strategies import Outcome
from sizing.measures import HOURS_PER_MONTH
from sizing.messages import Language, label, render
from sizing.plan import Reason

NO_PRICE = {"en": "no list price", "zh": "无公开报价"}


def name_line(line: CostLine, language: Language) -> str:
    """Return what a line bills, e.g. ``EC2 c6i.xlarge × 2`` or ``Logs taken in``."""
    if line.service == "llm":
        model, _, way = line.sku.rpartition(":")
        return render(f"sku.llm:{way}", language, {"model": model})
    if line.service == "embedding":
        return render("sku.embedding", language, {"model": line.sku})
    exact = label(f"sku.{line.service}.{line.sku}", language, "")
    if exact:
        return exact
    family = label(f"sku.{line.service}", language, "{sku}").format(sku=line.sku.replace(":", " "))
    if line.id.endswith(f"/{CLASS}"):
        count = line.quantity[1] / HOURS_PER_MONTH
        if count > 1 and count == count.to_integral_value():
            return f"{family} × {int(count)}"
    return family


def name_component(component: str, language: Language) -> str:
    return label(f"component.{component}", language, component)


def name_tier(tier: str, language: Language) -> str:
    return label(f"tier.{tier}", language, tier)


def explain(reason: Reason, language: Language) -> str:
    """Return a reason's sentence."""
    return render(reason.code, language, reason.values)


def describe_price(outcome: Outcome, language: Language) -> str:
    """Return what a strategy costs in quality or work, and in USD where the high estimate gets dearer."""
    text = render(f"strategy.{outcome.name}.price", language, outcome.values)
    if outcome.status != "available" or outcome.saved_high_usd is None or outcome.saved_high_usd >= 0:
        return text
    more = render("report.dearer-high", language, {"usd": show_usd(-outcome.saved_high_usd)})
    return f"{text}。{more}" if language == "zh" else f"{text}. {more}"


def show_usd(value: Decimal | None, language: Language = "en", *, positive: bool = True) -> str:
    """Write an amount: ``$1,234.56``; ``<$0.01`` where something positive rounds to nothing."""
    if value is None:
        return NO_PRICE[language]
    if value == 0 and not positive:
        return "<$0.01"
    sign = "-" if value < 0 else ""
    return f"{sign}${abs(value):,.2f}"


def show_line_usd(line: CostLine, language: Language) -> str:
    """Write a line's expected cost; no list price is said, never shown as zero."""
    if line.monthly_usd is None:
        return NO_PRICE[language]
    nothing = line.quantity[1] == 0 or (line.price is not None and line.price.usd == 0)
    return show_usd(line.monthly_usd.expected, language, positive=nothing)


def show_range(money: Money) -> str:
    """Write low and high, with cents where both are small."""
    digits = 2 if money.high < 10 else 0
    return f"${money.low:,.{digits}f} – ${money.high:,.{digits}f}"


def show_ratio(value: Decimal, reference: Decimal | None) -> str:
    """Write how many times the reference a value is, empty where there is none to compare with."""
    if not reference:
        return ""
    return f"× {value / reference:.2f}"


def show_quantity(value: Decimal) -> str:
    """Write a quantity with up to four significant decimals and no trailing zeros."""
    if value >= 1000:
        return f"{value:,.0f}"
    text = f"{value:.4f}" if value < 1 else f"{value:.2f}"
    return text.rstrip("0").rstrip(".") or "0"
