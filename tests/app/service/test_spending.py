"""Caps and what is left of them."""

from dataclasses import replace
from decimal import Decimal

import pytest

from app.domain.access import Role
from app.domain.memory import Scope
from app.errors import Forbidden, InvalidRequest, NotFound
from app.service.spending import Spending
from tests.app.contract.test_ledger import entry
from tests.app.service.conftest import Bench, principal

ADMIN = principal()


def test_caps_of_a_workspace_go_before_the_services(bench: Bench) -> None:
    spending = Spending(ledger=bench.store.ledger, clock=bench.clock, daily_usd=Decimal(1))
    scope = Scope(tenant_id="acme", workspace_id="w")
    assert [cap.usd for cap in spending.find_caps(scope, now_ms=bench.clock.now_ms())] == [Decimal(1)]
    spending.set_caps(ADMIN, "w", daily_usd=Decimal(0), monthly_usd=Decimal(7))
    assert [cap.usd for cap in spending.find_caps(scope, now_ms=bench.clock.now_ms())] == [Decimal(0), Decimal(7)]
    other = replace(scope, workspace_id="v")
    assert [cap.usd for cap in spending.find_caps(other, now_ms=bench.clock.now_ms())] == [Decimal(1)]


def test_the_status_tells_the_periods_that_run(bench: Bench) -> None:
    """The clock shows 2027-01-15 08:00."""
    day_ms = 86_400_000
    now_ms = bench.clock.now_ms()
    for usd, days_ago in (("1", 0), ("2", 1), ("4", 14), ("8", 15)):
        payer = replace(entry(None).payer, workspace_id="w")
        bench.store.ledger.settle(entry(usd, at_ms=now_ms - days_ago * day_ms, payer=payer))
    spending = Spending(ledger=bench.store.ledger, clock=bench.clock, monthly_usd=Decimal(5))
    day, month = spending.status(ADMIN, "w")
    assert (day.spent_usd, day.cap_usd, day.left_usd, day.to_ms - day.from_ms) == (Decimal(1), None, None, day_ms)
    assert (month.spent_usd, month.cap_usd, month.left_usd) == (Decimal(7), Decimal(5), Decimal(0))
    assert month.to_ms - month.from_ms == 31 * day_ms
    assert [period.own for period in (day, month)] == [False, False]


@pytest.mark.parametrize("usd", ["-0.01", "1000000.01", "NaN", "Infinity"])
def test_a_cap_that_cannot_be_meant_is_refused(bench: Bench, usd: str) -> None:
    spending = Spending(ledger=bench.store.ledger, clock=bench.clock)
    with pytest.raises(InvalidRequest, match="monthly_usd is"):
        spending.set_caps(ADMIN, "w", daily_usd=Decimal(1), monthly_usd=Decimal(usd))
    assert spending.status(ADMIN, "w")[0].cap_usd is None


def test_who_may_see_and_set(bench: Bench) -> None:
    spending = Spending(ledger=bench.store.ledger, clock=bench.clock)
    for role in (Role.USER, Role.READER, Role.SERVICE_ACCOUNT):
        asking = principal(role, "w")
        assert spending.status(asking, "w")
        assert spending.list_entries(asking, "w").items == ()
        with pytest.raises(Forbidden):
            spending.set_caps(asking, "w", daily_usd=None, monthly_usd=None)
    narrow = principal(Role.ADMIN, "v")
    with pytest.raises(NotFound):
        spending.set_caps(narrow, "w", daily_usd=None, monthly_usd=None)
    with pytest.raises(NotFound):
        spending.list_entries(narrow, "w")
    with pytest.raises(InvalidRequest):
        spending.list_entries(ADMIN, "w", limit=0)
