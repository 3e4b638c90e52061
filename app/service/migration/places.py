"""One end of a move, and the workspaces in it."""

from dataclasses import dataclass

from app.domain.access import ApiKey
from app.domain.memory import Scope
from app.domain.workspace import Workspace
from app.errors import NotFound
from app.ports import ObjectStore
from app.ports.stores import Storage


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """An open store and what it is called, without secrets; with `objects` their texts are moved too."""

    name: str
    storage: Storage
    objects: ObjectStore | None = None

    @property
    def node_id(self) -> str:
        """The store's own id."""
        return self.storage.copying.node_id()

    def find_workspace(self, scope: Scope) -> Workspace | None:
        """A workspace, or None."""
        try:
            return self.storage.workspaces.get_workspace(scope)
        except NotFound:
            return None

    def find_keys(self) -> dict[str, ApiKey]:
        """The keys by their ids."""
        return {key.id: key for key in self.storage.keys.list_keys()}
