"""Rows of `chunks_` and the memories that they hold."""

from functools import lru_cache

from app.backends.documents import dump_json
from app.backends.postgres.statements import Connection, Row, select_row
from app.backends.stored import prefix_path
from app.domain.memory import Layer, Memory, MemoryKind, Origin, Scope
from app.errors import StoreCorrupt

COLUMNS = (
    "number, id, path, source, start_line, end_line, hash, text, updated_at, workspace, tenant_id, workspace_id, kind,"
    " layer, when_to_use, user_id, author, tags, metadata, details, score, frequency, utility, source_ids, slot,"
    " created_at, valid_from, valid_to, deleted_at, superseded, revision_of, seq, version, hlc, origin"
)
"""The columns of `chunks_` in the order that `read_memory` and `write_row` use; `facets` follows from `metadata`."""

SELECT = f"SELECT {COLUMNS} FROM chunks_default"
_NAMES = COLUMNS.split(", ")
INSERT = f"INSERT INTO chunks_default ({COLUMNS}) VALUES ({', '.join(['%s'] * len(_NAMES))})"
UPDATE = f"UPDATE chunks_default SET {', '.join(f'{name} = %s' for name in _NAMES[1:])} WHERE number = %s"


@lru_cache(maxsize=4096)
def _scope(tenant_id: str, workspace_id: str) -> Scope:
    return Scope(tenant_id=tenant_id, workspace_id=workspace_id)


def read_memory(row: Row) -> Memory:
    """The memory of a row of `COLUMNS`; `StoreCorrupt` where it holds what was never written."""
    scope = _scope(row[10], row[11])
    try:
        kind, layer = MemoryKind(row[12]), Layer(row[13])
    except ValueError:
        raise StoreCorrupt(f"the memory of number {row[0]} is of no known kind: restore the database") from None
    return Memory(
        id=row[1],
        scope=scope,
        kind=kind,
        layer=layer,
        content=row[7],
        when_to_use=row[14],
        user_id=row[15],
        author=row[16],
        tags=tuple(row[17]),
        metadata=row[18],
        details=row[19],
        score=row[20],
        frequency=row[21],
        utility=row[22],
        origin=Origin(
            path=row[2][len(scope.tenant_id) + len(scope.workspace_id) + 2 :],
            source=row[3],
            start_line=row[4],
            end_line=row[5],
        ),
        source_ids=tuple(row[23]),
        slot=row[24],
        created_ms=row[25],
        updated_ms=row[8],
        valid_from_ms=row[26],
        valid_to_ms=row[27],
        deleted_ms=row[28],
        superseded=row[29],
        revision_of=row[30],
        seq=row[31],
        version=row[32],
        hlc=row[33],
        node_id=row[34],
    )


def write_row(number: int, workspace: int, digest: str, memory: Memory) -> Row:
    """The row of `COLUMNS` for a memory."""
    return (
        number,
        memory.id,
        prefix_path(memory.scope) + memory.origin.path,
        memory.origin.source,
        memory.origin.start_line,
        memory.origin.end_line,
        digest,
        memory.content,
        memory.updated_ms,
        workspace,
        memory.scope.tenant_id,
        memory.scope.workspace_id,
        memory.kind.value,
        memory.layer.value,
        memory.when_to_use,
        memory.user_id,
        memory.author,
        list(memory.tags),
        dump_json(memory.metadata),
        dump_json(memory.details),
        float(memory.score),
        memory.frequency,
        float(memory.utility),
        list(memory.source_ids),
        memory.slot,
        memory.created_ms,
        memory.valid_from_ms,
        memory.valid_to_ms,
        memory.deleted_ms,
        memory.superseded,
        memory.revision_of,
        memory.seq,
        memory.version,
        memory.hlc,
        memory.node_id,
    )


def find_workspace(connection: Connection, scope: Scope) -> int | None:
    """The number of a workspace, or None where there is none."""
    row = select_row(
        connection,
        "SELECT number FROM workspaces WHERE tenant_id = %s AND workspace_id = %s",
        (scope.tenant_id, scope.workspace_id),
    )
    return None if row is None else int(row[0])
