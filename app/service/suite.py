"""All services of one store, and how they are put together."""

from dataclasses import dataclass

from app.ports import Clock, Embedder, Extractor, Meter
from app.service.conversations import Conversations
from app.service.jobs import Jobs
from app.service.keys import Keys
from app.service.memories import Memories
from app.service.reembedding import Reembedding
from app.service.retrieval import Retrieval
from app.service.storage import Storage
from app.service.tools import Tools
from app.service.transfers import Transfers
from app.service.usage import Usage
from app.service.workspaces import Workspaces


@dataclass(frozen=True, kw_only=True)
class Services:
    """The use cases of the memory service; `meter` and `store` are there for the interfaces and for closing."""

    memories: Memories
    retrieval: Retrieval
    conversations: Conversations
    tools: Tools
    workspaces: Workspaces
    transfers: Transfers
    keys: Keys
    usage: Usage
    jobs: Jobs
    reembedding: Reembedding
    meter: Meter
    store: Storage

    def close(self) -> None:
        """Let searches end, then the store."""
        self.retrieval.close()
        self.store.close()


def assemble(
    *,
    store: Storage,
    embedder: Embedder,
    extractor: Extractor,
    clock: Clock,
    key_days: int = 90,
    overlap_days: int = 7,
    parallel: bool = True,
) -> Services:
    """The services over a store; knows no backend. `parallel` as in `Retrieval`, the days as in `Keys`."""
    memories = Memories(store=store.memories, embedder=embedder, clock=clock, meter=store.meter)
    retrieval = Retrieval(index=store.index, embedder=embedder, clock=clock, meter=store.meter, parallel=parallel)
    conversations = Conversations(memories=memories, extractor=extractor)
    return Services(
        memories=memories,
        retrieval=retrieval,
        conversations=conversations,
        tools=Tools(memories=memories, retrieval=retrieval),
        workspaces=Workspaces(workspaces=store.workspaces, users=store.users, memories=store.memories),
        transfers=Transfers(store=store.memories, memories=memories),
        keys=Keys(store=store.keys, clock=clock, key_days=key_days, overlap_days=overlap_days),
        usage=Usage(meter=store.meter, workspaces=store.workspaces, memories=store.memories, clock=clock),
        jobs=Jobs(queue=store.jobs, memories=memories, conversations=conversations),
        reembedding=Reembedding(spaces=store.spaces, embedder=embedder),
        meter=store.meter,
        store=store,
    )
