"""The tables of a move to another embedding."""

import apsw

from app.backends.sqlite.stamp import read_target

CREATE = """
CREATE TABLE IF NOT EXISTS chunks_vec_default_next (number INTEGER PRIMARY KEY, embedding BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS chunks_bits_default_next (
    workspace INTEGER NOT NULL, number INTEGER NOT NULL, bits BLOB NOT NULL, PRIMARY KEY (workspace, number)
) WITHOUT ROWID
"""
DROP = "DROP TABLE IF EXISTS chunks_vec_default_next; DROP TABLE IF EXISTS chunks_bits_default_next"
_NEXT = "SELECT 1 FROM sqlite_schema WHERE name = 'chunks_vec_default_next'"


def _is_under_way(connection: apsw.Connection) -> bool:
    return read_target(connection) is not None and connection.execute(_NEXT).fetchone() is not None


def forget_moved(connection: apsw.Connection, workspace: int, numbers: list[int]) -> None:
    """Drop the target's vectors of memories that went."""
    if not _is_under_way(connection):
        return
    connection.executemany("DELETE FROM chunks_vec_default_next WHERE number = ?", [(number,) for number in numbers])
    connection.executemany(
        "DELETE FROM chunks_bits_default_next WHERE workspace = ? AND number = ?",
        [(workspace, number) for number in numbers],
    )


def forget_workspace(connection: apsw.Connection, workspace: int) -> None:
    """Drop the target's vectors of a whole workspace."""
    if not _is_under_way(connection):
        return
    connection.execute(
        "DELETE FROM chunks_vec_default_next WHERE number IN (SELECT number FROM chunks_default WHERE workspace = ?)",
        (workspace,),
    )
    connection.execute("DELETE FROM chunks_bits_default_next WHERE workspace = ?", (workspace,))
