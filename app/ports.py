"""What the service needs from the outside: small protocols, each with one contract suite for all backends.

Every backend raises only errors of `app.errors`. A write has happened durably when a call returns.
Methods may be called from any thread.
"""

from collections.abc import Iterable, Sequence
from typing import Protocol

from app.domain.access import ApiKey
from app.domain.change import ChangeBatch, Committed
from app.domain.conversation import Extraction, Trajectory
from app.domain.embedding import EmbeddingIdentity, Vector
from app.domain.job import Job, JobState
from app.domain.memory import JsonObject, Memory, Scope
from app.domain.query import Candidate, MemoryFilter, Page
from app.domain.usage import UsageRecord
from app.domain.workspace import Contents, User, Workspace


class Clock(Protocol):
    """The time in UTC."""

    def now_ms(self) -> int:
        """Milliseconds since 1970-01-01 UTC."""
        ...


class MemoryStore(Protocol):
    """Where memories are kept."""

    def commit(self, batch: ChangeBatch) -> Committed:
        """Apply a batch whole and durably; a workspace that a batch adds to is made if it is missing.

        Raises `NotFound`, `VersionConflict`, `IdempotencyConflict`, or a `StoreError`; then nothing was written.
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

    def put_key(self, key: ApiKey) -> None:
        """Store a key, or replace the one of the same id."""
        ...

    def find_key(self, secret_sha256: str) -> ApiKey | None:
        """The key of a secret's SHA-256, working or not. Sees a revocation by another process at once."""
        ...

    def list_keys(self, tenant_id: str | None = None) -> tuple[ApiKey, ...]:
        """All keys, oldest first, of one tenant or of all."""
        ...


class JobQueue(Protocol):
    """Durable work, done by whichever process claims it."""

    def enqueue(self, scope: Scope, kind: str, payload: JsonObject) -> Job:
        """Keep a job; it is durable when this returns."""
        ...

    def claim(self, kinds: Sequence[str], *, lease_ms: int) -> Job | None:
        """Take the oldest queued job, or a running one whose lease ran out because its worker died."""
        ...

    def finish(self, job_id: str, state: JobState, *, result: JsonObject | None = None, error: str = "") -> None:
        """Say what became of a job; `QUEUED` puts it back."""
        ...

    def find(self, scope: Scope, job_id: str) -> Job:
        """A job of a workspace, or `NotFound`."""
        ...


class Meter(Protocol):
    """Counts what was used."""

    def record(self, records: Iterable[UsageRecord]) -> None:
        """Add to the day's counts; buffered, so a crash may lose the last few seconds of counts."""
        ...

    def read(
        self, tenant_id: str, *, workspace_id: str | None = None, from_day: str = "", to_day: str = ""
    ) -> tuple[UsageRecord, ...]:
        """The counts of the days from `from_day` to `to_day`, both included, what is buffered here too."""
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


class Embedder(Protocol):
    """Turns texts into vectors of unit length."""

    @property
    def identity(self) -> EmbeddingIdentity:
        """What its vectors can be compared with."""
        ...

    def embed(self, texts: Sequence[str]) -> Vector:
        """Vectors (len(texts), dimensions), float32, unit length, of texts to be stored."""
        ...

    def embed_query(self, text: str) -> Vector:
        """The vector (dimensions,) of a text that is searched for."""
        ...


class Extractor(Protocol):
    """Makes memories of a conversation: by rules, or by a model."""

    def extract_personal(self, trajectories: Sequence[Trajectory], *, user_id: str) -> Extraction:
        """What is worth knowing about the person who speaks."""
        ...

    def extract_tasks(self, trajectories: Sequence[Trajectory]) -> Extraction:
        """What is worth knowing when the same kind of task comes again."""
        ...
