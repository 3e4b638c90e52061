"""What the service needs from the outside: small protocols, each with one contract suite for all backends.

Every backend raises only errors of `app.errors`. A write has happened durably when a call returns.
Methods may be called from any thread.
"""

from app.ports.accounts import Accounts, Ledger, SharedRates
from app.ports.copying import Copying
from app.ports.indexing import IndexFeed, VectorIndex
from app.ports.models import Embedder, EmbeddingModel, Extractor, LanguageModel, Moderator, VectorCache
from app.ports.operations import Clock, JobQueue, Meter
from app.ports.storage import KeyStore, MemoryStore, SearchIndex, UserStore, VectorSpaces, WorkspaceStore
from app.ports.working import ObjectStore, WorkingStore

__all__ = [
    "Accounts",
    "Clock",
    "Copying",
    "Embedder",
    "EmbeddingModel",
    "Extractor",
    "IndexFeed",
    "JobQueue",
    "KeyStore",
    "LanguageModel",
    "Ledger",
    "MemoryStore",
    "Meter",
    "Moderator",
    "ObjectStore",
    "SearchIndex",
    "SharedRates",
    "UserStore",
    "VectorCache",
    "VectorIndex",
    "VectorSpaces",
    "WorkingStore",
    "WorkspaceStore",
]
