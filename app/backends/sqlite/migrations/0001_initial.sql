-- The document's tables files_, chunks_, chunks_vec_ and chunks_fts_ by name and column, with the
-- columns that a store of many tenants needs. Everything below "derived" can be rebuilt from chunks_
-- and chunks_vec_.

CREATE TABLE store_facts (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE store_clock (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    seq INTEGER NOT NULL,
    hlc INTEGER NOT NULL
);
INSERT INTO store_clock VALUES (1, 0, 0);

CREATE TABLE workspaces (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_id TEXT NOT NULL,
    workspace_id TEXT NOT NULL,
    name TEXT NOT NULL,
    metadata TEXT NOT NULL,
    data_key_id TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    version INTEGER NOT NULL,
    UNIQUE (tenant_id, workspace_id)
);

CREATE TABLE users (
    tenant_id TEXT NOT NULL,
    workspace_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    name TEXT NOT NULL,
    metadata TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, workspace_id, user_id)
) WITHOUT ROWID;

CREATE TABLE files_default (
    path TEXT NOT NULL,
    source TEXT NOT NULL,
    hash TEXT NOT NULL,
    mtime REAL NOT NULL,
    size INTEGER NOT NULL,
    tenant_id TEXT NOT NULL,
    workspace_id TEXT NOT NULL,
    PRIMARY KEY (path, source)
) WITHOUT ROWID;

CREATE TABLE chunks_default (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL,
    path TEXT NOT NULL,
    source TEXT NOT NULL,
    start_line INTEGER NOT NULL,
    end_line INTEGER NOT NULL,
    hash TEXT NOT NULL,
    text TEXT NOT NULL,
    embedding TEXT CHECK (embedding IS NULL),
    updated_at INTEGER NOT NULL,
    workspace INTEGER NOT NULL REFERENCES workspaces (number),
    tenant_id TEXT NOT NULL,
    workspace_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    layer TEXT NOT NULL,
    when_to_use TEXT NOT NULL,
    user_id TEXT NOT NULL,
    author TEXT NOT NULL,
    tags TEXT NOT NULL,
    metadata TEXT NOT NULL,
    details TEXT NOT NULL,
    score REAL NOT NULL,
    frequency INTEGER NOT NULL,
    utility REAL NOT NULL,
    source_ids TEXT NOT NULL,
    slot TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    valid_from INTEGER NOT NULL,
    valid_to INTEGER,
    deleted_at INTEGER,
    superseded INTEGER NOT NULL,
    revision_of TEXT NOT NULL,
    seq INTEGER NOT NULL,
    version INTEGER NOT NULL,
    hlc INTEGER NOT NULL,
    origin TEXT NOT NULL
);
CREATE UNIQUE INDEX chunks_default_id ON chunks_default (workspace, id);
CREATE INDEX chunks_default_hash ON chunks_default (workspace, hash) WHERE deleted_at IS NULL AND superseded = 0;
CREATE INDEX chunks_default_slot ON chunks_default (workspace, slot, user_id)
    WHERE slot <> '' AND deleted_at IS NULL AND superseded = 0;
CREATE INDEX chunks_default_user ON chunks_default (workspace, user_id) WHERE user_id <> '';
CREATE INDEX chunks_default_revision ON chunks_default (workspace, revision_of) WHERE revision_of <> '';
CREATE INDEX chunks_default_deleted ON chunks_default (workspace, deleted_at) WHERE deleted_at IS NOT NULL;

CREATE TABLE chunks_vec_default (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    tenant_id TEXT NOT NULL,
    workspace_id TEXT NOT NULL,
    embedding BLOB NOT NULL
);

-- derived: one full-text index, over text that `reme` encodes (see the ADR on the embedded store)
CREATE VIRTUAL TABLE chunks_fts_default USING fts5(
    text, id UNINDEXED, path UNINDEXED,
    content = 'chunks_default', content_rowid = 'number', tokenize = 'trigram', detail = none
);

-- derived: the sign of every vector component, scanned in memory
CREATE TABLE chunks_bits_default (
    workspace INTEGER NOT NULL,
    number INTEGER NOT NULL,
    bits BLOB NOT NULL,
    PRIMARY KEY (workspace, number)
) WITHOUT ROWID;

-- derived: what a search filters by, as fixed-size records that load by the hundred thousand
CREATE TABLE chunks_slab_default (
    workspace INTEGER NOT NULL,
    number INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    record BLOB NOT NULL,
    PRIMARY KEY (workspace, number)
) WITHOUT ROWID;
CREATE INDEX chunks_slab_default_seq ON chunks_slab_default (workspace, seq);

-- derived: tags and metadata of memories that are not deleted; without a type a value keeps its own
CREATE TABLE chunks_facets_default (
    workspace INTEGER NOT NULL,
    name TEXT NOT NULL,
    value NOT NULL,
    number INTEGER NOT NULL,
    PRIMARY KEY (workspace, name, value, number)
) WITHOUT ROWID;

-- derived: counts, so that nobody has to count
CREATE TABLE tallies (
    workspace INTEGER NOT NULL,
    kind TEXT NOT NULL,
    layer TEXT NOT NULL,
    memories INTEGER NOT NULL,
    tombstones INTEGER NOT NULL,
    text_bytes INTEGER NOT NULL,
    PRIMARY KEY (workspace, kind, layer)
) WITHOUT ROWID;

CREATE TABLE receipts (
    tenant_id TEXT NOT NULL,
    workspace_id TEXT NOT NULL,
    key TEXT NOT NULL,
    request_sha256 TEXT NOT NULL,
    outcomes TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, workspace_id, key)
) WITHOUT ROWID;
CREATE INDEX receipts_age ON receipts (created_at);

CREATE TABLE api_keys (
    id TEXT PRIMARY KEY,
    secret_sha256 TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    tenant_id TEXT NOT NULL,
    role TEXT NOT NULL,
    workspaces TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    revoked_at INTEGER,
    replaced_by TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE jobs (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    tenant_id TEXT NOT NULL,
    workspace_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    payload TEXT NOT NULL,
    state TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    leased_until INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    result TEXT,
    error TEXT NOT NULL
);
CREATE INDEX jobs_open ON jobs (number) WHERE state IN ('queued', 'running');

CREATE TABLE usage_daily (
    tenant_id TEXT NOT NULL,
    workspace_id TEXT NOT NULL,
    day TEXT NOT NULL,
    operation TEXT NOT NULL,
    model TEXT NOT NULL,
    calls INTEGER NOT NULL,
    items INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, workspace_id, day, operation, model)
) WITHOUT ROWID;
