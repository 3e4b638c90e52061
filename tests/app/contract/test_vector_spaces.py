"""The store's embedding, and its move to another while others write."""

from dataclasses import replace

import pytest

from app.domain.change import Add, Delete, Restore
from app.domain.memory import Scope
from app.errors import EmbeddingMismatch, InvalidRequest, NotFound, StoreBusy
from tests.app.contract.backends import Backend, searched
from tests.app.contract.samples import (
    ALL,
    COSINE_ERROR,
    FOREIGN,
    HERE,
    IDENTITY,
    NO_ID,
    NOWHERE,
    OTHER_IDENTITY,
    THERE,
    add,
    adding,
    change,
    changed,
    commit,
    draft,
    found_texts,
    match,
    near,
    updating,
    vector_of,
)

pytestmark = searched

WIDE = OTHER_IDENTITY.dimensions


def supply_all(backend: Backend, dimensions: int = WIDE, batch: int = 2) -> int:
    """Supply what is pending, batch by batch, and return how many vectors it was."""
    supplied = 0
    while pending := backend.spaces.pending(batch):
        assert len(pending) <= batch
        backend.spaces.supply([(number, vector_of(text, dimensions)) for number, text in pending])
        supplied += len(pending)
        assert supplied < 1000
    return supplied


def near_wide(backend: Backend, text: str, scope: Scope = HERE) -> list[str]:
    candidates = backend.index.nearest(scope, vector_of(text, WIDE), ALL, limit=50, exact=True)
    if candidates:
        assert candidates[0].score == pytest.approx(1.0, abs=COSINE_ERROR)
    return found_texts(backend, candidates, scope)


def test_the_first_vector_stamps_the_store(backend: Backend) -> None:
    assert backend.spaces.identity() is None
    change(backend, Add(draft=draft("without"), vector=None))
    assert backend.spaces.identity() is None
    add(backend, "with")
    assert backend.spaces.identity() == IDENTITY


def test_a_batch_that_fails_stamps_nothing(backend: Backend) -> None:
    with pytest.raises(NotFound):
        commit(backend, adding("tea"), Delete(memory_id=NO_ID))
    assert backend.spaces.identity() is None


@pytest.mark.parametrize("stamped", [False, True])
@pytest.mark.parametrize("dimensions", [1, 7, 9, 16])
def test_a_vector_of_other_dimensions_is_refused(backend: Backend, stamped: bool, dimensions: int) -> None:
    first = change(backend, adding("first") if stamped else Add(draft=draft("first"), vector=None))
    before = backend.memories.get(HERE, [first.memory_id])
    wrong = vector_of("tea", dimensions)
    with pytest.raises(EmbeddingMismatch):
        commit(backend, Add(draft=draft("beside"), vector=None), Add(draft=draft("tea"), vector=wrong))
    assert match(backend, "beside tea first") == ["first"]
    assert backend.memories.get(HERE, [first.memory_id]) == before
    assert backend.spaces.identity() == (IDENTITY if stamped else None)


def test_an_update_and_a_restoring_with_a_wrong_vector_are_refused(backend: Backend) -> None:
    memory, gone = add(backend, "tea"), add(backend, "milk")
    change(backend, Delete(memory_id=gone.id))
    wrong = vector_of("coffee", 9)
    with pytest.raises(EmbeddingMismatch):
        change(backend, replace(updating(memory, content="coffee"), vector=wrong))
    with pytest.raises(EmbeddingMismatch):
        change(backend, Restore(memory_id=gone.id, vector=wrong))
    assert near(backend, "tea") == ["tea"]


