"""The full-text index: writing terms, and ranking by the rarest terms of a query.

A query's terms are taken from the rarest on, until they stand for `CAP` postings or are `TERMS`
terms. By measurement this keeps 0.90 of the unpruned BM25 top 10 within its top 50, while lower
caps lose a quarter and more; every term is otherwise walked in full on each query. The score is
BM25 (k1 1.2, b 0.75) with every term counted once a text, because the index keeps no positions:
in texts of some hundred characters a term rarely stands twice.
"""

from collections.abc import Sequence
from math import log

import apsw
import numpy as np
from numpy.typing import NDArray

from app.backends.common_terms import CommonTerms
from app.backends.sqlite.statements import select_numbers
from app.backends.sqlite.tokens import encode_text, list_terms
from app.backends.words import CAP, K1, TERMS, B

Indexed = tuple[int, str]


def encode_memory(when_to_use: str, content: str, workspace: int) -> tuple[str, int]:
    """What is indexed for a memory, and how many units long it is."""
    return encode_text(f"{when_to_use}\n{content}" if when_to_use else content, workspace)


def insert_terms(connection: apsw.Connection, texts: Sequence[Indexed]) -> None:
    """Index encoded texts under their numbers."""
    connection.executemany("INSERT INTO chunks_fts_default (rowid, text) VALUES (?, ?)", texts)


def delete_terms(connection: apsw.Connection, texts: Sequence[Indexed]) -> None:
    """Take encoded texts out; they must be what was indexed."""
    connection.executemany(
        "INSERT INTO chunks_fts_default (chunks_fts_default, rowid, text) VALUES ('delete', ?, ?)", texts
    )


def weigh_texts(
    connection: apsw.Connection,
    query: str,
    workspace: int,
    population: int,
    common: CommonTerms,
    *,
    cap: int = CAP,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Numbers of texts that have a query's rarest terms, ascending, and the sum of the terms' weights (IDF).

    A term more frequent than the cap is taken only when there is no other, and then by its newest texts.
    """
    terms = list_terms(query, workspace)
    rare = []
    for term in terms:
        if common.includes(term, cap, population):
            continue
        numbers = _list_texts(connection, term, cap + 1)
        if len(numbers) > cap:
            common.add(term, cap, population)
        elif len(numbers):
            rare.append(numbers)
    rare.sort(key=len)
    if not rare:
        rare = [numbers for term in terms[:1] if len(numbers := _list_texts(connection, term, cap))]
    return _add_up(rare, population, cap)


def _list_texts(connection: apsw.Connection, term: str, limit: int) -> NDArray[np.int64]:
    return select_numbers(
        connection,
        "SELECT rowid AS number FROM chunks_fts_default WHERE chunks_fts_default MATCH ? ORDER BY rowid DESC LIMIT ?",
        (f'"{term}"', limit),
    )


def _add_up(
    found: Sequence[NDArray[np.int64]], population: int, cap: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    chosen: list[NDArray[np.int64]] = []
    for numbers in found[:TERMS]:
        if chosen and sum(map(len, chosen)) + len(numbers) > cap:
            break
        chosen.append(numbers)
    if not chosen:
        return np.empty(0, np.int64), np.empty(0)
    weights = [log(1 + (max(population - len(numbers), 0) + 0.5) / (len(numbers) + 0.5)) for numbers in chosen]
    numbers, places = np.unique(np.concatenate(chosen), return_inverse=True)
    sums = np.bincount(places, weights=np.repeat(weights, [len(each) for each in chosen]))
    return numbers, sums.astype(np.float64)


def normalise_length(weights: NDArray[np.float64], lengths: NDArray[np.uint16], mean: float) -> NDArray[np.float64]:
    """BM25's saturation and length norm, for terms that count once a text."""
    return weights * (K1 + 1) / (1 + K1 * (1 - B + B * lengths / max(mean, 1.0)))
