"""Limits ahead of a plan, in words."""

from sizing.messages import Language, label
from sizing.plan import Limit
from sizing.render.blocks import say


def describe_month(limit: Limit, growth: float, language: Language) -> str:
    """Say when a limit is met."""
    if limit.month is None:
        return say("no-growth", language)
    if limit.month == 0:
        return say("now", language)
    return say("month", language, month=limit.month, growth=f"{growth * 100:g}")


def name_due(limit: Limit, language: Language) -> str:
    return label(f"tier.{limit.leads_to}", language, limit.leads_to)
