"""The full-text index: the terms of texts, and ranking by the rarest terms of a query.

A term is 64 bits: the hash of a word, of a CJK character or of two that stand side by side, combined with the hash of
the workspace. Two terms of a store share theirs with odds of 1 in 37 for 10^9 distinct terms; then a ranking blurs, and
no text of another workspace is shown, because every text that is found is compared with the workspace that it is in.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from hashlib import blake2b
from itertools import pairwise

from app.backends.postgres.statements import Connection
from app.backends.words import FIRST_CHARACTER, LONGEST_WORD, list_telling, split_words, stem_word
from app.domain.memory import Memory, Scope

Indexed = tuple[int, int, list[int]]
"""The number of a memory, how many units its text has, and its terms."""


def _hash(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big", signed=True)


@lru_cache(maxsize=65_536)
def _hash_word(word: str) -> int:
    return _hash(stem_word(word))


@lru_cache(maxsize=65_536)
def _hash_characters(characters: str) -> int:
    return _hash(characters)


@lru_cache(maxsize=4096)
def _hash_scope(scope: Scope) -> int:
    return _hash(f"{scope.tenant_id}\n{scope.workspace_id}")


def _is_character(word: str) -> bool:
    return len(word) == 1 and word >= FIRST_CHARACTER


def index_memory(number: int, memory: Memory) -> Indexed:
    """What is indexed for a memory."""
    text = f"{memory.when_to_use}\n{memory.content}" if memory.when_to_use else memory.content
    words = split_words(text)
    terms: set[int] = set()
    for word in dict.fromkeys(words):
        terms.add(_hash_characters(word) if _is_character(word) else _hash_word(word[:LONGEST_WORD]))
    for one, other in pairwise(words):
        if _is_character(one) and _is_character(other):
            terms.add(_hash_characters(one + other))
    mark = _hash_scope(memory.scope)
    return number, len(words), [term ^ mark for term in terms]


def list_terms(scope: Scope, text: str) -> list[int]:
    """The terms to look up for a query in a workspace, each once, in the query's order."""
    mark = _hash_scope(scope)
    found: dict[int, None] = {}
    for term in list_telling(text):
        characters = len(term) == 2 or _is_character(term[0])
        found[(_hash_characters("".join(term)) if characters else _hash_word(term[0][:LONGEST_WORD])) ^ mark] = None
    return list(found)


def insert_terms(connection: Connection, texts: Sequence[Indexed]) -> None:
    """Index texts under their numbers."""
    with connection.cursor() as cursor:
        cursor.executemany("INSERT INTO chunks_fts_default VALUES (%s, %s, %s)", texts)


def delete_terms(connection: Connection, workspace: int, numbers: Iterable[int], standing: Iterable[int]) -> None:
    """Take texts out, of which some stand and were counted."""
    connection.execute(
        "WITH gone AS (DELETE FROM chunks_fts_default WHERE number = ANY(%s) RETURNING number, units)"
        " UPDATE chunks_fts_tallies t SET texts = t.texts - g.texts, units = t.units - g.units"
        " FROM (SELECT count(*) AS texts, coalesce(sum(units), 0) AS units FROM gone WHERE number = ANY(%s)) g"
        " WHERE t.workspace = %s",
        (list(numbers), list(standing), workspace),
    )


def count_texts(connection: Connection, workspace: int, texts: int, units: int) -> None:
    """Add to the counts of a workspace's standing texts and of their units."""
    connection.execute(
        "INSERT INTO chunks_fts_tallies AS t VALUES (%s, %s, %s) ON CONFLICT (workspace) DO UPDATE"
        " SET texts = t.texts + excluded.texts, units = t.units + excluded.units",
        (workspace, texts, units),
    )


def recount_texts(connection: Connection, workspace: int, *, arisen: Iterable[int], fallen: Iterable[int]) -> None:
    """Count texts in that stand again, and out that do so no more, and are indexed in either case."""
    connection.execute(
        "UPDATE chunks_fts_tallies t SET texts = t.texts + g.texts, units = t.units + g.units FROM"
        " (SELECT coalesce(sum(sign), 0) AS texts, coalesce(sum(sign * units), 0) AS units"
        " FROM (SELECT unnest(%s::bigint[]), 1 UNION ALL SELECT unnest(%s::bigint[]), -1) AS turned (number, sign)"
        " JOIN chunks_fts_default USING (number)) g WHERE t.workspace = %s",
        (list(arisen), list(fallen), workspace),
    )
