"""What goes over the wire, by REST and by gRPC, and what is made of refusals, silence and broken connections."""

from collections.abc import Iterator
from contextlib import ExitStack, suppress
from threading import Thread
from time import monotonic

import pytest

from app.backends.qdrant import index as qdrant_index
from app.backends.qdrant.index import CHECK_S, QdrantIndex
from app.backends.qdrant.points import REQUEST_BYTES
from app.errors import EmbeddingMismatch, IndexUnavailable, SettingsError, StoreFull
from tests.app.contract.samples import IDENTITY, NOWHERE, vector_of
from tests.app.indexes.qdrant_world import KEY, SERVING, World
from tests.app.indexes.samples import ask, entry, gone, numbers
from tests.servers.waiting import wait_until

TEXT = "a text that is nobody's business"
SLACK_S = 60.0
"""What a busy machine adds to a limit; what waits for ever is told all the same."""
LONG_S = 500.0
"""A timeout that no test waits for."""


@pytest.fixture(params=list(SERVING))
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """A stand-in that is not started yet."""
    with ExitStack() as stack:
        yield World(str(request.param), stack)


@pytest.fixture
def index(world: World) -> QdrantIndex:
    """A prepared client of a stand-in."""
    world.start()
    opened = world.open()
    opened.prepare(IDENTITY)
    world.standin.calls.clear()
    return opened


def test_every_call_carries_the_key_and_goes_by_the_transport_that_was_chosen(world: World) -> None:
    world.start()
    index = world.open()
    index.prepare(IDENTITY)
    index.apply([entry(1, "tea"), gone(2)])
    assert numbers(ask(index, "tea")) == {1}
    assert index.count() == 1
    index.check()
    index.drop()
    calls = world.standin.calls
    assert {call.headers["api-key"] for call in calls} == {KEY}
    assert {"info", "exists", "get", "create", "index", "list", "upsert", "delete", "query", "count", "remove"} == {
        call.name for call in calls
    }
    agents = {call.headers["user-agent"].split("/")[0] for call in calls}
    assert agents == {"python-client"}


@pytest.mark.parametrize("key", ["", "another-key"])
def test_a_key_that_does_not_open_is_a_matter_of_the_settings_and_is_not_shown(world: World, key: str) -> None:
    world.start()
    with pytest.raises(SettingsError, match="api_key") as refusal:
        world.open(api_key=key).prepare(IDENTITY)
    assert not key or key not in refusal.value.message
    assert len(world.standin.calls) == 1


def test_a_key_that_is_taken_back_leaves_the_search_to_the_store(world: World, index: QdrantIndex) -> None:
    world.standin.api_key = "changed"
    for attempt in (lambda: ask(index), index.check, lambda: index.apply([entry(1, TEXT)])):
        with pytest.raises(IndexUnavailable, match="api_key") as refusal:
            attempt()
        assert "changed" not in refusal.value.message


def test_what_may_pass_is_tried_again(world: World, index: QdrantIndex) -> None:
    for status in (500, 503):
        world.standin.fail(status=status, reason="down", times=2)
        index.apply([entry(1, "tea")])
        world.standin.fail(status=status, reason="down", times=3)
        assert numbers(ask(index)) == {1}
    assert index.count() == 1
    assert len(world.standin.named("query")) == 8


def test_what_does_not_pass_is_said_without_what_was_sent(world: World, index: QdrantIndex) -> None:
    world.standin.fail(status=503, reason=f"cannot do {TEXT} for {KEY}", times=None)
    for attempt in (lambda: ask(index), lambda: index.apply([entry(1, TEXT, metadata={"x": TEXT})]), index.count):
        with pytest.raises(IndexUnavailable, match="127.0.0.1") as failure:
            attempt()
        assert TEXT not in failure.value.message
        assert KEY not in failure.value.message


def test_a_request_that_is_refused_is_not_repeated(world: World, index: QdrantIndex) -> None:
    world.standin.fail(on="query", status=400, reason=f"Wrong input: {TEXT}", times=None)
    with pytest.raises(IndexUnavailable, match="400") as refusal:
        ask(index)
    assert TEXT not in refusal.value.message
    assert len(world.standin.named("query")) == 1


