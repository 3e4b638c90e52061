"""Amounts of money on the command line."""

import math
from typing import Any

import click


class FiniteAmount(click.FloatRange):
    """USD, zero or more; nan and inf are refused, because nothing compares with them."""

    def __init__(self) -> None:
        super().__init__(min=0)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the amount; fails for what is no finite number of zero or more."""
        amount = float(super().convert(value, param, ctx))
        if not math.isfinite(amount):
            self.fail(f"{value} is not a finite number", param, ctx)
        return amount
