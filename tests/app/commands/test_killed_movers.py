"""`reme migrate` between files and databases, killed at one point after the other, and taken up again each time."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from app.backends import postgres, sqlite
from app.backends.clock import SystemClock
from app.backends.embedders.hashing import HashingEmbedder
from app.domain.caps import WorkspaceCaps
from app.domain.change import Add, ChangeBatch, Delete, Receipt, Update
from app.domain.copying import Digest, add_up
from app.domain.memory import MemoryDraft, MemoryKind, MemoryPatch, Scope

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("postgres")]

ROOT = Path(__file__).parents[3]
EMBEDDER = HashingEmbedder()
SCOPES = tuple(Scope(tenant_id="default", workspace_id=name) for name in ("a", "b", "c"))
SIZES = (620, 30, 30)
"""The first is copied in two batches."""
POINTS = (
    ("there", "put_workspace", 1, "after"),
    ("there", "put_memories", 2, "before"),
    ("there", "put_memories", 1, "after"),
    ("here", "renew", 1, "before"),
    ("there", "put_jobs", 2, "before"),
)
"""With nothing but a workspace, between two batches, with rows whose mover did not hear of them, with the source closed
for the comparison, and with the source closed for good while some jobs are not handed over."""
KINDS = [("sqlite", "postgres"), ("postgres", "postgres"), ("postgres", "sqlite")]


@dataclass(frozen=True, kw_only=True)
class Held:
    """What a store holds of a workspace."""

    digest: Digest
    ids: tuple[str, ...]
    contents: object
    users: tuple[object, ...]
    jobs: tuple[object, ...]
    caps: WorkspaceCaps


@dataclass(frozen=True, kw_only=True)
class End:
    """One end of a move: the place as the command takes it, and how it is opened beside that."""

    place: str
    open: Callable[[], Any]

    def look(self) -> list[Held]:
        """What it holds."""
        with closing(self.open()) as store:
            return [_look(store, scope) for scope in SCOPES]

    def list_scopes(self) -> tuple[Scope, ...]:
        """The workspaces that it has anything of."""
        with closing(self.open()) as store:
            return tuple(store.copying.list_scopes())


def _look(store: Any, scope: Scope) -> Held:
    rows = [each for batch in store.copying.read_memories(scope, after=0) for each in batch.memories]
    return Held(
        digest=add_up(rows),
        ids=tuple(sorted(each.memory.id for each in rows)),
        contents=store.memories.contents(scope),
        users=store.users.list_users(scope, limit=9).items,
        jobs=tuple((job.id, job.payload) for job in store.copying.read_jobs(scope)),
        caps=store.ledger.find_caps(scope),
    )


@pytest.fixture
def make_end(place: Path, request: pytest.FixtureRequest) -> Iterator[Callable[[str, str], End]]:
    """Makes an end of a kind: an empty database, or a folder."""
    with ExitStack() as stack:

        def make(kind: str, name: str) -> End:
            if kind == "sqlite":
                path = place / name / ".reme" / "memory.db"
                return End(
                    place=str(place / name),
                    open=lambda: sqlite.open_store(path, identity=EMBEDDER.identity, clock=SystemClock()),
                )
            server = request.getfixturevalue("postgres_server")
            dsn = server.new_database()
            stack.callback(server.drop_database, dsn)
            return End(
                place=dsn,
                open=lambda: postgres.open_store(
                    dsn, identity=EMBEDDER.identity, clock=SystemClock(), min_pool_size=1, max_pool_size=4
                ),
            )

        yield make


def fill(end: End) -> None:
    """Memories that were changed and removed, users, jobs and caps in three workspaces."""
    with closing(end.open()) as store:
        for scope, size in zip(SCOPES, SIZES, strict=True):
            texts = [f"Ada noted fact {number} about subject {number % 9} in {scope}" for number in range(size)]
            adding = tuple(
                Add(draft=MemoryDraft(kind=MemoryKind.PERSONAL, content=text), vector=vector)
                for text, vector in zip(texts, EMBEDDER.embed(texts), strict=True)
            )
            made = store.memories.commit(
                ChangeBatch(scope=scope, changes=adding, receipt=Receipt(key="k", request_sha256="0" * 64))
            ).outcomes
            changed = Update(memory_id=made[0].memory_id, patch=MemoryPatch(tags=("changed",)))
            store.memories.commit(ChangeBatch(scope=scope, changes=(changed, Delete(memory_id=made[1].memory_id))))
            store.users.put_user(scope, "ada", name="Ada", metadata={})
            store.jobs.enqueue(scope, "distil", {"text": "later"})
            store.ledger.put_caps(scope, WorkspaceCaps(daily_usd=Decimal("1.5")))


@pytest.mark.parametrize(("here", "there"), KINDS)
def test_a_mover_that_dies_again_and_again(make_end: Callable[[str, str], End], here: str, there: str) -> None:
    source, target = make_end(here, "here"), make_end(there, "there")
    fill(source)
    before = source.look()
    moving = ("migrate", "--from", source.place, "--to", target.place)
    for point in POINTS:
        died = start("tests.app.commands.mover", *map(str, point), *moving)
        assert died.returncode == -signal.SIGKILL, (point, died.stderr)
        assert source.look() == before, point
    moved = start("app", *moving)
    assert moved.returncode == 0, moved.stderr
    assert source.look() == before
    assert target.look() == before
    assert all(len(set(held.ids)) == len(held.ids) == size for held, size in zip(before, SIZES, strict=True))
    assert source.list_scopes() == target.list_scopes() == SCOPES
    again = start("app", *moving)
    assert (again.returncode, "nothing was changed" in again.stdout) == (0, True), again.stderr
    assert target.look() == before


def start(module: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run a module to its end."""
    command = [sys.executable, "-m", module, *arguments]
    variables = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, capture_output=True, text=True, env=variables, check=False, timeout=180)
