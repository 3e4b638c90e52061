"""A move from one store to another: whole, live, resumable, and with a way back."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from threading import Event, Thread

import pytest

from app.backends import sqlite
from app.backends.clock import SystemClock
from app.backends.objects.ram import RamObjectStore
from app.backends.sqlite.doctor import examine
from app.domain.access import ApiKey, Role
from app.domain.caps import WorkspaceCaps
from app.domain.change import Add, ChangeBatch, Delete, RecordUse
from app.domain.copying import add_up
from app.domain.memory import Scope
from app.domain.spending import LedgerEntry, Payer
from app.domain.usage import UsageRecord
from app.domain.working import Offload, OffloadKind, identify, name_folder
from app.errors import InvalidRequest, NotFound, StoreBusy
from app.service.migration import Movement, Place, move_back
from app.service.migration.copier import Copier
from tests.app.contract.samples import (
    OTHER_IDENTITY,
    add,
    change,
    draft,
    match,
    near,
    scan_all,
    texts,
    updating,
    vector_of,
)
from tests.servers.waiting import PATIENCE_S, wait_until

OpenPlace = Callable[..., Place]

TENANTS = ("acme", "umbrella", "initech")
SCOPES = tuple(Scope(tenant_id=tenant, workspace_id="project-1") for tenant in TENANTS)
HERE = SCOPES[0]

KINDS = [
    ("memory", "sqlite"),
    ("sqlite", "sqlite"),
    pytest.param("sqlite", "postgres", marks=pytest.mark.xdist_group("postgres")),
]


def fill(place: Place) -> None:
    """Three tenants with all that a deployment has."""
    store = place.storage
    for scope in SCOPES:
        kept = add(
            store, f"{scope.tenant_id} drinks tea 茶 🍵 ümlaut", scope=scope, tags=("é", "b"), metadata={"n": [1]}
        )
        gone = add(store, "sails on Sundays", scope=scope, user_id="eve")
        change(store, updating(kept, content=f"{scope.tenant_id} drinks coffee with milk"), scope=scope)
        add(store, "home is Turin", scope=scope, slot="home", user_id="ada")
        add(store, "home is Paris", scope=scope, slot="home", user_id="ada")
        for number in range(25):
            add(store, f"note {number} about topic {number % 7} and word{number}", scope=scope)
        change(store, Delete(memory_id=gone.id), scope=scope)
        store.memories.purge(scope, user_id="eve")
        change(store, RecordUse(memory_id=kept.id, utility=0.25), scope=scope)
        store.users.put_user(scope, "ada", name="Ada", metadata={})
        store.jobs.enqueue(scope, "distil", {"text": "later"})
        store.ledger.settle(entry_of(scope))
        store.ledger.put_caps(scope, WorkspaceCaps(daily_usd=Decimal("1.5")))
        store.meter.record(
            [UsageRecord(tenant_id=scope.tenant_id, workspace_id=scope.workspace_id, day="2026-11-22", operation="add")]
        )
        store.meter.read(scope.tenant_id)
    store.keys.put_key(key_of("k1"))


def entry_of(scope: Scope) -> LedgerEntry:
    payer = Payer(tenant_id=scope.tenant_id, workspace_id=scope.workspace_id, key_id="k1", operation="add")
    return LedgerEntry(
        id=f"{SCOPES.index(scope):032x}",
        at_ms=1_790_000_000_000,
        payer=payer,
        task="embed",
        model="m",
        input_tokens=10,
        output_tokens=0,
        cached_tokens=0,
        usd=Decimal("0.001"),
    )


def key_of(key_id: str) -> ApiKey:
    return ApiKey(
        id=key_id,
        secret_sha256=key_id * 32,
        name="laptop",
        tenant_id="acme",
        role=Role.ADMIN,
        workspaces=("*",),
        created_ms=1,
        expires_ms=2,
    )


def digest(place: Place, scope: Scope = HERE) -> object:
    return add_up(each for batch in place.storage.copying.read_memories(scope, after=0) for each in batch.memories)


@pytest.mark.parametrize(("here", "there"), KINDS)
def test_a_deployment_moves_and_comes_back(open_place: OpenPlace, here: str, there: str) -> None:
    source, target = open_place(here, "source"), open_place(there, "target")
    fill(source)
    before = [digest(source, scope) for scope in SCOPES]
    moved = Movement(source, target, scopes=None).run()
    assert moved.findings == ()
    assert (moved.workspaces, moved.was_moved) == (3, False)
    for scope, expected in zip(SCOPES, before, strict=True):
        assert digest(target, scope) == expected
        assert source.find_workspace(scope) == target.find_workspace(scope)
        tenant = scope.tenant_id
        assert target.storage.ledger.read(tenant).items == (entry_of(scope),)
        assert target.storage.ledger.find_caps(scope) == WorkspaceCaps(daily_usd=Decimal("1.5"))
        assert target.storage.meter.read(tenant) == source.storage.meter.read(tenant)
        assert [job.payload for job in target.storage.copying.read_jobs(scope)] == [{"text": "later"}]
        assert near(target.storage, "home is Paris", scope=scope)[0] == "home is Paris"
        assert match(target.storage, "coffee milk", scope=scope) == [f"{tenant} drinks coffee with milk"]
    assert target.storage.keys.list_keys() == (key_of("k1"),)
    with pytest.raises(StoreBusy, match="was moved to target"):
        add(source.storage, "late", scope=HERE)
    added = add(target.storage, "written after the move", scope=HERE)
    with pytest.raises(InvalidRequest, match="without naming workspaces"):
        move_back(source, [HERE])
    again = Movement(source, target, scopes=None).run()
    assert (again.was_moved, again.rows) == (True, 0)
    back = Movement(target, source, scopes=None).run()
    assert back.findings == ()
    assert texts(source.storage.memories.get(HERE, [added.id])) == ["written after the move"]
    assert [digest(source, scope) for scope in SCOPES] == [digest(target, scope) for scope in SCOPES]
    add(source.storage, "the first is open again", scope=HERE)
    with pytest.raises(StoreBusy, match="was moved to source"):
        add(target.storage, "late", scope=HERE)


def test_one_workspace_moves_alone(open_place: OpenPlace) -> None:
    source, target = open_place("sqlite", "source"), open_place("sqlite", "target")
    fill(source)
    assert Movement(source, target, scopes=[HERE]).run().findings == ()
    assert target.storage.copying.list_scopes() == (HERE,)
    assert target.storage.keys.list_keys() == ()
    add(source.storage, "others go on", scope=SCOPES[1])
    with pytest.raises(StoreBusy, match="workspace project-1 was moved to target"):
        add(source.storage, "late", scope=HERE)
    (mark,) = move_back(source, [HERE])
    assert mark.scope == HERE
    assert move_back(source, [HERE]) == ()
    add(source.storage, "not late any more", scope=HERE)


def test_the_source_may_stay_open_and_be_followed(open_place: OpenPlace) -> None:
    source, target = open_place("sqlite", "source"), open_place("sqlite", "target")
    fill(source)
    assert Movement(source, target, scopes=None, keeps_source_open=True).run().findings == ()
    add(source.storage, "one more", scope=HERE)
    source.storage.users.delete_user(HERE, "ada")
    source.storage.workspaces.delete_workspace(SCOPES[1])
    source.storage.workspaces.delete_workspace(SCOPES[2])
    add(source.storage, "made anew", scope=SCOPES[2])
    kept = next(each for each in scan_all(source.storage, HERE) if "coffee" in each.content)
    change(source.storage, updating(kept, content="acme drinks water"), scope=HERE)
    change(source.storage, Delete(memory_id=scan_all(source.storage, HERE)[-1].id), scope=HERE)
    source.storage.memories.purge(HERE, user_id="ada")
    moved = Movement(source, target, scopes=None, keeps_source_open=True).run()
    assert moved.findings == ()
    assert isinstance(target.storage, sqlite.SqliteStore)
    assert examine(target.storage.path) == ()
    assert digest(source) == digest(target)
    assert target.storage.users.list_users(HERE, limit=9).items == ()
    assert target.find_workspace(SCOPES[1]) is None
    assert texts(scan_all(target.storage, SCOPES[2])) == ["made anew"]


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgres", marks=pytest.mark.xdist_group("postgres"))])
def test_writers_lose_nothing_that_was_acknowledged(open_place: OpenPlace, kind: str) -> None:
    source, target = open_place(kind, "source"), open_place("sqlite", "target")
    fill(source)
    acknowledged: list[tuple[Scope, str]] = []
    refused, over = Event(), Event()
    begun: list[int] = []

    def keep_pace(title: str, done: int, total: int) -> None:
        """Let some writes come in between the first rows and the next."""
        if not begun:
            begun.append(len(acknowledged))
            wait_until(lambda: len(acknowledged) > begun[0] + 10, "writes beside the first copying")

    def write(scope: Scope, place: Place) -> None:
        number = 0
        while not over.is_set():
            try:
                made = add(place.storage, f"live {scope.tenant_id} {number}", scope=scope)
                if number % 3 == 0:
                    made = replace(made, content=f"changed {made.id}")
                    change(place.storage, updating(made, content=made.content), scope=scope)
                acknowledged.append((scope, made.id))
                number += 1
            except StoreBusy:
                refused.set()
                over.wait(0.01)  # as a client would, and so that the mover has its turn

    other = open_place("sqlite", "source") if kind == "sqlite" else source
    threads = [
        Thread(target=write, args=(scope, place)) for scope, place in zip(SCOPES, (source, other, source), strict=True)
    ]
    for thread in threads:
        thread.start()
    try:
        moved = Movement(source, target, scopes=None, lease_ms=int(PATIENCE_S * 1000), show=keep_pace).run()
    finally:
        refused.wait(PATIENCE_S)
        over.set()
        for thread in threads:
            thread.join()
    assert moved.findings == ()
    assert refused.is_set()
    assert len(acknowledged) > 10
    for scope, memory_id in acknowledged:
        assert target.storage.memories.get(scope, [memory_id]), "an acknowledged write was lost"
    assert [digest(source, scope) for scope in SCOPES] == [digest(target, scope) for scope in SCOPES]


def test_a_write_that_slipped_in_while_the_mover_slept_is_not_lost(open_place: OpenPlace) -> None:
    """A mark that has lapsed is noticed, and the end of the move begins anew."""
    source, target = open_place("sqlite", "source"), open_place("sqlite", "target")
    fill(source)
    slept: list[str] = []

    def sleep(title: str, done: int, total: int) -> None:
        if title == "comparing" and not slept:
            assert total == len(SCOPES)
            source.storage.copying.reopen(None)
            slept.append(add(source.storage, f"slipped in after {done}", scope=HERE).id)

    moved = Movement(source, target, scopes=None, show=sleep).run()
    assert moved.findings == ()
    assert len(target.storage.memories.get(HERE, slept)) == 1
    with pytest.raises(StoreBusy, match="was moved"):
        add(source.storage, "late", scope=HERE)


def test_a_row_that_was_tampered_with_is_found(open_place: OpenPlace) -> None:
    source, target = open_place("sqlite", "source"), open_place("sqlite", "target")
    fill(source)
    Movement(source, target, scopes=None, keeps_source_open=True).run()
    victim = scan_all(target.storage, HERE)[3]
    (copied,) = target.storage.copying.find_memories(HERE, [victim.id])
    stand = next(iter(Copier(source, target, show=lambda *_: None).list_stands().values()))
    forged = replace(copied, memory=replace(copied.memory, score=copied.memory.score + 1, version=99))
    target.storage.copying.put_memories(HERE, [forged], stand=stand)
    moved = Movement(source, target, scopes=None).run()
    assert moved.findings == (f"memory {victim.id} of workspace project-1 of tenant acme differs in target",)
    add(source.storage, "the source stays open", scope=HERE)


def test_what_does_not_fit_is_refused_before_anything_is_written(open_place: OpenPlace) -> None:
    source = open_place("sqlite", "source")
    fill(source)
    other = open_place("sqlite", "other", identity=OTHER_IDENTITY)
    store = other.storage
    foreign = open_place("sqlite", "foreign")
    add(foreign.storage, "somebody else's", scope=HERE)
    one = Add(draft=draft("x"), vector=vector_of("x", OTHER_IDENTITY.dimensions))
    store.memories.commit(ChangeBatch(scope=SCOPES[1], changes=(one,)))
    for target, error, match_ in (
        (other, InvalidRequest, "was built with sample-12"),
        (foreign, InvalidRequest, "has another workspace project-1"),
        (source, InvalidRequest, "same store"),
    ):
        movement = Movement(source, target, scopes=None)
        plan = movement.plan()
        assert plan.refused or any(each.refused for each in plan.workspaces)
        with pytest.raises(error, match=match_):
            movement.run()
    with pytest.raises(NotFound, match="no workspace"):
        Movement(source, foreign, scopes=[Scope(tenant_id="acme", workspace_id="none")]).run()
    assert texts(scan_all(foreign.storage, HERE)) == ["somebody else's"]
    assert source.storage.copying.list_marks() == ()


def test_a_plan_counts_and_writes_nothing(open_place: OpenPlace) -> None:
    source, target = open_place("sqlite", "source"), open_place("sqlite", "target")
    fill(source)
    plan = Movement(source, target, scopes=None).plan()
    assert plan.refused == ""
    assert [each.memories for each in plan.workspaces] == [28, 28, 28]
    assert target.storage.copying.list_scopes() == ()


def test_offloads_and_their_texts_move(open_place: OpenPlace) -> None:
    clock = SystemClock()
    source, target = (
        replace(open_place("sqlite", name), objects=RamObjectStore(clock=clock, most_bytes=1000))
        for name in ("source", "target")
    )
    add(source.storage, "one", scope=HERE)
    offload_id = identify(HERE, OffloadKind.TOOL_OUTPUT, "a" * 64)
    offload = Offload(
        scope=HERE,
        id=offload_id,
        kind=OffloadKind.TOOL_OUTPUT,
        chat_id="c",
        name="n",
        bytes=5,
        lines=1,
        sha256="a" * 64,
        object_name=f"{name_folder(HERE)}{offload_id}",
        created_ms=clock.now_ms(),
        last_read_ms=clock.now_ms(),
    )
    assert source.objects is not None
    assert target.objects is not None
    source.objects.put(offload.object_name, b"hello")
    source.storage.working.put_offloads([offload])
    moved = Movement(source, target, scopes=[HERE], keeps_source_open=True).run()
    assert (moved.findings, moved.objects) == ((), 1)
    assert target.storage.working.get_offload(HERE, offload_id) == offload
    assert target.objects.read(offload.object_name) == b"hello"
    source.storage.working.delete_offload(HERE, offload_id)
    Movement(source, target, scopes=[HERE]).run()
    assert target.storage.working.list_offloads(HERE, limit=9).items == ()
    assert list(target.objects.list()) == []
