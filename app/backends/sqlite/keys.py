"""API keys, without their secrets."""

import json
from typing import Any

import apsw

from app.backends.sqlite.connections import Readers, Writer
from app.backends.sqlite.statements import select_row, select_rows
from app.domain.access import ApiKey, Role, check_expected

_COLUMNS = "id, secret_sha256, name, tenant_id, role, workspaces, created_at, expires_at, revoked_at, replaced_by"


def _read(row: tuple[Any, ...]) -> ApiKey:
    return ApiKey(
        id=row[0],
        secret_sha256=row[1],
        name=row[2],
        tenant_id=row[3],
        role=Role(row[4]),
        workspaces=tuple(json.loads(row[5])),
        created_ms=row[6],
        expires_ms=row[7],
        revoked_ms=row[8],
        replaced_by=row[9],
    )


class SqliteKeyStore:
    """Keys in the SQLite file; every look-up reads it, so that a revocation anywhere is seen at once."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer, self._readers = writer, readers

    def put_key(self, key: ApiKey, *, expected: ApiKey | None = None) -> None:
        """Store a new key, or replace the one that is stored as `expected`."""

        def work(connection: apsw.Connection) -> None:
            row = select_row(connection, f"SELECT {_COLUMNS} FROM api_keys WHERE id = ?", (key.id,))
            check_expected(key, None if row is None else _read(row), expected)
            connection.execute(
                f"INSERT OR REPLACE INTO api_keys ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    key.id,
                    key.secret_sha256,
                    key.name,
                    key.tenant_id,
                    key.role.value,
                    json.dumps(key.workspaces),
                    key.created_ms,
                    key.expires_ms,
                    key.revoked_ms,
                    key.replaced_by,
                ),
            )

        self._writer.write(work)

    def find_key(self, secret_sha256: str) -> ApiKey | None:
        """The key of a secret's SHA-256, working or not."""
        with self._readers.lend() as connection:
            row = select_row(connection, f"SELECT {_COLUMNS} FROM api_keys WHERE secret_sha256 = ?", (secret_sha256,))
        return None if row is None else _read(row)

    def list_keys(self, tenant_id: str | None = None) -> tuple[ApiKey, ...]:
        """All keys, oldest first."""
        with self._readers.lend() as connection:
            rows = select_rows(
                connection,
                f"SELECT {_COLUMNS} FROM api_keys WHERE ?1 IS NULL OR tenant_id = ?1 ORDER BY created_at, id",
                (tenant_id,),
            )
        return tuple(_read(row) for row in rows)