def test_what_a_server_says_at_the_start_is_repeated_without_the_key(world: World) -> None:
    world.start()
    world.standin.fail(on="create", status=400, reason=f"Wrong input: replicas {KEY} " + "x" * 5000)
    with pytest.raises(SettingsError, match="Wrong input: replicas") as refusal:
        world.open().prepare(IDENTITY)
    assert KEY not in refusal.value.message
    assert len(refusal.value.message) < 400


def test_a_full_disk_is_told_apart_and_not_tried_again(world: World, index: QdrantIndex) -> None:
    reason = "Service internal error: No space left on device: WAL buffer size exceeds available disk space"
    world.standin.fail(on="upsert", status=500, reason=reason, times=None)
    with pytest.raises(StoreFull, match="127.0.0.1"):
        index.apply([entry(1, "tea")])
    assert len(world.standin.named("upsert")) == 1
    world.standin.recover()
    index.apply([entry(1, "tea")])
    assert index.count() == 1


@pytest.mark.parametrize("name", ["upsert", "delete"])
def test_a_write_that_cannot_be_searched_yet_is_not_done(world: World, index: QdrantIndex, name: str) -> None:
    world.standin.fail(on=name, acknowledges=True)
    with pytest.raises(IndexUnavailable, match="did not apply"):
        index.apply([entry(1, "tea"), gone(2)])
    index.apply([entry(1, "tea"), gone(2)])


def test_a_server_may_say_how_long_to_wait(world: World, index: QdrantIndex) -> None:
    world.standin.fail(on="query", status=429, reason="too many", retry_after="1")
    start_s = monotonic()
    assert ask(index) == []
    assert 1.0 <= monotonic() - start_s < SLACK_S
    world.standin.fail(on="query", status=429, reason="too many", retry_after="3600")
    with pytest.raises(IndexUnavailable, match="429"):
        ask(index)


def test_silence_ends_with_the_timeout(world: World) -> None:
    world.start()
    index = world.open(timeout_s=1.0)

    def is_prepared() -> bool:
        with suppress(IndexUnavailable):
            return bool(index.prepare(IDENTITY))
        return False

    wait_until(is_prepared, "the collection to be made")
    world.standin.fail(on="query", hangs=True, times=None)
    start_s = monotonic()
    with pytest.raises(IndexUnavailable, match="within 1 s"):
        ask(index)
    assert monotonic() - start_s < 3 + SLACK_S


def test_a_check_does_not_wait_as_long_as_a_search(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qdrant_index, "CHECK_S", CHECK_S)
    world.start()
    index = world.open(timeout_s=LONG_S)
    index.prepare(IDENTITY)
    world.standin.fail(hangs=True, times=None)
    start_s = monotonic()
    with pytest.raises(IndexUnavailable):
        index.check()
    assert monotonic() - start_s < CHECK_S + SLACK_S
    assert len(world.standin.named("query")) == 1


def test_a_connection_that_breaks_is_made_anew(world: World, index: QdrantIndex) -> None:
    world.standin.fail(drops=True, times=2)
    index.apply([entry(1, "tea")])
    assert index.count() == 1


def is_well(index: QdrantIndex) -> bool:
    """Whether a check passes."""
    with suppress(IndexUnavailable):
        index.check()
        return True
    return False


def test_a_server_that_comes_back_is_asked_again(world: World) -> None:
    with ExitStack() as first:
        world.port = first.enter_context(world.serve())
        index = world.open()
        index.prepare(IDENTITY)
        index.apply([entry(1, "tea")])
    for attempt in (lambda: ask(index), index.check):
        with pytest.raises(IndexUnavailable, match=f"127.0.0.1:{world.port}"):
            attempt()
    with world.serve():
        wait_until(lambda: is_well(index), "the server to be asked again")
        assert numbers(ask(index)) == {1}


