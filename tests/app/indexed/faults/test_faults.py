"""Each fault of each server: writes are acknowledged, what was acknowledged is found, readiness tells, the index recovers."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from tests.app.indexed.faults.conftest import OpenService
from tests.app.indexed.faults.servers import TIMEOUT_S, Beside
from tests.app.indexed.faults.service import Service
from tests.servers.proxy import Proxy
from tests.servers.waiting import wait_until

pytestmark = pytest.mark.slow


@contextmanager
def killed(service: Service, server: Beside, proxy: Proxy, name: str) -> Iterator[None]:
    """The server dies when it has received the second of three requests of a batch, or a later one."""
    before = proxy.cuts
    service.add(20)
    proxy.cut_once(sends=server.batch)
    service.add(60)
    wait_until(lambda: proxy.cuts > before, "the indexer's request to be cut")
    server.kill()
    proxy.cut()
    yield
    server.start()


@contextmanager
def slow(service: Service, server: Beside, proxy: Proxy, name: str) -> Iterator[None]:
    """Every answer comes after the timeout."""
    proxy.delay(2 * TIMEOUT_S)
    yield
    proxy.recover()


@contextmanager
def silent(service: Service, server: Beside, proxy: Proxy, name: str) -> Iterator[None]:
    """No answer comes for as long as it lasts, so that whatever ends meanwhile did not wait for one."""
    proxy.swallow()
    yield
    proxy.recover()


@contextmanager
def refusing(service: Service, server: Beside, proxy: Proxy, name: str) -> Iterator[None]:
    """Connections are refused."""
    proxy.refuse()
    yield
    proxy.recover()


@contextmanager
def full(service: Service, server: Beside, proxy: Proxy, name: str) -> Iterator[None]:
    """There is no space for what is written."""
    server.fill(name)
    try:
        yield
    finally:
        server.free(name)


FAULTS: dict[str, Callable[[Service, Beside, Proxy, str], AbstractContextManager[None]]] = {
    each.__name__: each for each in (killed, slow, silent, refusing, full)
}


@pytest.mark.parametrize("fault", list(FAULTS))
def test_a_fault_while_it_runs(open_service: OpenService, server: Beside, proxy: Proxy, name: str, fault: str) -> None:
    service = open_service()
    service.add(10)
    service.wait_until_told()
    service.wait_until_found(10)
    with FAULTS[fault](service, server, proxy, name):
        service.disturb()
        service.wait_until_failure_is_told()
        service.disturb()
        before = service.state().searches
        service.check_found()
        assert service.state().searches.by_index == before.by_index, "nobody waits for an index that fails"
        waiting, is_used = service.measure()
        assert (waiting > 0, is_used) == (True, False)
        assert service.examine()[0] == 200
    service.wait_until_told()
    service.wait_until_found(1, before=before.by_index)
    assert service.count_told() == len(service.kept) + CHANGED


CHANGED = 2
"""Earlier revisions, which are found as of a moment."""


def test_refused_at_the_start(open_service: OpenService, proxy: Proxy) -> None:
    proxy.refuse()
    service = open_service()
    service.add(10)
    service.disturb()
    service.wait_until_failure_is_told("index-unavailable")
    service.check_found()
    proxy.recover()
    service.wait_until_told()
    service.wait_until_found(10)
