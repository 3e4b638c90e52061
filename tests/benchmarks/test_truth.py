"""Recall is judged by exact cosines, within the condition and the workspace asked for."""

import pytest

from benchmarks.corpus.datasets import Dataset
from benchmarks.corpus.memories import Generated
from benchmarks.corpus.truth import Truth
from benchmarks.engines.contract import Where, fuse

LIMIT = 10
ITEMS = list(range(20))


@pytest.fixture(scope="module")
def truth(dataset: Dataset) -> Truth:
    return Truth(dataset)


def best_of(dataset: Dataset, item: int, numbers: list[int]) -> list[int]:
    cosines = {
        number: float(dataset.corpus.matrix(number, number + 1)[0] @ dataset.questions.vectors[item])
        for number in numbers
    }
    return sorted(cosines, key=lambda number: -cosines[number])[:LIMIT]


def test_the_exact_answers_have_full_recall(dataset: Dataset, truth: Truth) -> None:
    expected = truth.expect(ITEMS, None, mixed=False, rows=500, limit=LIMIT)
    found = [best_of(dataset, item, list(range(500))) for item in ITEMS]
    assert truth.recall(ITEMS, found, expected, None, mixed=False, rows=500) == 1
    assert truth.share_found(ITEMS, found) == 1


def test_what_is_missing_or_wrong_lowers_recall(dataset: Dataset, truth: Truth) -> None:
    expected = truth.expect(ITEMS, None, mixed=False, rows=500, limit=LIMIT)
    halves = [best_of(dataset, item, list(range(500)))[:5] for item in ITEMS]
    assert truth.recall(ITEMS, halves, expected, None, mixed=False, rows=500) == pytest.approx(0.5)
    repeated = [[numbers[0]] * 10 for numbers in halves]
    assert truth.recall(ITEMS, repeated, expected, None, mixed=False, rows=500) == pytest.approx(0.1)
    beyond = [[9999] * 10 for _ in ITEMS]
    assert truth.recall(ITEMS, beyond, expected, None, mixed=False, rows=500) == 0
    assert truth.share_found(ITEMS, beyond) == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "where",
    [Where(field="kind", value="tool"), Where(field="tag", value="pinned"), Where(field="channel", value="phone")],
)
def test_a_condition_narrows_what_is_right(
    dataset: Dataset, truth: Truth, generated: list[Generated], where: Where
) -> None:
    allowed = [
        row.number
        for row in generated[:500]
        if where.value == (row.tags[0] if where.field == "tag" else getattr(row, where.field))
    ]
    expected = truth.expect(ITEMS, where, mixed=False, rows=500, limit=LIMIT)
    assert expected.counts == [min(LIMIT, len(allowed))] * len(ITEMS)
    right = [best_of(dataset, item, allowed) for item in ITEMS]
    assert truth.recall(ITEMS, right, expected, where, mixed=False, rows=500) == 1
    # Better cosines that break the condition are no answers.
    wrong = [best_of(dataset, item, [number for number in range(500) if number not in allowed]) for item in ITEMS]
    assert truth.recall(ITEMS, wrong, expected, where, mixed=False, rows=500) == 0


def test_a_span_of_time_holds_its_share(dataset: Dataset, truth: Truth) -> None:
    where = truth.span(0.1)
    assert int(truth.select(where, dataset.count).sum()) == pytest.approx(50, abs=1)


def test_in_the_mix_only_the_own_workspace_counts(dataset: Dataset, truth: Truth, generated: list[Generated]) -> None:
    expected = truth.expect(ITEMS, None, mixed=True, rows=500, limit=LIMIT)
    own = [
        [row.number for row in generated[:500] if row.workspace == dataset.questions.workspaces[item]] for item in ITEMS
    ]
    assert expected.counts == [min(LIMIT, len(numbers)) for numbers in own]
    found = [best_of(dataset, item, numbers) for item, numbers in zip(ITEMS, own, strict=True)]
    assert truth.recall(ITEMS, found, expected, None, mixed=True, rows=500) == 1


def test_rankings_are_fused_by_reciprocal_rank() -> None:
    assert fuse([[1, 2, 3], [3, 1]], 2) == [1, 3]
    assert fuse([[], []], 5) == []
