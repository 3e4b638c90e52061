"""What Elasticsearch is told: seen at once, never overtaken by a late write, refused when it takes no more."""

from collections.abc import Iterator
from itertools import permutations
from threading import Thread

import pytest

from app.backends.elasticsearch import ElasticsearchIndex
from app.errors import StoreFull
from tests.app.indexes.elasticsearch_opening import ServerAddress, asking, list_indices, make_name, opened
from tests.app.indexes.samples import ask, entry, gone, numbers

pytestmark = pytest.mark.xdist_group("elasticsearch")


@pytest.fixture
def index(elasticsearch_server: ServerAddress) -> Iterator[ElasticsearchIndex]:
    """An empty index of three shards, which refreshes by itself only after 30 seconds."""
    with opened(elasticsearch_server, number_of_shards=3, batch=7) as made:
        yield made


def test_what_was_told_is_found_at_once_in_every_shard(index: ElasticsearchIndex) -> None:
    for first in range(1, 60, 20):
        index.apply([entry(number, f"note {number}") for number in range(first, first + 20)])
        assert numbers(ask(index)) == set(range(1, first + 20))
    index.apply([gone(number) for number in range(1, 60, 2)])
    assert numbers(ask(index)) == set(range(2, 61, 2))


STATES = (entry(1, "first", claim=1), gone(1, claim=2), entry(1, "third", claim=3))


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_a_late_write_does_not_overtake_a_newer_one(index: ElasticsearchIndex, order: tuple[int, ...]) -> None:
    for place in order:
        index.apply([STATES[place]])
    (found,) = ask(index, "third")
    assert found.score == pytest.approx(1.0, abs=1e-6)


def test_what_was_taken_out_is_not_brought_back_by_a_late_write(index: ElasticsearchIndex) -> None:
    index.apply([gone(1, claim=5), entry(2, "milk", claim=1)])
    index.apply([entry(1, "tea", claim=4), gone(2, claim=3)])
    index.apply([entry(2, "milk", claim=2)])
    assert ask(index) == []
    index.apply([entry(1, "tea", claim=6)])
    assert numbers(ask(index)) == {1}


def test_writers_at_once_leave_the_newest(index: ElasticsearchIndex) -> None:
    def tell(worker: int) -> None:
        for claim in range(worker, 24, 4):
            index.apply([entry(number, f"note {claim}", claim=claim + 1) for number in range(1, 4)])

    workers = [Thread(target=tell, args=(worker,)) for worker in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    found = ask(index, "note 23")
    assert [one.number for one in found] == [1, 2, 3]
    assert all(one.score == pytest.approx(1.0, abs=1e-6) for one in found)


@pytest.mark.parametrize(
    "block", ["index.blocks.read_only_allow_delete", "index.blocks.read_only", "index.blocks.write"]
)
def test_an_index_that_takes_no_writes_is_full_and_can_still_be_searched(
    elasticsearch_server: ServerAddress, block: str
) -> None:
    name = make_name()
    with asking(elasticsearch_server) as client, opened(elasticsearch_server, index_name=name) as index:
        index.apply([entry(1, "tea")])
        client.indices.put_settings(index=list_indices(client, name), settings={block: True})
        try:
            with pytest.raises(StoreFull, match="flood-stage watermark"):
                index.apply([entry(2, "milk")])
            assert numbers(ask(index)) == {1}
            index.check()
        finally:
            client.indices.put_settings(index=f"{name}-*", settings={block: None})
        index.apply([entry(2, "milk")])
        assert numbers(ask(index)) == {1, 2}


def test_no_text_of_a_memory_is_kept(elasticsearch_server: ServerAddress) -> None:
    name = make_name()
    with asking(elasticsearch_server) as client, opened(elasticsearch_server, index_name=name) as index:
        index.apply([entry(1, "the safe's number is 4711", details={"secret": "x"})])
        (hit,) = client.search(index=f"{name}-*", fields=[{"field": "*"}], stored_fields="*")["hits"]["hits"]
        assert "_source" not in hit
        assert "4711" not in str(hit)
