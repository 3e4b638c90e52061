"""The primary is lost and its synchronous replica takes over: no acknowledged write is lost, and writers go on."""

from typing import Any
from urllib.parse import urlsplit

import pytest

from app.errors import StoreError, StoreUnavailable
from tests.app.postgres.faults.conftest import HASTIER, HASTY, OpenStore
from tests.app.postgres.faults.writers import write_to
from tests.durability.observation import Ledger, settle
from tests.durability.workers import perform, start_chooser
from tests.durability.workload import Chooser, Operation, State
from tests.servers.postgres import PostgresPair
from tests.servers.waiting import wait_until

pytestmark = pytest.mark.slow


def address_both(pair: PostgresPair, dsn: str) -> str:
    """The address of a database on whichever of the two accepts writes."""
    hosts = ",".join(f"{each.host}:{each.port}" for each in (pair.primary, pair.replica))
    return urlsplit(dsn)._replace(netloc=f"postgres@{hosts}").geturl()


@pytest.mark.parametrize("loss", ["killed", "stopped"])
def test_writers_go_on_with_the_replica(postgres_pair: PostgresPair, open_node: OpenStore, loss: str) -> None:
    """One store, which is given both addresses, is used from the beginning to the end."""
    primary, replica = postgres_pair.primary, postgres_pair.replica
    dsn = address_both(postgres_pair, primary.new_database())
    store = open_node(dsn, **HASTY)
    with write_to(store) as writers:
        if loss == "killed":
            primary.kill()
        else:
            primary.stop()
        replica.promote()
        writers.advance(20)
        writers.stop()
        writers.check(store)
        writers.check(open_node(dsn))
    assert writers.errors <= {"StoreUnavailable"}


def test_what_only_the_primary_has_is_not_acknowledged(postgres_pair: PostgresPair, open_node: OpenStore) -> None:
    """The replica stands still, so that a commit waits for it; the primary is lost; what nobody has was not promised."""
    primary, replica = postgres_pair.primary, postgres_pair.replica
    dsn = address_both(postgres_pair, primary.new_database())
    patient, store = open_node(dsn), open_node(dsn, **HASTIER)
    ledger, chooser = Ledger(worker="w0"), start_chooser("w0", 5)
    for _ in range(5):
        ledger.begin(choose_whole(chooser, ledger.state))
        commit(patient, ledger)
        ledger.acknowledge()
    wait_until(lambda: can_settle(store, ledger), "the primary to be reached")
    replica.pause()
    ledger.begin(choose_whole(chooser, ledger.state))
    with pytest.raises(StoreUnavailable, match="is not known"):
        commit(store, ledger)
    primary.kill()
    replica.resume()
    replica.promote()
    wait_until(lambda: can_settle(store, ledger), "the replica to answer")


def choose_whole(chooser: Chooser, state: State) -> Operation:
    """The next operation that changes something."""
    while (operation := chooser.choose(state)).fails:
        pass
    return operation


def commit(store: Any, ledger: Ledger) -> None:
    """Hand what is in flight to the store."""
    assert ledger.in_flight is not None
    perform(store, ledger.worker, ledger.state, ledger.in_flight)


def can_settle(store: Any, ledger: Ledger) -> bool:
    """Whether the store answers; then it shows what was acknowledged, with or without what is in flight."""
    try:
        settle(store, ledger)
    except StoreError:
        return False
    return True
