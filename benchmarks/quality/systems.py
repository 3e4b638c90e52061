"""The rankings that are compared: the service, its legs, plain BM25, and other ways to join the legs."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from app.backends.memory.words import score_words, split_words
from app.domain.embedding import Vector
from app.domain.filters import holds, passes
from app.domain.memory import Layer, Memory, Scope
from app.domain.query import Candidate, SearchQuery
from app.service.ranking import Collapse, Ranked, by_keywords, by_similarity, fuse, sort
from app.service.retrieval import Retrieval
from app.service.searches import KEYWORD_LIMIT, VECTOR_LIMIT
from benchmarks.quality.library import Legs, Library, principal_of
from benchmarks.quality.metrics import DEPTH, Found
from benchmarks.quality.question_sets import Question

RRF_K = 60
"""The constant of Cormack, Clarke and Buettcher, Reciprocal Rank Fusion, SIGIR 2009."""
NEIGHBOUR_SHARE = 0.2
NEIGHBOUR_POOL = 50

Order = Callable[[Legs], list[Ranked]]


@dataclass(kw_only=True)
class Shelf:
    """All memories of a workspace with their words and vectors, for systems that compare every one.

    A window is a raw turn with the turn before it and the one after; its vector is the mean of theirs.
    """

    memories: Mapping[int, Memory]
    numbers: list[int] = field(default_factory=list)
    words: list[Counter[str]] = field(default_factory=list)
    window_words: list[Counter[str]] = field(default_factory=list)
    window_vectors: Vector | None = None

    def prepare(self, library: Library, scope: Scope) -> None:
        """Split the words and add up the windows."""
        self.numbers = list(self.memories)
        texts = [f"{one.when_to_use}\n{one.content}" for one in self.memories.values()]
        self.words = [Counter(split_words(text)) for text in texts]
        vectors = library.store.index.vectors(scope, self.numbers)
        matrix = np.stack([vectors[number] for number in self.numbers])
        places = {
            (one.origin.path, one.origin.start_line): place
            for place, one in enumerate(self.memories.values())
            if one.layer is Layer.RAW and one.origin.path
        }
        summed = matrix.copy()
        self.window_words = [Counter(words) for words in self.words]
        for (path, line), place in places.items():
            for beside in (line - 1, line + 1):
                other = places.get((path, beside))
                if other is not None:
                    summed[place] += matrix[other]
                    self.window_words[place] += self.words[other]
        self.window_vectors = summed / np.linalg.norm(summed, axis=1, keepdims=True)

    def match(self, question: Question, now_ms: int, *, windows: bool) -> list[Candidate]:
        """BM25 over words and, in Chinese, characters and pairs of them."""
        allowed = self._allow(question, now_ms)
        words = self.window_words if windows else self.words
        scores = score_words(split_words(question.text), [words[place] for place in allowed])
        return _best([self.numbers[place] for place in allowed], scores, KEYWORD_LIMIT)

    def compare(self, question: Question, vector: Vector, now_ms: int) -> list[Candidate]:
        """The cosines of windows."""
        allowed = self._allow(question, now_ms)
        if self.window_vectors is None or not allowed:
            return []
        scores = self.window_vectors[allowed] @ vector
        return _best([self.numbers[place] for place in allowed], scores.tolist(), VECTOR_LIMIT)

    def _allow(self, question: Question, now_ms: int) -> list[int]:
        return [
            place
            for place, one in enumerate(self.memories.values())
            if holds(one, question.as_of_ms, now_ms=now_ms) and passes(one, question.filter)
        ]


def _best(numbers: Sequence[int], scores: Sequence[float], limit: int) -> list[Candidate]:
    ranked = sorted(zip(numbers, scores, strict=True), key=lambda pair: (-pair[1], pair[0]))
    return [Candidate(number=number, score=score) for number, score in ranked[:limit] if score > 0]


def fuse_ranks(legs: Legs) -> list[Ranked]:
    """Plain reciprocal rank fusion, divided by the most that two legs can give."""
    found: dict[int, Ranked] = {}
    for leg in (legs.vector, legs.keyword):
        for rank, one in enumerate(leg, start=1):
            known = found.setdefault(one.number, Ranked(one.number, 0.0, 0.0))
            known.score += (RRF_K + 1) / 2 / (RRF_K + rank)
    return sort(found.values())


def weigh(share: float, *, spread: bool) -> Order:
    """A sum of the legs with fixed weights; `spread` stretches each leg's scores over 0..1."""

    def order(legs: Legs) -> list[Ranked]:
        found: dict[int, Ranked] = {}
        for leg, weight in ((by_similarity(legs.vector), share), (by_keywords(legs.keyword), 1 - share)):
            low = min((one.score for one in leg), default=0.0) if spread else 0.0
            high = max((one.score for one in leg), default=1.0) if spread else 1.0
            for one in leg:
                known = found.setdefault(one.number, Ranked(one.number, 0.0, 0.0))
                known.score += weight * ((one.score - low) / (high - low) if high > low else 1.0)
        return sort(found.values())

    return order


