"""The way to the server fails while four writers commit: refused, cut at any point, silent or slow."""

import pytest

from app.errors import StoreUnavailable
from tests.app.postgres.faults.conftest import HASTIER, HASTY, OpenStore
from tests.app.postgres.faults.writers import write_to
from tests.durability.observation import scan_worker
from tests.durability.workload import seed_random
from tests.servers.proxy import Proxy
from tests.servers.waiting import wait_until

pytestmark = pytest.mark.slow

CUTS = 12


def cut_next(proxy: Proxy, **where: bytes | int | bool) -> None:
    """Cut one connection, where it is said, and wait until that has happened."""
    before = proxy.cuts
    proxy.cut_once(**where)  # type: ignore[arg-type]
    wait_until(lambda: proxy.cuts > before, f"a connection to be cut at {where}")


@pytest.mark.parametrize("delivered", [True, False], ids=["COMMIT arrived", "COMMIT was lost"])
def test_cut_in_the_middle_of_a_commit(proxy: Proxy, dsn: str, open_node: OpenStore, delivered: bool) -> None:
    """Nobody is told of an error: the outcome is looked up, and what did not take place is done again."""
    with write_to(open_node(proxy.stands_for(dsn))) as writers:
        for _ in range(CUTS):
            cut_next(proxy, sends=b"COMMIT", delivered=delivered)
            writers.advance(4)
        writers.stop()
        writers.check(open_node(dsn))
    assert proxy.cuts == CUTS and not writers.errors


def test_cut_in_the_middle_of_an_answer(proxy: Proxy, dsn: str, open_node: OpenStore) -> None:
    random = seed_random("answers")
    with write_to(open_node(proxy.stands_for(dsn))) as writers:
        for _ in range(CUTS):
            cut_next(proxy, after_bytes=random.randrange(1, 3000))
            writers.advance(4)
        writers.stop()
        writers.check(open_node(dsn))
    assert proxy.cuts == CUTS and not writers.errors


def test_cut_off_altogether(proxy: Proxy, dsn: str, open_node: OpenStore) -> None:
    """While the server cannot be reached every call ends with an error; then all goes on without a new store."""
    store = open_node(proxy.stands_for(dsn), **HASTY)
    with write_to(store) as writers:
        for _ in range(2):
            proxy.refuse()
            writers.meet_an_error_each()
            with pytest.raises(StoreUnavailable, match=rf"{proxy.host}:{proxy.port}"):
                scan_worker(store, "w0")  # type: ignore[arg-type]
            proxy.recover()
            writers.advance(10)
        writers.stop()
        writers.check(open_node(dsn))
    assert writers.errors == {"StoreUnavailable"}


def test_nothing_comes_through(proxy: Proxy, dsn: str, open_node: OpenStore) -> None:
    """Connections are accepted and nothing answers; what was under way arrives at the server later, or never."""
    store = open_node(proxy.stands_for(dsn), **HASTIER)
    with write_to(store) as writers:
        for _ in range(2):
            proxy.swallow()
            writers.meet_an_error_each()
            with pytest.raises(StoreUnavailable):
                scan_worker(store, "w0")  # type: ignore[arg-type]
            proxy.recover()
            writers.advance(10)
        writers.stop()
        writers.check(open_node(dsn))


def test_a_slow_way_is_only_slow(proxy: Proxy, dsn: str, open_node: OpenStore) -> None:
    with write_to(open_node(proxy.stands_for(dsn))) as writers:
        proxy.delay(0.02)
        writers.advance(10)
        proxy.slow_down(100_000)
        writers.advance(10)
        proxy.recover()
        writers.stop()
        writers.check(open_node(dsn))
    assert not writers.errors
