"""All services of one store, and how they are put together."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from app.ports import Clock, Extractor, LanguageModel, Meter
from app.ports.stores import Storage
from app.service.backlog import VectorBacklog
from app.service.conversations import Conversations
from app.service.copies import NO_COPIES, AllCopies, Copies
from app.service.deferral import Deferral
from app.service.deferred import DeferredDistillation
from app.service.embedding_cache import CachingEmbedder
from app.service.jobs import Jobs
from app.service.keys import Keys
from app.service.memories import Memories
from app.service.merging import IndexedMemories, Merger
from app.service.moderation import Moderation
from app.service.profiles import Profiles
from app.service.quarantine import GuardedIndex
from app.service.reembedding import Reembedding
from app.service.reranking import Reranker
from app.service.retrieval import Retrieval
from app.service.spending import Spending
from app.service.tool_guidelines import ToolGuide
from app.service.tools import Tools
from app.service.transfers import Transfers
from app.service.usage import Usage
from app.service.working import WorkingMemory
from app.service.workspaces import Workspaces


@dataclass(frozen=True, kw_only=True)
class Services:
    """The use cases of the memory service; `meter`, `embedder` and `store` are there for the interfaces."""

    memories: Memories
    retrieval: Retrieval
    conversations: Conversations
    tools: Tools
    working: WorkingMemory
    workspaces: Workspaces
    profiles: Profiles
    transfers: Transfers
    keys: Keys
    usage: Usage
    spending: Spending
    jobs: Jobs
    backlog: VectorBacklog
    reembedding: Reembedding
    meter: Meter
    embedder: CachingEmbedder
    store: Storage
    moderation: Moderation | None = None
    closing: Sequence[Callable[[], None]] = ()

    def close(self) -> None:
        """Let searches end, then what calls models, in the order of `closing`, then the store."""
        with ExitStack() as stack:
            for close in (self.store.close, *reversed(self.closing), self.retrieval.close):
                stack.callback(close)


def assemble(
    *,
    store: Storage,
    embedder: CachingEmbedder,
    extractor: Extractor,
    clock: Clock,
    meter: Meter,
    spending: Spending,
    working: WorkingMemory,
    profiles: Profiles,
    language: LanguageModel | None = None,
    reranker: Reranker | None = None,
    copies: Copies = NO_COPIES,
    moderation: Moderation | None = None,
    key_days: int = 90,
    overlap_days: int = 7,
    parallel: bool = True,
    closing: Sequence[Callable[[], None]] = (),
) -> Services:
    """The services over a store; knows no backend. Without a `language` model rules merge and summarise.

    `parallel` as in `Retrieval`, the days as in `Keys`.
    """
    backlog = VectorBacklog(spaces=store.spaces, embedder=embedder, queue=store.jobs, clock=clock, meter=meter)
    memories = Memories(
        store=store.memories,
        embedder=embedder,
        clock=clock,
        meter=meter,
        copies=AllCopies(copies, working, profiles),
        backlog=backlog,
        moderation=moderation,
    )
    index = GuardedIndex(store.index)
    retrieval = Retrieval(
        index=index, embedder=embedder, clock=clock, meter=meter, parallel=parallel, reranker=reranker
    )
    related = IndexedMemories(index=index, embedder=embedder)
    deferral = Deferral(queue=store.jobs, clock=clock)
    conversations = Conversations(
        memories=memories,
        extractor=extractor,
        merger=None if language is None else Merger(model=language, related=related),
        deferral=deferral,
        moderation=moderation,
    )
    deferred = DeferredDistillation(distiller=conversations.distiller, deferral=deferral, clock=clock)
    return Services(
        memories=memories,
        retrieval=retrieval,
        conversations=conversations,
        tools=Tools(memories=memories, retrieval=retrieval, guide=ToolGuide(language), moderation=moderation),
        working=working,
        workspaces=Workspaces(
            workspaces=store.workspaces,
            users=store.users,
            memories=store.memories,
            copies=AllCopies(copies, profiles),
            working=AllCopies(working, profiles),
        ),
        profiles=profiles,
        transfers=Transfers(store=store.memories, memories=memories),
        keys=Keys(store=store.keys, clock=clock, key_days=key_days, overlap_days=overlap_days),
        usage=Usage(
            meter=meter, workspaces=store.workspaces, memories=store.memories, clock=clock, ledger=store.ledger
        ),
        spending=spending,
        jobs=Jobs(
            queue=store.jobs,
            memories=memories,
            conversations=conversations,
            backlog=backlog,
            deferred=deferred,
            moderation=moderation,
        ),
        backlog=backlog,
        reembedding=Reembedding(spaces=store.spaces, embedder=embedder),
        meter=meter,
        embedder=embedder,
        store=store,
        moderation=moderation,
        closing=closing,
    )