def test_closing_ends_the_waits(world: World) -> None:
    world.start()
    index = world.open(timeout_s=LONG_S)
    index.prepare(IDENTITY)
    world.standin.fail(on="query", status=429, reason="too many", retry_after="300", times=None)
    failures: list[str] = []

    def search() -> None:
        try:
            ask(index)
        except IndexUnavailable as failure:
            failures.append(failure.message)

    thread = Thread(target=search)
    thread.start()
    wait_until(lambda: bool(world.standin.named("query")), "the search to be refused")
    index.close()
    thread.join(SLACK_S)
    assert len(failures) == 1
    for attempt in (lambda: ask(index), index.check, index.drop):
        with pytest.raises(IndexUnavailable, match="closed"):
            attempt()


def test_a_collection_that_someone_else_removed_is_missed(world: World, index: QdrantIndex) -> None:
    world.engine.delete_collection(next(iter(world.engine.shards)))
    for attempt in (lambda: ask(index), index.check, index.count, lambda: index.apply([entry(1, "tea")])):
        with pytest.raises(IndexUnavailable, match="collection"):
            attempt()
    assert index.prepare(IDENTITY)
    assert ask(index) == []


@pytest.mark.parametrize(
    ("version", "said"),
    [("1.15.9", "1.16 is needed"), ("0.9", "1.16 is needed"), ("1.21.0-dev", ""), ("", "no version")],
)
def test_the_version_is_looked_at_before_anything_is_made(world: World, version: str, said: str) -> None:
    world.start()
    world.standin.version = version
    if said:
        with pytest.raises(SettingsError, match=said):
            world.open().prepare(IDENTITY)
        assert not world.engine.shards
    else:
        assert world.open().prepare(IDENTITY)


def test_who_does_not_answer_as_qdrant_does_is_told(world: World) -> None:
    world.start()
    other = world.open(prefer_grpc=world.transport == "rest", port=world.port, grpc_port=world.port, timeout_s=2.0)
    with pytest.raises((IndexUnavailable, SettingsError), match="address"):
        other.prepare(IDENTITY)


@pytest.mark.parametrize(
    ("status", "error", "said"),
    [
        (301, SettingsError, "redirects"),
        (404, IndexUnavailable, "check its address"),
        (413, SettingsError, "batch_size"),
    ],
)
def test_what_stands_before_a_server_is_told_too(status: int, error: type[Exception], said: str) -> None:
    with ExitStack() as stack:
        world = World("rest", stack)
        world.start()
        world.standin.fail(status=status, times=None)
        with pytest.raises(error, match=said):
            world.open().prepare(IDENTITY)
        assert len(world.standin.calls) == 1


def test_requests_are_of_a_size_that_a_server_takes(world: World) -> None:
    world.start()
    index = world.open(batch_size=100)
    index.prepare(IDENTITY)
    index.apply([entry(number, f"note {number}") for number in range(1, 251)])
    index.apply([gone(number) for number in range(1, 151)])
    index.apply([])
    assert [call.name for call in world.standin.calls if call.name in ("upsert", "delete")] == ["upsert"] * 3 + [
        "delete"
    ] * 2
    assert index.count() == 100


@pytest.mark.slow
def test_large_memories_are_sent_in_several_requests(world: World) -> None:
    world.start()
    index = world.open(timeout_s=60.0)
    index.prepare(IDENTITY)
    large = {f"key {number}": f"{number}" + "x" * 240 for number in range(60)}
    index.apply([entry(number, f"note {number}", metadata=large) for number in range(1, 701)])
    upserts = world.standin.named("upsert")
    assert len(upserts) == 2
    if world.transport == "rest":
        assert max(int(call.headers["content-length"]) for call in upserts) < REQUEST_BYTES * 1.1
    assert index.count() == 700


def test_nothing_is_written_where_one_vector_is_of_another_embedding(world: World, index: QdrantIndex) -> None:
    with pytest.raises(EmbeddingMismatch, match="12"):
        index.apply([entry(1, "tea"), entry(2, "milk", vector=vector_of("milk", 12))])
    assert world.standin.calls == []


def test_no_text_of_a_memory_is_sent(world: World, index: QdrantIndex) -> None:
    index.apply([entry(1, TEXT, when_to_use=TEXT, details={"said": TEXT})])
    ask(index, scope=NOWHERE)
    assert [call.name for call in world.standin.calls] == ["get", "upsert", "query", "get"]
    assert TEXT not in str(world.standin.calls)
