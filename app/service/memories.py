"""Memories: add, read, change, delete, restore, count use, erase."""

import logging
from collections.abc import Sequence
from random import random
from time import sleep

from app.domain.access import Permission, Principal
from app.domain.change import Add, Change, ChangeBatch, Committed, Delete, Receipt, RecordUse, Restore, Update
from app.domain.embedding import Vector
from app.domain.identifiers import check_memory_id
from app.domain.memory import Memory, MemoryDraft, MemoryKind, MemoryPatch, Scope, changed_text, embedded_text
from app.domain.query import MemoryFilter, Page
from app.domain.spending import charging
from app.errors import InvalidRequest, ModelError, NotFound, VersionConflict
from app.ports import Clock, Embedder, MemoryStore, Meter
from app.service.authorisation import authorise
from app.service.backlog import NO_BACKLOG, Backlog
from app.service.copies import NO_COPIES, Copies
from app.service.limits import (
    BATCH_CHANGES,
    NAME_CHARACTERS,
    PAGE,
    check_drafts,
    check_filter,
    check_ids,
    check_moment,
    check_number,
    check_page,
    check_patch,
    check_text,
)
from app.service.metering import payer_of, record_of
from app.service.moderation import Moderation, check_passages, passage_of_patch, passages_of
from app.service.quarantine import check_release

ATTEMPTS = 50
"""How often a change without an expected version is tried against changes that come in between."""

log = logging.getLogger("reme.memories")


