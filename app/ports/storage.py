"""Where memories, workspaces, users and keys are kept."""

from collections.abc import Sequence
from typing import Protocol

from app.domain.access import ApiKey
from app.domain.change import ChangeBatch, Committed
from app.domain.embedding import EmbeddingIdentity, Lacking, Vector
from app.domain.memory import JsonObject, Memory, Scope
from app.domain.query import Candidate, MemoryFilter, Page
from app.domain.workspace import Contents, User, Workspace


class MemoryStore(Protocol):
    """Where memories are kept."""

    def commit(self, batch: ChangeBatch) -> Committed:
        """Apply a batch whole and durably; a workspace that a batch adds to is made if it is missing.

        Raises `NotFound`, `AlreadyExists`, `InvalidRequest`, `VersionConflict`, `IdempotencyConflict`, or a
        `StoreError`; then nothing was written.
        """
        ...

    def get(self, scope: Scope, memory_ids: Sequence[str], *, deleted: bool = False) -> tuple[Memory, ...]:
        """The live memories of these ids, in their order; those that are missing are left out.

        With `deleted`, tombstones whose text was not purged are given too.
        """
        ...

    def scan(
        self,
        scope: Scope,
        memory_filter: MemoryFilter,
        *,
        limit: int,
        cursor: str = "",
        superseded: bool = False,
    ) -> Page[Memory]:
        """A page of live memories in the order of their ids (oldest first); `InvalidRequest` for a foreign cursor."""
        ...

    def purge(self, scope: Scope, *, deleted_before_ms: int | None = None, user_id: str | None = None) -> int:
        """Erase text, vectors and index entries for good, and return how many memories it was.

        With `deleted_before_ms` the tombstones older than that; with `user_id` all of one user, live or not;
        with neither the whole workspace. The tombstones stay, without content.
        """
        ...

    def contents(self, scope: Scope) -> Contents:
        """What a workspace holds; zeros for one that is missing."""
        ...

    def close(self) -> None:
        """Finish what is queued and let go of files and connections."""
        ...


class SearchIndex(Protocol):
    """Finds the numbers of memories; sees every write that was acknowledged before the call."""

    def nearest(
        self,
        scope: Scope,
        vector: Vector,
        memory_filter: MemoryFilter,
        *,
        limit: int,
        as_of_ms: int | None = None,
        exact: bool = False,
    ) -> list[Candidate]:
        """The memories whose vectors are closest by cosine, best first; `exact` compares every one."""
        ...

    def matching(
        self, scope: Scope, text: str, memory_filter: MemoryFilter, *, limit: int, as_of_ms: int | None = None
    ) -> list[Candidate]:
        """The memories that share the rarest words of a text, best first."""
        ...

    def fetch(self, scope: Scope, numbers: Sequence[int]) -> dict[int, Memory]:
        """The memories of these numbers, without those deleted meanwhile."""
        ...

    def vectors(self, scope: Scope, numbers: Sequence[int]) -> dict[int, Vector]:
        """The stored vectors of these numbers (float32, unit length), for diversity."""
        ...


class WorkspaceStore(Protocol):
    """Workspaces and the users in them."""

    def put_workspace(self, scope: Scope, *, name: str | None, metadata: JsonObject | None, create: bool) -> Workspace:
        """Make a workspace (`AlreadyExists`) or change one (`NotFound`); None leaves a field as it is."""
        ...

    def get_workspace(self, scope: Scope) -> Workspace:
        """A workspace, or `NotFound`."""
        ...

    def list_workspaces(self, tenant_id: str, *, limit: int, cursor: str = "") -> Page[Workspace]:
        """A page of a tenant's workspaces in the order of their ids."""
        ...

    def delete_workspace(self, scope: Scope) -> int:
        """Remove a workspace with all that it holds for good; returns how many memories it held. `NotFound`."""
        ...


class UserStore(Protocol):
    """The users of a workspace."""

    def put_user(self, scope: Scope, user_id: str, *, name: str | None, metadata: JsonObject | None) -> User:
        """Make or change a user; None leaves a field as it is. Makes the workspace if it is missing."""
        ...

    def get_user(self, scope: Scope, user_id: str) -> User:
        """A user, or `NotFound`."""
        ...

    def list_users(self, scope: Scope, *, limit: int, cursor: str = "") -> Page[User]:
        """A page of users in the order of their ids."""
        ...

    def delete_user(self, scope: Scope, user_id: str) -> None:
        """Remove a user, or `NotFound`. The memories about the user are purged by the caller."""
        ...


class KeyStore(Protocol):
    """API keys, without their secrets."""

    def put_key(self, key: ApiKey, *, expected: ApiKey | None = None) -> None:
        """Store a new key, or replace the one that is stored as `expected`.

        Raises `VersionConflict` where the store holds another key of this id: one that was changed meanwhile, or any
        where None was expected. Then nothing was written.
        """
        ...

    def find_key(self, secret_sha256: str) -> ApiKey | None:
        """The key of a secret's SHA-256, working or not. Sees a revocation by another process at once."""
        ...

    def list_keys(self, tenant_id: str | None = None) -> tuple[ApiKey, ...]:
        """All keys, oldest first, of one tenant or of all."""
        ...


class VectorSpaces(Protocol):
    """The embedding that a store was built with, and the one that it is being moved to."""

    def identity(self) -> EmbeddingIdentity | None:
        """What the store's vectors were made with; None for a store without any."""
        ...

    def begin(self, target: EmbeddingIdentity) -> int:
        """Start, or go on with, a move to another embedding; returns how many memories lack a vector of it."""
        ...

    def pending(self, limit: int) -> Sequence[tuple[int, str]]:
        """Numbers and texts of memories that lack a vector of the target, including ones written meanwhile."""
        ...

    def supply(self, vectors: Sequence[tuple[int, Vector]]) -> None:
        """Keep vectors of the target; durable when this returns."""
        ...

    def cut_over(self) -> None:
        """Make the target the store's embedding in one step; fails with `StoreBusy` while memories are pending."""
        ...

    def abandon(self) -> None:
        """Give up a move and its vectors; the store stays with the embedding that it has."""
        ...

    def lacking(self, limit: int, *, scope: Scope | None = None, after: int = 0) -> Sequence[Lacking]:
        """Live memories without a vector of the store's own embedding, oldest text first; moves do not matter.

        Those of one workspace or of all, and only those whose number is above `after`, so that whoever passes over
        some can go on behind them.
        """
        ...

    def fill(self, vectors: Sequence[tuple[int, Vector]]) -> int:
        """Keep vectors of the store's own embedding for live memories that lack one; returns for how many.

        Durable when this returns; the first stamps the store. Raises `EmbeddingMismatch` where the store was built
        with, or moved to, another embedding than this process has; then nothing was written.
        """
        ...
