"""The ledger on several nodes: nobody changes what is written, and all share one cap."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from typing import NoReturn

import psycopg
import pytest

from app.backends.postgres import PostgresStore
from app.domain.spending import Reservation, SpendCap
from app.errors import SpendCapReached
from tests.app.contract.test_ledger import PAYER, entry, reservation
from tests.app.postgres.operations.conftest import Nodes, OpenNode
from tests.app.postgres.operations.others import (
    PROCESSES,
    die,
    open_other,
    run_and_kill,
    run_in_processes,
    wait_for_waiters,
)

pytestmark = pytest.mark.xdist_group("postgres")

CAP = SpendCap(usd=Decimal("0.5"), since_ms=0)
CALL_USD = Decimal("0.01")
FAR_MS = 4_000_000_000_000


def ask_for(one_id: str, usd: Decimal = CALL_USD) -> Reservation:
    return Reservation(id=one_id, at_ms=1, expires_ms=FAR_MS, payer=PAYER, usd=usd)


def call_until_refused(node: PostgresStore, name: str) -> int:
    """Reserve and settle until the cap is reached; returns how many calls were made."""
    made = 0
    while True:
        one = ask_for(f"{name}-{made}")
        try:
            node.ledger.reserve(one, CAP)
        except SpendCapReached:
            return made
        node.ledger.settle(entry(str(CALL_USD), id=one.id, at_ms=1))
        made += 1


def call_there(dsn: str, name: str) -> int:
    node = open_other(dsn)
    try:
        return call_until_refused(node, name)
    finally:
        node.close()


def test_threads_of_two_nodes_never_pass_a_cap(nodes: Nodes) -> None:
    names = [f"thread-{number}" for number in range(32)]
    with ThreadPoolExecutor(32) as threads:
        made = sum(threads.map(call_until_refused, nodes * 16, names))
    assert made == 50
    assert nodes[0].ledger.spent_usd("acme", "project-1", since_ms=0) == CAP.usd


@pytest.mark.slow
def test_processes_never_pass_a_cap(open_node: OpenNode, dsn: str) -> None:
    node = open_node()
    made = run_in_processes(call_there, [(dsn, f"process-{number}") for number in range(PROCESSES)])
    assert sum(made) == 50
    assert node.ledger.spent_usd("acme", "project-1", since_ms=0) == CAP.usd


def test_reservations_alone_never_pass_a_cap(nodes: Nodes) -> None:
    def reserve(number: int) -> int:
        try:
            nodes[number % 2].ledger.reserve(ask_for(f"id-{number}"), CAP)
        except SpendCapReached:
            return 0
        return 1

    with ThreadPoolExecutor(32) as threads:
        assert sum(threads.map(reserve, range(128))) == 50


def test_what_is_settled_while_others_reserve_is_neither_missed_nor_counted_twice(nodes: Nodes) -> None:
    """A reservation turns into an entry in one step: whoever looks in between sees one of the two."""
    one, other = nodes
    full = replace(CAP, usd=Decimal("0.1"))
    for number in range(60):
        place = replace(PAYER, workspace_id=f"place-{number}")
        one.ledger.reserve(replace(ask_for(f"held-{number}", full.usd), payer=place), full)
        with ThreadPoolExecutor(2) as threads:
            settled = threads.submit(one.ledger.settle, entry(str(full.usd), id=f"held-{number}", at_ms=1, payer=place))
            asked = threads.submit(
                other.ledger.reserve, replace(ask_for(f"more-{number}", Decimal("1E-12")), payer=place), full
            )
            settled.result()
            with pytest.raises(SpendCapReached, match=r"0\.100000 of the 0\.1 USD"):
                asked.result()


def reserve_and_die(dsn: str) -> NoReturn:
    open_other(dsn).ledger.reserve(replace(ask_for("dead", CAP.usd), at_ms=1000, expires_ms=2000), CAP)
    die()


@pytest.mark.slow
def test_money_of_a_process_that_died_comes_back(open_node: OpenNode, dsn: str) -> None:
    node = open_node()
    run_and_kill(reserve_and_die, dsn)
    with pytest.raises(SpendCapReached):
        node.ledger.reserve(replace(ask_for("a"), at_ms=1999), CAP)
    node.ledger.reserve(replace(ask_for("b", CAP.usd), at_ms=2000), CAP)
    with psycopg.connect(dsn) as connection:
        assert connection.execute("SELECT id FROM ledger_reservations").fetchall() == [("b",)]


def test_a_workspace_does_not_wait_for_another(nodes: Nodes, dsn: str) -> None:
    """Somebody who holds up the reservations of one workspace holds up no others."""
    elsewhere = replace(ask_for("there"), payer=replace(PAYER, workspace_id="project-2"))
    with psycopg.connect(dsn) as connection:
        connection.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"reservations\x1facme\x1f{'project-1'}",)
        )
        with ThreadPoolExecutor(1) as threads:
            held_up = threads.submit(nodes[0].ledger.reserve, ask_for("here"), CAP)
            wait_for_waiters(dsn, 1)
            nodes[1].ledger.reserve(elsewhere, CAP)
            nodes[1].ledger.reserve(ask_for("uncapped"), None)
            assert not held_up.done()
            connection.rollback()
            held_up.result()


CHANGES = [
    "UPDATE ledger_entries SET picousd = 0",
    "DELETE FROM ledger_entries",
    "TRUNCATE ledger_entries",
    "TRUNCATE ledger_entries CASCADE",
    (
        "INSERT INTO ledger_entries OVERRIDING SYSTEM VALUE SELECT * FROM ledger_entries"
        " ON CONFLICT (id) DO UPDATE SET picousd = 0"
    ),
    "MERGE INTO ledger_entries e USING (SELECT 1) AS one ON true WHEN MATCHED THEN DELETE",
    "WITH gone AS (DELETE FROM ledger_entries RETURNING 1) SELECT count(*) FROM gone",
    "SET session_replication_role = replica; DELETE FROM ledger_entries",
    "SET session_replication_role = replica; UPDATE ledger_entries SET picousd = 0",
    "SET session_replication_role = replica; TRUNCATE ledger_entries",
    "UPDATE ledger_days SET picousd = 0",
    "DELETE FROM ledger_days",
    "TRUNCATE ledger_days",
    "INSERT INTO ledger_days SELECT tenant_id, workspace_id, 'x', '', '', '', true, 1, 0, 0, 0, -9 FROM ledger_days",
]


@pytest.mark.parametrize("sql", CHANGES)
def test_entries_are_never_changed(open_node: OpenNode, dsn: str, sql: str) -> None:
    node = open_node()
    written = entry("0.1")
    node.ledger.settle(written)
    refused = pytest.raises(psycopg.errors.IntegrityConstraintViolation, match="entries of the ledger are never")
    with psycopg.connect(dsn, autocommit=True) as connection, refused:
        connection.execute(sql)
    assert node.ledger.read("acme").items == (written,)
    assert node.ledger.spent_usd("acme", "project-1", since_ms=0) == Decimal("0.1")


def test_entries_become_readable_in_the_order_of_their_numbers(nodes: Nodes, dsn: str) -> None:
    """So that whoever reads page by page passes over none that is settled meanwhile."""
    one, other = nodes
    first, slow = entry("0.01"), entry("0.02")
    quick = entry("0.03", payer=replace(PAYER, workspace_id="project-2"))
    one.ledger.settle(first)
    with psycopg.connect(dsn) as connection, ThreadPoolExecutor(2) as threads:
        connection.execute("SELECT FROM ledger_days FOR UPDATE")  # who settles here now waits behind its entry
        settling = [threads.submit(one.ledger.settle, slow)]
        wait_for_waiters(dsn, 1)
        settling.append(threads.submit(other.ledger.settle, quick))
        wait_for_waiters(dsn, 2)
        assert one.ledger.read("acme").items == (first,)
        connection.rollback()
        for each in settling:
            each.result()
    assert other.ledger.read("acme").items == (first, slow, quick)


def test_settling_on_two_nodes_bills_once(nodes: Nodes) -> None:
    entries = [entry("0.01") for _ in range(20)]

    def settle(number: int) -> None:
        nodes[number % 2].ledger.settle(entries[number // 2])

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(settle, range(40)))
    assert nodes[0].ledger.spent_usd("acme", "project-1", since_ms=0) == Decimal("0.2")
    assert len(nodes[1].ledger.read("acme").items) == 20


def test_sums_beyond_64_bits_are_exact(nodes: Nodes) -> None:
    for _ in range(3):
        nodes[0].ledger.settle(entry("9000000.000000000001"))
    assert nodes[1].ledger.spent_usd("acme", "project-1", since_ms=0) == Decimal("27000000.000000000003")
    (use,) = nodes[1].ledger.use("acme")
    assert use.usd == Decimal("27000000.000000000003")
    with pytest.raises(SpendCapReached):
        nodes[1].ledger.reserve(reservation("0.01"), SpendCap(usd=Decimal(1), since_ms=0))