def test_a_store_moves_to_another_embedding(backend: Backend) -> None:
    for scope in (HERE, THERE, FOREIGN):
        commit(backend, adding("green tea"), adding("black coffee"), scope=scope)
    change(backend, Add(draft=draft("without a vector"), vector=None))
    change(backend, adding("press", when_to_use="starting"))
    deleted = add(backend, "deleted")
    change(backend, Delete(memory_id=deleted.id))
    assert backend.spaces.begin(OTHER_IDENTITY) == 8
    pending = backend.spaces.pending(100)
    assert sorted(text for _, text in pending) == sorted(
        [*["green tea", "black coffee"] * 3, "without a vector", "starting"]
    )
    assert len({number for number, _ in pending}) == 8
    assert backend.spaces.pending(100) == pending
    assert backend.spaces.identity() == IDENTITY
    assert near(backend, "green tea", limit=1) == ["green tea"]
    with pytest.raises(StoreBusy):
        backend.spaces.cut_over()
    assert supply_all(backend) == 8
    assert near(backend, "green tea", limit=1) == ["green tea"]
    backend.spaces.cut_over()
    assert backend.spaces.identity() == OTHER_IDENTITY
    assert not backend.spaces.pending(100)
    for scope in (HERE, THERE, FOREIGN):
        assert near_wide(backend, "black coffee", scope)[0] == "black coffee"
    assert near_wide(backend, "without a vector")[0] == "without a vector"
    assert near_wide(backend, "starting")[0] == "press"
    assert len(near_wide(backend, "starting")) == 4


def test_after_a_move_only_the_new_embedding_is_taken(backend: Backend) -> None:
    add(backend, "green tea")
    backend.spaces.begin(OTHER_IDENTITY)
    supply_all(backend)
    backend.spaces.cut_over()
    with pytest.raises(EmbeddingMismatch):
        add(backend, "black coffee")
    change(backend, Add(draft=draft("black coffee"), vector=vector_of("black coffee", WIDE)))
    assert near_wide(backend, "black coffee")[0] == "black coffee"
    numbers = [candidate.number for candidate in backend.index.matching(HERE, "tea coffee", ALL, limit=9)]
    assert {vector.shape for vector in backend.index.vectors(HERE, numbers).values()} == {(WIDE,)}


def test_what_is_written_during_a_move_is_pending(backend: Backend) -> None:
    tea, milk = add(backend, "green tea"), add(backend, "milk")
    backend.spaces.begin(OTHER_IDENTITY)
    supply_all(backend)
    assert not backend.spaces.pending(9)
    add(backend, "black coffee")
    change(backend, updating(tea, content="white tea"))
    change(backend, updating(milk, author="me"))
    with pytest.raises(StoreBusy):
        backend.spaces.cut_over()
    pending = {text for _, text in backend.spaces.pending(9)}
    assert {"black coffee", "white tea"} <= pending
    assert "milk" not in pending
    supply_all(backend)
    backend.spaces.cut_over()
    for text in ("black coffee", "white tea", "milk"):
        assert near_wide(backend, text)[0] == text
    assert "green tea" not in near_wide(backend, "white tea")


def test_a_vector_of_a_text_that_was_changed_meanwhile_is_not_taken_for_the_new(backend: Backend) -> None:
    memory = add(backend, "green tea")
    backend.spaces.begin(OTHER_IDENTITY)
    ((number, text),) = backend.spaces.pending(9)
    change(backend, updating(memory, content="black coffee"))
    backend.spaces.supply([(number, vector_of(text, WIDE))])
    assert "black coffee" in {text for _, text in backend.spaces.pending(9)}
    supply_all(backend)
    backend.spaces.cut_over()
    assert near_wide(backend, "black coffee")[0] == "black coffee"


def test_a_memory_deleted_meanwhile_does_not_hold_up_a_move(backend: Backend) -> None:
    memory = add(backend, "green tea")
    add(backend, "milk")
    backend.spaces.begin(OTHER_IDENTITY)
    pending = backend.spaces.pending(9)
    change(backend, Delete(memory_id=memory.id))
    backend.spaces.supply([(number, vector_of(text, WIDE)) for number, text in pending])
    assert not backend.spaces.pending(9)
    backend.spaces.cut_over()
    assert near_wide(backend, "milk") == ["milk"]
    change(backend, Restore(memory_id=memory.id, vector=vector_of("green tea", WIDE)))
    assert near_wide(backend, "green tea")[0] == "green tea"


