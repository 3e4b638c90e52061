"""The meter: counts of several nodes add up, and wait while the server is away."""

import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

import pytest

from app.backends.clock import SteppingClock
from app.backends.postgres import open_store
from app.backends.postgres.connections import Database
from app.backends.postgres.meter import PostgresMeter
from app.backends.postgres.sessions import Address, read_address
from app.backends.postgres.statements import Connection, select_number
from app.errors import StoreUnavailable
from tests.app.contract.samples import IDENTITY
from tests.app.contract.test_meter import record
from tests.app.postgres.operations.conftest import Nodes
from tests.servers.postgres import PostgresServer
from tests.servers.waiting import PATIENCE_S, wait_until

pytestmark = pytest.mark.xdist_group("postgres")

T = TypeVar("T")

DAY = "2026-11-22"
HASTE_S = 5.0
"""How long a server that is away is waited for."""


def name_server(dsn: str, *, connect_s: float = PATIENCE_S) -> Address:
    """The address of a server that is waited for so long while it is away."""
    return read_address(dsn, connect_timeout_s=connect_s, statement_timeout_s=PATIENCE_S)


@contextmanager
def open_meter(
    dsn: str, clock: SteppingClock, *, flush_s: float = 60.0, most_sums: int = 100, connect_s: float = PATIENCE_S
) -> Iterator[PostgresMeter]:
    """A meter with connections of its own."""
    database = Database(name_server(dsn, connect_s=connect_s), min_pool_size=1, max_pool_size=4)
    meter = PostgresMeter(database, clock=clock, flush_s=flush_s, most_sums=most_sums)
    try:
        yield meter
    finally:
        meter.close()
        database.close()


def test_counts_of_nodes_add_up(nodes: Nodes) -> None:
    def count(number: int) -> None:
        node = nodes[number % 2]
        node.meter.record([record(DAY, workspace_id=f"w{place}", items=2) for place in range(number % 5, 5)])
        node.meter.flush()

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(count, range(40)))
    read = [node.meter.read("acme") for node in nodes]
    assert read[0] == read[1]
    assert {each.workspace_id: each.calls for each in read[0]} == {f"w{place}": 8 * (place + 1) for place in range(5)}
    assert all(each.items == 2 * each.calls for each in read[0])


def test_counts_are_written_by_themselves(dsn: str, clock: SteppingClock) -> None:
    with open_meter(dsn, clock, flush_s=0.05) as writing, open_meter(dsn, clock) as reading:
        writing.record([record(DAY)])
        wait_until(lambda: bool(reading.read("acme")), "the counts to be written")
        assert reading.read("acme") == (record(DAY),)


def test_what_is_buffered_is_written_when_the_meter_is_closed(dsn: str, clock: SteppingClock) -> None:
    with open_meter(dsn, clock) as meter:
        meter.record([record(DAY)])
    with open_meter(dsn, clock) as meter:
        assert meter.read("acme") == (record(DAY),)


@pytest.fixture
def own_server(own_postgres: PostgresServer, clock: SteppingClock) -> PostgresServer:
    """A server of this test's own with an empty store."""
    open_store(own_postgres.admin_dsn, identity=IDENTITY, clock=clock, min_pool_size=1).close()
    return own_postgres


def read_calls(meter: PostgresMeter) -> dict[str, int]:
    """The calls of each workspace, after what was counted is written; none while the server does not answer."""
    try:
        return {each.workspace_id: each.calls for each in meter.read("acme")}
    except StoreUnavailable:
        return {}


@pytest.mark.slow
def test_counts_wait_for_a_server_that_is_away(own_server: PostgresServer, clock: SteppingClock) -> None:
    with open_meter(own_server.admin_dsn, clock, flush_s=0.1, connect_s=HASTE_S) as meter:
        meter.record([record(DAY, workspace_id="before")])
        wait_until(lambda: bool(read_calls(meter)), "the server to be reached")
        own_server.stop()
        for number in range(300):
            meter.record([record(DAY, workspace_id="meanwhile"), record(DAY, workspace_id=f"w{number}")])
        with pytest.raises(StoreUnavailable):
            meter.read("acme")
        own_server.start()
        wait_until(lambda: bool(read_calls(meter)), "the server to be found again")
    with open_meter(own_server.admin_dsn, clock) as meter:
        calls = read_calls(meter)
    assert (calls["before"], calls["meanwhile"]) == (1, 300)
    assert 100 <= len(calls) <= 202, "what waits in RAM is bounded: one batch on its way, and one behind it"


@pytest.mark.slow
def test_a_server_that_is_away_holds_up_neither_counting_nor_the_end(
    own_server: PostgresServer, clock: SteppingClock, caplog: pytest.LogCaptureFixture
) -> None:
    with open_meter(own_server.admin_dsn, clock, flush_s=0.1, connect_s=HASTE_S) as meter:
        own_server.stop()
        begun = time.monotonic()
        for _ in range(1000):
            meter.record([record(DAY)])
        assert time.monotonic() - begun < HASTE_S, "none of them waited for the server"
        with caplog.at_level(logging.WARNING, logger="reme.meter"):
            meter.close()
        assert time.monotonic() - begun < PATIENCE_S
    assert "the last counts of use were not written" in caplog.text


class Forgetful(Database):
    """Connections that lose the answer to some commits."""

    lost = 0

    def write(self, work: Callable[[Connection], T], **options: Any) -> T:
        """Run a piece of work whose outcome is not heard."""
        value = super().write(work, **options)
        if self.lost:
            self.lost -= 1
            raise StoreUnavailable
        return value


def test_a_batch_whose_answer_was_lost_is_added_once(dsn: str, clock: SteppingClock) -> None:
    database = Forgetful(name_server(dsn), min_pool_size=1, max_pool_size=2)
    meter = PostgresMeter(database, clock=clock, flush_s=60.0)
    database.lost = 2
    for calls in (1, 10):
        meter.record([record(DAY, calls=calls)])
        with pytest.raises(StoreUnavailable):
            meter.flush()
    assert meter.read("acme") == (record(DAY, calls=11),)
    meter.close()
    writers = database.ask(lambda connection: select_number(connection, "SELECT count(*) FROM usage_writers"))
    database.close()
    assert writers == 0
