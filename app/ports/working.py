"""Where objects are kept, and what working memory knows of those that it takes out of conversations."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from app.domain.memory import Scope
from app.domain.objects import StoredObject
from app.domain.query import Page
from app.domain.working import Offload, Tier


class ObjectStore(Protocol):
    """Keeps objects by names of `app.domain.objects.check_object_name`; any other name is an `InvalidRequest`."""

    def put(self, name: str, content: bytes) -> None:
        """Keep an object, whole and durable when this returns, in place of one of the same name.

        Raises `PayloadTooLarge` beyond the store's limit, `StoreFull` or `StoreError`; then nothing was kept.
        """
        ...

    def create(self, name: str, content: bytes) -> None:
        """Keep an object as `put` does, or raise `AlreadyExists`: of callers at once only one makes it."""
        ...

    def size(self, name: str) -> int:
        """How many bytes an object has, or `NotFound`."""
        ...

    def read(self, name: str, *, offset: int = 0, limit: int | None = None) -> bytes:
        """At most `limit` bytes from `offset` on, fewer at the end, or `NotFound`."""
        ...

    def delete(self, name: str) -> bool:
        """Remove an object; returns whether it was there."""
        ...

    def list(self, prefix: str = "") -> Iterator[StoredObject]:
        """The objects whose names begin so, those left by an interrupted `put` too.

        Those of one folder come in the order of their names, and all texts of working memory do.
        """
        ...

    @property
    def most_bytes(self) -> int:
        """The most bytes that an object may have."""
        ...


class WorkingStore(Protocol):
    """What is known of offloaded texts; the texts themselves are in an `ObjectStore`."""

    def put_offloads(self, offloads: Sequence[Offload]) -> tuple[Offload, ...]:
        """Keep all, durably and in one step, each in place of the one of its id; returns those that were replaced.

        A workspace that they belong to is made if it is missing.
        """
        ...

    def renew_offloads(self, scope: Scope, offload_ids: Sequence[str]) -> tuple[Offload, ...]:
        """Let the age of those that are there begin anew, durably; returns them in the order asked for.

        They are hot again, but for archived ones, which stay so. A reading does the same to the tier.
        """
        ...

    def get_offload(self, scope: Scope, offload_id: str) -> Offload:
        """An offload, or `NotFound`."""
        ...

    def list_offloads(self, scope: Scope, *, chat_id: str = "", limit: int, cursor: str = "") -> Page[Offload]:
        """A page in the order in which they first came; `InvalidRequest` for a foreign cursor."""
        ...

    def mark_read(self, scope: Scope, offload_id: str) -> None:
        """Note that an offload was read now; one that is gone is no failure."""
        ...

    def delete_offload(self, scope: Scope, offload_id: str) -> Offload:
        """Remove an offload and return it, or `NotFound`."""
        ...

    def forget_offloads(self, scope: Scope) -> tuple[Offload, ...]:
        """Remove all of a workspace, and return them."""
        ...

    def expire_offloads(self, *, created_before_ms: int, limit: int) -> tuple[Offload, ...]:
        """Remove some, of any workspace, that were offloaded before a moment, and return them; none when all are."""
        ...

    def list_aged(self, tiers: Sequence[Tier], *, read_before_ms: int, limit: int, cursor: str = "") -> Page[Offload]:
        """Those of these tiers, of any workspace, that were neither offloaded nor read since a moment."""
        ...

    def move_offload(self, offload: Offload, *, tier: Tier, object_name: str) -> bool:
        """Give an offload another tier and object, unless it was changed, read or removed since; whether it was so."""
        ...

    def list_by_object(self, *, after: str = "", limit: int) -> tuple[Offload, ...]:
        """Offloads of any workspace in the order of their objects' names, those after a name."""
        ...
