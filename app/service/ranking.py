"""The arithmetic of ranking: fusion, decay, collapse and diversity. Pure functions, no I/O."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from app.domain.embedding import Vector
from app.domain.memory import Layer, Memory
from app.domain.query import Candidate, Explanation

KEYWORD_WEIGHT = 1.0
KEYWORD_HALF = 16.0
"""What the keyword leg weighs beside a vector leg of 1: the weight times best / (best + half), where best is the BM25
of its first candidate. A question that shares only common words with every memory has a low best, and its keywords
decide little. 0.6 to 1 are equally good with the local embedder on the made-up persons; with the hashing one the sum
fell below the keyword leg at 0.6 and not at 1 (docs/quality.md)."""
PERIOD_SHARE = 0.4
NAMED, SAID = 1.0, 0.75
"""Of a score, for a memory of the time that the question names: all of the share where its text names that time, three
quarters where it was only said then. Shares of 0.2 to 0.5 for the latter differed little (docs/quality.md)."""
HOP_SHARE = 0.8
"""The most that a memory gets of the score of a hit whose words led to it: with 0.5 and 0.95 fewer questions that join
two memories were answered in the first five (docs/quality.md)."""

MS_PER_DAY = 86_400_000


@dataclass(slots=True)
class Ranked:
    """A candidate on its way to a hit. Ranks count from 1; None means that the leg did not find it.

    `score` is in 0..1 and changes as decay is applied; `fused` is what it was before. `hop` is 2 for what the words of
    another hit led to. Not frozen: a search makes some hundred and fifty, and keeps ten.
    """

    number: int
    score: float
    fused: float
    similarity: float | None = None
    vector_rank: int | None = None
    keyword: float | None = None
    keyword_rank: int | None = None
    decay: float = 1.0
    in_period: bool = False
    hop: int = 1

    def explain(self) -> Explanation:
        """How the score came about."""
        return Explanation(
            similarity=self.similarity,
            vector_rank=self.vector_rank,
            keyword=self.keyword,
            keyword_rank=self.keyword_rank,
            fused=self.fused,
            decay=self.decay,
            in_period=self.in_period,
            hop=self.hop,
        )


def fuse(vector: Sequence[Candidate], keyword: Sequence[Candidate], *, full: bool = False) -> list[Ranked]:
    """The weighted sum of both legs, best first, over the sum of the weights: in 0..1.

    The vector leg counts with its cosine, clipped to 0..1, the keyword leg with its score relative to its best. `full`
    says that the vector leg stopped at its limit: what it did not find then counts with the lowest cosine that it did
    find, else with 0. First in both legs with a cosine of 1 is 1.0. At equal scores the better place in the vector leg
    wins, then the better one in the keyword leg, then the older memory.
    """
    if not vector:
        return by_keywords(keyword)
    found: dict[int, Ranked] = {}
    for one in by_similarity(vector):
        found.setdefault(one.number, one)
    words = by_keywords(keyword)
    best = words[0].keyword if words else None
    weight = KEYWORD_WEIGHT * best / (best + KEYWORD_HALF) if best is not None and best > 0 else 0.0
    total = 1.0 + weight
    unseen = min(one.score for one in found.values()) if full else 0.0
    for one in found.values():
        one.score = one.fused = one.score / total
    for one in words:
        both = found.get(one.number)
        if both is None:
            one.score = one.fused = (unseen + weight * one.score) / total
            found[one.number] = one
        elif both.keyword_rank is None:
            both.score = both.fused = both.score + weight * one.score / total
            both.keyword, both.keyword_rank = one.keyword, one.keyword_rank
    return sort(found.values())


def favour(ranked: Iterable[Ranked], inside: Mapping[int, float]) -> list[Ranked]:
    """The ranking where a part of the score is for memories of the time that the question names.

    `inside` tells for each of them how much of that part it gets, in 0..1.
    """
    left = []
    for one in ranked:
        part = inside.get(one.number, 0.0)
        one.in_period = part > 0.0
        one.score = one.fused = one.fused * (1.0 - PERIOD_SHARE) + PERIOD_SHARE * part
        left.append(one)
    return sort(left)


def follow(ranked: Sequence[Ranked], led: Iterable[tuple[Ranked, Sequence[Candidate]]]) -> list[Ranked]:
    """The ranking with what the words of some hits led to: `led` has these hits with what was found for each.

    The best found for a hit gets `HOP_SHARE` of the hit's score, the others less as their scores are lower; what was
    ranked better before keeps its score.
    """
    found = {one.number: one for one in ranked}
    sources = [
        (source.score, by_keywords([one for one in some if one.number != source.number])) for source, some in led
    ]
    for most, some in sources:
        for one in some:
            score = HOP_SHARE * most * one.score
            known = found.get(one.number)
            if known is None:
                found[one.number] = Ranked(one.number, score, score, hop=2)
            elif score > known.score:
                known.score = known.fused = score
                known.hop = 2
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
