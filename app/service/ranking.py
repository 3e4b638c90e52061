"""The arithmetic of ranking: fusion, decay, collapse and diversity. Pure functions, no I/O."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from app.domain.embedding import Vector
from app.domain.memory import Layer, Memory
from app.domain.query import Candidate, Explanation

RRF_K = 60
"""The constant of Cormack, Clarke and Buettcher, Reciprocal Rank Fusion, SIGIR 2009."""

MS_PER_DAY = 86_400_000


@dataclass(slots=True)
class Ranked:
    """A candidate on its way to a hit. Ranks count from 1; None means that the leg did not find it.

    `score` is in 0..1 and changes as decay is applied; `fused` is what it was before. Not frozen: a search makes
    some hundred and fifty, and keeps ten.
    """

    number: int
    score: float
    fused: float
    similarity: float | None = None
    vector_rank: int | None = None
    keyword: float | None = None
    keyword_rank: int | None = None
    decay: float = 1.0

    def explain(self) -> Explanation:
        """How the score came about."""
        return Explanation(
            similarity=self.similarity,
            vector_rank=self.vector_rank,
            keyword=self.keyword,
            keyword_rank=self.keyword_rank,
            fused=self.fused,
            decay=self.decay,
        )


def fuse(vector: Sequence[Candidate], keyword: Sequence[Candidate]) -> list[Ranked]:
    """Reciprocal rank fusion of two legs, best first, divided by the most that two legs can give.

    First in both legs is 1.0, first in one alone 0.5. At equal scores the better place in the vector leg wins,
    then the better one in the keyword leg, then the older memory.
    """
    # 1 / (k + rank) summed over two legs, over 2 / (k + 1), the sum of first places.
    share = (RRF_K + 1) / 2
    found: dict[int, Ranked] = {}
    for rank, candidate in enumerate(vector, start=1):
        if candidate.number not in found:
            score = share / (RRF_K + rank)
            found[candidate.number] = Ranked(candidate.number, score, score, candidate.score, rank)
    seen: set[int] = set()
    for rank, candidate in enumerate(keyword, start=1):
        if candidate.number in seen:
            continue
        seen.add(candidate.number)
        score = share / (RRF_K + rank)
        both = found.get(candidate.number)
        if both is None:
            found[candidate.number] = Ranked(candidate.number, score, score, keyword=candidate.score, keyword_rank=rank)
        else:
            both.score = both.fused = both.score + score
            both.keyword, both.keyword_rank = candidate.score, rank
    return sort(found.values())


def by_similarity(vector: Sequence[Candidate]) -> list[Ranked]:
    """The vector leg alone, best first: the score is the cosine, clipped to 0..1."""
    ranked = []
    for rank, candidate in enumerate(vector, start=1):
        score = min(1.0, max(0.0, candidate.score))
        ranked.append(Ranked(candidate.number, score, score, candidate.score, rank))
    return ranked


def by_keywords(keyword: Sequence[Candidate]) -> list[Ranked]:
    """The keyword leg alone, best first: the score is relative to the best hit, which has 1.0."""
    best = max((candidate.score for candidate in keyword), default=0.0)
    ranked = []
    for rank, candidate in enumerate(keyword, start=1):
        score = min(1.0, max(0.0, candidate.score / best)) if best > 0 else 0.0
        ranked.append(Ranked(candidate.number, score, score, keyword=candidate.score, keyword_rank=rank))
    return ranked


def sort(ranked: Iterable[Ranked]) -> list[Ranked]:
    """Best score first, in one order for equal scores on every machine."""
    last = 1 << 62
    return sorted(ranked, key=lambda one: (-one.score, one.vector_rank or last, one.keyword_rank or last, one.number))


def decay_factor(age_ms: int, half_life_days: float) -> float:
    """What is left of a score after an age: a half after each half-life; 1.0 for what lies in the future."""
    days = max(0, age_ms) / MS_PER_DAY
    return float(0.5 ** (days / half_life_days))


def decay(
    ranked: Iterable[Ranked], memories: Mapping[int, Memory], *, now_ms: int, half_life_days: float
) -> list[Ranked]:
    """The ranking after time took its share; those whose memory is gone are left out.

    A memory's age counts from `valid_from_ms`: when what it says was said, or began to hold.
    """
    left = []
    for one in ranked:
        memory = memories.get(one.number)
        if memory is not None:
            one.decay = decay_factor(now_ms - memory.valid_from_ms, half_life_days)
            one.score = one.fused * one.decay
            left.append(one)
    return sort(left)


@dataclass(slots=True)
class Place:
    """A place in the result: a candidate, its memory, and the score that it has there."""

    ranked: Ranked
    memory: Memory
    score: float


class Collapse:
    """Takes candidates in rank order and keeps one of a raw text and the memory distilled of it.

    Where both are found the distilled one stays, at the better of the two places: what was said and what was
    made of it would otherwise take two places with one fact. A raw text whose distilled memory is not found
    stays. Of several memories distilled of one text the best ranked takes the text's place, the others their own.
    """

    def __init__(self) -> None:
        self.places: list[Place] = []
        self._raw: dict[str, Place] = {}
        self._sources: set[str] = set()

    def take(self, ranked: Ranked, memory: Memory) -> None:
        """Add the next candidate."""
        if memory.layer is Layer.RAW:
            if memory.id not in self._sources:
                place = Place(ranked, memory, ranked.score)
                self._raw[memory.id] = place
                self.places.append(place)
            return
        self._sources.update(memory.source_ids)
        # In the order of the list: a dictionary keeps what was found first in front.
        replaced = [self._raw.pop(source) for source in dict.fromkeys(memory.source_ids) if source in self._raw]
        if not replaced:
            self.places.append(Place(ranked, memory, ranked.score))
            return
        best, *others = sorted(replaced, key=lambda place: -place.score)
        best.ranked, best.memory = ranked, memory
        if others:
            self.places = [place for place in self.places if not any(place is other for other in others)]


def diversify(places: Sequence[Place], vectors: Mapping[int, Vector], *, limit: int, relevance: float) -> list[Place]:
    """Maximal marginal relevance (Carbonell and Goldstein, SIGIR 1998): the places to return, in order.

    Each step takes the place of the largest `relevance x score - (1 - relevance) x similarity`, where the
    similarity is the largest cosine to what was taken. A memory without a vector is like nothing else.
    """
    if not places or limit <= 0:
        return []
    known = next(iter(vectors.values()), None)
    matrix = np.zeros((len(places), 1 if known is None else known.shape[0]), dtype=np.float32)
    for row, place in enumerate(places):
        vector = vectors.get(place.ranked.number)
        if vector is not None:
            matrix[row] = vector
    scores = np.array([place.score for place in places])
    nearest = np.zeros(len(places))
    open_places = np.ones(len(places), dtype=bool)
    taken: list[Place] = []
    while len(taken) < min(limit, len(places)):
        gain = np.where(open_places, relevance * scores - (1.0 - relevance) * nearest, -np.inf)
        choice = int(np.argmax(gain))
        open_places[choice] = False
        taken.append(places[choice])
        nearest = np.maximum(nearest, matrix @ matrix[choice])
    return taken
