"""Writes pairs of memories to a store until it is killed, and notes each pair that was acknowledged.

`python -m tests.app.commands.pair_writer FOLDER-OR-DATABASE NOTES`.
"""

import sys
from pathlib import Path
from typing import Any

from app.backends import postgres, sqlite
from app.backends.clock import SystemClock
from app.backends.embedders.hashing import HashingEmbedder
from app.domain.change import Add, ChangeBatch
from app.domain.memory import MemoryDraft, MemoryKind, Scope


def main() -> None:
    """Write."""
    where, notes = sys.argv[1:]
    embedder, scope = HashingEmbedder(), Scope(tenant_id="default", workspace_id="default")
    store: Any
    if "://" in where:
        store = postgres.open_store(where, identity=embedder.identity, clock=SystemClock())
    else:
        path = Path(where) / ".reme" / "memory.db"
        store = sqlite.open_store(path, identity=embedder.identity, clock=SystemClock())
    with Path(notes).open("a") as file:
        for number in range(1_000_000):
            texts = [f"left {number}", f"right {number}"]
            changes = [
                Add(draft=MemoryDraft(kind=MemoryKind.PERSONAL, content=text), vector=vector)
                for text, vector in zip(texts, embedder.embed(texts), strict=True)
            ]
            store.memories.commit(ChangeBatch(scope=scope, changes=tuple(changes)))
            file.write(f"{number}\n")
            file.flush()


if __name__ == "__main__":
    main()
