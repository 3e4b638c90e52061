"""Copies between a store in a database and one in a file, neither of which anybody else writes to meanwhile."""

from app.domain.backups import Show
from app.domain.memory import Scope
from app.errors import AlreadyExists
from app.service.migration import Movement, Place
from app.service.migration.copier import Copier


def copy_all(source: Place, target: Place, *, show: Show) -> None:
    """Bring all of a store that stands still into an empty one."""
    copier = Copier(source, target, show=lambda _, done, total: show(done, total))
    for scope in source.storage.copying.list_scopes():
        copier.copy(scope)
        copier.hand_over(scope)
    copier.copy_keys()


def load(copy: Place, target: Place, *, show: Show) -> tuple[str, ...]:
    """Bring a verified copy into a store that is empty, or that an interrupted call of this left; compare the two.

    Returns what differs, nothing where all is there. Raises `AlreadyExists` for a store that holds anything else.
    """
    reason = _refuse(copy, target)
    if reason:
        raise AlreadyExists(f"{target.name} {reason}: restore into an empty database")
    movement = Movement(
        copy, target, scopes=None, keeps_source_open=True, show=lambda _, done, total: show(done, total)
    )
    return movement.run().findings


def _refuse(copy: Place, target: Place) -> str:
    """Why nothing may be restored into a store; empty where it may."""
    stands = {stand.scope: stand for stand in target.storage.copying.list_stands(copy.node_id)}
    if stands and all(stand.is_done for stand in stands.values()):
        return "has this backup already, or another one of the same store"
    here = set(copy.storage.copying.list_scopes())
    for scope in target.storage.copying.list_scopes():
        if scope not in stands and not (scope in here and _is_begun(scope, copy, target)):
            return f"holds workspace {scope.workspace_id} of tenant {scope.tenant_id}"
    if target.find_keys().keys() - copy.find_keys().keys():
        return "holds API keys"
    return ""


def _is_begun(scope: Scope, copy: Place, target: Place) -> bool:
    """Whether a workspace may be what a restore had made when it was interrupted."""
    made, there = copy.find_workspace(scope), target.find_workspace(scope)
    if there is None:
        return True
    contents = target.storage.memories.contents(scope)
    return made is not None and made.data_key_id == there.data_key_id and not contents.memories + contents.tombstones
