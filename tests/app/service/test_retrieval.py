"""Searches over a real index, and over one that is told what to find."""

import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from app.backends.clock import SteppingClock
from app.backends.embedders.hashing import HashingEmbedder
from app.domain.embedding import Vector
from app.domain.memory import Layer, Memory, MemoryKind, Scope
from app.domain.query import Candidate, MemoryFilter, SearchMode, SearchQuery, SearchResult
from app.domain.usage import UsageRecord
from app.errors import InvalidRequest, StoreCorrupt
from app.service.ranking import MS_PER_DAY
from app.service.retrieval import THREADS, Retrieval
from tests.app.service.conftest import Bench, draft, make_bench, principal
from tests.app.service.test_ranking import memory
from tests.servers.waiting import PATIENCE_S

ADMIN = principal()

TEXTS = (
    "likes green tea with honey",
    "plays the cello on Sundays",
    "works as a nurse in Oslo",
    "is allergic to peanuts",
    "has two cats named Milo and Otis",
)


@pytest.fixture(params=[True, False], ids=["parallel", "in turn"])
def filled(request: pytest.FixtureRequest) -> Bench:
    made = make_bench(parallel=request.param)
    made.memories.add(ADMIN, "w", [draft(text) for text in TEXTS])
    return made


def search(bench: Bench, text: str, **fields: Any) -> SearchResult:
    return bench.retrieval.search(ADMIN, "w", SearchQuery(text=text, **fields))


def contents(result: SearchResult) -> list[str]:
    return [hit.memory.content for hit in result.hits]


@pytest.mark.parametrize("mode", list(SearchMode))
def test_every_mode_finds_the_text_itself(filled: Bench, mode: SearchMode) -> None:
    result = search(filled, "plays the cello on Sundays", mode=mode, top_k=3)
    assert contents(result)[0] == "plays the cello on Sundays"
    assert result.hits[0].score == pytest.approx(1.0)
    assert result.mode is mode
    scores = [hit.score for hit in result.hits]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)


def test_legs_that_ran_say_what_they_took(filled: Bench) -> None:
    legs = {mode: set(search(filled, "tea", mode=mode).legs_ms) for mode in SearchMode}
    assert legs == {
        SearchMode.HYBRID: {"embed", "vector", "keyword", "fetch"},
        SearchMode.VECTOR: {"embed", "vector", "fetch"},
        SearchMode.EXACT: {"embed", "vector", "fetch"},
        SearchMode.KEYWORD: {"keyword", "fetch"},
    }
    result = search(filled, "tea")
    assert all(took >= 0 for took in result.legs_ms.values())
    assert result.took_ms >= result.legs_ms["fetch"]


def test_explanations_are_given_where_asked(filled: Bench) -> None:
    assert all(hit.explanation is None for hit in search(filled, "green tea").hits)
    hit = search(filled, "green tea", explain=True, half_life_days=30).hits[0]
    assert hit.explanation is not None
    assert (hit.explanation.vector_rank, hit.explanation.keyword_rank) == (1, 1)
    assert hit.explanation.similarity == hit.similarity
    assert hit.explanation.keyword is not None
    assert hit.score == pytest.approx(hit.explanation.fused * hit.explanation.decay)


def test_similarity_is_the_cosine_where_the_vector_leg_saw_it(filled: Bench) -> None:
    assert all(hit.similarity is not None for hit in search(filled, "green tea", mode=SearchMode.VECTOR).hits)
    assert all(hit.similarity is None for hit in search(filled, "green tea", mode=SearchMode.KEYWORD).hits)


def test_min_score_is_compared_with_what_is_returned(filled: Bench) -> None:
    every = search(filled, "green tea in Oslo")
    bound = every.hits[1].score
    assert contents(search(filled, "green tea in Oslo", min_score=bound)) == contents(every)[:2]


def test_filters_reach_both_legs(filled: Bench) -> None:
    filled.memories.add(ADMIN, "w", [draft("green tea is brewed at 80 degrees", kind=MemoryKind.TASK)])
    wanted = MemoryFilter(kinds=(MemoryKind.TASK,))
    for mode in SearchMode:
        assert contents(search(filled, "green tea", mode=mode, filter=wanted)) == ["green tea is brewed at 80 degrees"]


