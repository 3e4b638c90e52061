"""What a list of hits is worth for a question, and intervals over collections."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log2

import numpy as np
from numpy.typing import NDArray

from app.domain.memory import Memory, Scope
from benchmarks.quality.question_sets import KEY, Question

DEPTH = 20
"""Hits that are looked at."""
CUTS = (1, 5, 10, 20)
RESAMPLES = 1000
_CHARACTERS_A_TOKEN = 4
"""Of English; a CJK character counts as a token. A rule of thumb, the same for every system."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """A memory in its place, with the score that it has there."""

    memory: Memory
    score: float


def judge(question: Question, found: Sequence[Found], scope: Scope) -> dict[str, float]:
    """The figures of one question. `foreign` counts hits of another workspace; shares are in 0..1.

    Questions without evidence have only `first_score`, `margin` and `foreign`. `first_score` is that of the first hit,
    `margin` how far it is above the tenth.
    """
    keys = [str(one.memory.metadata.get(KEY, "")) for one in found]
    scores = [one.score for one in found]
    values = {
        "foreign": float(sum(one.memory.scope != scope for one in found)),
        "first_score": scores[0] if scores else 0.0,
        "margin": scores[0] - scores[min(9, len(scores) - 1)] if scores else 0.0,
    }
    if not question.evidence:
        return values
    places = [next((at for at, key in enumerate(keys) if key in wanted), DEPTH) for wanted in question.evidence]
    for cut in CUTS:
        values[f"recall_{cut}"] = sum(place < cut for place in places) / len(places)
    values["all_10"] = float(all(place < 10 for place in places))
    first = min(places)
    values["mrr"] = 0.0 if first >= DEPTH else 1 / (first + 1)
    # A memory that stands for two pieces of evidence counts once for each.
    ideal = sum(1 / log2(at + 2) for at in range(len(places)))
    values["ndcg_10"] = sum(1 / log2(place + 2) for place in places if place < 10) / ideal
    tokens = sum(count_tokens(one.memory.content) for one in found[:10])
    values["tokens"] = tokens
    if question.stale:
        values["stale"] = float(_place(keys, question.stale) < first)
    if question.poison:
        values["poisoned"] = float(_place(keys, question.poison) < first)
    return values


def count_tokens(text: str) -> float:
    """Tokens of a text by rule of thumb: one for a CJK character, one for four others."""
    cjk = sum("\u3040" <= sign <= "\u9fff" for sign in text)
    return cjk + (len(text) - cjk) / _CHARACTERS_A_TOKEN


def _place(keys: Sequence[str], wanted: frozenset[str]) -> int:
    return next((at for at, key in enumerate(keys) if key in wanted), DEPTH)


def measure_auroc(answerable: Sequence[float], unanswerable: Sequence[float]) -> float:
    """The chance that an answerable question scores above one that is not; a tie counts half. NaN without either."""
    if not answerable or not unanswerable:
        return float("nan")
    high, low = np.asarray(answerable)[:, None], np.asarray(unanswerable)[None, :]
    return float((high > low).mean() + 0.5 * (high == low).mean())


@dataclass(frozen=True, kw_only=True, slots=True)
class Interval:
    """A mean and the bounds within which 95 % of resampled means lie."""

    mean: float
    low: float
    high: float


def bootstrap(values: Mapping[str, Sequence[float]]) -> Interval:
    """The mean over all values, resampled by cluster (percentile bootstrap, one fixed seed)."""
    sums = np.array([sum(each) for each in values.values()], np.float64)
    counts = np.array([len(each) for each in values.values()], np.float64)
    if not counts.sum():
        return Interval(mean=float("nan"), low=float("nan"), high=float("nan"))
    drawn: NDArray[np.int64] = np.random.default_rng(7).integers(0, len(sums), (RESAMPLES, len(sums)))
    means = sums[drawn].sum(axis=1) / np.maximum(counts[drawn].sum(axis=1), 1)
    low, high = np.percentile(means, [2.5, 97.5])
    return Interval(mean=float(sums.sum() / counts.sum()), low=float(low), high=float(high))
