-- Keys, jobs, counts of use, money and offloads. Texts that are listed in their order are compared byte by byte
-- (COLLATE "C"), whatever the database's own order is. Amounts are 10^-12 USD.

CREATE TABLE api_keys (
    id text COLLATE "C" PRIMARY KEY,
    secret_sha256 text COLLATE "C" NOT NULL UNIQUE,
    name text NOT NULL,
    tenant_id text COLLATE "C" NOT NULL,
    role text NOT NULL,
    workspaces text[] NOT NULL,
    created_at bigint NOT NULL,
    expires_at bigint NOT NULL,
    revoked_at bigint,
    replaced_by text NOT NULL
);

CREATE TABLE jobs (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id text COLLATE "C" NOT NULL UNIQUE,
    tenant_id text COLLATE "C" NOT NULL,
    workspace_id text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL,
    payload text NOT NULL,
    state text COLLATE "C" NOT NULL,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    leased_until bigint NOT NULL,
    attempts bigint NOT NULL,
    result text,
    error text NOT NULL,
    claim_token text COLLATE "C" NOT NULL DEFAULT '',
    not_before bigint
);
CREATE INDEX jobs_open ON jobs (number) WHERE state IN ('queued', 'running');
CREATE INDEX jobs_place ON jobs (tenant_id, workspace_id);

CREATE TABLE usage_daily (
    tenant_id text COLLATE "C" NOT NULL,
    workspace_id text COLLATE "C" NOT NULL,
    day text COLLATE "C" NOT NULL,
    operation text COLLATE "C" NOT NULL,
    model text COLLATE "C" NOT NULL,
    calls bigint NOT NULL,
    items bigint NOT NULL,
    input_tokens bigint NOT NULL,
    output_tokens bigint NOT NULL,
    PRIMARY KEY (tenant_id, workspace_id, day, operation, model)
);

-- The last batch of counts that each process has added, so that none is added twice.
CREATE TABLE usage_writers (
    writer text COLLATE "C" PRIMARY KEY,
    batch bigint NOT NULL,
    at bigint NOT NULL
);

-- Entries are added and never changed; they hold no content and outlive the workspace that they were charged to.
CREATE TABLE ledger_entries (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id text COLLATE "C" NOT NULL UNIQUE,
    at bigint NOT NULL,
    tenant_id text COLLATE "C" NOT NULL,
    workspace_id text COLLATE "C" NOT NULL,
    key_id text NOT NULL,
    operation text COLLATE "C" NOT NULL,
    task text COLLATE "C" NOT NULL,
    model text COLLATE "C" NOT NULL,
    input_tokens bigint NOT NULL,
    output_tokens bigint NOT NULL,
    cached_tokens bigint NOT NULL,
    picousd bigint
);
CREATE INDEX ledger_entries_place ON ledger_entries (tenant_id, workspace_id, number);
CREATE INDEX ledger_entries_tenant ON ledger_entries (tenant_id, number);
CREATE INDEX ledger_entries_time ON ledger_entries (tenant_id, workspace_id, at);

-- derived: sums of a day (UTC), so that a cap is checked without adding up a month of calls
CREATE TABLE ledger_days (
    tenant_id text COLLATE "C" NOT NULL,
    workspace_id text COLLATE "C" NOT NULL,
    day text COLLATE "C" NOT NULL,
    operation text COLLATE "C" NOT NULL,
    task text COLLATE "C" NOT NULL,
    model text COLLATE "C" NOT NULL,
    priced boolean NOT NULL,
    calls bigint NOT NULL,
    input_tokens bigint NOT NULL,
    output_tokens bigint NOT NULL,
    cached_tokens bigint NOT NULL,
    picousd numeric NOT NULL,
    PRIMARY KEY (tenant_id, workspace_id, day, operation, task, model, priced)
);

CREATE FUNCTION ledger_day(at_ms bigint) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
RETURN to_char((date '1970-01-01' + (at_ms / 86400000)::integer)::timestamp, 'YYYY-MM-DD') COLLATE "C";

