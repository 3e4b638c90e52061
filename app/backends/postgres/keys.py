"""API keys, without their secrets."""

from app.backends.postgres.connections import Database
from app.backends.postgres.statements import Connection, Row, select_row, select_rows
from app.domain.access import ApiKey, Role, check_expected

_COLUMNS = "id, secret_sha256, name, tenant_id, role, workspaces, created_at, expires_at, revoked_at, replaced_by"
_SELECT = f"SELECT {_COLUMNS} FROM api_keys"
_INSERT = f"INSERT INTO api_keys ({_COLUMNS}) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING"
_UPDATE = (
    "UPDATE api_keys SET secret_sha256 = %s, name = %s, tenant_id = %s, role = %s, workspaces = %s, created_at = %s,"
    " expires_at = %s, revoked_at = %s, replaced_by = %s WHERE id = %s"
)


def _read(row: Row) -> ApiKey:
    return ApiKey(
        id=row[0],
        secret_sha256=row[1],
        name=row[2],
        tenant_id=row[3],
        role=Role(row[4]),
        workspaces=tuple(row[5]),
        created_ms=row[6],
        expires_ms=row[7],
        revoked_ms=row[8],
        replaced_by=row[9],
    )


def _write(key: ApiKey) -> Row:
    return (
        key.secret_sha256,
        key.name,
        key.tenant_id,
        key.role.value,
        list(key.workspaces),
        key.created_ms,
        key.expires_ms,
        key.revoked_ms,
        key.replaced_by,
    )


class PostgresKeyStore:
    """Keys in the database; every look-up asks the primary, so that a revocation on any node is seen at once."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put_key(self, key: ApiKey, *, expected: ApiKey | None = None) -> None:
        """Store a new key, or replace the one that is stored as `expected`; of two at once one is refused."""

        def work(connection: Connection) -> None:
            row = select_row(connection, f"{_SELECT} WHERE id = %s FOR UPDATE", (key.id,))
            check_expected(key, None if row is None else _read(row), expected)
            if row is not None:
                connection.execute(_UPDATE, (*_write(key), key.id))
            elif not connection.execute(_INSERT, (key.id, *_write(key))).rowcount:
                check_expected(key, key, None)  # another caller has just made it

        self._database.write(work)

    def find_key(self, secret_sha256: str) -> ApiKey | None:
        """The key of a secret's SHA-256, working or not."""
        sql = f"{_SELECT} WHERE secret_sha256 = %s"
        row = self._database.ask(lambda connection: select_row(connection, sql, (secret_sha256,)))
        return None if row is None else _read(row)

    def list_keys(self, tenant_id: str | None = None) -> tuple[ApiKey, ...]:
        """All keys, oldest first."""
        where, values = ("", ()) if tenant_id is None else (" WHERE tenant_id = %s", (tenant_id,))
        sql = f"{_SELECT}{where} ORDER BY created_at, id"
        rows = self._database.ask(lambda connection: select_rows(connection, sql, values))
        return tuple(_read(row) for row in rows)
