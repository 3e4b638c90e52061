"""Budgets, which the provider of Alibaba Cloud has no resource for.

What watches the money instead: the alarm on an hour's tokens (§7.2 HighTokenConsumption), `reme-size watch` on the
bills, and the policies `budget-total` and `budget-growth` on every change of a stack. A budget with notices can be made
by hand in the console (Expenses and Costs).
"""

from infra.errors import InvalidStack

INSTEAD = (
    "none: Alibaba Cloud's provider makes no budgets. Make one in the console, or watch the bills by `reme-size watch`"
)


def refuse_budget(monthly_usd: float | None) -> None:
    """Raise InvalidStack where a stack's file asks for a budget of its own, which nobody would watch."""
    if monthly_usd is not None:
        raise InvalidStack("alerts.monthly_budget_usd", monthly_usd, INSTEAD)