def test_a_memory_restored_after_a_move_has_no_vector_of_the_old_embedding(backend: Backend) -> None:
    memory = add(backend, "green tea")
    change(backend, Delete(memory_id=memory.id))
    add(backend, "milk")
    backend.spaces.begin(OTHER_IDENTITY)
    supply_all(backend)
    backend.spaces.cut_over()
    change(backend, Restore(memory_id=memory.id))
    assert near_wide(backend, "milk") == ["milk"]
    assert match(backend, "tea") == ["green tea"]


def test_earlier_revisions_move_along(backend: Backend) -> None:
    memory = add(backend, "green tea", valid_from_ms=1000)
    change(backend, updating(memory, content="black coffee"))
    backend.spaces.begin(OTHER_IDENTITY)
    assert supply_all(backend) == 2
    backend.spaces.cut_over()
    candidates = backend.index.nearest(HERE, vector_of("green tea", WIDE), ALL, limit=9, as_of_ms=2000, exact=True)
    assert found_texts(backend, candidates) == ["green tea"]


def test_beginning_again_goes_on(backend: Backend) -> None:
    for text in ("one", "two", "three"):
        add(backend, text)
    assert backend.spaces.begin(OTHER_IDENTITY) == 3
    ((number, text),) = backend.spaces.pending(1)
    backend.spaces.supply([(number, vector_of(text, WIDE))])
    assert backend.spaces.begin(OTHER_IDENTITY) == 2
    assert number not in {other for other, _ in backend.spaces.pending(9)}


def test_a_move_can_be_given_up(backend: Backend) -> None:
    for text in ("one", "two"):
        add(backend, text)
    backend.spaces.begin(OTHER_IDENTITY)
    supply_all(backend)
    backend.spaces.abandon()
    backend.spaces.abandon()
    assert backend.spaces.identity() == IDENTITY
    assert near(backend, "one", limit=1) == ["one"]
    assert not backend.spaces.pending(9)
    with pytest.raises(InvalidRequest):
        backend.spaces.cut_over()
    add(backend, "three")
    assert backend.spaces.begin(OTHER_IDENTITY) == 3


def test_supplying_needs_a_move_and_fitting_vectors(backend: Backend) -> None:
    add(backend, "one")
    number = backend.index.matching(HERE, "one", ALL, limit=1)[0].number
    with pytest.raises(InvalidRequest):
        backend.spaces.supply([(number, vector_of("one", WIDE))])
    backend.spaces.begin(OTHER_IDENTITY)
    with pytest.raises(EmbeddingMismatch):
        backend.spaces.supply([(number, vector_of("one"))])
    assert len(backend.spaces.pending(9)) == 1


def test_an_empty_store_moves_at_once(backend: Backend) -> None:
    assert backend.spaces.begin(OTHER_IDENTITY) == 0
    backend.spaces.cut_over()
    assert backend.spaces.identity() == OTHER_IDENTITY
    change(backend, Add(draft=draft("tea"), vector=vector_of("tea", WIDE)))
    assert near_wide(backend, "tea") == ["tea"]


def fill_all(backend: Backend, limit: int = 2) -> list[str]:
    """Fill what lacks a vector, and return its texts in the order in which they came."""
    texts: list[str] = []
    while lacking := backend.spaces.lacking(limit):
        assert len(lacking) <= limit
        assert backend.spaces.fill([(each.number, vector_of(each.text)) for each in lacking]) == len(lacking)
        texts += [each.text for each in lacking]
    return texts


def bare(content: str, **fields: str) -> Add:
    """The change that adds a memory without a vector."""
    return Add(draft=draft(content, **fields), vector=None)