CREATE FUNCTION refuse_ledger_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'entries of the ledger are never changed or removed, and its sums follow from them'
        USING ERRCODE = 'integrity_constraint_violation';
END
$$;

CREATE FUNCTION sum_ledger_day() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO ledger_days AS sums VALUES (
        NEW.tenant_id, NEW.workspace_id, ledger_day(NEW.at), NEW.operation, NEW.task, NEW.model,
        NEW.picousd IS NOT NULL, 1, NEW.input_tokens, NEW.output_tokens, NEW.cached_tokens, coalesce(NEW.picousd, 0)
    )
    ON CONFLICT (tenant_id, workspace_id, day, operation, task, model, priced) DO UPDATE SET
        calls = sums.calls + 1,
        input_tokens = sums.input_tokens + excluded.input_tokens,
        output_tokens = sums.output_tokens + excluded.output_tokens,
        cached_tokens = sums.cached_tokens + excluded.cached_tokens,
        picousd = sums.picousd + excluded.picousd;
    RETURN NULL;
END
$$;

CREATE TRIGGER ledger_entries_no_change BEFORE UPDATE OR DELETE ON ledger_entries
    FOR EACH ROW EXECUTE FUNCTION refuse_ledger_change();
CREATE TRIGGER ledger_entries_no_truncate BEFORE TRUNCATE ON ledger_entries
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_ledger_change();
CREATE TRIGGER ledger_entries_sum AFTER INSERT ON ledger_entries
    FOR EACH ROW EXECUTE FUNCTION sum_ledger_day();
CREATE TRIGGER ledger_days_no_change BEFORE INSERT OR UPDATE OR DELETE ON ledger_days
    FOR EACH STATEMENT WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION refuse_ledger_change();
CREATE TRIGGER ledger_days_no_truncate BEFORE TRUNCATE ON ledger_days
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_ledger_change();
-- These two guard in sessions with session_replication_role = replica too.
ALTER TABLE ledger_entries ENABLE ALWAYS TRIGGER ledger_entries_no_change;
ALTER TABLE ledger_entries ENABLE ALWAYS TRIGGER ledger_entries_no_truncate;

CREATE TABLE ledger_reservations (
    id text COLLATE "C" PRIMARY KEY,
    at bigint NOT NULL,
    expires_at bigint NOT NULL,
    tenant_id text COLLATE "C" NOT NULL,
    workspace_id text COLLATE "C" NOT NULL,
    picousd bigint NOT NULL
);
CREATE INDEX ledger_reservations_place ON ledger_reservations (tenant_id, workspace_id);
CREATE INDEX ledger_reservations_end ON ledger_reservations (expires_at);

CREATE TABLE workspace_caps (
    tenant_id text COLLATE "C" NOT NULL,
    workspace_id text COLLATE "C" NOT NULL,
    daily_picousd bigint,
    monthly_picousd bigint,
    PRIMARY KEY (tenant_id, workspace_id)
);

-- What is known of texts that were taken out of conversations; the texts are objects outside of this database.
CREATE TABLE offloads (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id text COLLATE "C" NOT NULL,
    workspace_id text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    kind text NOT NULL,
    chat_id text COLLATE "C" NOT NULL,
    name text NOT NULL,
    bytes bigint NOT NULL,
    lines bigint NOT NULL,
    sha256 text NOT NULL,
    object_name text COLLATE "C" NOT NULL UNIQUE,
    created_at bigint NOT NULL,
    last_read_at bigint NOT NULL,
    tier text COLLATE "C" NOT NULL,
    UNIQUE (tenant_id, workspace_id, id)
);
CREATE INDEX offloads_place ON offloads (tenant_id, workspace_id, number);
CREATE INDEX offloads_age ON offloads (created_at);
CREATE INDEX offloads_tier ON offloads (tier, last_read_at);
