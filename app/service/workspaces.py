"""Workspaces, and the users whom their memories are about."""

from collections.abc import Iterator

from app.domain.access import EVERY_WORKSPACE, Permission, Principal
from app.domain.identifiers import WORKSPACE_ID
from app.domain.memory import JsonObject, Scope
from app.domain.query import Page
from app.domain.workspace import Contents, User, Workspace
from app.errors import InvalidRequest, NotFound
from app.ports import MemoryStore, UserStore, WorkspaceStore
from app.service.authorisation import authorise, require
from app.service.copies import NO_COPIES, Copies
from app.service.limits import NAME_CHARACTERS, PAGE, check_metadata, check_page, check_text


class Workspaces:
    """Makes, describes and removes workspaces and users. May be used from any thread."""

    def __init__(
        self,
        *,
        workspaces: WorkspaceStore,
        users: UserStore,
        memories: MemoryStore,
        copies: Copies = NO_COPIES,
        working: Copies = NO_COPIES,
    ) -> None:
        self._workspaces = workspaces
        self._users = users
        self._memories = memories
        self._copies = copies
        self._working = working

    def create(
        self, principal: Principal, workspace_id: str, *, name: str = "", metadata: JsonObject | None = None
    ) -> Workspace:
        """Make a workspace in the principal's scope, or raise `AlreadyExists`. Needs memory:write."""
        scope = authorise(principal, Permission.MEMORY_WRITE, workspace_id)
        return self._workspaces.put_workspace(
            scope, name=_check_name(name), metadata=check_metadata(metadata or {}), create=True
        )

    def get(self, principal: Principal, workspace_id: str) -> Workspace:
        """A workspace, or `NotFound`. Needs memory:read."""
        return self._workspaces.get_workspace(authorise(principal, Permission.MEMORY_READ, workspace_id))

    def contents(self, principal: Principal, workspace_id: str) -> Contents:
        """What a workspace holds; zeros for one that nobody made yet. Needs memory:read."""
        return self._memories.contents(authorise(principal, Permission.MEMORY_READ, workspace_id))

    def list(self, principal: Principal, *, limit: int = 50, cursor: str = "") -> Page[Workspace]:
        """A page of 1 to 1,000 of the workspaces that the principal sees, in the order of their ids.

        Needs memory:read. Neither a page nor its cursor tells of a workspace outside the principal's scope.
        """
        require(principal, Permission.MEMORY_READ)
        check_page(limit)
        if EVERY_WORKSPACE in principal.workspaces:
            return self._workspaces.list_workspaces(principal.tenant_id, limit=limit, cursor=cursor)
        # The store's cursor may name a workspace that the principal does not see; this one names the last shown.
        if cursor and not WORKSPACE_ID.fullmatch(cursor):
            raise InvalidRequest("the cursor is not one of this listing: start again without it")
        seen: list[Workspace] = []
        for workspace in walk_visible(self._workspaces, principal):
            if workspace.scope.workspace_id > cursor:
                seen.append(workspace)
            if len(seen) > limit:
                return Page(items=tuple(seen[:limit]), next_cursor=seen[limit - 1].scope.workspace_id)
        return Page(items=tuple(seen))

    def update(
        self, principal: Principal, workspace_id: str, *, name: str | None = None, metadata: JsonObject | None = None
    ) -> Workspace:
        """Change a workspace's name or metadata, or raise `NotFound`. Needs memory:write."""
        scope = authorise(principal, Permission.MEMORY_WRITE, workspace_id)
        return self._workspaces.put_workspace(
            scope,
            name=None if name is None else _check_name(name),
            metadata=None if metadata is None else check_metadata(metadata),
            create=False,
        )

    def delete(self, principal: Principal, workspace_id: str, *, keep_copies: bool = False) -> int:
        """Remove a workspace with all that it holds, its dumps too; returns how many memories it held. Needs an admin.

        Of a workspace that is gone the dumps are removed; `NotFound` says that there were none. With `keep_copies`
        they stay: the 0.2 API dumps a workspace, deletes it and loads it again.
        """
        scope = authorise(principal, Permission.ADMINISTER, workspace_id)
        self._working.forget(scope)
        try:
            removed = self._workspaces.delete_workspace(scope)
        except NotFound:
            if keep_copies or not self._copies.forget(scope):
                raise
            return 0
        # The copies last: one that is made meanwhile goes too, and a repetition finishes what was cut short.
        if not keep_copies:
            self._copies.forget(scope)
        return removed

    def put_user(
        self,
        principal: Principal,
        workspace_id: str,
        user_id: str,
        *,
        name: str | None = None,
        metadata: JsonObject | None = None,
    ) -> User:
        """Make or change a user; what is None stays as it is. Needs memory:write."""
        scope = authorise(principal, Permission.MEMORY_WRITE, workspace_id)
        return self._users.put_user(
            scope,
            _check_user_id(user_id),
            name=None if name is None else _check_name(name),
            metadata=None if metadata is None else check_metadata(metadata),
        )

    def get_user(self, principal: Principal, workspace_id: str, user_id: str) -> User:
        """A user, or `NotFound`. Needs memory:read."""
        scope = authorise(principal, Permission.MEMORY_READ, workspace_id)
        return self._users.get_user(scope, _check_user_id(user_id))

    def list_users(self, principal: Principal, workspace_id: str, *, limit: int = 50, cursor: str = "") -> Page[User]:
        """A page of 1 to 1,000 users in the order of their ids. Needs memory:read."""
        scope = authorise(principal, Permission.MEMORY_READ, workspace_id)
        return self._users.list_users(scope, limit=check_page(limit), cursor=cursor)

    def delete_user(self, principal: Principal, workspace_id: str, user_id: str) -> int:
        """Remove a user and erase all memories about the user for good, in dumps too; returns how many those were.

        Needs memory:delete. Memories may be about a user whom nobody made, so that `NotFound` says that there was
        neither the user nor a memory, nor a dump that held one. Those in dumps are not counted.
        """
        scope = authorise(principal, Permission.MEMORY_DELETE, workspace_id)
        user_id = _check_user_id(user_id)
        # The memories first: should this process die in between, a repetition finishes the work.
        erased = self._memories.purge(scope, user_id=user_id)
        changed_copies = self._copies.forget(scope, user_id=user_id)
        try:
            self._users.delete_user(scope, user_id)
        except NotFound:
            if not erased and not changed_copies:
                raise
        return erased


def walk_visible(store: WorkspaceStore, principal: Principal) -> Iterator[Workspace]:
    """Every workspace that a principal sees, in the order of their ids; none of them is made by asking."""
    if not any(pattern.endswith(EVERY_WORKSPACE) for pattern in principal.workspaces):
        for workspace_id in sorted(set(principal.workspaces)):
            try:
                yield store.get_workspace(Scope(tenant_id=principal.tenant_id, workspace_id=workspace_id))
            except NotFound:
                continue
        return
    cursor = ""
    while True:
        page = store.list_workspaces(principal.tenant_id, limit=PAGE, cursor=cursor)
        yield from (workspace for workspace in page.items if principal.sees(workspace.scope.workspace_id))
        cursor = page.next_cursor
        if not cursor:
            return


def _check_name(name: str) -> str:
    return check_text("name", name, most=NAME_CHARACTERS)


def _check_user_id(user_id: str) -> str:
    return check_text("user_id", user_id, least=1, most=NAME_CHARACTERS)