def test_what_lacks_a_vector_is_told_and_filled(backend: Backend) -> None:
    change(backend, bare("green tea"))
    add(backend, "milk", scope=FOREIGN)
    change(backend, bare("press", when_to_use="starting"), scope=THERE)
    first, second = backend.spaces.lacking(9)
    assert (first.scope, first.text) == (HERE, "green tea")
    assert (second.scope, second.text) == (THERE, "starting")
    assert backend.spaces.lacking(9, after=first.number) == [second]
    assert not backend.spaces.lacking(9, after=second.number)
    assert backend.spaces.lacking(9, scope=THERE) == [second]
    assert not backend.spaces.lacking(9, scope=THERE, after=second.number)
    assert not backend.spaces.lacking(9, scope=FOREIGN)
    assert not backend.spaces.lacking(9, scope=NOWHERE)
    assert near(backend, "green tea") == []
    assert fill_all(backend, limit=1) == ["green tea", "starting"]
    assert near(backend, "green tea") == ["green tea"]
    assert near(backend, "starting", scope=THERE) == ["press"]
    assert match(backend, "tea") == ["green tea"]


def test_a_filled_vector_joins_those_that_searches_have_seen(backend: Backend) -> None:
    add(backend, "milk")
    change(backend, bare("green tea"))
    assert near(backend, "green tea") == ["milk"]
    fill_all(backend)
    assert near(backend, "green tea") == ["green tea", "milk"]
    (number,) = (one.number for one in backend.index.matching(HERE, "tea", ALL, limit=1))
    assert backend.index.vectors(HERE, [number])[number] == pytest.approx(vector_of("green tea"), abs=COSINE_ERROR)


def test_the_first_filled_vector_stamps_the_store(backend: Backend) -> None:
    change(backend, bare("green tea"))
    assert backend.spaces.fill([]) == 0
    assert backend.spaces.identity() is None
    fill_all(backend)
    assert backend.spaces.identity() == IDENTITY


def test_only_live_memories_that_lack_a_vector_are_filled(backend: Backend) -> None:
    kept = add(backend, "milk")
    gone = changed(backend, bare("green tea"))
    (lacking,) = backend.spaces.lacking(9)
    number = backend.index.matching(HERE, kept.content, ALL, limit=1)[0].number
    change(backend, Delete(memory_id=gone.id))
    assert not backend.spaces.lacking(9)
    other = vector_of("another text")
    assert backend.spaces.fill([(number, other), (lacking.number, other), (10**9, other)]) == 0
    assert backend.index.vectors(HERE, [number])[number] == pytest.approx(vector_of("milk"), abs=COSINE_ERROR)
    change(backend, Restore(memory_id=gone.id))
    assert [each.text for each in backend.spaces.lacking(9)] == ["green tea"]


def test_a_changed_text_lacks_a_vector_and_its_earlier_one_keeps_its_own(backend: Backend) -> None:
    memory = add(backend, "green tea", valid_from_ms=1000)
    change(backend, replace(updating(memory, content="black coffee"), vector=None))
    assert near(backend, "black coffee") == []
    assert near(backend, "green tea", as_of_ms=2000) == ["green tea"]
    assert fill_all(backend) == ["black coffee"]
    assert near(backend, "black coffee") == ["black coffee"]


def test_vectors_of_other_dimensions_fill_nothing(backend: Backend) -> None:
    commit(backend, bare("green tea"), bare("milk"))
    first, second = backend.spaces.lacking(9)
    with pytest.raises(EmbeddingMismatch):
        backend.spaces.fill([(first.number, vector_of("green tea")), (second.number, vector_of("milk", WIDE))])
    assert backend.spaces.lacking(9) == [first, second]
    assert backend.spaces.identity() is None


def test_filling_goes_on_beside_a_move(backend: Backend) -> None:
    add(backend, "milk")
    change(backend, bare("green tea"))
    assert backend.spaces.begin(OTHER_IDENTITY) == 2
    supply_all(backend)
    assert fill_all(backend) == ["green tea"]
    assert near(backend, "green tea") == ["green tea", "milk"]
    backend.spaces.cut_over()
    assert not backend.spaces.lacking(9)
    change(backend, bare("black coffee"))
    (lacking,) = backend.spaces.lacking(9)
    with pytest.raises(EmbeddingMismatch):
        backend.spaces.fill([(lacking.number, vector_of("black coffee"))])
    assert backend.spaces.fill([(lacking.number, vector_of("black coffee", WIDE))]) == 1
    assert near_wide(backend, "black coffee")[0] == "black coffee"
