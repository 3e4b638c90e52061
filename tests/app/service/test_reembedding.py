"""A move to another embedding, stopped anywhere and gone on with."""

from collections.abc import Sequence

import pytest

from app.backends.embedders.hashing import HashingEmbedder
from app.domain.embedding import EmbeddingIdentity, Vector
from app.domain.query import SearchMode, SearchQuery
from app.errors import EmbeddingMismatch, InvalidRequest, StoreBusy
from app.service.memories import Memories
from app.service.reembedding import PATIENCE, Reembedding
from app.service.retrieval import Retrieval
from tests.app.service.conftest import Bench, draft, principal

ADMIN = principal()
NEW = HashingEmbedder(dimensions=32)


def silent(done: int, total: int) -> None:
    pass


def fill(bench: Bench, count: int = 10) -> None:
    bench.memories.add(ADMIN, "w", [draft(f"note number {number}") for number in range(count)])


def test_the_same_embedding_passes_and_so_does_an_empty_store(bench: Bench) -> None:
    Reembedding(spaces=bench.store.spaces, embedder=NEW).check()
    fill(bench)
    Reembedding(spaces=bench.store.spaces, embedder=bench.embedder).check()


def test_another_embedding_is_named_with_what_to_do(bench: Bench) -> None:
    fill(bench)
    with pytest.raises(EmbeddingMismatch) as mismatch:
        Reembedding(spaces=bench.store.spaces, embedder=NEW).check()
    for part in (str(bench.embedder.identity), str(NEW.identity), "`reme reembed`"):
        assert part in mismatch.value.message


def test_a_move_makes_every_vector_anew(bench: Bench) -> None:
    fill(bench)
    seen: list[tuple[int, int]] = []
    moving = Reembedding(spaces=bench.store.spaces, embedder=NEW)
    assert moving.run(batch=4, progress=lambda done, total: seen.append((done, total))) == 10
    assert seen == [(0, 10), (4, 10), (8, 10), (10, 10)]
    moving.check()
    found = Retrieval(index=bench.store.index, embedder=NEW, clock=bench.clock, meter=bench.store.meter, parallel=False)
    hit = found.search(ADMIN, "w", SearchQuery(text="note number 3", mode=SearchMode.VECTOR)).hits[0]
    assert hit.memory.content == "note number 3"
    assert hit.similarity == pytest.approx(1.0)
    assert moving.run(progress=silent) == 0


class Dying:
    """Spaces that fail on one call, as a process that is killed does."""

    def __init__(self, bench: Bench, survives: int) -> None:
        self._spaces = bench.store.spaces
        self._left = survives

    def __getattr__(self, name: str) -> object:
        method = getattr(self._spaces, name)

        def call(*arguments: object, **named: object) -> object:
            if self._left == 0:
                raise KeyboardInterrupt
            self._left -= 1
            return method(*arguments, **named)

        return call


@pytest.mark.parametrize("survives", range(9))
def test_a_move_that_was_killed_goes_on_where_it_was(bench: Bench, survives: int) -> None:
    fill(bench)
    # begin, then pending and supply for each of three portions, pending, cut_over: nine calls.
    with pytest.raises(KeyboardInterrupt):
        Reembedding(spaces=Dying(bench, survives), embedder=NEW).run(batch=4, progress=silent)  # type: ignore[arg-type]
    assert bench.store.spaces.identity() == bench.embedder.identity
    assert (
        bench.retrieval.search(ADMIN, "w", SearchQuery(text="note number 3")).hits[0].memory.content == "note number 3"
    )
    done_before = max(0, survives - 1) // 2 * 4
    remaining = Reembedding(spaces=bench.store.spaces, embedder=NEW).run(batch=4, progress=silent)
    assert remaining == max(0, 10 - done_before)
    assert bench.store.spaces.identity() == NEW.identity


def test_what_is_written_meanwhile_moves_too(bench: Bench) -> None:
    fill(bench)
    late = iter(["late one", "late two"])

    class Writing:
        identity: EmbeddingIdentity = NEW.identity
        embed_query = NEW.embed_query
        embed_queries = NEW.embed_queries

        def embed(self, texts: Sequence[str]) -> Vector:
            for text in [next(late, "")]:
                if text:
                    bench.memories.add(ADMIN, "w", [draft(text)])
            return NEW.embed(texts)

    seen: list[tuple[int, int]] = []
    moving = Reembedding(spaces=bench.store.spaces, embedder=Writing())
    assert moving.run(batch=5, progress=lambda done, total: seen.append((done, total))) == 12
    assert seen[-1] == (12, 12)
    after = Memories(store=bench.store.memories, embedder=NEW, clock=bench.clock, meter=bench.store.meter)
    after.add(ADMIN, "w", [draft("after")])


class Refusing:
    """Spaces that refuse to cut over, a few times or for ever."""

    def __init__(self, bench: Bench, times: int) -> None:
        self._spaces = bench.store.spaces
        self.times = times

    def __getattr__(self, name: str) -> object:
        return getattr(self._spaces, name)

    def cut_over(self) -> None:
        if self.times:
            self.times -= 1
            raise StoreBusy
        self._spaces.cut_over()


def test_a_refused_switch_is_tried_again_but_not_for_ever(bench: Bench) -> None:
    fill(bench, 3)
    patient = Reembedding(spaces=Refusing(bench, PATIENCE - 1), embedder=NEW)  # type: ignore[arg-type]
    assert patient.run(progress=silent) == 3
    other = HashingEmbedder(dimensions=16)
    with pytest.raises(StoreBusy):
        Reembedding(spaces=Refusing(bench, PATIENCE), embedder=other).run(progress=silent)  # type: ignore[arg-type]
    assert bench.store.spaces.identity() == NEW.identity


def test_a_batch_has_a_text_at_least(bench: Bench) -> None:
    with pytest.raises(InvalidRequest, match="a batch of 0 texts"):
        Reembedding(spaces=bench.store.spaces, embedder=NEW).run(batch=0, progress=silent)