class Memories:
    """The memories of workspaces. May be used from any thread; nothing is kept but the ports.

    Where the embedder raises a `ModelError`, texts are kept without vectors, so that they are found by their words
    at once, and the `backlog` is told. `moderation` judges texts before anything is made of them; those that were
    `judged` before it does not see again.
    """

    def __init__(
        self,
        *,
        store: MemoryStore,
        embedder: Embedder,
        clock: Clock,
        meter: Meter,
        copies: Copies = NO_COPIES,
        backlog: Backlog = NO_BACKLOG,
        moderation: Moderation | None = None,
    ) -> None:
        self._moderation = moderation
        self._copies = copies
        self._backlog = backlog
        self._store = store
        self._embedder = embedder
        self._clock = clock
        self._meter = meter

    def add(
        self,
        principal: Principal,
        workspace_id: str,
        drafts: Sequence[MemoryDraft],
        *,
        receipt: Receipt | None = None,
        skip_deleted: bool = False,
        judged: bool = False,
    ) -> Committed:
        """Add 1 to 1,000 memories, all or none; durable when this returns.

        What is there already, word for word, is a `DUPLICATE` outcome and not an error. With `skip_deleted` a draft
        whose id was deleted or has another text, or a raw text that was deleted from its place, is a `MISSING` one;
        otherwise such an id is `AlreadyExists`, and such a raw text is added. Needs memory:write.
        Raises `InvalidRequest` for a draft beyond the limits, `ContentRefused`, `ModerationUnavailable`,
        `IdempotencyConflict`, or a `StoreError`.
        """
        scope = authorise(principal, Permission.MEMORY_WRITE, workspace_id)
        checked = check_drafts(drafts)
        if not judged:
            check_passages(self._moderation, principal, scope, passages_of(checked))
        texts = [embedded_text(draft.when_to_use, draft.content) for draft in checked]
        vectors = self._embed(principal, scope, "add", texts)
        changes = tuple(Add(draft=draft, vector=vector) for draft, vector in zip(checked, vectors, strict=True))
        committed = self._commit(scope, "add", changes, receipt=receipt, skip_missing=skip_deleted)
        if vectors[0] is None:
            self._backlog.note(scope)
        return committed

    def get(self, principal: Principal, workspace_id: str, memory_id: str) -> Memory:
        """A live memory, or `NotFound`. Needs memory:read."""
        scope = authorise(principal, Permission.MEMORY_READ, workspace_id)
        return self._read(scope, check_memory_id(memory_id))

    def scan(
        self,
        principal: Principal,
        workspace_id: str,
        memory_filter: MemoryFilter,
        *,
        limit: int = 50,
        cursor: str = "",
        superseded: bool = False,
    ) -> Page[Memory]:
        """A page of 1 to 1,000 live memories, oldest first; with `superseded` what was replaced too.

        Needs memory:read. Raises `InvalidRequest` for a limit out of bounds or a cursor of another listing.
        """
        scope = authorise(principal, Permission.MEMORY_READ, workspace_id)
        check_page(limit)
        return self._store.scan(scope, check_filter(memory_filter), limit=limit, cursor=cursor, superseded=superseded)

    def update(
        self,
        principal: Principal,
        workspace_id: str,
        memory_id: str,
        patch: MemoryPatch,
        *,
        expected_version: int | None = None,
        judged: bool = False,
    ) -> Memory:
        """Change the fields that a patch gives and return the memory as it now is.

        Needs memory:write. Raises `NotFound`, `InvalidRequest` (also for the text of an earlier revision, which is what
        was said, and for an end before the beginning), `AlreadyExists` where another memory says the new text already,
        or `VersionConflict` where `expected_version` is not the current one. Without one the change is
        applied to whatever is there; `VersionConflict` then only where others change the memory all the time. Texts are
        judged as in `add`.
        """
        scope = authorise(principal, Permission.MEMORY_WRITE, workspace_id)
        check_memory_id(memory_id)
        patch = check_patch(patch)
        if patch.tags is not None:
            check_release(principal, self._read(scope, memory_id), patch)
        if not judged:
            check_passages(self._moderation, principal, scope, [passage_of_patch(patch)])
        if not patch.changes_text:
            return self._apply(
                scope, "update", Update(memory_id=memory_id, patch=patch, expected_version=expected_version)
            )
        for attempt in range(1, ATTEMPTS + 1):
            # The vector must belong to the text that results, so the version that it was made for is insisted on.
            memory = self._read(scope, memory_id)
            if memory.revision_of:
                raise InvalidRequest(
                    f"memory {memory_id} keeps what memory {memory.revision_of} once said, so its text stays: "
                    "change that one"
                )
            if expected_version not in (None, memory.version):
                raise VersionConflict(
                    f"memory {memory_id} has version {memory.version}, not {expected_version}: read it again and "
                    "repeat the change"
                )
            text = changed_text(memory, patch)
            vector = None if text is None else self._embed(principal, scope, "update", [text])[0]
            change = Update(memory_id=memory_id, patch=patch, vector=vector, expected_version=memory.version)
            try:
                updated = self._apply(scope, "update", change)
            except VersionConflict:
                if expected_version is not None or attempt == ATTEMPTS:
                    raise
                sleep(random() * min(attempt, 10) / 1000)  # noqa: S311 - so that rivals do not meet again
                continue
            if text is not None and vector is None:
                self._backlog.note(scope)
            return updated
        raise AssertionError("the loop returns or raises")

    def delete(
        self,
        principal: Principal,
        workspace_id: str,
        memory_ids: Sequence[str],
        *,
        expected_version: int | None = None,
    ) -> Committed:
        """Delete 1 to 1,000 memories; they can be restored until they are purged.

        A single id that is missing is `NotFound`; of several the missing ones are `MISSING` outcomes, so that a
        repeated request succeeds. `expected_version` goes with one id only. Needs memory:delete.
        """
        scope = authorise(principal, Permission.MEMORY_DELETE, workspace_id)
        ids = check_ids(memory_ids)
        if expected_version is not None and len(ids) > 1:
            raise InvalidRequest(f"an expected version cannot hold for {len(ids):,} memories: delete them one by one")
        changes = tuple(Delete(memory_id=memory_id, expected_version=expected_version) for memory_id in ids)
        return self._commit(scope, "delete", changes, skip_missing=len(ids) > 1)

    def restore(self, principal: Principal, workspace_id: str, memory_id: str) -> Memory:
        """Take a deletion back. Needs memory:delete.

        Raises `NotFound` where nothing is left to restore, `AlreadyExists` where another memory says the same by now,
        and `InvalidRequest` for an earlier revision of a memory that is deleted: the two are restored together.
        """
        scope = authorise(principal, Permission.MEMORY_DELETE, workspace_id)
        found = self._store.get(scope, [check_memory_id(memory_id)], deleted=True)
        if not found:
            raise NotFound(f"there is no memory {memory_id} to restore: it never was here, or it was purged")
        memory = found[0]
        if memory.deleted_ms is None:
            return memory
        vector = self._embed(principal, scope, "update", [embedded_text(memory.when_to_use, memory.content)])[0]
        restored = self._apply(scope, "update", Restore(memory_id=memory_id, vector=vector))
        if vector is None:
            self._backlog.note(scope)
        return restored

    def record_use(
        self,
        principal: Principal,
        workspace_id: str,
        memory_ids: Sequence[str],
        *,
        utility: float = 0.0,
        receipt: Receipt | None = None,
    ) -> tuple[Memory, ...]:
        """Count one use of each memory, worth `utility`, and return those that are there; once for a receipt.

        Needs memory:write. Raises `InvalidRequest`, `IdempotencyConflict`, or a `StoreError`.
        """
        scope = authorise(principal, Permission.MEMORY_WRITE, workspace_id)
        check_number("utility", utility)
        changes = tuple(RecordUse(memory_id=memory_id, utility=utility) for memory_id in check_ids(memory_ids))
        committed = self._commit(scope, "update", changes, receipt=receipt, skip_missing=True)
        return tuple(outcome.memory for outcome in committed.outcomes if outcome.memory is not None)

    def delete_unused(
        self,
        principal: Principal,
        workspace_id: str,
        *,
        kinds: tuple[MemoryKind, ...],
        frequency_threshold: int,
        utility_threshold: float,
    ) -> tuple[str, ...]:
        """Delete what was used at least `frequency_threshold` times and was worth too little; return the ids.

        Too little is less than `utility_threshold` a use. A memory that was never used stays: nothing is known of
        it. Needs memory:delete.
        """
        scope = authorise(principal, Permission.MEMORY_DELETE, workspace_id)
        check_number("utility_threshold", utility_threshold)
        if frequency_threshold < 0:
            raise InvalidRequest(f"frequency_threshold is {frequency_threshold}: give 0 or more")
        poor: list[str] = []
        cursor = ""
        while True:
            page = self._store.scan(scope, MemoryFilter(kinds=kinds), limit=PAGE, cursor=cursor)
            poor += [
                memory.id
                for memory in page.items
                if memory.frequency >= max(1, frequency_threshold)
                and memory.utility / memory.frequency < utility_threshold
            ]
            cursor = page.next_cursor
            if not cursor:
                break
        for start in range(0, len(poor), BATCH_CHANGES):
            changes = tuple(Delete(memory_id=memory_id) for memory_id in poor[start : start + BATCH_CHANGES])
            self._commit(scope, "delete", changes, skip_missing=True)
        return tuple(poor)

    def purge(
        self,
        principal: Principal,
        workspace_id: str,
        *,
        deleted_before_ms: int | None = None,
        user_id: str | None = None,
    ) -> int:
        """Erase for good and return how many memories it was: old tombstones, one user's, or the whole workspace.

        One user's needs memory:delete, anything else an admin; asking for both is an `InvalidRequest`.
        """
        permission = Permission.ADMINISTER if user_id is None else Permission.MEMORY_DELETE
        scope = authorise(principal, permission, workspace_id)
        if user_id is not None:
            if deleted_before_ms is not None:
                raise InvalidRequest("give deleted_before_ms or user_id, not both: they erase different memories")
            user_id = check_text("user_id", user_id, least=1, most=NAME_CHARACTERS)
        check_moment("deleted_before_ms", deleted_before_ms)
        erased = self._store.purge(scope, deleted_before_ms=deleted_before_ms, user_id=user_id)
        if deleted_before_ms is None:
            self._copies.forget(scope, user_id=user_id)
        self._count(scope, "delete", items=erased)
        return erased

    def _read(self, scope: Scope, memory_id: str) -> Memory:
        found = self._store.get(scope, [memory_id])
        if not found:
            raise NotFound(f"there is no memory {memory_id} in workspace {scope.workspace_id!r}")
        return found[0]

    def _embed(
        self, principal: Principal, scope: Scope, operation: str, texts: Sequence[str]
    ) -> Sequence[Vector | None]:
        """A vector for each text, at the expense of the principal's workspace; None for all where the model fails."""
        try:
            with charging(payer_of(scope, operation, key_id=principal.key_id)):
                vectors = self._embedder.embed(texts)
        except ModelError as error:
            log.warning("%d texts are kept without vectors: %s", len(texts), error.slug, extra={"operation": operation})
            return [None] * len(texts)
        self._count(scope, "embed", items=len(texts), model=self._embedder.identity.model)
        return list(vectors)

    def _apply(self, scope: Scope, operation: str, change: Change) -> Memory:
        memory = self._commit(scope, operation, (change,)).outcomes[0].memory
        if memory is None:
            raise NotFound(f"there is no such memory in workspace {scope.workspace_id!r}")
        return memory

    def _commit(
        self,
        scope: Scope,
        operation: str,
        changes: tuple[Change, ...],
        *,
        receipt: Receipt | None = None,
        skip_missing: bool = False,
    ) -> Committed:
        committed = self._store.commit(
            ChangeBatch(scope=scope, changes=changes, receipt=receipt, skip_missing=skip_missing)
        )
        if not committed.replayed:
            self._count(scope, operation, items=len(changes))
        return committed

    def _count(self, scope: Scope, operation: str, *, items: int, model: str = "") -> None:
        self._meter.record([record_of(scope, operation, now_ms=self._clock.now_ms(), items=items, model=model)])
