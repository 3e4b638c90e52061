"""Idempotent batches."""

import pytest

from app.backends.clock import SteppingClock
from app.domain.change import ChangeState, Delete, Receipt
from app.errors import IdempotencyConflict, NotFound
from tests.app.contract.backends import Backend
from tests.app.contract.samples import (
    FOREIGN,
    HERE,
    NO_ID,
    THERE,
    add,
    adding,
    commit,
    read,
    scan_all,
    texts,
    updating,
)

RECEIPT = Receipt(key="order-1", request_sha256="a" * 64)
DAY_MS = 24 * 60 * 60 * 1000


def test_the_same_request_again_is_answered_without_writing(backend: Backend, clock: SteppingClock) -> None:
    older = add(backend, "lives in Paris", slot="home", metadata={"deep": [1, {"x": "二"}]})
    clock.step()
    request = (
        adding("tea", tags=("a",), metadata={"x": 1.5}),
        adding("lives in Rome", slot="home"),
        updating(older, author="me"),
        Delete(memory_id=NO_ID),
    )
    first = commit(backend, *request, receipt=RECEIPT, skip_missing=True)
    before = scan_all(backend, superseded=True)
    clock.step()
    again = commit(backend, *request, receipt=RECEIPT, skip_missing=True)
    assert (first.replayed, again.replayed) == (False, True)
    assert again.outcomes == first.outcomes
    assert again.outcomes[1].superseded_ids == (older.id,)
    assert scan_all(backend, superseded=True) == before


def test_a_replay_tells_the_first_outcome_whatever_came_after(backend: Backend) -> None:
    first = commit(backend, adding("tea"), receipt=RECEIPT)
    commit(backend, Delete(memory_id=first.outcomes[0].memory_id))
    again = commit(backend, adding("tea"), receipt=RECEIPT)
    assert again.replayed
    assert (again.outcomes[0].state, again.outcomes[0].memory_id) == (
        ChangeState.CREATED,
        first.outcomes[0].memory_id,
    )
    assert again.outcomes[0].memory is None
    backend.memories.purge(HERE)
    assert commit(backend, adding("tea"), receipt=RECEIPT) == again
    assert scan_all(backend) == []


def test_the_same_key_with_another_request_is_refused(backend: Backend) -> None:
    commit(backend, adding("tea"), receipt=RECEIPT)
    other = Receipt(key=RECEIPT.key, request_sha256="b" * 64)
    with pytest.raises(IdempotencyConflict):
        commit(backend, adding("coffee"), receipt=other)
    assert texts(scan_all(backend)) == ["tea"]


def test_keys_of_other_scopes_are_other_keys(backend: Backend) -> None:
    for scope in (HERE, THERE, FOREIGN):
        sha256 = f"{scope.tenant_id}{scope.workspace_id}"
        committed = commit(backend, adding("tea"), scope=scope, receipt=Receipt(key=RECEIPT.key, request_sha256=sha256))
        assert not committed.replayed
        assert len(scan_all(backend, scope)) == 1


def test_a_failed_batch_leaves_no_receipt(backend: Backend) -> None:
    with pytest.raises(NotFound):
        commit(backend, adding("tea"), Delete(memory_id=NO_ID), receipt=RECEIPT)
    committed = commit(backend, adding("tea"), receipt=Receipt(key=RECEIPT.key, request_sha256="b" * 64))
    assert not committed.replayed
    assert texts(scan_all(backend)) == ["tea"]


def test_a_receipt_is_forgotten_after_a_day(backend: Backend, clock: SteppingClock) -> None:
    memory = commit(backend, adding("tea"), receipt=RECEIPT).outcomes[0].memory
    assert memory is not None
    clock.step(DAY_MS - 1000)
    assert commit(backend, adding("tea"), receipt=RECEIPT).replayed
    clock.step(2000)
    late = commit(backend, updating(memory, author="me"), receipt=Receipt(key=RECEIPT.key, request_sha256="b" * 64))
    assert not late.replayed
    assert read(backend, memory.id).author == "me"
    assert commit(backend, receipt=Receipt(key=RECEIPT.key, request_sha256="b" * 64)).replayed
