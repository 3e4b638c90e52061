"""The in-RAM offloads."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from app.backends.memory.cursors import cut_page
from app.backends.memory.state import State
from app.domain.memory import Scope
from app.domain.query import Page
from app.domain.working import Offload, Tier
from app.errors import NotFound


class Working:
    """The `WorkingStore` of the in-RAM backend."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._offloads: dict[tuple[Scope, str], Offload] = {}
        self._places: dict[tuple[Scope, str], str] = {}
        self._count = 0

    def put_offloads(self, offloads: Sequence[Offload]) -> tuple[Offload, ...]:
        """Keep all in one step; returns those that were replaced."""
        with self._state.lock:
            replaced = []
            for offload in offloads:
                self._state.ensure_workspace(offload.scope)
                key = (offload.scope, offload.id)
                if key in self._offloads:
                    replaced.append(self._offloads[key])
                else:
                    self._count += 1
                    self._places[key] = f"{self._count:020d}"
                self._offloads[key] = offload
            return tuple(replaced)

    def renew_offloads(self, scope: Scope, offload_ids: Sequence[str]) -> tuple[Offload, ...]:
        """Let the age of those that are there begin anew."""
        with self._state.lock:
            now_ms = self._state.clock.now_ms()
            found = [(scope, each) for each in offload_ids if (scope, each) in self._offloads]
            for key in found:
                offload = self._offloads[key]
                self._offloads[key] = replace(
                    offload, created_ms=now_ms, last_read_ms=now_ms, tier=_warm_up(offload.tier)
                )
            return tuple(self._offloads[key] for key in found)

    def get_offload(self, scope: Scope, offload_id: str) -> Offload:
        """An offload, or `NotFound`."""
        with self._state.lock:
            return self._find(scope, offload_id)

    def list_offloads(self, scope: Scope, *, chat_id: str = "", limit: int, cursor: str = "") -> Page[Offload]:
        """A page in the order in which they first came."""
        listing = ("offloads", scope.tenant_id, scope.workspace_id, chat_id)
        return self._cut(
            listing,
            lambda offload: offload.scope == scope and chat_id in ("", offload.chat_id),
            limit=limit,
            cursor=cursor,
        )

    def mark_read(self, scope: Scope, offload_id: str) -> None:
        """Note that an offload was read now."""
        with self._state.lock:
            offload = self._offloads.get((scope, offload_id))
            if offload is not None:
                now_ms = max(offload.last_read_ms, self._state.clock.now_ms())
                self._offloads[scope, offload_id] = replace(offload, last_read_ms=now_ms, tier=_warm_up(offload.tier))

    def delete_offload(self, scope: Scope, offload_id: str) -> Offload:
        """Remove an offload and return it, or `NotFound`."""
        with self._state.lock:
            offload = self._find(scope, offload_id)
            self._remove(offload)
            return offload

    def forget_offloads(self, scope: Scope) -> tuple[Offload, ...]:
        """Remove all of a workspace, and return them."""
        with self._state.lock:
            found = tuple(offload for offload in self._offloads.values() if offload.scope == scope)
            for offload in found:
                self._remove(offload)
            return found

    def expire_offloads(self, *, created_before_ms: int, limit: int) -> tuple[Offload, ...]:
        """Remove some that were offloaded before a moment, and return them."""
        with self._state.lock:
            old = [offload for offload in self._offloads.values() if offload.created_ms < created_before_ms]
            for offload in old[:limit]:
                self._remove(offload)
            return tuple(old[:limit])

    def list_aged(self, tiers: Sequence[Tier], *, read_before_ms: int, limit: int, cursor: str = "") -> Page[Offload]:
        """Those of these tiers that were neither offloaded nor read since a moment."""
        return self._cut(
            ("aged", *(tier.value for tier in tiers)),
            lambda offload: offload.tier in tiers and offload.last_read_ms < read_before_ms,
            limit=limit,
            cursor=cursor,
        )

    def move_offload(self, offload: Offload, *, tier: Tier, object_name: str) -> bool:
        """Give an offload another tier and object, unless it was changed, read or removed since."""
        key = (offload.scope, offload.id)
        with self._state.lock:
            if self._offloads.get(key) != offload:
                return False
            self._offloads[key] = replace(offload, tier=tier, object_name=object_name)
            return True

    def list_by_object(self, *, after: str = "", limit: int) -> tuple[Offload, ...]:
        """Offloads in the order of their objects' names, those after a name."""
        with self._state.lock:
            found = (offload for offload in self._offloads.values() if offload.object_name > after)
            return tuple(sorted(found, key=lambda offload: offload.object_name)[:limit])

    def _find(self, scope: Scope, offload_id: str) -> Offload:
        offload = self._offloads.get((scope, offload_id))
        if offload is None:
            raise NotFound(f"there is no offload {offload_id[:40]!r} in workspace {scope.workspace_id}")
        return offload

    def _remove(self, offload: Offload) -> None:
        key = (offload.scope, offload.id)
        del self._offloads[key], self._places[key]

    def _cut(
        self, listing: tuple[str, ...], wanted: Callable[[Offload], bool], *, limit: int, cursor: str
    ) -> Page[Offload]:
        with self._state.lock:
            pairs = sorted((self._places[key], offload) for key, offload in self._offloads.items() if wanted(offload))
        return cut_page(listing, pairs, limit=limit, cursor=cursor)


def _warm_up(tier: Tier) -> Tier:
    """The tier of what is used again; an archived object stays compressed."""
    return tier if tier is Tier.ARCHIVE else Tier.HOT
