"""Whether a principal may do something in a workspace; asked first by every use case."""

from app.domain.access import EVERY_WORKSPACE, Permission, Principal
from app.domain.identifiers import check_workspace_id
from app.domain.memory import Scope
from app.errors import Forbidden, NotFound


def authorise(principal: Principal, permission: Permission, workspace_id: str) -> Scope:
    """Return the scope to work in.

    Raises `InvalidRequest` for an id that no workspace can have, `NotFound` for a workspace outside the
    principal's scope, whether it exists or not, and only then `Forbidden` for a role that lacks the permission.
    """
    check_workspace_id(workspace_id)
    if not principal.sees(workspace_id):
        raise NotFound(
            f"there is no workspace {workspace_id!r} for this key: check the id, or ask for a key that covers it"
        )
    require(principal, permission)
    return Scope(tenant_id=principal.tenant_id, workspace_id=workspace_id)


def require(principal: Principal, permission: Permission) -> None:
    """Raise `Forbidden` unless the principal's role grants a permission."""
    if not principal.may(permission):
        raise Forbidden(
            f"role {principal.role.value!r} lacks the permission {permission.value!r}: use a key of a role that has it"
        )


def covers(principal: Principal, pattern: str) -> bool:
    """Whether everything that a workspace pattern matches is in the principal's scope.

    A pattern is an id, a prefix that ends in `*`, or `*` alone.
    """
    if not pattern.endswith(EVERY_WORKSPACE):
        return principal.sees(pattern)
    prefix = pattern[:-1]
    return any(own.endswith(EVERY_WORKSPACE) and prefix.startswith(own[:-1]) for own in principal.workspaces)
