"""Ranking texts by the rarest terms of a query, in one statement.

The rule is that of `app.backends.words`: the terms are taken from the rarest on, and the score is BM25 with every term
counted once a text. The postings of a term are at most a few thousand numbers, and what they score is looked up in the
order of its score, so that of the rows themselves little more is read than is returned.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.backends.common_terms import CommonTerms
from app.backends.postgres.fulltext import list_terms
from app.backends.postgres.statements import Connection, select_row
from app.backends.words import K1, TERMS, B
from app.domain.memory import Scope

_RANK = """
WITH here AS MATERIALIZED (
    SELECT w.number AS workspace, coalesce(t.texts, 0)::float8 AS texts,
        greatest(t.units::float8 / nullif(t.texts, 0), 1) AS mean_units
    FROM workspaces w LEFT JOIN chunks_fts_tallies t ON t.workspace = w.number
    WHERE w.tenant_id = %s AND w.workspace_id = %s
), found AS MATERIALIZED (
    SELECT place, count(*)::float8 AS texts,
        CASE WHEN count(*) <= {cap} THEN array_agg(number) END AS numbers,
        CASE WHEN count(*) <= {cap} THEN array_agg(units) END AS units
    FROM unnest(%s::bigint[]) WITH ORDINALITY AS asked (term, place),
        LATERAL (SELECT number, units FROM chunks_fts_default WHERE terms @> ARRAY[term] {bounded}) AS having_it
    GROUP BY place
), rare AS (
    SELECT numbers, units, ln(1 + (greatest(here.texts - found.texts, 0) + 0.5) / (found.texts + 0.5)) AS weight,
        row_number() OVER rarest AS place, sum(found.texts) OVER rarest AS postings
    FROM found, here WHERE found.texts <= {cap} WINDOW rarest AS (ORDER BY found.texts, found.place)
), scored AS (
    SELECT number, sum(weight) * {gain}::float8
        / (1 + {k1}::float8 * ({flat}::float8 + {b}::float8 * one.units / mean_units)) AS relevance
    FROM rare, here, unnest(numbers, rare.units) AS one (number, units)
    WHERE place = 1 OR (place <= {terms} AND postings <= {cap}) GROUP BY number, one.units, mean_units
    ORDER BY relevance DESC, number DESC
), best AS (
    SELECT s.number, relevance FROM scored s JOIN chunks_default c ON c.number = s.number
    WHERE c.workspace = (SELECT workspace FROM here){where}
    ORDER BY relevance DESC, s.number DESC LIMIT %s
)
SELECT (SELECT texts::bigint FROM here), (SELECT count(*) FROM rare),
    (SELECT array_agg(place ORDER BY place) FROM found WHERE texts > {cap}),
    array_agg(number ORDER BY relevance DESC, number DESC),
    array_agg(relevance ORDER BY relevance DESC, number DESC) FROM best
"""
_BOUNDED, _NEWEST = "LIMIT {} + 1", "ORDER BY number DESC LIMIT {}"
_REMEMBERED = 10_000

Found = list[tuple[int, float]]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Answer:
    """What a statement told: how many texts stand, how many terms are rare, which are not, and what was found."""

    texts: int
    rare: int
    common: tuple[int, ...]
    found: Found


class TextRanker:
    """Ranks texts, and remembers which terms are too common to search by. May be used from any thread."""

    def __init__(self) -> None:
        self._common = CommonTerms()
        self._texts: dict[Scope, int] = {}

    def rank(
        self,
        connection: Connection,
        scope: Scope,
        query: str,
        where: str,
        values: Sequence[Any],
        *,
        cap: int,
        limit: int,
    ) -> Found:
        """Numbers and scores of the texts that share a query's rarest terms and meet a condition, best first.

        A term more frequent than the cap is taken only when there is no other, and then by its newest texts.
        """
        terms = list_terms(scope, query)
        if not terms:
            return []

        def ask(asked: Sequence[int], bounded: str = _BOUNDED) -> _Answer:
            return _ask(connection, scope, asked, where, values, bounded=bounded, cap=cap, limit=limit)

        known = {term for term in terms if self._common.includes(term, cap, self._texts.get(scope, 0))}
        answer = ask([term for term in terms if term not in known])
        self._note_texts(scope, answer.texts)
        if any(not self._common.includes(term, cap, answer.texts) for term in known):  # the workspace has shrunk
            known = set()
            answer = ask(terms)
        for term in answer.common:
            self._common.add(term, cap, answer.texts)
        if answer.rare:
            return answer.found
        common = next((term for term in terms if term in known or term in answer.common), None)
        return [] if common is None else ask([common], _NEWEST).found

    def _note_texts(self, scope: Scope, texts: int) -> None:
        if len(self._texts) >= _REMEMBERED:
            self._texts.clear()
        self._texts[scope] = texts


def _ask(
    connection: Connection,
    scope: Scope,
    terms: Sequence[int],
    where: str,
    values: Sequence[Any],
    *,
    bounded: str,
    cap: int,
    limit: int,
) -> _Answer:
    sql = _RANK.format(
        where=where, bounded=bounded.format(cap), cap=cap, terms=TERMS, gain=K1 + 1, k1=K1, flat=1 - B, b=B
    )
    row = select_row(connection, sql, (scope.tenant_id, scope.workspace_id, list(terms), *values, limit))
    texts, rare, common, numbers, scores = row if row is not None else (0, 0, None, None, None)
    return _Answer(
        texts=texts or 0,
        rare=rare,
        common=tuple(terms[place - 1] for place in common or ()),
        found=list(zip(numbers or (), scores or (), strict=True)),
    )
