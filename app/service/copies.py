"""Copies of memories that the service itself has made outside of the store."""

from typing import Protocol

from app.domain.memory import Scope


class Copies(Protocol):
    """Whoever made copies of a workspace's memories, such as dumps in files."""

    def forget(self, scope: Scope, *, user_id: str | None = None) -> int:
        """Erase what the copies hold of a workspace, or of one user of it; returns how many copies had something.

        A copy that is being made meanwhile fails. Raises a `StoreError` where a copy cannot be erased.
        """
        ...


class AllCopies:
    """Several makers of copies as one; none at all has nothing to erase."""

    def __init__(self, *makers: Copies) -> None:
        self._makers = makers

    def forget(self, scope: Scope, *, user_id: str | None = None) -> int:
        """Erase from all; returns how many copies had something."""
        return sum(maker.forget(scope, user_id=user_id) for maker in self._makers)


NO_COPIES = AllCopies()
