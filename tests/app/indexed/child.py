"""A process that writes beside an index in Chroma and dies: `python -m tests.app.indexed.child FOLDER HOST PORT NAME STAGE`.

Prints the mark of the collection, then kills itself: when its changes are "committed", when the indexer has "claimed"
them, or when the index was told and it was not "settled".
"""

import os
import signal
import sys
from pathlib import Path

from app.backends import indexed, sqlite
from app.backends.chroma import open_index
from app.backends.clock import SystemClock
from app.domain.change import Add, ChangeBatch, Delete, Update
from app.domain.memory import MemoryPatch
from tests.app.contract.samples import HERE, IDENTITY, draft, vector_of
from tests.servers.waiting import PATIENCE_S

TEXTS = tuple(f"note {number}" for number in range(10))
LEASE_MS = 1000


def main() -> None:
    """Write, and die."""
    folder, host, port, name, stage = sys.argv[1:]
    clock = SystemClock()
    store = sqlite.open_store(Path(folder) / "memory.db", identity=IDENTITY, clock=clock)
    index = open_index(host, int(port), name=name, search_timeout_s=PATIENCE_S, timeout_s=PATIENCE_S)
    both = indexed.open_store(store, index, identity=IDENTITY, clock=clock, indexing=False)
    adding = tuple(Add(draft=draft(text, tags=("told",)), vector=vector_of(text)) for text in TEXTS)
    outcomes = both.memories.commit(ChangeBatch(scope=HERE, changes=adding)).outcomes
    both.indexer.work()
    sys.stdout.write(both.collection.mark)
    sys.stdout.flush()
    both.memories.commit(
        ChangeBatch(
            scope=HERE,
            changes=(
                Update(memory_id=outcomes[0].memory_id, patch=MemoryPatch(tags=("changed",))),
                Delete(memory_id=outcomes[1].memory_id),
                Add(draft=draft("new"), vector=vector_of("new")),
            ),
        )
    )
    if stage != "committed":
        entries = store.feed.claim(100, lease_ms=LEASE_MS)
        if stage == "settled":
            index.apply(entries)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
