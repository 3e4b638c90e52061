-- The document's tables files_ and chunks_ by name and column, with the columns that a store of many tenants needs.
-- Times are milliseconds since 1970 in UTC. Names and ids sort by their bytes, so that pages have the same order
-- wherever the database was made.

CREATE TABLE store_facts (
    name text COLLATE "C" PRIMARY KEY,
    value text NOT NULL
);

-- One row for each connection that a process may use: the last transaction that was committed on it, or that was
-- found lost and may not be committed any more. `marked_at` is the server's time, for the removal of old rows alone.
CREATE TABLE commit_marks (
    session text COLLATE "C" PRIMARY KEY,
    mark bigint NOT NULL,
    committed boolean NOT NULL,
    marked_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);

CREATE FUNCTION mark_commit(of_session text, new_mark bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO commit_marks (session, mark, committed) VALUES (of_session, new_mark, true)
    ON CONFLICT (session) DO UPDATE SET mark = excluded.mark, committed = true, marked_at = now()
    WHERE commit_marks.mark < excluded.mark;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'this transaction was given up' USING ERRCODE = 'serialization_failure';
    END IF;
END $$;

-- The clock of the store: `seq` and `hlc` are taken together, so that they grow together over all workspaces, and the
-- numbers of new rows with them. What a transaction does not use, or takes and rolls back, leaves a gap.
CREATE SEQUENCE store_seq;
CREATE SEQUENCE store_hlc;
CREATE SEQUENCE chunks_default_number;

CREATE FUNCTION advance_clock(
    now_ms bigint, stamps integer, numbers integer,
    OUT first_seq bigint, OUT first_hlc bigint, OUT first_number bigint
) LANGUAGE plpgsql AS $$
BEGIN
    -- A lock of the session, which is let go at once; one of the transaction would make writers of all workspaces wait
    -- for each other. (1919249765, 3) are the keys in locks.py. Letting go of a lock that is not held only warns.
    PERFORM pg_advisory_lock(1919249765, 3);
    SELECT setval('store_seq', last_value + stamps) - stamps + 1 INTO first_seq FROM store_seq;
    SELECT setval('store_hlc', greatest(last_value + 1, now_ms << 16) + stamps - 1) - stamps + 1
        INTO first_hlc FROM store_hlc;
    SELECT setval('chunks_default_number', last_value + numbers) - numbers + 1
        INTO first_number FROM chunks_default_number;
    PERFORM pg_advisory_unlock(1919249765, 3);
EXCEPTION WHEN OTHERS OR query_canceled THEN
    PERFORM pg_advisory_unlock(1919249765, 3);
    RAISE;
END $$;

CREATE TABLE workspaces (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id text COLLATE "C" NOT NULL,
    workspace_id text COLLATE "C" NOT NULL,
    name text NOT NULL,
    metadata json NOT NULL,
    data_key_id text NOT NULL,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    version bigint NOT NULL,
    UNIQUE (tenant_id, workspace_id)
);

CREATE TABLE users (
    tenant_id text COLLATE "C" NOT NULL,
    workspace_id text COLLATE "C" NOT NULL,
    user_id text COLLATE "C" NOT NULL,
    name text NOT NULL,
    metadata json NOT NULL,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    PRIMARY KEY (tenant_id, workspace_id, user_id)
);

-- A path may be longer than a key of an index, so its SHA-256 stands for it.
CREATE TABLE files_default (
    path text COLLATE "C" NOT NULL,
    source text COLLATE "C" NOT NULL,
    hash text COLLATE "C" NOT NULL,
    mtime double precision NOT NULL,
    size bigint NOT NULL,
    tenant_id text COLLATE "C" NOT NULL,
    workspace_id text COLLATE "C" NOT NULL,
    path_sha256 text COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant_id, workspace_id, path_sha256, source)
);

-- `metadata` is kept as it was written; `facets` is the same in the form that is filtered by, in which a number such
-- as 1e300 would come back as another one.
CREATE TABLE chunks_default (
    number bigint PRIMARY KEY,
    id text COLLATE "C" NOT NULL,
    path text COLLATE "C" NOT NULL,
    source text COLLATE "C" NOT NULL,
    start_line bigint NOT NULL,
    end_line bigint NOT NULL,
    hash text COLLATE "C" NOT NULL,
    text text NOT NULL,
    updated_at bigint NOT NULL,
    workspace bigint NOT NULL REFERENCES workspaces (number),
    tenant_id text COLLATE "C" NOT NULL,
    workspace_id text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL,
    layer text COLLATE "C" NOT NULL,
    when_to_use text NOT NULL,
    user_id text COLLATE "C" NOT NULL,
    author text COLLATE "C" NOT NULL,
    tags text[] COLLATE "C" NOT NULL,
    metadata json NOT NULL,
    facets jsonb GENERATED ALWAYS AS (metadata::jsonb) STORED,
    details json NOT NULL,
    score double precision NOT NULL,
    frequency bigint NOT NULL,
    utility double precision NOT NULL,
    source_ids text[] COLLATE "C" NOT NULL,
    slot text COLLATE "C" NOT NULL,
    created_at bigint NOT NULL,
    valid_from bigint NOT NULL,
    valid_to bigint,
    deleted_at bigint,
    superseded boolean NOT NULL,
    revision_of text COLLATE "C" NOT NULL,
    seq bigint NOT NULL,
    version bigint NOT NULL,
    hlc bigint NOT NULL,
    origin text COLLATE "C" NOT NULL
);
CREATE UNIQUE INDEX chunks_default_id ON chunks_default (workspace, id);
CREATE INDEX chunks_default_hash ON chunks_default (workspace, hash) WHERE deleted_at IS NULL AND NOT superseded;
CREATE INDEX chunks_default_slot ON chunks_default (workspace, slot, user_id)
    WHERE slot <> '' AND deleted_at IS NULL AND NOT superseded;
CREATE INDEX chunks_default_user ON chunks_default (workspace, user_id) WHERE user_id <> '';
CREATE INDEX chunks_default_revision ON chunks_default (workspace, revision_of) WHERE revision_of <> '';
CREATE INDEX chunks_default_deleted ON chunks_default (workspace, deleted_at) WHERE deleted_at IS NOT NULL;

-- derived: counts, so that nobody has to count
CREATE TABLE tallies (
    workspace bigint NOT NULL,
    kind text COLLATE "C" NOT NULL,
    layer text COLLATE "C" NOT NULL,
    memories bigint NOT NULL,
    tombstones bigint NOT NULL,
    text_bytes bigint NOT NULL,
    PRIMARY KEY (workspace, kind, layer)
);

CREATE TABLE receipts (
    tenant_id text COLLATE "C" NOT NULL,
    workspace_id text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    request_sha256 text COLLATE "C" NOT NULL,
    outcomes json NOT NULL,
    created_at bigint NOT NULL,
    PRIMARY KEY (tenant_id, workspace_id, key)
);
CREATE INDEX receipts_age ON receipts (created_at);
