"""Ranking against the textbook formulas, written out naively."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.memory import Layer, Memory, MemoryKind, Origin, Scope
from app.domain.query import Candidate
from app.service.ranking import (
    HOP_SHARE,
    KEYWORD_HALF,
    KEYWORD_WEIGHT,
    MS_PER_DAY,
    PERIOD_SHARE,
    Collapse,
    Place,
    Ranked,
    by_keywords,
    by_similarity,
    decay,
    decay_factor,
    diversify,
    favour,
    follow,
    fuse,
)

LEGS = st.lists(st.integers(1, 40), unique=True, max_size=30)


def candidates(numbers: list[int]) -> list[Candidate]:
    return [Candidate(number=number, score=1.0 / place) for place, number in enumerate(numbers, start=1)]


def memory(memory_id: str, layer: Layer = Layer.DISTILLED, *source_ids: str, valid_from_ms: int = 0) -> Memory:
    return Memory(
        id=memory_id,
        scope=Scope(tenant_id="t", workspace_id="w"),
        kind=MemoryKind.PERSONAL,
        layer=layer,
        content=memory_id,
        when_to_use="",
        user_id="",
        author="",
        tags=(),
        metadata={},
        details={},
        score=0.0,
        frequency=0,
        utility=0.0,
        origin=Origin(),
        source_ids=source_ids,
        slot="",
        created_ms=0,
        updated_ms=0,
        valid_from_ms=valid_from_ms,
        valid_to_ms=None,
        deleted_ms=None,
        superseded=False,
        revision_of="",
        seq=1,
        version=1,
        hlc=0,
        node_id="n",
    )


@given(LEGS, LEGS, st.booleans())
def test_fusion_is_the_weighted_sum_over_the_weights(vector: list[int], keyword: list[int], full: bool) -> None:
    ranked = fuse(candidates(vector), candidates(keyword), full=full)
    assert {one.number for one in ranked} == set(vector) | set(keyword)
    weight = KEYWORD_WEIGHT * 1.0 / (1.0 + KEYWORD_HALF) if keyword else 0.0
    unseen = 1 / len(vector) if full and vector else 0.0
    for one in ranked:
        cosine = 1 / (vector.index(one.number) + 1) if one.number in vector else unseen
        words = 1 / (keyword.index(one.number) + 1) if one.number in keyword else 0.0
        assert math.isclose(one.score, (cosine + weight * words) / (1 + weight) if vector else words)
        assert one.score == one.fused
        assert 0 < one.score <= 1 + 1e-12
        assert one.vector_rank == (vector.index(one.number) + 1 if one.number in vector else None)
        assert one.keyword_rank == (keyword.index(one.number) + 1 if one.number in keyword else None)
    scores = [one.score for one in ranked]
    assert scores == sorted(scores, reverse=True)


def test_first_in_both_legs_with_the_same_text_is_one() -> None:
    ranked = fuse(candidates([7, 8]), candidates([7, 9]))
    assert [(one.number, one.vector_rank, one.keyword_rank) for one in ranked] == [
        (7, 1, 1),
        (8, 2, None),
        (9, None, 2),
    ]
    assert ranked[0].score == pytest.approx(1.0)


def test_keywords_decide_more_where_the_question_has_rare_words() -> None:
    vector = [Candidate(number=1, score=0.6), Candidate(number=2, score=0.5)]
    common = [Candidate(number=2, score=1.0)]
    rare = [Candidate(number=2, score=20.0)]
    assert [one.number for one in fuse(vector, common)] == [1, 2]
    assert [one.number for one in fuse(vector, rare)] == [2, 1]


def test_what_a_full_vector_leg_did_not_find_counts_as_its_last() -> None:
    vector = [Candidate(number=1, score=0.6), Candidate(number=2, score=0.5)]
    keyword = [Candidate(number=3, score=20.0)]
    assert [one.number for one in fuse(vector, keyword, full=True)] == [3, 1, 2]
    assert [one.number for one in fuse(vector, keyword)] == [1, 3, 2]


def test_negative_cosines_count_nothing() -> None:
    assert [one.score for one in fuse([Candidate(number=1, score=-0.4)], [], full=True)] == [0.0]


def test_memories_of_the_time_asked_for_are_favoured() -> None:
    ranked = favour([Ranked(1, 0.5, 0.5), Ranked(2, 0.3, 0.3), Ranked(3, 0.3, 0.3)], {2: 1.0, 3: 0.5})
    assert [(one.number, one.in_period) for one in ranked] == [(2, True), (3, True), (1, False)]
    assert ranked[0].score == ranked[0].fused == pytest.approx(0.3 * (1 - PERIOD_SHARE) + PERIOD_SHARE)
    assert ranked[2].score == pytest.approx(0.5 * (1 - PERIOD_SHARE))


def test_the_words_of_a_hit_lead_to_others() -> None:
    first, second, third = Ranked(1, 0.9, 0.9), Ranked(2, 0.8, 0.8), Ranked(3, 0.1, 0.1)
    found = [Candidate(number=number, score=score) for number, score in ((1, 50.0), (3, 8.0), (2, 6.0), (4, 4.0))]
    ranked = follow([first, second, third], [(first, found)])
    most = HOP_SHARE * 0.9
    assert [(one.number, one.hop) for one in ranked] == [(1, 1), (2, 1), (3, 2), (4, 2)]
    assert [one.score for one in ranked] == pytest.approx([0.9, 0.8, most, most / 2])


def test_equal_scores_have_one_order() -> None:
    vector, keyword = [Candidate(number=5, score=0.0), Candidate(number=2, score=0.0)], [Candidate(number=3, score=0.0)]
    assert [one.number for one in fuse(vector, keyword)] == [5, 2, 3]


def test_a_number_that_a_leg_gives_twice_counts_once() -> None:
    ranked = fuse(candidates([1]) + candidates([1]), candidates([1]) + candidates([1]))
    assert [one.number for one in ranked] == [1]
    assert ranked[0].score == pytest.approx(1.0)


def test_similarity_is_clipped_and_the_cosine_kept() -> None:
    ranked = by_similarity([Candidate(number=1, score=1.0000001), Candidate(number=2, score=-0.25)])
    assert [(one.score, one.similarity) for one in ranked] == [(1.0, 1.0000001), (0.0, -0.25)]


def test_keywords_are_relative_to_the_best() -> None:
    ranked = by_keywords([Candidate(number=1, score=8.0), Candidate(number=2, score=2.0)])
    assert [one.score for one in ranked] == [1.0, 0.25]
    assert [one.score for one in by_keywords([Candidate(number=1, score=0.0)])] == [0.0]
    assert by_keywords([]) == []


@given(st.integers(-10, 4000), st.floats(0.1, 1000))
def test_decay_halves_each_half_life(days: int, half_life: float) -> None:
    factor = decay_factor(days * MS_PER_DAY, half_life)
    assert 0 <= factor <= 1
    if days <= 0:
        assert factor == 1.0
    else:
        assert math.isclose(factor, math.exp(-math.log(2) * days / half_life), rel_tol=1e-9)


def test_decay_reorders_and_leaves_out_what_is_gone() -> None:
    ranked = [Ranked(1, 1.0, 1.0), Ranked(2, 0.8, 0.8), Ranked(3, 0.5, 0.5)]
    memories = {1: memory("a", valid_from_ms=0), 3: memory("c", valid_from_ms=10 * MS_PER_DAY)}
    left = decay(ranked, memories, now_ms=10 * MS_PER_DAY, half_life_days=5)
    assert [(one.number, one.score, one.decay, one.fused) for one in left] == [(3, 0.5, 1.0, 0.5), (1, 0.25, 0.25, 1.0)]


def collapsed(*found: tuple[float, Memory]) -> list[tuple[str, float]]:
    collapse = Collapse()
    for number, (score, one) in enumerate(found):
        collapse.take(Ranked(number, score, score), one)
    return [(place.memory.id, place.score) for place in collapse.places]


def test_a_distilled_memory_takes_the_place_of_its_text() -> None:
    raw, other, child = memory("raw", Layer.RAW), memory("other"), memory("child", Layer.DISTILLED, "raw")
    assert collapsed((0.9, raw), (0.8, other), (0.7, child)) == [("child", 0.9), ("other", 0.8)]


def test_a_text_that_comes_after_what_was_made_of_it_is_left_out() -> None:
    raw, child = memory("raw", Layer.RAW), memory("child", Layer.DISTILLED, "raw")
    assert collapsed((0.9, child), (0.8, raw)) == [("child", 0.9)]


def test_a_text_alone_stays() -> None:
    assert collapsed((0.9, memory("raw", Layer.RAW)), (0.8, memory("child", Layer.DISTILLED, "else"))) == [
        ("raw", 0.9),
        ("child", 0.8),
    ]


def test_one_memory_of_two_texts_takes_the_better_place() -> None:
    child = memory("child", Layer.DISTILLED, "b", "a")
    found = collapsed((0.9, memory("a", Layer.RAW)), (0.8, memory("b", Layer.RAW)), (0.7, memory("x")), (0.6, child))
    assert found == [("child", 0.9), ("x", 0.7)]


def test_two_memories_of_one_text_both_stay() -> None:
    raw = memory("raw", Layer.RAW)
    first, second = memory("first", Layer.DISTILLED, "raw"), memory("second", Layer.DISTILLED, "raw")
    assert collapsed((0.9, raw), (0.8, first), (0.7, second)) == [("first", 0.9), ("second", 0.7)]


def naive_mmr(scores: list[float], vectors: list[np.ndarray | None], limit: int, weight: float) -> list[int]:
    taken: list[int] = []
    while len(taken) < min(limit, len(scores)):
        best, best_gain = -1, -math.inf
        for index, score in enumerate(scores):
            if index in taken:
                continue
            likeness = 0.0
            for other in taken:
                mine, theirs = vectors[index], vectors[other]
                likeness = max(likeness, 0.0 if mine is None or theirs is None else float(mine @ theirs))
            gain = weight * score - (1 - weight) * likeness
            if gain > best_gain + 1e-7:
                best, best_gain = index, gain
        taken.append(best)
    return taken


@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.integers(1, 12), st.sampled_from([0.0, 0.3, 0.7, 1.0]))
def test_diversity_is_the_published_greedy_choice(seed: int, count: int, limit: int, weight: float) -> None:
    generator = np.random.default_rng(seed)
    matrix = generator.normal(size=(count, 8)).astype(np.float32)
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    vectors: list[np.ndarray | None] = [None if generator.random() < 0.2 else row for row in matrix]
    scores = sorted(generator.random(count).tolist(), reverse=True)
    places = [Place(Ranked(number, score, score), memory(f"m{number}"), score) for number, score in enumerate(scores)]
    known = {number: vector for number, vector in enumerate(vectors) if vector is not None}
    chosen = [place.ranked.number for place in diversify(places, known, limit=limit, relevance=weight)]
    assert chosen == naive_mmr(scores, vectors, limit, weight)


def test_diversity_of_nothing() -> None:
    assert diversify([], {}, limit=3, relevance=0.5) == []


def test_relevance_alone_keeps_the_order() -> None:
    vector = np.full(4, 0.5, dtype=np.float32)
    places = [Place(Ranked(n, s, s), memory(str(n)), s) for n, s in ((1, 0.9), (2, 0.5))]
    assert [p.ranked.number for p in diversify(places, {1: vector, 2: vector}, limit=5, relevance=1.0)] == [1, 2]


def test_an_explanation_says_where_a_score_comes_from() -> None:
    one = replace(Ranked(1, 0.5, 0.5, 0.25, 3, 7.5, 2), decay=0.5)
    explanation = one.explain()
    assert (explanation.similarity, explanation.vector_rank) == (0.25, 3)
    assert (explanation.keyword, explanation.keyword_rank) == (7.5, 2)
    assert (explanation.fused, explanation.decay) == (0.5, 0.5)
