"""Connections that break, are all in use, or lead to a server that does not answer."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from threading import Barrier, Event

import psycopg
import pytest

from app.backends.postgres.statements import Connection, select_number, select_rows
from app.errors import StoreBusy, StoreError, StoreUnavailable
from tests.app.postgres.database.conftest import (
    OpenDatabase,
    administer,
    answers,
    count_up,
    read_number,
    succeeds,
    terminate_all,
)
from tests.servers.ports import PortLease
from tests.servers.proxy import Proxy
from tests.servers.waiting import PATIENCE_S, wait_until

LONG_S = 60.0
"""Longer than any wait that is set here takes on a busy machine, and shorter than those that are not set."""


def one(connection: Connection) -> int:
    return select_number(connection, "SELECT 1")


def test_sessions_that_the_server_ends_are_replaced(dsn: str, open_database: OpenDatabase) -> None:
    database = open_database()
    for _ in range(3):
        with ExitStack() as lent:
            for _ in range(3):
                lent.enter_context(database.read()).execute("SELECT 1")
        assert terminate_all(dsn) >= 3
        assert database.ask(one) == 1
        assert database.ask(one, snapshot=True) == 1
        with database.read() as connection:
            assert one(connection) == 1
        assert terminate_all(dsn) >= 1
        database.write(count_up)
    assert database.ask(read_number) == 3


def test_a_reading_whose_session_ends_is_repeated(dsn: str, open_database: OpenDatabase) -> None:
    database = open_database()
    runs = []

    def work(connection: Connection) -> int:
        runs.append(one(connection))
        if len(runs) == 1:
            terminate_all(dsn)
        return one(connection)

    assert database.ask(work) == 1
    assert len(runs) == 2


def test_a_transaction_whose_session_ends_is_repeated_from_its_start(dsn: str, open_database: OpenDatabase) -> None:
    database = open_database()
    runs = []

    def work(connection: Connection) -> int:
        number = count_up(connection)
        runs.append(number)
        if len(runs) == 1:
            terminate_all(dsn)
        return number

    assert database.write(work) == 1
    assert runs == [1, 1]
    assert database.ask(read_number) == 1


def test_transactions_that_wait_for_each_other_are_repeated(dsn: str, open_database: OpenDatabase) -> None:
    administer(dsn, "INSERT INTO store_facts VALUES ('a', ''), ('b', '')")
    database = open_database()
    both_hold_one = Barrier(2)
    runs = []

    def lock(connection: Connection, first: str, second: str) -> None:
        connection.execute("UPDATE store_facts SET value = value || %s WHERE name = %s", (first, first))
        runs.append(first)
        if len(runs) <= 2:
            both_hold_one.wait(PATIENCE_S)
        connection.execute("UPDATE store_facts SET value = value || %s WHERE name = %s", (first, second))

    with ThreadPoolExecutor(2) as pool:
        list(
            pool.map(
                lambda order: database.write(lambda connection: lock(connection, *order)), (("a", "b"), ("b", "a"))
            )
        )
    assert sorted(runs[:2]) == ["a", "b"] and len(runs) == 3
    values = administer(dsn, "SELECT value FROM store_facts WHERE name IN ('a', 'b')")
    assert [sorted(value) for (value,) in values] == [["a", "b"], ["a", "b"]]


def test_a_standby_is_not_written_to(dsn: str, open_database: OpenDatabase) -> None:
    """A server that has become read-only, as a primary that lost its role is, until one that is not answers."""
    database = open_database(connect_s=1.5)
    wait_until(lambda: succeeds(database), "the server to be written to")
    name = psycopg.conninfo.conninfo_to_dict(dsn)["dbname"]
    administer(dsn, f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    terminate_all(dsn)
    with pytest.raises(StoreUnavailable):
        database.write(count_up)
    administer(f"{dsn}?options=-cdefault_transaction_read_only%3Doff", f"ALTER DATABASE {name} RESET ALL")
    wait_until(lambda: succeeds(database), "the server to be written to again")
    assert open_database().ask(read_number) == 2


def test_a_server_that_is_away_is_told_in_time_and_found_again(dsn: str, open_database: OpenDatabase) -> None:
    target = psycopg.conninfo.conninfo_to_dict(dsn)
    with Proxy(str(target["host"]), int(str(target["port"]))) as proxy:
        database = open_database(proxy.stands_for(dsn), connect_s=2.0)
        wait_until(lambda: succeeds(database), "the server to be reached")
        proxy.refuse()
        for waited_s in (2, 1):  # who comes later waits no longer than a second
            began = time.monotonic()
            told = f"{proxy.host}:{proxy.port} gave no connection within {waited_s} s"
            with pytest.raises(StoreUnavailable, match=told):
                database.write(count_up)
            assert time.monotonic() - began < LONG_S
        proxy.recover()
        wait_until(lambda: succeeds(database), "the server to be found again")
        assert open_database().ask(read_number) == 2
        database.close()  # who connects while the proxy closes would leave a socket open


def test_a_server_that_says_nothing_is_given_up(dsn: str, open_database: OpenDatabase) -> None:
    target = psycopg.conninfo.conninfo_to_dict(dsn)
    with Proxy(str(target["host"]), int(str(target["port"]))) as proxy:
        database = open_database(proxy.stands_for(dsn), connect_s=1.0, statement_s=1.0)
        wait_until(lambda: answers(database), "the server to be reached")
        proxy.swallow()
        began = time.monotonic()
        with pytest.raises(StoreUnavailable):
            database.ask(one)
        assert time.monotonic() - began < LONG_S
        proxy.recover()
        database.close()  # who connects while the proxy closes would leave a socket open


def test_connections_that_stay_in_use_are_told_in_time(open_database: OpenDatabase) -> None:
    database = open_database(connections=2, connect_s=0.5)
    with ExitStack() as lent:

        def borrows() -> bool:
            with suppress(StoreUnavailable):
                lent.enter_context(database.read())
                return True
            return False

        for _ in range(2):
            wait_until(borrows, "a connection")
        began = time.monotonic()
        with pytest.raises(StoreBusy, match="all 2 connections .* stayed in use for 0.5 s"):
            database.ask(one)
        with pytest.raises(StoreBusy):
            database.write(count_up)
        assert time.monotonic() - began < LONG_S
    assert database.write(count_up) == 1


def test_a_statement_that_takes_too_long_is_told(open_database: OpenDatabase) -> None:
    database = open_database(statement_s=0.5)
    with pytest.raises(StoreBusy, match="statement_timeout_s"):
        database.ask(lambda connection: connection.execute("SELECT pg_sleep(20)"))
    slept = database.write(
        lambda connection: select_rows(connection, "SELECT pg_sleep(1)") and count_up(connection),
        statement_timeout_s=PATIENCE_S,
    )
    assert slept == 1
    with pytest.raises(StoreBusy):  # what one transaction was allowed holds for no other
        database.write(lambda connection: connection.execute("SELECT pg_sleep(20)"))


def test_who_waits_for_a_lock_too_long_is_told(open_database: OpenDatabase) -> None:
    database = open_database(statement_s=1.0)
    held, told = Event(), Event()

    def hold(connection: Connection) -> None:
        count_up(connection)
        held.set()
        told.wait(PATIENCE_S)

    with ThreadPoolExecutor(1) as pool:
        holding = pool.submit(database.write, hold)
        assert held.wait(PATIENCE_S)
        with pytest.raises(StoreBusy):
            database.write(count_up)
        told.set()
        holding.result()
    assert database.ask(read_number) == 1


def test_a_failed_piece_of_work_leaves_nothing(open_database: OpenDatabase) -> None:
    database = open_database(connections=1)

    def fail(connection: Connection) -> None:
        count_up(connection)
        raise KeyError("no error of the database")

    def spoil(connection: Connection) -> None:
        count_up(connection)
        with pytest.raises(psycopg.Error):
            connection.execute("SELECT 1 / 0")

    for pipelined in (False, True):
        with pytest.raises(KeyError):
            database.write(fail, pipelined=pipelined)
    with pytest.raises(StoreError, match="spoilt"):
        database.write(spoil)
    assert database.ask(read_number) == 0
    assert database.write(count_up) == 1


def test_a_snapshot_sees_one_moment(open_database: OpenDatabase) -> None:
    database = open_database()
    with database.snapshot() as connection, database.read() as other:
        assert read_number(connection) == 0
        database.write(count_up)
        assert (read_number(connection), read_number(other)) == (0, 1)


def test_a_closed_store_says_so(dsn: str, open_database: OpenDatabase) -> None:
    database = open_database()
    database.write(count_up)
    assert administer(dsn, "SELECT count(*) FROM commit_marks") == [(1,)]
    database.close()
    database.close()
    assert administer(dsn, "SELECT count(*) FROM commit_marks") == [(0,)]
    with pytest.raises(StoreError, match="closed"):
        database.ask(one)
    with pytest.raises(StoreError, match="closed"):
        database.write(count_up)


def test_closing_waits_for_what_is_under_way(open_database: OpenDatabase) -> None:
    database = open_database()
    started = Event()

    def work(connection: Connection) -> int:
        started.set()
        connection.execute("SELECT pg_sleep(0.5)")
        return count_up(connection)

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(database.write, work)
        assert started.wait(PATIENCE_S)
        database.close()
        assert writing.result() == 1


def test_a_port_where_nobody_listens(open_database: OpenDatabase) -> None:
    with closing(PortLease()) as lease:
        database = open_database(f"postgresql://postgres@127.0.0.1:{lease.number}/nowhere", connect_s=1.0)
        with pytest.raises(StoreUnavailable, match=f"127.0.0.1:{lease.number}"):
            database.ask(one)
