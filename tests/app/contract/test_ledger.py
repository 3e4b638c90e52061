"""The ledger: nothing is forgotten, counted twice or spent beyond a cap."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from uuid import uuid4

import pytest

from app.domain.caps import NO_CAPS, WorkspaceCaps
from app.domain.spending import LedgerEntry, Payer, Reservation, SpendCap
from app.errors import InvalidRequest, SpendCapReached
from tests.app.contract.backends import Backend
from tests.app.contract.samples import HERE, THERE

DAY_MS = 86_400_000
MIDNIGHT_MS = 20_000 * DAY_MS
"""2024-10-04 00:00 UTC."""
PAYER = Payer(tenant_id="acme", workspace_id="project-1", key_id="k1", operation="extract")


def entry(usd: str | None, *, at_ms: int = MIDNIGHT_MS, payer: Payer = PAYER, **fields: object) -> LedgerEntry:
    values: dict[str, object] = {
        "id": uuid4().hex,
        "task": "personal",
        "model": "gpt-4o-mini",
        "input_tokens": 100,
        "output_tokens": 20,
        "cached_tokens": 10,
        **fields,
    }
    return LedgerEntry(at_ms=at_ms, payer=payer, usd=None if usd is None else Decimal(usd), **values)  # type: ignore[arg-type]


def reservation(usd: str, *, at_ms: int = MIDNIGHT_MS, lapse_ms: int = 1000, payer: Payer = PAYER) -> Reservation:
    return Reservation(id=uuid4().hex, at_ms=at_ms, expires_ms=at_ms + lapse_ms, payer=payer, usd=Decimal(usd))


def cap(usd: str, since_ms: int = MIDNIGHT_MS) -> SpendCap:
    return SpendCap(usd=Decimal(usd), since_ms=since_ms)


def spent(backend: Backend, since_ms: int = MIDNIGHT_MS, workspace_id: str = "project-1") -> Decimal:
    return backend.ledger.spent_usd("acme", workspace_id, since_ms=since_ms)


def test_what_is_settled_is_read_as_it_was(backend: Backend) -> None:
    entries = [entry("0.000000000001"), entry(None, task="embed", cached_tokens=0), entry("3.14")]
    for one in entries:
        backend.ledger.settle(one)
    assert list(backend.ledger.read("acme").items) == entries
    assert spent(backend) == Decimal("3.140000000001")
    assert backend.ledger.read("umbrella").items == ()


def test_settling_twice_bills_once(backend: Backend) -> None:
    one = entry("0.25")
    backend.ledger.settle(one)
    backend.ledger.settle(replace(one, usd=Decimal("9.99"), input_tokens=7))
    assert backend.ledger.read("acme").items == (one,)
    assert spent(backend) == Decimal("0.25")
    assert [(use.calls, use.usd) for use in backend.ledger.use("acme")] == [(1, Decimal("0.25"))]


def test_sums_of_many_small_amounts_are_exact(backend: Backend) -> None:
    for _ in range(100):
        backend.ledger.settle(entry("0.100000000001"))
    assert spent(backend) == Decimal("10.0000000001")


def test_a_price_of_more_digits_is_rounded_to_a_picodollar(backend: Backend) -> None:
    backend.ledger.settle(entry("0.0000000000014999"))
    backend.ledger.settle(entry("0.0000000000015"))
    assert [one.usd for one in backend.ledger.read("acme").items] == [Decimal("1E-12"), Decimal("2E-12")]


def test_a_cap_counts_what_is_spent_and_set_aside(backend: Backend) -> None:
    backend.ledger.settle(entry("0.5"))
    first = reservation("0.4")
    backend.ledger.reserve(first, cap("1"))
    with pytest.raises(SpendCapReached, match=r"0\.900000 of the 1 USD .* may cost 0\.200000: raise the cap"):
        backend.ledger.reserve(reservation("0.2"), cap("1"))
    backend.ledger.reserve(reservation("0.1"), cap("1"))
    with pytest.raises(SpendCapReached):
        backend.ledger.reserve(reservation("0.000000000001"), cap("1"))
    backend.ledger.release(first.id)
    backend.ledger.release(first.id)
    backend.ledger.reserve(reservation("0.4"), cap("1"))
    backend.ledger.reserve(reservation("5"), None)


def test_settling_frees_what_was_set_aside(backend: Backend) -> None:
    one = reservation("0.9")
    backend.ledger.reserve(one, cap("1"))
    backend.ledger.settle(entry("0.1", id=one.id))
    backend.ledger.reserve(reservation("0.9"), cap("1"))
    assert spent(backend) == Decimal("0.1")


def test_a_reservation_of_a_process_that_died_lapses(backend: Backend) -> None:
    one = reservation("1", lapse_ms=500)
    backend.ledger.reserve(one, cap("1"))
    with pytest.raises(SpendCapReached):
        backend.ledger.reserve(reservation("1", at_ms=MIDNIGHT_MS + 499), cap("1"))
    backend.ledger.reserve(reservation("1", at_ms=MIDNIGHT_MS + 500), cap("1"))
    backend.ledger.settle(entry("0.7", id=one.id))
    assert spent(backend) == Decimal("0.7"), "the call was made, whatever became of its reservation"


def test_a_reservation_may_be_asked_for_under_several_caps(backend: Backend) -> None:
    backend.ledger.settle(entry("0.6", at_ms=MIDNIGHT_MS - DAY_MS))
    one = reservation("0.3")
    backend.ledger.reserve(one, cap("1", MIDNIGHT_MS - 5 * DAY_MS))
    backend.ledger.reserve(one, cap("0.3"))
    with pytest.raises(SpendCapReached):
        backend.ledger.reserve(reservation("0.1"), cap("0.3"))


def test_a_cap_asks_about_its_own_period_and_workspace(backend: Backend) -> None:
    elsewhere = replace(PAYER, workspace_id="project-2")
    for one in (
        entry("1", at_ms=MIDNIGHT_MS - 1),
        entry("1", payer=elsewhere),
        entry("1", payer=replace(PAYER, tenant_id="umbrella")),
        entry(None),
    ):
        backend.ledger.settle(one)
    backend.ledger.reserve(reservation("1", at_ms=MIDNIGHT_MS - 1), None)
    backend.ledger.reserve(reservation("1", payer=elsewhere), cap("2"))
    backend.ledger.reserve(reservation("1"), cap("1"))


@pytest.mark.parametrize("offset_ms", [-DAY_MS, -1, 0, 1, DAY_MS // 2, DAY_MS - 1, DAY_MS, 3 * DAY_MS])
def test_spending_since_any_moment(backend: Backend, offset_ms: int) -> None:
    moments = [MIDNIGHT_MS + hours * DAY_MS // 4 for hours in range(-6, 12)]
    for number, at_ms in enumerate(moments):
        backend.ledger.settle(entry(str(2**number), at_ms=at_ms))
    since_ms = MIDNIGHT_MS + offset_ms
    expected = sum(2**number for number, at_ms in enumerate(moments) if at_ms >= since_ms)
    assert spent(backend, since_ms) == expected


@pytest.mark.parametrize("cap_usd", ["1", "0.05", "0"])
def test_of_callers_at_once_none_gets_through_too_many(backend: Backend, cap_usd: str) -> None:
    def call(_: int) -> int:
        one = reservation("0.05")
        try:
            backend.ledger.reserve(one, cap(cap_usd))
        except SpendCapReached:
            return 0
        backend.ledger.settle(entry("0.05", id=one.id))
        return 1

    with ThreadPoolExecutor(32) as threads:
        through = sum(threads.map(call, range(160)))
    assert spent(backend) == Decimal("0.05") * through
    assert through == Decimal(cap_usd) / Decimal("0.05")


def test_entries_are_read_in_pages(backend: Backend) -> None:
    entries = [entry("0.1", at_ms=MIDNIGHT_MS + number) for number in range(7)]
    for number, one in enumerate(entries):
        backend.ledger.settle(one)
        backend.ledger.settle(entry("0.2", payer=replace(PAYER, workspace_id=f"other-{number}")))
    found: list[LedgerEntry] = []
    cursor = ""
    while True:
        page = backend.ledger.read("acme", workspace_id="project-1", limit=3, cursor=cursor)
        found += page.items
        cursor = page.next_cursor
        if not cursor:
            break
        late = entry("0.1", at_ms=MIDNIGHT_MS - 5)
        if len(entries) == 7:
            entries.append(late)
            backend.ledger.settle(late)
    assert found == entries, "what is settled meanwhile comes last, however old"
    assert len(backend.ledger.read("acme").items) == 15
    span = backend.ledger.read("acme", workspace_id="project-1", from_ms=MIDNIGHT_MS + 2, to_ms=MIDNIGHT_MS + 4)
    assert list(span.items) == entries[2:4]


def test_a_foreign_cursor_is_refused(backend: Backend) -> None:
    for _ in range(3):
        backend.ledger.settle(entry("0.1"))
    cursor = backend.ledger.read("acme", limit=1).next_cursor
    for tenant_id, workspace_id, foreign in (
        ("acme", "project-1", cursor),
        ("umbrella", None, cursor),
        ("acme", None, "nonsense"),
    ):
        with pytest.raises(InvalidRequest):
            backend.ledger.read(tenant_id, workspace_id=workspace_id, cursor=foreign)


def test_days_sum_what_was_asked_of_models(backend: Backend) -> None:
    for one in (
        entry("0.1"),
        entry("0.2", at_ms=MIDNIGHT_MS + DAY_MS - 1),
        entry(None, model="own-model"),
        entry(None),
        entry("0.3", at_ms=MIDNIGHT_MS + DAY_MS, task="rerank", payer=replace(PAYER, operation="retrieve")),
        entry("9", payer=replace(PAYER, tenant_id="umbrella")),
    ):
        backend.ledger.settle(one)
    uses = backend.ledger.use("acme")
    assert [(use.day, use.operation, use.task, use.model, use.calls, use.usd) for use in uses] == [
        ("2024-10-04", "extract", "personal", "gpt-4o-mini", 1, None),
        ("2024-10-04", "extract", "personal", "gpt-4o-mini", 2, Decimal("0.3")),
        ("2024-10-04", "extract", "personal", "own-model", 1, None),
        ("2024-10-05", "retrieve", "rerank", "gpt-4o-mini", 1, Decimal("0.3")),
    ]
    assert (uses[1].input_tokens, uses[1].output_tokens, uses[1].cached_tokens) == (200, 40, 20)
    assert len(backend.ledger.use("acme", from_day="2024-10-05")) == 1
    assert len(backend.ledger.use("acme", to_day="2024-10-04")) == 3
    assert backend.ledger.use("acme", workspace_id="project-2") == ()


def test_caps_of_workspaces_are_kept(backend: Backend) -> None:
    assert backend.ledger.find_caps(HERE) == NO_CAPS
    caps = WorkspaceCaps(daily_usd=Decimal("0.000000000001"), monthly_usd=Decimal(0))
    backend.ledger.put_caps(HERE, caps)
    assert (backend.ledger.find_caps(HERE), backend.ledger.find_caps(THERE)) == (caps, NO_CAPS)
    backend.ledger.put_caps(HERE, WorkspaceCaps(monthly_usd=Decimal(5)))
    assert backend.ledger.find_caps(HERE) == WorkspaceCaps(monthly_usd=Decimal(5))


def test_a_deleted_workspace_has_spent_what_it_spent(backend: Backend) -> None:
    backend.workspaces.put_workspace(HERE, name="n", metadata=None, create=True)
    backend.ledger.settle(entry("0.1"))
    backend.workspaces.delete_workspace(HERE)
    assert spent(backend) == Decimal("0.1")
    assert len(backend.ledger.read("acme").items) == 1


def test_stores_do_not_share_a_ledger(open_backend: Callable[[], Backend]) -> None:
    one, other = open_backend(), open_backend()
    one.ledger.settle(entry("0.1"))
    assert other.ledger.read("acme").items == ()
