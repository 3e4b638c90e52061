"""Each fault of an object store: no half object, what was acknowledged is read, what passes is tried again."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import pytest

from app.backends.objects.oss import OssObjectStore
from app.backends.objects.s3 import S3ObjectStore
from app.errors import MemoryServiceError, NotFound, StoreBusy, StoreFull, StoreUnavailable
from tests.app.objects.places import place_oss, place_s3
from tests.servers.buckets import Buckets
from tests.servers.gate import Reply, open_gate
from tests.servers.oss import run_oss
from tests.servers.proxy import Proxy
from tests.servers.seaweed import SeaweedServer
from tests.servers.waiting import PATIENCE_S, wait_until

pytestmark = pytest.mark.slow

NAME, OTHER = f"{'a' * 32}/{'1' * 32}", f"{'a' * 32}/{'2' * 32}"
SEAWEED = pytest.mark.xdist_group("seaweed")
HASTE_S = 1.0
TRIES = 4
OLD = b"old" * 100_000
MIDDLE = b"-the middle of the body-"
NEW = b"n" * 400_000 + MIDDLE + b"w" * 400_000


@dataclass(frozen=True, kw_only=True)
class Way:
    """An object store's client, and what stands between it and the server.

    `hasty` is a client that gives up soon. `refuse` lets the next requests be answered with a status and a code; `asked`
    counts the requests that came.
    """

    store: Any
    hasty: Any
    proxy: Proxy
    refuse: Callable[[list[tuple[int, str]]], None]
    asked: Callable[[], int]


@pytest.fixture(params=[pytest.param("s3", marks=SEAWEED), "oss"])
def way(request: pytest.FixtureRequest) -> Iterator[Way]:
    """A client of SeaweedFS through a gate, or of the stand-in for OSS; through a proxy."""
    with ExitStack() as stack:
        if request.param == "s3":
            buckets: Buckets = request.getfixturevalue("seaweed_server")
            address = urlsplit(buckets.endpoint)
            refusals: list[tuple[int, str]] = []
            judge = partial(refuse_next, refusals)
            gate = stack.enter_context(open_gate(str(address.hostname), int(address.port or 0), judge))
            endpoint, came = gate.endpoint, gate.asked
            place = partial(place_s3, buckets, buckets.new_bucket())
            opener: Any = S3ObjectStore
        else:
            stand_in = stack.enter_context(run_oss())
            stand_in.new_bucket("reme")
            endpoint, refusals, came = stand_in.endpoint, stand_in.fail_next, stand_in.seen  # type: ignore[assignment]
            place = partial(place_oss, stand_in)
            opener = OssObjectStore
        port = urlsplit(endpoint).port
        proxy = stack.enter_context(Proxy("127.0.0.1", int(port or 0)))
        store, hasty = (
            opener(place(endpoint=proxy.stands_for(endpoint), timeout_s=timeout_s))
            for timeout_s in (PATIENCE_S, HASTE_S)
        )
        for each in (store, hasty):
            if hasattr(each, "close"):
                stack.enter_context(closing(each))
        refuse = partial(refusals.__setitem__, slice(None))
        yield Way(store=store, hasty=hasty, proxy=proxy, refuse=refuse, asked=partial(len, came))


def refuse_next(refusals: list[tuple[int, str]], _: Mapping[str, str]) -> Reply | None:
    """The next refusal as S3 words it."""
    if not refusals:
        return None
    status, code = refusals.pop(0)
    body = f"<Error><Code>{code}</Code><Message>{code}</Message></Error>".encode()
    return Reply(status=status, body=body, content_type="application/xml")


def test_cut_in_the_middle_of_a_body(way: Way) -> None:
    """The object is put again, whole."""
    way.store.put(NAME, OLD)
    before = way.proxy.cuts
    way.proxy.cut_once(sends=MIDDLE, delivered=False)
    way.store.put(NAME, NEW)
    assert way.proxy.cuts == before + 1
    assert way.store.read(NAME) == NEW


def test_cut_in_the_middle_of_an_answer(way: Way) -> None:
    way.store.put(NAME, NEW)
    way.proxy.cut_once(after_bytes=len(NEW) // 2)
    assert read_whole(way) == NEW


def read_whole(way: Way) -> bytes:
    """What is read, where the way breaks off once: an error of ours, or the whole of it, and never a part."""
    try:
        content = way.store.read(NAME)
    except MemoryServiceError:
        content = way.store.read(NAME)
    assert isinstance(content, bytes)
    return content


@pytest.mark.parametrize("fault", ["refused", "silent", "slow"])
def test_a_server_that_is_not_reached(way: Way, fault: str) -> None:
    way.store.put(NAME, OLD)
    if fault == "refused":
        way.proxy.refuse()
    elif fault == "silent":
        way.proxy.swallow()
    else:
        way.proxy.delay(2 * HASTE_S)
    for act in (partial(way.hasty.put, OTHER, NEW), partial(way.hasty.read, NAME)):
        with pytest.raises(StoreUnavailable, match="does not answer"):
            act()
    way.proxy.recover()
    assert way.store.read(NAME) == OLD
    try:
        content = way.store.read(OTHER)  # what was swallowed may arrive later
    except NotFound:
        content = NEW
    assert content == NEW
    way.store.put(NAME, NEW)  # not OTHER: a swallowed write of that may still arrive, and would be the last
    assert way.store.read(NAME) == NEW


@pytest.mark.parametrize("refusal", [(503, "SlowDown"), (503, "ServiceUnavailable"), (500, "InternalError")])
def test_what_passes_is_tried_again_some_times(way: Way, refusal: tuple[int, str]) -> None:
    before = way.asked()
    way.refuse([refusal] * (TRIES - 1))
    way.store.put(NAME, OLD)
    assert way.asked() == before + TRIES
    assert way.store.read(NAME) == OLD


def test_a_server_that_stays_overloaded_is_busy(way: Way) -> None:
    way.store.put(NAME, OLD)
    before = way.asked()
    way.refuse([(503, "SlowDown")] * TRIES)
    with pytest.raises(StoreBusy, match="SlowDown"):
        way.store.put(NAME, NEW)
    assert way.asked() == before + TRIES
    assert way.store.read(NAME) == OLD


def test_a_quota_that_is_used_up(way: Way) -> None:
    way.store.put(NAME, OLD)
    before = way.asked()
    way.refuse([(403, "QuotaExceeded")])
    with pytest.raises(StoreFull, match="nothing was kept"):
        way.store.put(NAME, NEW)
    assert way.asked() == before + 1, "what does not pass is not tried again"
    assert way.store.read(NAME) == OLD
    with pytest.raises(NotFound):
        way.store.read(OTHER)


@SEAWEED
def test_killed_in_the_middle_of_a_put(own_seaweed: SeaweedServer) -> None:
    bucket = own_seaweed.new_bucket()
    address = urlsplit(own_seaweed.endpoint)
    with Proxy(str(address.hostname), int(address.port or 0)) as proxy:
        place = place_s3(own_seaweed, bucket, endpoint=proxy.stands_for(own_seaweed.endpoint), timeout_s=PATIENCE_S)
        with closing(S3ObjectStore(place)) as store:
            store.put(NAME, OLD)
            put_and_kill(store, proxy, own_seaweed)
            with pytest.raises(StoreUnavailable):
                store.read(NAME)
            own_seaweed.start()
            proxy.recover()
            assert store.read(NAME) == OLD
            assert [each.bytes for each in store.list()] == [len(OLD)]
            store.put(NAME, NEW)
            assert store.read(NAME) == NEW


def put_and_kill(store: S3ObjectStore, proxy: Proxy, server: SeaweedServer) -> None:
    """Put an object whose server dies when it has half of the body, and is not there for the next tries."""
    failures: list[MemoryServiceError] = []

    def put() -> None:
        try:
            store.put(NAME, NEW)
        except MemoryServiceError as error:
            failures.append(error)

    before = proxy.cuts
    proxy.cut_once(sends=MIDDLE, delivered=False, last=True)
    writer = Thread(target=put)
    writer.start()
    wait_until(lambda: proxy.cuts > before, "the body to be cut")
    server.kill()
    writer.join()
    assert isinstance(failures[0], StoreUnavailable)
