"""Ranking by words: BM25 with each workspace's own frequencies, put together of queries that every server has.

The server's own BM25 counts words and lengths over a whole shard, so that what one tenant writes would change, and
show in, the scores of another. Here a first request counts the memories of the workspace that have each term, and the
second ranks by these: a term's score is its weight (the field's similarity is `boolean`), and their sum is multiplied
by the norm of the length, which is looked up in steps as Lucene does with its own. A term counts once a text, because
in texts of some hundred characters it rarely stands twice. The server caches the first request until the next refresh.

Measured at 100,000 memories in one workspace (three shards): 2 to 10 ms for the counts, 15 to 30 ms for the ranking.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import ceil, exp, log
from typing import Any

from app.backends import words
from app.backends.elasticsearch.selection import Query, select_workspace
from app.backends.words import FIRST_CHARACTER, K1, LONGEST_WORD, B, list_telling, stem_word
from app.domain.memory import Scope

FIELD, LENGTH = "words", "length"
COUNTED, TERMS = 256, 32
"""How many terms of a text are counted, and how many of the rarest are searched for."""
_STEP = 0.1
"""Lengths whose norms are within 10 % of each other count as one: at most 5 % off, where Lucene's lengths are 6 %."""
_LEAST_NORM = 0.05


def list_units(when_to_use: str, content: str) -> tuple[list[str], int]:
    """What is indexed of a memory: units, and pairs of neighbouring CJK characters; and how many units it has."""
    split = words.split_words(f"{when_to_use}\n{content}" if when_to_use else content)
    units = [_write(word) for word in split]
    pairs = [one + other for one, other in pairwise(units) if _is_character(one) and _is_character(other)]
    return units + pairs, len(units)


def list_terms(text: str) -> list[str]:
    """The terms to look up for a text, each once, at most `COUNTED`."""
    terms = dict.fromkeys("".join(map(_write, term)) for term in list_telling(text))
    return list(terms)[:COUNTED]


def count_terms(scope: Scope, terms: Sequence[str]) -> dict[str, Any]:
    """The search that counts: the memories of a workspace, how long they are, and how many have each term."""
    return {
        "size": 0,
        "track_total_hits": True,
        "query": {"bool": {"filter": [select_workspace(scope)]}},
        "aggs": {
            "length": {"avg": {"field": LENGTH}},
            "terms": {"filters": {"filters": {term: {"term": {FIELD: term}} for term in terms}}},
        },
    }


def weigh_terms(answer: Mapping[str, Any]) -> tuple[dict[str, float], float]:
    """The weights (IDF) of the rarest terms that occur, from the answer to the count; and the mean length."""
    population = answer["hits"]["total"]["value"]
    found = answer["aggregations"]
    counts = {term: bucket["doc_count"] for term, bucket in found["terms"]["buckets"].items()}
    rarest = sorted((count, term) for term, count in counts.items() if count)[:TERMS]
    weights = {term: log(1 + (max(population - count, 0) + 0.5) / (count + 0.5)) for count, term in rarest}
    return weights, max(found["length"]["value"] or 0.0, 1.0)


def rank(weights: Mapping[str, float], mean_length: float, selected: Query) -> Query:
    """The query that finds and ranks what was selected."""
    shared = [{"term": {FIELD: {"value": term, "boost": weight}}} for term, weight in weights.items()]
    return {
        "function_score": {
            "query": {"bool": {"filter": [selected], "should": shared, "minimum_should_match": 1}},
            "functions": list_norms(mean_length),
            "score_mode": "first",
            "boost_mode": "multiply",
        }
    }


def list_norms(mean_length: float) -> list[dict[str, Any]]:
    """Upper bounds of lengths, and the norms below them: BM25's (k1 + 1) / (1 + k1 (1 - b + b length / mean))."""
    norms: list[dict[str, Any]] = []
    norm = (K1 + 1) / (1 + K1 * (1 - B))
    while norm > _LEAST_NORM:
        below = norm * exp(-_STEP)
        longest = ((K1 + 1) / below - 1 - K1 * (1 - B)) * mean_length / (K1 * B)
        if not norms or ceil(longest) > norms[-1]["filter"]["range"][LENGTH]["lt"]:
            norms.append({"filter": {"range": {LENGTH: {"lt": ceil(longest)}}}, "weight": norm * exp(-_STEP / 2)})
        norm = below
    return [*norms, {"weight": norm}]


def _is_character(unit: str) -> bool:
    return len(unit) == 1 and unit >= FIRST_CHARACTER


def _write(word: str) -> str:
    return word if _is_character(word) else stem_word(word[:LONGEST_WORD])