def test_age_takes_its_share(filled: Bench) -> None:
    filled.clock.step(10 * MS_PER_DAY)
    filled.memories.add(ADMIN, "w", [draft("green tea leaves")])
    old = next(
        hit
        for hit in search(filled, "green tea leaves", half_life_days=10, explain=True).hits
        if "honey" in hit.memory.content
    )
    assert old.explanation is not None
    assert old.explanation.decay == pytest.approx(0.5)
    young = search(filled, "green tea leaves", half_life_days=10).hits[0]
    assert young.memory.content == "green tea leaves"
    assert young.score == pytest.approx(1.0)


def test_what_held_then_is_found_and_its_age_is_that_of_then(bench: Bench) -> None:
    first = bench.memories.add(ADMIN, "w", [draft("lives in Oslo", slot="home", user_id="u")]).outcomes[0].memory_id
    before = bench.clock.now_ms()
    bench.clock.step(100 * MS_PER_DAY)
    bench.memories.add(ADMIN, "w", [draft("lives in Bergen", slot="home", user_id="u")])
    assert contents(search(bench, "lives in")) == ["lives in Bergen"]
    then = search(bench, "lives in", as_of_ms=before + MS_PER_DAY, half_life_days=1, explain=True)
    assert [hit.memory.id for hit in then.hits] == [first]
    assert then.hits[0].explanation is not None
    assert then.hits[0].explanation.decay == pytest.approx(0.5)


def test_a_text_and_what_was_made_of_it_take_one_place(bench: Bench) -> None:
    raw = bench.memories.add(ADMIN, "w", [draft("I really like green tea", layer=Layer.RAW)]).outcomes[0].memory_id
    bench.memories.add(ADMIN, "w", [draft("likes green tea", source_ids=(raw,)), draft("drinks tea")])
    assert sorted(contents(search(bench, "green tea"))) == ["drinks tea", "likes green tea"]
    only = MemoryFilter(layers=(Layer.RAW,))
    assert contents(search(bench, "green tea", filter=only)) == ["I really like green tea"]


def test_variety_passes_over_what_says_the_same(bench: Bench) -> None:
    bench.memories.add(
        ADMIN,
        "w",
        [draft("likes green tea a lot"), draft("likes green tea so much"), draft("green door at the office")],
    )
    plain = contents(search(bench, "likes green tea", top_k=2))
    varied = contents(search(bench, "likes green tea", top_k=2, mmr_lambda=0.2))
    assert "green door at the office" not in plain
    assert varied[0] == plain[0]
    assert varied[1] == "green door at the office"


