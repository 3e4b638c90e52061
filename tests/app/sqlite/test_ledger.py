"""The ledger's file: nobody changes what is written, and processes share one cap."""

import multiprocessing
from decimal import Decimal
from pathlib import Path

import apsw
import pytest

from app.backends.clock import SystemClock
from app.backends.sqlite import SqliteStore, open_store
from app.backends.sqlite.doctor import examine
from app.backends.sqlite.repair import repair
from app.domain.spending import Payer, Reservation, SpendCap
from app.errors import SpendCapReached
from tests.app.contract.test_ledger import entry
from tests.app.sqlite.conftest import EMBEDDER, OpenStore
from tests.servers.waiting import PATIENCE_S

PAYER = Payer(tenant_id="acme", workspace_id="project-1", key_id="k1", operation="extract")
CAP = SpendCap(usd=Decimal("0.5"), since_ms=0)
CALL_USD = Decimal("0.01")
FAR_MS = 4_000_000_000_000


REPLACE = (
    "INSERT OR REPLACE INTO ledger_entries SELECT {}, id, at, 'x', '', '', '', '', '', 0, 0, 0, 0 FROM ledger_entries"
)


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE ledger_entries SET picousd = 0",
        "DELETE FROM ledger_entries",
        REPLACE.format("number"),
        REPLACE.format("number + 9"),
    ],
)
def test_entries_are_never_changed(opened: OpenStore, sql: str) -> None:
    store = opened()
    written = entry("0.1")
    store.ledger.settle(written)
    connection = apsw.Connection(str(store.path))
    with pytest.raises(apsw.ConstraintError, match="entries of the ledger are never"):
        connection.execute(sql)
    connection.close()
    assert store.ledger.read("acme").items == (written,)


@pytest.mark.parametrize("sql", ["UPDATE ledger_days SET picousd = 0", "DELETE FROM ledger_days"])
def test_sums_that_differ_from_the_entries_are_found_and_mended(opened: OpenStore, sql: str) -> None:
    store = opened()
    for usd in ("0.1", "0.2", None):
        store.ledger.settle(entry(usd))
    sums = store.ledger.use("acme")
    store.close()
    assert examine(store.path) == ()
    connection = apsw.Connection(str(store.path))
    connection.execute(sql)
    connection.close()
    assert [finding.check for finding in examine(store.path)] == ["spending"]
    assert all(finding.repairable for finding in repair(store.path))
    assert examine(store.path) == ()
    assert opened().ledger.use("acme") == sums


def test_sums_of_days_survive_a_copy_of_the_entries(opened: OpenStore, tmp_path: Path) -> None:
    """A repair copies tables with INSERT OR REPLACE."""
    store = opened()
    for usd in ("0.1", "0.2", None, "0.3"):
        store.ledger.settle(entry(usd))
    other = open_store(tmp_path / "copy.db", identity=EMBEDDER.identity, clock=SystemClock())
    connection = apsw.Connection(str(other.path))
    connection.execute("ATTACH ? AS old", (str(store.path),))
    connection.execute("INSERT OR REPLACE INTO ledger_entries SELECT * FROM old.ledger_entries")
    connection.close()
    assert other.ledger.use("acme") == store.ledger.use("acme")
    assert other.ledger.spent_usd("acme", "project-1", since_ms=0) == Decimal("0.6")
    other.close()


def call_until_refused(path: Path, name: str) -> int:
    """Reserve and settle until the cap is reached; returns how many calls were made."""
    store = open_store(
        path,
        identity=EMBEDDER.identity,
        clock=SystemClock(),
        synchronous="NORMAL",
        busy_timeout_ms=int(PATIENCE_S * 1000),
    )
    made = 0
    try:
        while True:
            one = Reservation(id=f"{name}-{made}", at_ms=1, expires_ms=FAR_MS, payer=PAYER, usd=CALL_USD)
            store.ledger.reserve(one, CAP)
            store.ledger.settle(entry(str(CALL_USD), id=one.id, at_ms=1))
            made += 1
    except SpendCapReached:
        return made
    finally:
        store.close()


@pytest.mark.slow
def test_processes_share_a_cap(opened: OpenStore) -> None:
    store = opened()
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        made = pool.starmap(call_until_refused, [(store.path, f"process-{number}") for number in range(4)])
    assert sum(made) == 50
    assert store.ledger.spent_usd("acme", "project-1", since_ms=0) == CAP.usd


def reserve_and_die(path: Path) -> None:
    """Set the whole cap aside, and end before anything is settled."""
    store = open_store(path, identity=EMBEDDER.identity, clock=SystemClock())
    store.ledger.reserve(Reservation(id="dead", at_ms=1000, expires_ms=2000, payer=PAYER, usd=CAP.usd), CAP)


@pytest.mark.slow
def test_money_of_a_process_that_died_comes_back(opened: OpenStore) -> None:
    store = opened()
    child = multiprocessing.get_context("spawn").Process(target=reserve_and_die, args=(store.path,))
    child.start()
    child.join()
    with pytest.raises(SpendCapReached):
        store.ledger.reserve(Reservation(id="a", at_ms=1999, expires_ms=9000, payer=PAYER, usd=CALL_USD), CAP)
    store.ledger.reserve(Reservation(id="b", at_ms=2000, expires_ms=9000, payer=PAYER, usd=CAP.usd), CAP)


def test_a_store_of_the_release_before_gets_its_ledger(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    store: SqliteStore = open_store(path, identity=EMBEDDER.identity, clock=SystemClock())
    store.close()
    connection = apsw.Connection(str(path))
    for table in ("ledger_entries", "ledger_days", "ledger_reservations", "workspace_caps"):
        connection.execute(f"DROP TABLE {table}")
    connection.execute("DELETE FROM migrations WHERE name = '0003_ledger.sql'")
    connection.close()
    again = open_store(path, identity=EMBEDDER.identity, clock=SystemClock())
    again.ledger.settle(entry("0.1"))
    assert len(again.ledger.read("acme").items) == 1
    again.close()
