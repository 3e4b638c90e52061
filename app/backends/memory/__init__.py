"""The in-RAM backend of every storage port: for tests, and for trying the service out. Nothing outlives the process."""

from dataclasses import dataclass

from app.backends.memory.copying import Copying, MarkedState
from app.backends.memory.jobs import Jobs
from app.backends.memory.keys import Keys
from app.backends.memory.ledger import Ledger
from app.backends.memory.memories import Memories
from app.backends.memory.meter import DailyMeter
from app.backends.memory.notes import Feed
from app.backends.memory.search import Search
from app.backends.memory.spaces import Spaces
from app.backends.memory.working import Working
from app.backends.memory.workspaces import Users, Workspaces
from app.domain.embedding import EmbeddingIdentity
from app.ports import Clock


@dataclass(frozen=True, kw_only=True, slots=True)
class Store:
    """The storage ports over one state that they share."""

    memories: Memories
    index: Search
    workspaces: Workspaces
    users: Users
    keys: Keys
    jobs: Jobs
    meter: DailyMeter
    ledger: Ledger
    working: Working
    spaces: Spaces
    feed: Feed
    copying: Copying

    def close(self) -> None:
        """Finish what is queued; there is nothing to let go of."""
        self.memories.close()


def open_store(*, identity: EmbeddingIdentity, clock: Clock) -> Store:
    """Make an empty store. `identity` is stamped on it with the first vector that is written."""
    state = MarkedState(identity=identity, clock=clock)
    return Store(
        memories=Memories(state),
        index=Search(state),
        workspaces=Workspaces(state),
        users=Users(state),
        keys=Keys(state),
        jobs=Jobs(state),
        meter=DailyMeter(state),
        ledger=Ledger(),
        working=Working(state),
        spaces=Spaces(state),
        feed=Feed(state),
        copying=Copying(state),
    )
