-- What is known of texts that were taken out of conversations; the texts are objects outside of this file.

CREATE TABLE offloads (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_id TEXT NOT NULL,
    workspace_id TEXT NOT NULL,
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    chat_id TEXT NOT NULL,
    name TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    lines INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    object_name TEXT NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    last_read_at INTEGER NOT NULL,
    tier TEXT NOT NULL,
    UNIQUE (tenant_id, workspace_id, id)
);
CREATE INDEX offloads_place ON offloads (tenant_id, workspace_id, number);
CREATE INDEX offloads_age ON offloads (created_at);
CREATE INDEX offloads_tier ON offloads (tier, last_read_at);
