"""A store with a clock that stands still, and the services over it: in RAM, and where it matters in a file too."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from app.backends.clock import SteppingClock
from app.backends.embedders.hashing import HashingEmbedder
from app.backends.memory import open_store as open_in_ram
from app.backends.sqlite import open_store as open_file
from app.domain.access import Principal, Role
from app.domain.memory import MemoryDraft, MemoryKind
from app.ports.stores import Storage
from app.service.keys import Keys
from app.service.memories import Memories
from app.service.retrieval import Retrieval
from app.service.transfers import Transfers
from app.service.usage import Usage
from app.service.workspaces import Workspaces


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What most tests of services need."""

    clock: SteppingClock
    embedder: HashingEmbedder
    store: Storage
    memories: Memories
    retrieval: Retrieval
    workspaces: Workspaces
    transfers: Transfers
    keys: Keys
    usage: Usage


@pytest.fixture
def bench() -> Iterator[Bench]:
    """The services over an empty store in RAM."""
    made = make_bench()
    yield made
    made.retrieval.close()
    made.store.close()


@pytest.fixture(params=["in RAM", "in a file"])
def benches(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Bench]]:
    """Makes services over empty stores, of each backend in turn."""
    made: list[Bench] = []

    def make() -> Bench:
        path = tmp_path / f"{len(made)}.db" if request.param == "in a file" else None
        made.append(make_bench(path=path))
        return made[-1]

    yield make
    for each in made:
        each.retrieval.close()
        each.store.close()


def make_bench(*, parallel: bool = True, path: Path | None = None) -> Bench:
    """The services over an empty store: in RAM, or in a file."""
    clock = SteppingClock()
    embedder = HashingEmbedder(dimensions=64)
    store: Storage
    if path is None:
        store = open_in_ram(identity=embedder.identity, clock=clock)
    else:
        store = open_file(path, identity=embedder.identity, clock=clock, synchronous="NORMAL")
    memories = Memories(store=store.memories, embedder=embedder, clock=clock, meter=store.meter)
    return Bench(
        clock=clock,
        embedder=embedder,
        store=store,
        memories=memories,
        retrieval=Retrieval(index=store.index, embedder=embedder, clock=clock, meter=store.meter, parallel=parallel),
        workspaces=Workspaces(workspaces=store.workspaces, users=store.users, memories=store.memories),
        transfers=Transfers(store=store.memories, memories=memories),
        keys=Keys(store=store.keys, clock=clock),
        usage=Usage(meter=store.meter, workspaces=store.workspaces, memories=store.memories, clock=clock),
    )


def principal(role: Role = Role.ADMIN, *workspaces: str, tenant_id: str = "acme") -> Principal:
    """A principal of a role for some workspaces, or for all."""
    return Principal(key_id="k1", name="test", tenant_id=tenant_id, role=role, workspaces=workspaces or ("*",))


def draft(content: str, **fields: Any) -> MemoryDraft:
    """A personal draft."""
    return MemoryDraft(**{"kind": MemoryKind.PERSONAL, "content": content, **fields})
