"""sqlite-vec as it is usually used: a vec0 table of float32 vectors that compares all of them, FTS5 beside it.

The hybrid leg is the common recipe: trigram FTS5, BM25, reciprocal rank fusion of 50 and 50.
"""

import re
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.corpus.blocks import Matrix
from benchmarks.corpus.memories import Generated
from benchmarks.engines.contract import EVERYONE, HYBRID, VECTOR, Query, Where, fuse

_POOL = 50
_GRAM = 3
_WORDS = re.compile(r"[A-Za-z0-9']+|[\u4e00-\u9fff]+")


class Vec0:
    """A vec0 table; a workspace is its partition key, what is filtered by its metadata columns."""

    packages = ("sqlite-vec", "apsw")
    legs = (VECTOR, HYBRID)
    fields = ("kind", "author", "tag", "channel", "created")

    def open(self, folder: Path, dimensions: int) -> None:
        """Open the file with a log that is flushed at every commit."""
        folder.mkdir(parents=True, exist_ok=True)
        self._db: Any = import_module("apsw").Connection(str(folder / "vectors.db"))
        self._db.enable_load_extension(True)
        self._db.load_extension(import_module("sqlite_vec").loadable_path())
        self._db.execute("pragma journal_mode=wal; pragma synchronous=full")
        self._db.execute(
            "create virtual table if not exists memories using vec0(number integer primary key, "
            f"workspace text partition key, vector float[{dimensions}] distance_metric=cosine, kind text, author text, "
            "tag text, channel text, created integer, +text text);"
            "create virtual table if not exists words using fts5(text, workspace unindexed, tokenize='trigram')"
        )

    def add(self, rows: Sequence[Generated], vectors: Matrix, workspace: str) -> None:
        """One transaction for the batch."""
        with self._db:
            self._db.executemany(
                "insert into memories(number, workspace, vector, kind, author, tag, channel, created, text) "
                "values (?,?,?,?,?,?,?,?,?)",
                [
                    (
                        row.number,
                        workspace,
                        vector.tobytes(),
                        row.kind,
                        row.author,
                        row.tags[0],
                        row.channel,
                        row.created_ms,
                        row.text,
                    )
                    for row, vector in zip(rows, vectors, strict=True)
                ],
            )
            self._db.executemany(
                "insert into words(rowid, text, workspace) values (?,?,?)",
                [(row.number, row.text, workspace) for row in rows],
            )

    def settle(self) -> None:
        """Write the log back to the file."""
        self._db.execute("pragma wal_checkpoint(truncate)").fetchall()

    def search(self, leg: str, query: Query) -> list[int]:
        """The nearest vectors, fused with FTS5 for the hybrid leg."""
        nearest = self._nearest(query, _POOL if leg == HYBRID else query.limit)
        if leg == VECTOR:
            return nearest
        found = fuse([nearest, self._matching(query)], query.limit)
        marks = ",".join("?" * len(found))
        self._db.execute(f"select text from words where rowid in ({marks})", found).fetchall()  # noqa: S608
        return found

    def _nearest(self, query: Query, limit: int) -> list[int]:
        condition, values = _condition(query.where)
        statement = (
            "select number, text from memories where vector match ? and k = ? and workspace = ?"  # noqa: S608
            f"{condition} order by distance"
        )
        return [
            row[0] for row in self._db.execute(statement, (query.vector.tobytes(), limit, query.workspace, *values))
        ]

    def _matching(self, query: Query) -> list[int]:
        match = " OR ".join(f'"{gram}"' for gram in grams(query.text))
        if not match:
            return []
        scope = "" if query.workspace == EVERYONE else " and workspace = ?"
        values = (match, _POOL) if query.workspace == EVERYONE else (match, query.workspace, _POOL)
        statement = f"select rowid from words where words match ?{scope} order by rank limit ?"  # noqa: S608
        return [row[0] for row in self._db.execute(statement, values)]

    def remove(self, rows: Sequence[Generated], workspace: str) -> None:
        """One transaction for the batch."""
        del workspace
        with self._db:
            self._db.executemany("delete from memories where number = ?", [(row.number,) for row in rows])
            self._db.executemany("delete from words where rowid = ?", [(row.number,) for row in rows])

    def close(self) -> None:
        """Close the file."""
        self._db.close()


def grams(text: str) -> list[str]:
    """What a trigram index can look up: words of three letters or more, and three Chinese characters in a row."""
    found: dict[str, None] = {}
    for word in _WORDS.findall(text):
        if word[0] < "\u4e00":
            if len(word) >= _GRAM:
                found[word] = None
        else:
            found.update(dict.fromkeys(word[index : index + _GRAM] for index in range(len(word) - _GRAM + 1)))
    return list(found)


def _condition(where: Where | None) -> tuple[str, tuple[str | int, ...]]:
    if where is None:
        return "", ()
    if where.field == "created":
        return " and created >= ? and created < ?", (where.from_ms, where.to_ms)
    return f" and {where.field} = ?", (where.value,)
