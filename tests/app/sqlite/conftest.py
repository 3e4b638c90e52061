"""A SQLite store on disk, and vectors for its texts."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from app.backends.clock import SteppingClock
from app.backends.embedders.hashing import HashingEmbedder
from app.backends.sqlite import SqliteStore, open_store
from app.domain.change import Add, ChangeBatch, Committed
from app.domain.memory import MemoryDraft, MemoryKind, Scope

HERE = Scope(tenant_id="default", workspace_id="here")
EMBEDDER = HashingEmbedder(dimensions=64)
OpenStore = Callable[..., SqliteStore]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[OpenStore]:
    """Opens the store of this test; what was opened is closed at the end."""
    stores: list[SqliteStore] = []

    def open_here(**settings: object) -> SqliteStore:
        store = open_store(
            tmp_path / ".reme" / "memory.db",
            identity=EMBEDDER.identity,
            clock=SteppingClock(),
            **settings,  # type: ignore[arg-type]
        )
        stores.append(store)
        return store

    yield open_here
    for store in stores:
        store.close()


def remember(store: SqliteStore, *texts: str, scope: Scope = HERE) -> Committed:
    """Commit personal memories of these texts."""
    drafts = [MemoryDraft(kind=MemoryKind.PERSONAL, content=text) for text in texts]
    vectors = EMBEDDER.embed(list(texts))
    changes = tuple(Add(draft=draft, vector=vector) for draft, vector in zip(drafts, np.asarray(vectors), strict=True))
    return store.memories.commit(ChangeBatch(scope=scope, changes=changes))
