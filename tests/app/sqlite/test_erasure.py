"""What is erased cannot be read from a compacted file any more, wherever SQLite moved it before."""

from pathlib import Path
from random import Random

import apsw
import numpy as np
import pytest

from app.backends.sqlite import SqliteStore
from app.backends.sqlite.compaction import compact
from app.backends.sqlite.doctor import examine
from app.domain.change import Add, ChangeBatch, Update
from app.domain.memory import Memory, MemoryDraft, MemoryKind, MemoryPatch
from app.domain.query import MemoryFilter
from app.errors import StoreBusy
from tests.app.sqlite.conftest import EMBEDDER, HERE, OpenStore, remember

TEXTS = 1000


def fill(store: SqliteStore, seed: int) -> list[tuple[str, str]]:
    """Users and marks of texts of many lengths; rows that grew later were moved from page to page."""
    random = Random(seed)  # noqa: S311 - reproducible
    owners = [(random.choice(("ann", "bob")), f"mark{number}x{random.getrandbits(40):010x}") for number in range(TEXTS)]
    ids: list[str] = []
    for start in range(0, TEXTS, 10):
        texts = [f"{mark} {'tea ' * random.randrange(150)}" for _, mark in owners[start : start + 10]]
        drafts = [
            MemoryDraft(kind=MemoryKind.PERSONAL, content=text, user_id=user, metadata={"mark": mark})
            for text, (user, mark) in zip(texts, owners[start : start + 10], strict=True)
        ]
        vectors = np.asarray(EMBEDDER.embed(texts))
        changes = tuple(Add(draft=draft, vector=vector) for draft, vector in zip(drafts, vectors, strict=True))
        ids += [each.memory_id for each in store.memories.commit(ChangeBatch(scope=HERE, changes=changes)).outcomes]
    for place in random.sample(range(TEXTS), 400):
        patch = MemoryPatch(metadata={"mark": owners[place][1], "more": "y" * random.randrange(800)})
        store.memories.commit(ChangeBatch(scope=HERE, changes=(Update(memory_id=ids[place], patch=patch),)))
    return owners


def list_all(store: SqliteStore) -> tuple[Memory, ...]:
    return store.memories.scan(HERE, MemoryFilter(), limit=2 * TEXTS).items


def read_files(path: Path) -> bytes:
    return b"".join(file.read_bytes() for file in path.parent.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_no_erased_text_is_left_in_a_file_that_was_compacted(opened: OpenStore, seed: int) -> None:
    """Without it 6 to 18 of these 1,000 texts are left; a store that is open reads and writes on."""
    store = opened()
    owners = fill(store, seed)
    kept = [memory.id for memory in list_all(store) if memory.user_id == "bob"]
    store.memories.purge(HERE, user_id="ann")
    before, after = compact(store.path)
    assert after < before
    left = read_files(store.path)
    assert [mark for user, mark in owners if user == "ann" and mark.encode() in left] == []
    assert all(mark.encode() in left for user, mark in owners if user == "bob")
    assert [memory.id for memory in list_all(store)] == kept
    assert remember(store, "tea again").outcomes[0].memory_id
    assert examine(store.path) == ()


def test_a_writer_is_not_disturbed(opened: OpenStore) -> None:
    store = opened()
    writer = apsw.Connection(str(store.path))
    writer.execute("BEGIN IMMEDIATE").fetchall()
    with pytest.raises(StoreBusy):
        compact(store.path, busy_timeout_ms=10)
    writer.execute("ROLLBACK").fetchall()
    writer.close()
    compact(store.path)
