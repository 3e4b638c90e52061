"""The store's ports that change what an index is told: the indexer is woken after each of these writes."""

import logging
from collections.abc import Callable, Sequence

from app.backends.indexed.collection import Collection
from app.domain.change import ChangeBatch, Committed
from app.domain.embedding import EmbeddingIdentity, Lacking, Vector
from app.domain.memory import JsonObject, Memory, Scope
from app.domain.query import MemoryFilter, Page
from app.domain.workspace import Contents, Workspace
from app.errors import SettingsError, StoreError
from app.ports import MemoryStore, VectorSpaces, WorkspaceStore

log = logging.getLogger("reme.index")


class IndexedMemories:
    """The `MemoryStore` of the store."""

    def __init__(self, store: MemoryStore, wake: Callable[[], None]) -> None:
        self._store, self._wake = store, wake

    def commit(self, batch: ChangeBatch) -> Committed:
        """Apply a batch whole and durably; the index is told later."""
        committed = self._store.commit(batch)
        self._wake()
        return committed

    def get(self, scope: Scope, memory_ids: Sequence[str], *, deleted: bool = False) -> tuple[Memory, ...]:
        """The memories of these ids."""
        return self._store.get(scope, memory_ids, deleted=deleted)

    def scan(
        self, scope: Scope, memory_filter: MemoryFilter, *, limit: int, cursor: str = "", superseded: bool = False
    ) -> Page[Memory]:
        """A page of memories."""
        return self._store.scan(scope, memory_filter, limit=limit, cursor=cursor, superseded=superseded)

    def purge(self, scope: Scope, *, deleted_before_ms: int | None = None, user_id: str | None = None) -> int:
        """Erase for good; the index is told later, and gives none of it away meanwhile."""
        purged = self._store.purge(scope, deleted_before_ms=deleted_before_ms, user_id=user_id)
        self._wake()
        return purged

    def contents(self, scope: Scope) -> Contents:
        """What a workspace holds."""
        return self._store.contents(scope)

    def close(self) -> None:
        """Close the store's."""
        self._store.close()


class IndexedWorkspaces:
    """The `WorkspaceStore` of the store."""

    def __init__(self, store: WorkspaceStore, wake: Callable[[], None]) -> None:
        self._store, self._wake = store, wake

    def put_workspace(self, scope: Scope, *, name: str | None, metadata: JsonObject | None, create: bool) -> Workspace:
        """Make or change a workspace."""
        return self._store.put_workspace(scope, name=name, metadata=metadata, create=create)

    def get_workspace(self, scope: Scope) -> Workspace:
        """A workspace, or `NotFound`."""
        return self._store.get_workspace(scope)

    def list_workspaces(self, tenant_id: str, *, limit: int, cursor: str = "") -> Page[Workspace]:
        """A page of a tenant's workspaces."""
        return self._store.list_workspaces(tenant_id, limit=limit, cursor=cursor)

    def delete_workspace(self, scope: Scope) -> int:
        """Remove a workspace; the index is told later, and gives none of it away meanwhile."""
        held = self._store.delete_workspace(scope)
        self._wake()
        return held


class IndexedSpaces:
    """The `VectorSpaces` of the store. A move makes the index's collection anew for the other embedding."""

    def __init__(self, store: VectorSpaces, collection: Collection, wake: Callable[[], None]) -> None:
        self._store, self._collection, self._wake = store, collection, wake

    def identity(self) -> EmbeddingIdentity | None:
        """What the store's vectors were made with."""
        return self._store.identity()

    def begin(self, target: EmbeddingIdentity) -> int:
        """Start a move. Raises `SettingsError` where the index could not hold the target's vectors."""
        most = self._collection.index.abilities.dimensions
        if target.dimensions > most:
            raise SettingsError(
                f"the vector index takes {most} dimensions at most, {target} has more: "
                "choose another embedding, or another index"
            )
        return self._store.begin(target)

    def pending(self, limit: int) -> Sequence[tuple[int, str]]:
        """What lacks a vector of the target."""
        return self._store.pending(limit)

    def supply(self, vectors: Sequence[tuple[int, Vector]]) -> None:
        """Keep vectors of the target."""
        self._store.supply(vectors)
        self._wake()

    def cut_over(self) -> None:
        """Make the target the store's embedding; until the index is built for it the store searches by itself."""
        self._store.cut_over()
        try:
            self._collection.move()
        except (SettingsError, StoreError) as error:  # the store has moved; the indexer tries again
            log.warning("the vector index was not made anew: %s", error.message, extra={"operation": "index"})
        self._wake()

    def abandon(self) -> None:
        """Give up a move."""
        self._store.abandon()

    def lacking(self, limit: int, *, scope: Scope | None = None, after: int = 0) -> Sequence[Lacking]:
        """Live memories without a vector."""
        return self._store.lacking(limit, scope=scope, after=after)

    def fill(self, vectors: Sequence[tuple[int, Vector]]) -> int:
        """Keep vectors for memories that lack one."""
        kept = self._store.fill(vectors)
        self._wake()
        return kept
