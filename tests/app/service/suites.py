"""All services over a store of a test, without models."""

from app.backends.objects.ram import RamObjectStore
from app.domain.working import WorkingPolicy
from app.ports import Clock, Embedder, Extractor
from app.ports.stores import Storage
from app.service.embedding_cache import CachingEmbedder
from app.service.profiles import Profiles
from app.service.spending import Spending
from app.service.suite import Services, assemble
from app.service.working import WorkingMemory


def put_together(
    store: Storage,
    embedder: Embedder,
    extractor: Extractor,
    clock: Clock,
    *,
    parallel: bool,
    key_days: int = 90,
    overlap_days: int = 7,
) -> Services:
    """The services, with caches that keep nothing."""
    objects = RamObjectStore(clock=clock)
    working = WorkingMemory(
        store=store.working,
        objects=objects,
        model=None,
        clock=clock,
        meter=store.meter,
        policy=WorkingPolicy(),
    )
    return assemble(
        store=store,
        embedder=CachingEmbedder(embedder, 0),
        extractor=extractor,
        clock=clock,
        meter=store.meter,
        spending=Spending(ledger=store.ledger, clock=clock),
        working=working,
        profiles=Profiles(objects=objects, users=store.users, clock=clock),
        key_days=key_days,
        overlap_days=overlap_days,
        parallel=parallel,
    )