ORDERS: Mapping[str, Order] = {
    "vector leg": lambda legs: by_similarity(legs.vector),
    "keyword leg": lambda legs: by_keywords(legs.keyword),
    "reciprocal ranks": fuse_ranks,
    "weights 0.5 and 0.5": weigh(0.5, spread=False),
    "weights 0.7 and 0.3, stretched": weigh(0.7, spread=True),
}
OPTIONS: Mapping[str, Mapping[str, bool | int]] = {
    "service": {},
    "service without dates": {"dates": False},
    "service with two hops": {"hops": 2},
}
SERVICE = "service"
BESIDES = ("plain BM25", "plain BM25, windows", "windows of three", "service's sum with neighbours")


def run_systems(
    library: Library, retrieval: Retrieval, shelf: Shelf, scope: Scope, question: Question
) -> dict[str, list[Found]]:
    """What every system finds for a question."""
    legs = library.ask_legs(scope, question)
    now_ms = library.clock.now_ms()
    found = {name: _complete(order(legs), shelf.memories) for name, order in ORDERS.items()}
    words, window_words = (shelf.match(question, now_ms, windows=windows) for windows in (False, True))
    vector = library.embedder.embed_query(question.text)
    near = shelf.compare(question, vector, now_ms)
    full = len(legs.vector) >= VECTOR_LIMIT
    found["plain BM25"] = _complete(by_keywords(words), shelf.memories)
    found["plain BM25, windows"] = _complete(by_keywords(window_words), shelf.memories)
    found["windows of three"] = _complete(fuse(near, window_words, full=full), shelf.memories)
    lent = _lend(fuse(legs.vector, legs.keyword, full=full), shelf.memories)
    found["service's sum with neighbours"] = _complete(lent, shelf.memories)
    for name, options in OPTIONS.items():
        query = SearchQuery(
            text=question.text,
            top_k=DEPTH,
            filter=question.filter,
            as_of_ms=question.as_of_ms,
            dates=bool(options.get("dates", True)),
            hops=int(options.get("hops", 1)),
        )
        hits = retrieval.search(principal_of(scope), scope.workspace_id, query).hits
        found[name] = [Found(memory=hit.memory, score=hit.score) for hit in hits]
    return found


def _complete(ranked: Sequence[Ranked], memories: Mapping[int, Memory]) -> list[Found]:
    """The first places, with texts and what was made of them as one, as the service does it."""
    collapse = Collapse()
    for one in ranked:
        if one.number in memories:
            collapse.take(one, memories[one.number])
        if len(collapse.places) == DEPTH:
            break
    return [Found(memory=place.memory, score=place.score) for place in collapse.places]


def _lend(ranked: list[Ranked], memories: Mapping[int, Memory]) -> list[Ranked]:
    """Turns among the first candidates lend a share of their scores to the turns beside them."""
    first, rest = ranked[:NEIGHBOUR_POOL], ranked[NEIGHBOUR_POOL:]
    turns = {one.number: memories[one.number].origin for one in first if _is_turn(memories.get(one.number))}
    places = {(turns[one.number].path, turns[one.number].start_line): one.fused for one in first if one.number in turns}
    for one in first:
        turn = turns.get(one.number)
        if turn is not None:
            beside = (places.get((turn.path, turn.start_line + step), 0.0) for step in (-1, 1))
            one.score = one.fused + NEIGHBOUR_SHARE * max(beside)
    return sort(first) + rest


def _is_turn(memory: Memory | None) -> bool:
    return memory is not None and memory.layer is Layer.RAW and bool(memory.origin.path)
