"""The table of counts by kind and layer."""

import apsw

from app.backends.tallies import Tally, sum_contents
from app.domain.workspace import Contents

_UPSERT = (
    "INSERT INTO tallies VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (workspace, kind, layer) DO UPDATE SET"
    " memories = memories + excluded.memories, tombstones = tombstones + excluded.tombstones,"
    " text_bytes = text_bytes + excluded.text_bytes"
)


def write_tally(connection: apsw.Connection, tally: Tally, workspace: int) -> None:
    """Add what was collected to the workspace's tallies."""
    connection.executemany(_UPSERT, tally.list_rows(workspace))


def read_contents(connection: apsw.Connection, workspace: int, users: int) -> Contents:
    """What a workspace holds, by its tallies."""
    rows = connection.execute(
        "SELECT kind, layer, memories, tombstones, text_bytes FROM tallies WHERE workspace = ?", (workspace,)
    )
    return sum_contents(rows, users)
