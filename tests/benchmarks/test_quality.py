"""The quality suite on a few persons with the hashing embedder, and its arithmetic by hand."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from app.backends.embedders.hashing import HashingEmbedder
from app.domain.memory import Scope
from benchmarks.measurement import RESULTS, Outcome, load_outcome
from benchmarks.quality import command
from benchmarks.quality.embeddings import KeptEmbedder
from benchmarks.quality.evaluation import ALL, Figures, evaluate, summarise
from benchmarks.quality.library import Library
from benchmarks.quality.made import make_persons
from benchmarks.quality.metrics import Found, bootstrap, judge, measure_auroc
from benchmarks.quality.question_sets import KEY, Question
from benchmarks.quality.report import write_quality
from benchmarks.quality.systems import ORDERS, SERVICE
from tests.app.service.test_ranking import memory

SCOPE = Scope(tenant_id="t", workspace_id="w")


def found(*keys: str) -> list[Found]:
    return [
        Found(memory=replace(memory(key), metadata={KEY: key}, content="x" * 40), score=1 - place / 100)
        for place, key in enumerate(keys)
    ]


def test_figures_of_a_question_by_hand() -> None:
    question = Question(
        text="?",
        kind="multi-hop",
        evidence=(frozenset({"a", "a-note"}), frozenset({"b"})),
        stale=frozenset({"old"}),
        poison=frozenset({"bad"}),
    )
    values = judge(question, found("old", "a-note", "x", "a", "y", "z", "b", "bad"), SCOPE)
    assert (values["recall_1"], values["recall_5"], values["recall_10"], values["all_10"]) == (0, 0.5, 1, 1)
    assert values["mrr"] == 0.5
    assert values["ndcg_10"] == pytest.approx((1 / math.log2(3) + 1 / math.log2(8)) / (1 + 1 / math.log2(3)))
    assert (values["stale"], values["poisoned"], values["foreign"]) == (1, 0, 0)
    assert values["tokens"] == 8 * 10


def test_a_hit_of_another_workspace_is_counted() -> None:
    question = Question(text="?", kind="abstention")
    values = judge(question, found("a", "b"), Scope(tenant_id="other", workspace_id="w"))
    assert values == {"foreign": 2.0, "first_score": 1.0, "margin": pytest.approx(0.01)}


def test_auroc_by_hand() -> None:
    assert measure_auroc([0.9, 0.5], [0.1, 0.5]) == pytest.approx((1 + 1 + 1 + 0.5) / 4)
    assert math.isnan(measure_auroc([], [1.0]))


def test_intervals_are_those_of_clusters() -> None:
    alike = {f"p{n}": [float(n % 2)] * 50 for n in range(10)}
    mixed = {f"p{n}": [0.0, 1.0] * 25 for n in range(10)}
    wide, narrow = bootstrap(alike), bootstrap(mixed)
    assert (wide.mean, narrow.mean) == (0.5, 0.5)
    assert wide.high - wide.low > 0.4
    assert narrow.high == narrow.low == 0.5


def test_a_seed_makes_the_same_set_and_another_seed_another() -> None:
    first, again, other = make_persons(1, 2), make_persons(1, 2), make_persons(2, 2)
    assert first == again
    assert first.collections != other.collections


def test_every_answer_is_stored() -> None:
    for person in make_persons(3, 4).collections:
        kept = {item.key for item in person.items if not item.deleted}
        for question in person.questions:
            assert all(wanted & kept for wanted in question.evidence), question.kind
            assert question.evidence or question.kind in ("abstention", "deletion")
        kinds = {question.kind for question in person.questions}
        assert {"dated", "date in the text", "multi-hop", "by name", "task", "tool", "deletion", "abstention"} <= kinds


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Figures, Library]:
    embedder = KeptEmbedder(HashingEmbedder(dimensions=512), tmp_path_factory.mktemp("vectors") / "vectors.db")
    result = evaluate(make_persons(5, 2), embedder, lambda _: None)
    embedder.close()
    return result


@pytest.mark.slow
def test_nothing_deleted_or_foreign_is_found(measured: tuple[Figures, Library]) -> None:
    figures, _ = measured
    assert figures.deleted_hits == 0
    assert all(values["foreign"] == 0 for each in figures.values.values() for values in each)


def test_the_sum_of_the_legs_is_about_its_better_leg_or_more(measured: tuple[Figures, Library]) -> None:
    """With poor vectors and few questions: two in a hundred may be chance."""
    figures, _ = measured
    for key in ("recall_5", "recall_10"):
        own = bootstrap(figures.gather("service without dates", key, ALL)).mean
        assert own >= max(bootstrap(figures.gather(leg, key, ALL)).mean for leg in ("vector leg", "keyword leg")) - 0.02


@pytest.mark.parametrize("size", command.SEEDS)
def test_the_kept_figures_put_the_sum_before_its_legs_and_before_what_it_replaced(size: str) -> None:
    outcome = load_outcome(RESULTS / f"{command.SUITE}-{size}.json")
    own = outcome.find(ALL, "service without dates")
    assert own is not None
    for system in ("vector leg", "keyword leg", "plain BM25", "reciprocal ranks"):
        other = outcome.find(ALL, system)
        assert other is not None
        for key in ("recall_5", "recall_10", "mrr", "ndcg_10"):
            assert own.values[key] > other.values[key], (system, key)
    assert outcome.facts["deleted_hits"] == outcome.facts["foreign_hits"] == 0


def test_figures_become_a_page(measured: tuple[Figures, Library], tmp_path: Path) -> None:
    outcome = Outcome(suite=command.SUITE, size="held", started="2026-11-22 12:00")
    summarise(*measured, outcome, [SERVICE, "service without dates", *ORDERS])
    outcome.facts |= {"collections": 2, "memories": 10, "questions": 20, "embedder": "hashing", "seed": 5}
    kept = load_outcome(outcome.save(tmp_path))
    page = tmp_path / "quality.md"
    write_quality(page, [kept])
    text = page.read_text(encoding="utf-8")
    service = kept.find(ALL, SERVICE)
    assert service is not None
    assert f"| **service** | {service.values['recall_1']:.3f} |" in text
    assert "Hits of deleted memories: 0." in text
    assert "multi-hop" in text


def test_vectors_are_embedded_once(tmp_path: Path) -> None:
    for made in (2, 0):
        embedder = KeptEmbedder(HashingEmbedder(), tmp_path / "vectors.db")
        assert embedder.prepare(["one", "two", "one"]) == made
        assert embedder.embed(["two"]).tolist() == HashingEmbedder().embed(["two"]).tolist()
        embedder.close()


def test_results_are_json(measured: tuple[Figures, Library]) -> None:
    outcome = Outcome(suite=command.SUITE, size="held")
    summarise(*measured, outcome, [SERVICE])
    assert json.loads(json.dumps(outcome.facts))["repeats"]["precision"] == 1.0
