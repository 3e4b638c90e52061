"""The table of counts by kind and layer."""

from app.backends.postgres.statements import Connection, select_rows
from app.backends.tallies import Tally, sum_contents
from app.domain.workspace import Contents

_UPSERT = (
    "INSERT INTO tallies VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (workspace, kind, layer) DO UPDATE SET"
    " memories = tallies.memories + excluded.memories, tombstones = tallies.tombstones + excluded.tombstones,"
    " text_bytes = tallies.text_bytes + excluded.text_bytes"
)


def write_tally(connection: Connection, tally: Tally, workspace: int) -> None:
    """Add what was collected to the workspace's tallies."""
    with connection.cursor() as cursor:
        cursor.executemany(_UPSERT, tally.list_rows(workspace))


def read_contents(connection: Connection, workspace: int, users: int) -> Contents:
    """What a workspace holds, by its tallies."""
    rows = select_rows(
        connection,
        "SELECT kind, layer, memories, tombstones, text_bytes FROM tallies WHERE workspace = %s",
        (workspace,),
    )
    return sum_contents(((str(row[0]), str(row[1]), row[2], row[3], row[4]) for row in rows), users)
