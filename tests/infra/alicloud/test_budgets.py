"""A budget that nobody would watch is refused."""

import importlib.util
import pkgutil

import pulumi_alicloud
import pytest

from infra.alicloud.budgets import refuse_budget
from infra.errors import InvalidStack


def test_a_budget_of_the_stack_s_own_is_refused_with_what_to_do_instead() -> None:
    with pytest.raises(InvalidStack, match=r"alerts\.monthly_budget_usd is 120\.0.*console.*reme-size watch"):
        refuse_budget(120.0)


def test_no_budget_is_fine() -> None:
    refuse_budget(None)


def test_the_provider_still_has_no_budgets() -> None:
    assert importlib.util.find_spec("pulumi_alicloud.budgets") is None
    names = {module.name for module in pkgutil.iter_modules(pulumi_alicloud.__path__)}
    billing = {module.name for module in pkgutil.iter_modules([f"{pulumi_alicloud.__path__[0]}/bss"])}
    assert not {name for name in names | billing if "budget" in name}, "make one, and drop the refusal"
