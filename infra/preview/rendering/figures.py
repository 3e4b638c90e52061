"""Money and counts as people read them."""

from decimal import Decimal

from infra.preview.spending import CENT, NOTHING, Parts, Spend


def show_usd(amount: Decimal) -> str:
    """An amount to the cent, such as `$1,234.50`; a minus stands before the sign."""
    rounded = amount.quantize(CENT)
    return f"{'-' if rounded < 0 else ''}${abs(rounded):,}"


def show_change(amount: Decimal) -> str:
    """A difference with its sign; nothing where it rounds to zero."""
    rounded = amount.quantize(CENT)
    return f"{'+' if rounded > 0 else ''}{show_usd(rounded)}" if rounded else "–"


def show_percent(before: Decimal, after: Decimal) -> str:
    """The change relative to before, such as `(+12 %)`; empty where there was nothing before."""
    if before <= 0 or before.quantize(CENT) == after.quantize(CENT):
        return ""
    percent = (after - before) / before * 100
    shown = percent.quantize(Decimal(1)) if abs(percent) >= 1 else percent.quantize(Decimal("0.1"))
    return f"({'+' if shown > 0 else ''}{shown} %)" if shown else ""


def show_part(part: Spend | None) -> str:
    """The expected amount of one side; a dash where the side is not there."""
    return "–" if part is None else show_usd(part.expected)


def show_total(parts: Parts) -> str:
    """The expected total, marked as a lower bound where something has no price."""
    return f"{'≥ ' if parts.unpriced else ''}{show_usd(parts.total.expected)}"


def is_same(before: Parts | None, after: Parts | None) -> bool:
    """Whether both sides cost the same to the cent at every corner."""
    delta = (after or Parts()).total - (before or Parts()).total
    rounded = Spend(
        low=delta.low.quantize(CENT), expected=delta.expected.quantize(CENT), high=delta.high.quantize(CENT)
    )
    return rounded == NOTHING and (before is None) == (after is None)
