"""The in-RAM workspaces and their users."""

from copy import deepcopy
from dataclasses import replace

from app.backends.memory.cursors import cut_page
from app.backends.memory.state import State, keep_json
from app.domain.memory import JsonObject, Scope
from app.domain.query import Page
from app.domain.workspace import User, Workspace
from app.errors import AlreadyExists, NotFound


class Workspaces:
    """The `WorkspaceStore` of the in-RAM backend."""

    def __init__(self, state: State) -> None:
        self._state = state

    def put_workspace(self, scope: Scope, *, name: str | None, metadata: JsonObject | None, create: bool) -> Workspace:
        """Make a workspace or change one; the metadata given replaces what is there."""
        state = self._state
        kept = None if metadata is None else keep_json(metadata)
        with state.lock:
            if create:
                if scope in state.workspaces:
                    raise AlreadyExists(f"workspace {scope.workspace_id} is there already: change it instead")
                return _copied(state.ensure_workspace(scope, name=name or "", metadata=kept))
            old = self._find(scope)
            new = replace(
                old,
                name=old.name if name is None else name,
                metadata=old.metadata if kept is None else kept,
                updated_ms=state.clock.now_ms(),
                version=old.version + 1,
            )
            state.workspaces[scope] = new
            return _copied(new)

    def get_workspace(self, scope: Scope) -> Workspace:
        """A workspace, or `NotFound`."""
        with self._state.lock:
            return _copied(self._find(scope))

    def list_workspaces(self, tenant_id: str, *, limit: int, cursor: str = "") -> Page[Workspace]:
        """A page of a tenant's workspaces in the order of their ids."""
        with self._state.lock:
            pairs = sorted(
                (scope.workspace_id, _copied(workspace))
                for scope, workspace in self._state.workspaces.items()
                if scope.tenant_id == tenant_id
            )
        return cut_page(("workspaces", tenant_id), pairs, limit=limit, cursor=cursor)

    def delete_workspace(self, scope: Scope) -> int:
        """Remove a workspace with memories, users, jobs and receipts; its metered use stays. Counts live memories."""
        state = self._state
        with state.lock:
            self._find(scope)
            rows = state.shelf(scope).rows.values()
            held = sum(row.live and not row.memory.revision_of for row in rows)
            del state.workspaces[scope]
            state.shelves.pop(scope, None)
            state.users.pop(scope, None)
            state.jobs = {job_id: kept for job_id, kept in state.jobs.items() if kept.job.scope != scope}
            state.receipts = {key: kept for key, kept in state.receipts.items() if key[0] != scope}
            return held

    def _find(self, scope: Scope) -> Workspace:
        if scope not in self._state.workspaces:
            raise NotFound(f"there is no workspace {scope.workspace_id}")
        return self._state.workspaces[scope]


class Users:
    """The `UserStore` of the in-RAM backend."""

    def __init__(self, state: State) -> None:
        self._state = state

    def put_user(self, scope: Scope, user_id: str, *, name: str | None, metadata: JsonObject | None) -> User:
        """Make or change a user; the metadata given replaces what is there."""
        state = self._state
        kept = None if metadata is None else keep_json(metadata)
        with state.lock:
            state.ensure_workspace(scope)
            now_ms = state.clock.now_ms()
            users = state.users.setdefault(scope, {})
            old = users.get(user_id) or User(
                scope=scope, user_id=user_id, name="", created_ms=now_ms, updated_ms=now_ms
            )
            users[user_id] = replace(
                old,
                name=old.name if name is None else name,
                metadata=old.metadata if kept is None else kept,
                updated_ms=now_ms,
            )
            return _copied_user(users[user_id])

    def get_user(self, scope: Scope, user_id: str) -> User:
        """A user, or `NotFound`."""
        with self._state.lock:
            return _copied_user(self._find(scope, user_id))

    def list_users(self, scope: Scope, *, limit: int, cursor: str = "") -> Page[User]:
        """A page of users in the order of their ids."""
        with self._state.lock:
            users = self._state.users.get(scope, {})
            pairs = [(user_id, _copied_user(users[user_id])) for user_id in sorted(users)]
        return cut_page(("users", scope.tenant_id, scope.workspace_id), pairs, limit=limit, cursor=cursor)

    def delete_user(self, scope: Scope, user_id: str) -> None:
        """Remove a user, or `NotFound`; memories about the user stay."""
        with self._state.lock:
            self._find(scope, user_id)
            del self._state.users[scope][user_id]

    def _find(self, scope: Scope, user_id: str) -> User:
        users = self._state.users.get(scope, {})
        if user_id not in users:
            raise NotFound(f"there is no user {user_id} in workspace {scope.workspace_id}")
        return users[user_id]


def _copied(workspace: Workspace) -> Workspace:
    return replace(workspace, metadata=deepcopy(workspace.metadata))


def _copied_user(user: User) -> User:
    return replace(user, metadata=deepcopy(user.metadata))
