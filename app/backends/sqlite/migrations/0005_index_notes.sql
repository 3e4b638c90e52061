-- What a vector index beside the store has not been told yet: the last change of each memory, in the order of the
-- claims, which never repeat. The triggers that write notes are made when an index is attached, so that a store without
-- one pays nothing for them.

CREATE TABLE index_feed (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    mark TEXT NOT NULL
);

CREATE TABLE index_notes (
    claim INTEGER PRIMARY KEY AUTOINCREMENT,
    number INTEGER NOT NULL UNIQUE,
    tenant_id TEXT NOT NULL,
    workspace_id TEXT NOT NULL,
    claimed INTEGER NOT NULL,
    leased_until INTEGER NOT NULL
);
CREATE INDEX index_notes_place ON index_notes (tenant_id, workspace_id);
