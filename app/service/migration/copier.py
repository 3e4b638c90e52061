"""Brings what has changed in a workspace into another store; every step may be repeated."""

from collections.abc import Callable, Iterable
from dataclasses import replace

from app.domain.caps import NO_CAPS
from app.domain.copying import CopyStand
from app.domain.memory import Scope
from app.domain.working import Offload
from app.domain.workspace import User, Workspace
from app.errors import AlreadyExists, NotFound
from app.service.migration.places import Place

Show = Callable[[str, int, int], None]
"""Called with what is under way, how much of it is done and how much there is; 0 for an unknown end."""

_PAGE = 500
_LATE_MS = 3_600_000
"""An entry of the ledger has the time of its call's beginning, and is written at its end."""


def ignore(title: str, done: int, total: int) -> None:
    """Show nothing."""


class Copier:
    """Copies from one place to another, workspace by workspace; `rows` and `objects` count what was written."""

    def __init__(self, source: Place, target: Place, *, show: Show) -> None:
        self._source, self._target, self._show = source, target, show
        self._node_id = source.node_id
        self._seen_ms: dict[Scope, int] = {}
        self._receipts_ms: dict[Scope, int] = {}
        self.rows = self.objects = 0

    def list_stands(self) -> dict[Scope, CopyStand]:
        """How far each workspace is copied."""
        return {stand.scope: stand for stand in self._target.storage.copying.list_stands(self._node_id)}

    def refuse(self, scope: Scope) -> str:
        """Why a workspace cannot be copied; empty where it can."""
        here, there = self._source.find_workspace(scope), self._target.find_workspace(scope)
        if here is None or there is None or here.data_key_id == there.data_key_id:
            return ""
        stand = self.list_stands().get(scope)
        if stand is not None and stand.data_key_id == there.data_key_id:
            return ""  # a copy of one that was deleted and made anew here
        return (
            f"{self._target.name} has another workspace {scope.workspace_id} of tenant {scope.tenant_id}: "
            "delete it there, or move into another store"
        )

    def copy(self, scope: Scope) -> int:
        """Bring one workspace up to date; returns how many rows changed. Jobs come with `hand_over`."""
        reason = self.refuse(scope)
        if reason:
            raise AlreadyExists(reason)
        workspace, there = self._source.find_workspace(scope), self._target.find_workspace(scope)
        stand = self.list_stands().get(scope)
        changed = 0
        if (
            there is not None
            and stand is not None
            and (workspace is None or workspace.data_key_id != there.data_key_id)
        ):
            self._forget(scope)
            changed, there = 1, None
        if workspace is None:
            if stand is not None:
                self._target.storage.copying.drop_stand(stand)
        else:
            if stand is None or there is None or stand.data_key_id != workspace.data_key_id:
                stand = CopyStand(source=self._node_id, scope=scope, data_key_id=workspace.data_key_id)
            changed += self._copy_workspace(workspace, there, stand)
        self._copy_money(scope)
        return changed

    def _forget(self, scope: Scope) -> None:
        """Remove the copy of a workspace that was deleted."""
        if self._target.objects is not None:
            for offload in self._target.storage.working.forget_offloads(scope):
                self._target.objects.delete(offload.object_name)
        self._target.storage.workspaces.delete_workspace(scope)

    def _copy_workspace(self, workspace: Workspace, there: Workspace | None, stand: CopyStand) -> int:
        scope, source, target = workspace.scope, self._source.storage, self._target.storage
        if workspace != there:
            target.copying.put_workspace(workspace)
        users, kept = (_index_users(_list_users(place, scope)) for place in (self._source, self._target))
        target.copying.put_users([user for user in users.values() if kept.get(user.user_id) != user])
        for user_id in kept.keys() - users.keys():
            target.users.delete_user(scope, user_id)
        target.copying.put_stand(replace(stand, is_done=False))
        contents = source.memories.contents(scope)
        total, changed = contents.memories + contents.tombstones, 0
        for batch in source.copying.read_memories(scope, after=stand.seq):
            stand = replace(stand, seq=batch.seq, is_done=False)
            changed += target.copying.put_memories(scope, batch.memories, stand=stand)
            self._show(f"copying {scope.workspace_id}", changed, total if changed < total else 0)
        changed += self._add_vectors(scope, stand)
        self.rows += changed
        receipts = source.copying.read_receipts(scope, since_ms=self._receipts_ms.get(scope, 0))
        target.copying.put_receipts(scope, receipts)
        self._receipts_ms[scope] = max((each.created_ms for each in receipts), default=0)
        self._copy_offloads(scope)
        return changed

    def _add_vectors(self, scope: Scope, stand: CopyStand) -> int:
        """Vectors that memories were given after they were written, which gives them no new `seq`."""
        target, after, added = self._target.storage, 0, 0
        while lacking := target.spaces.lacking(_PAGE, scope=scope, after=after):
            after = lacking[-1].number
            memories = target.index.fetch(scope, [each.number for each in lacking])
            found = self._source.storage.copying.find_memories(scope, [each.id for each in memories.values()])
            given = [each for each in found if each.vector is not None]
            if given:
                added += target.copying.put_memories(scope, given, stand=stand)
        return added

    # -- working memory

    def _copy_offloads(self, scope: Scope) -> None:
        here, there = (_index_offloads(_list_offloads(place, scope)) for place in (self._source, self._target))
        new = [offload for offload in here.values() if there.get(offload.id) != offload]
        for start in range(0, len(new), _PAGE):
            part = new[start : start + _PAGE]
            for offload in part:
                self._copy_object(offload)
            replaced = self._target.storage.working.put_offloads(part)
            names = {offload.object_name for offload in part}
            self._remove_objects(offload for offload in replaced if offload.object_name not in names)
        gone = [there[offload_id] for offload_id in there.keys() - here.keys()]
        for offload in gone:
            self._target.storage.working.delete_offload(scope, offload.id)
        self._remove_objects(gone)

    def _copy_object(self, offload: Offload) -> None:
        here, there = self._source.objects, self._target.objects
        if here is None or there is None:
            return
        try:
            content = here.read(offload.object_name)
        except NotFound:  # it was removed or got another name meanwhile: the next round brings that
            return
        there.put(offload.object_name, content)
        self.objects += 1

    def _remove_objects(self, offloads: Iterable[Offload]) -> None:
        if self._target.objects is not None:
            for offload in offloads:
                self._target.objects.delete(offload.object_name)

    # -- what belongs to a workspace and outlives it

    def _copy_money(self, scope: Scope) -> None:
        source, target = self._source.storage, self._target.storage
        used = source.meter.read(scope.tenant_id, workspace_id=scope.workspace_id)
        if used != target.meter.read(scope.tenant_id, workspace_id=scope.workspace_id):
            target.copying.put_usage(used)
        caps = source.ledger.find_caps(scope)
        if caps != target.ledger.find_caps(scope) or caps != NO_CAPS:
            target.ledger.put_caps(scope, caps)
        cursor, newest_ms = "", self._seen_ms.get(scope, 0)
        from_ms = max(0, newest_ms - _LATE_MS)
        while True:
            page = source.ledger.read(
                scope.tenant_id, workspace_id=scope.workspace_id, from_ms=from_ms, limit=_PAGE, cursor=cursor
            )
            for entry in page.items:
                target.ledger.settle(entry)
                newest_ms = max(newest_ms, entry.at_ms)
            cursor = page.next_cursor
            if not cursor:
                break
        self._seen_ms[scope] = newest_ms

    def copy_keys(self) -> None:
        """Bring the keys of all tenants up to date; one that was revoked there stays so."""
        there = self._target.find_keys()
        for key in self._source.find_keys().values():
            kept = there.get(key.id)
            if kept != key and (kept is None or kept.revoked_ms is None):
                self._target.storage.keys.put_key(key, expected=kept)

    def hand_over(self, scope: Scope) -> None:
        """Let the target do what waits to be done, and note that the move of a workspace is finished."""
        self._copy_money(scope)
        stand = self.list_stands().get(scope)
        if stand is not None:
            self._target.storage.copying.put_jobs(self._source.storage.copying.read_jobs(scope))
            self._target.storage.copying.put_stand(replace(stand, is_done=True))


def _list_users(place: Place, scope: Scope) -> Iterable[User]:
    cursor = ""
    while True:
        page = place.storage.users.list_users(scope, limit=_PAGE, cursor=cursor)
        yield from page.items
        cursor = page.next_cursor
        if not cursor:
            return


def _list_offloads(place: Place, scope: Scope) -> Iterable[Offload]:
    cursor = ""
    while True:
        page = place.storage.working.list_offloads(scope, limit=_PAGE, cursor=cursor)
        yield from page.items
        cursor = page.next_cursor
        if not cursor:
            return


def _index_users(users: Iterable[User]) -> dict[str, User]:
    return {user.user_id: user for user in users}


def _index_offloads(offloads: Iterable[Offload]) -> dict[str, Offload]:
    return {offload.id: offload for offload in offloads}
