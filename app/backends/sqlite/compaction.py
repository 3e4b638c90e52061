"""Writes the store's file anew, without free space."""

from pathlib import Path

from app.backends.sqlite.connections import Pragmas, open_connection
from app.backends.sqlite.faults import translated


def compact(path: Path, *, busy_timeout_ms: int = 5000) -> tuple[int, int]:
    """Write the file anew without free space, in which copies of erased rows may lie.

    Returns its bytes before and after. The service may run meanwhile; its writes wait, and fail as `StoreBusy` after
    their time-out. Needs room for two more copies of the file while it works. Raises `StoreBusy` while another
    process writes, and `StoreFull`.
    """
    before = _count_bytes(path)
    connection = open_connection(path, Pragmas(busy_timeout_ms=busy_timeout_ms))
    with translated():
        try:
            connection.execute("VACUUM").fetchall()
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        finally:
            connection.close()
    return before, _count_bytes(path)


def _count_bytes(path: Path) -> int:
    return sum(file.stat().st_size for file in (path, Path(f"{path}-wal")) if file.exists())