def test_searches_are_metered(filled: Bench) -> None:
    def counts() -> dict[str, tuple[int, int]]:
        return {record.operation: (record.calls, record.items) for record in filled.store.meter.read("acme")}

    before = counts()
    result = search(filled, "tea", top_k=2)
    search(filled, "tea", mode=SearchMode.KEYWORD)
    after = counts()
    assert after["retrieve"] == (2, len(result.hits) + 1)
    assert after["embed"] == (before["embed"][0] + 1, before["embed"][1] + 1)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"text": ""}, "the query is empty"),
        ({"text": " \n\u3000"}, "the query is empty"),
        ({"text": "x" * 32_769}, "the query has 32,769 characters"),
        ({"text": "a\x00"}, "the query has a NUL"),
        ({"text": "\udfff"}, "surrogate"),
        ({"top_k": 0}, "top_k is 0: ask for 1 to 200"),
        ({"top_k": 201}, "top_k is 201"),
        ({"hops": 0}, "hops is 0: give 1, or 2"),
        ({"hops": 3}, "hops is 3"),
        ({"min_score": 1.1}, "min_score is 1.1"),
        ({"min_score": float("nan")}, "min_score is nan"),
        ({"mmr_lambda": -0.1}, "mmr_lambda is -0.1"),
        ({"half_life_days": 0.0}, "half_life_days is 0.0"),
        ({"half_life_days": float("inf")}, "half_life_days is inf"),
        ({"as_of_ms": 10**18}, "as_of_ms is"),
        ({"filter": MemoryFilter(tags=("x",) * 101)}, "101 tags"),
    ],
)
def test_queries_have_bounds(bench: Bench, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        search(bench, **{"text": "tea", **fields})


def test_a_search_after_closing_runs_its_legs_in_turn(filled: Bench) -> None:
    filled.retrieval.close()
    filled.retrieval.close()
    assert contents(search(filled, "allergic to peanuts"))[0] == "is allergic to peanuts"


DAY_IN_MAY_MS = 1_746_090_000_000
"""2025-05-01 in UTC."""


def test_a_date_in_the_question_favours_what_was_said_then(bench: Bench) -> None:
    texts = [f"went hiking up hill number {number}" for number in range(12)]
    drafts = [draft(text, created_ms=DAY_IN_MAY_MS + n * 3 * MS_PER_DAY) for n, text in enumerate(texts)]
    bench.memories.add(ADMIN, "w", drafts)
    hit = search(bench, "Which hill did she go hiking on 7 May 2025?", explain=True).hits[0]
    assert hit.memory.content == texts[2]
    assert hit.explanation is not None
    assert hit.explanation.in_period
    assert hit.score == pytest.approx(hit.explanation.fused)
    for fields in ({"dates": False}, {"mode": SearchMode.VECTOR}, {"as_of_ms": DAY_IN_MAY_MS + 300 * MS_PER_DAY}):
        hits = search(bench, "Which hill did she go hiking on 7 May 2025?", explain=True, **fields).hits
        assert not any(each.explanation is not None and each.explanation.in_period for each in hits)


def test_a_date_in_the_text_counts_as_well(bench: Bench) -> None:
    bench.memories.add(ADMIN, "w", [draft(f"appointment number {n} is in the morning") for n in range(9)])
    bench.memories.add(ADMIN, "w", [draft("The appointment with the tailor is on 7 May 2025")])
    hit = search(bench, "Which appointment is on 7 May 2025?", explain=True).hits[0]
    assert hit.memory.content == "The appointment with the tailor is on 7 May 2025"
    assert hit.explanation is not None
    assert hit.explanation.in_period


def test_a_time_that_the_filter_leaves_out_adds_nothing(bench: Bench) -> None:
    bench.memories.add(ADMIN, "w", [draft("went hiking", created_ms=DAY_IN_MAY_MS)])
    later = MemoryFilter(created_from_ms=DAY_IN_MAY_MS + 60 * MS_PER_DAY)
    assert search(bench, "hiking on 1 May 2025", filter=later).hits == ()


def test_a_second_hop_finds_what_the_first_hits_speak_of(bench: Bench) -> None:
    bench.memories.add(ADMIN, "w", [draft("Ignatius taught me to swim"), draft("Ignatius runs a bakery in Ghent")])
    bench.memories.add(ADMIN, "w", [draft(f"somebody works at place {n}") for n in range(30)])
    asked = "where does the one who taught me to swim work at?"
    one = search(bench, asked, top_k=5)
    two = search(bench, asked, top_k=5, hops=2, explain=True)
    assert "Ignatius runs a bakery in Ghent" not in contents(one)
    hop = next(hit for hit in two.hits if hit.memory.content == "Ignatius runs a bakery in Ghent")
    assert hop.explanation is not None
    assert hop.explanation.hop == 2
    assert contents(two)[0] == contents(one)[0]


class Told:
    """An index that finds what it is told; number n is the memory "m<n>"."""

    def __init__(self, vector: Sequence[int] = (), keyword: Sequence[int] = (), gone: Sequence[int] = ()) -> None:
        self.vector, self.keyword, self.gone = vector, keyword, frozenset(gone)
        self.memories: dict[int, Memory] = {n: memory(f"m{n}") for n in (*vector, *keyword) if n not in self.gone}
        self.fetched: list[list[int]] = []
        self.limits: list[int] = []
        self.keyword_thread = 0

    def nearest(self, scope: Scope, vector: Vector, wanted: MemoryFilter, *, limit: int, **_: Any) -> list[Candidate]:
        self.limits.append(limit)
        return [Candidate(number=n, score=1 - place / 1000) for place, n in enumerate(self.vector[:limit])]

    def matching(self, scope: Scope, text: str, wanted: MemoryFilter, *, limit: int, **_: Any) -> list[Candidate]:
        self.keyword_thread = threading.get_ident()
        self.limits.append(limit)
        return [Candidate(number=n, score=100.0 - place) for place, n in enumerate(self.keyword[:limit])]

    def fetch(self, scope: Scope, numbers: Sequence[int]) -> dict[int, Memory]:
        self.fetched.append(list(numbers))
        return {n: self.memories[n] for n in numbers if n in self.memories}

    def vectors(self, scope: Scope, numbers: Sequence[int]) -> dict[int, Vector]:
        return {}


class NoMeter:
    def record(self, records: Any) -> None:
        pass

    def read(self, tenant_id: str, **_: Any) -> tuple[UsageRecord, ...]:
        return ()


def over(index: Any, *, parallel: bool = False) -> Retrieval:
    return Retrieval(
        index=index,
        embedder=HashingEmbedder(dimensions=8),
        clock=SteppingClock(),
        meter=NoMeter(),
        parallel=parallel,
    )


def ids(result: SearchResult) -> list[str]:
    return [hit.memory.id for hit in result.hits]


def test_legs_are_asked_for_more_than_is_returned() -> None:
    for top_k, limits in ((10, [100, 50]), (80, [100, 80]), (200, [200, 200])):
        told = Told([1], [1])
        over(told).search(ADMIN, "w", SearchQuery(text="x", top_k=top_k))
        assert told.limits == limits


def test_only_what_may_be_returned_is_read() -> None:
    told = Told(range(1, 101))
    found = over(told).search(ADMIN, "w", SearchQuery(text="x", top_k=10))
    assert ids(found) == [f"m{n}" for n in range(1, 11)]
    assert told.fetched == [list(range(1, 19))]


def test_memories_that_are_gone_are_replaced_by_the_next() -> None:
    told = Told(range(1, 101), gone=range(3, 30))
    found = over(told).search(ADMIN, "w", SearchQuery(text="x", top_k=10))
    assert ids(found) == ["m1", "m2", *(f"m{n}" for n in range(30, 38))]


def test_fewer_are_found_than_asked_for() -> None:
    assert ids(over(Told([4], [9])).search(ADMIN, "w", SearchQuery(text="x"))) == ["m4", "m9"]
    assert over(Told()).search(ADMIN, "w", SearchQuery(text="x", mmr_lambda=0.5, half_life_days=1)).hits == ()


def test_a_raw_text_beyond_the_result_is_not_looked_for() -> None:
    told = Told([1, 2, 3])
    told.memories[1] = replace(told.memories[1], layer=Layer.RAW)
    told.memories[3] = replace(told.memories[3], source_ids=("m1",))
    assert ids(over(told).search(ADMIN, "w", SearchQuery(text="x", top_k=2))) == ["m1", "m2"]
    assert ids(over(told).search(ADMIN, "w", SearchQuery(text="x", top_k=3))) == ["m3", "m2"]


def test_the_keyword_leg_runs_beside_the_vector_leg() -> None:
    class Slow(Told):
        """Its vector leg waits until the keyword leg has run, which it never would in turn."""

        def __init__(self) -> None:
            super().__init__([1], [2])
            self.ran = threading.Event()

        def nearest(self, *arguments: Any, **named: Any) -> list[Candidate]:
            assert self.ran.wait(PATIENCE_S)
            return super().nearest(*arguments, **named)

        def matching(self, *arguments: Any, **named: Any) -> list[Candidate]:
            self.ran.set()
            return super().matching(*arguments, **named)

    retrieval = over(Slow(), parallel=True)
    assert ids(retrieval.search(ADMIN, "w", SearchQuery(text="x"))) == ["m1", "m2"]
    retrieval.close()


def test_legs_in_turn_run_in_the_thread_of_the_caller() -> None:
    told = Told([1], [2])
    over(told).search(ADMIN, "w", SearchQuery(text="x"))
    assert told.keyword_thread == threading.get_ident()


def test_no_search_waits_for_a_thread() -> None:
    retrieval = over(Told([1], [2]), parallel=True)
    release = threading.Event()
    threads = retrieval._threads
    assert threads is not None
    for _ in range(THREADS):
        threads.submit(release.wait, 10)
    assert ids(retrieval.search(ADMIN, "w", SearchQuery(text="x"))) == ["m1", "m2"]
    assert not release.is_set()
    release.set()
    retrieval.close()


class Broken(Told):
    def nearest(self, *_: Any, **__: Any) -> list[Candidate]:
        raise StoreCorrupt

    def matching(self, *_: Any, **__: Any) -> list[Candidate]:
        raise StoreCorrupt


@pytest.mark.parametrize("mode", list(SearchMode))
def test_a_leg_that_fails_fails_the_search(mode: SearchMode) -> None:
    retrieval = over(Broken(), parallel=True)
    with pytest.raises(StoreCorrupt):
        retrieval.search(ADMIN, "w", SearchQuery(text="x", mode=mode))
    retrieval.close()


def test_a_search_adds_little_to_its_legs() -> None:
    """Well under a millisecond on top of the ports: the best of many, so that a busy machine does not matter."""
    retrieval = over(Told(range(1, 101), range(60, 110)))
    query = SearchQuery(text="what does she like to drink in the evening", top_k=10, explain=True)
    best = min(retrieval.search(ADMIN, "w", query).took_ms for _ in range(300))
    assert best < 1.0
