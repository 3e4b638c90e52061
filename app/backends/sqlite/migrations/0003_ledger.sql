-- What calls of models cost, in 10^-12 USD. Entries are added and never changed; they hold no content and outlive
-- the workspace that they were charged to.

CREATE TABLE ledger_entries (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    at INTEGER NOT NULL,
    tenant_id TEXT NOT NULL,
    workspace_id TEXT NOT NULL,
    key_id TEXT NOT NULL,
    operation TEXT NOT NULL,
    task TEXT NOT NULL,
    model TEXT NOT NULL,
    input_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    cached_tokens INTEGER NOT NULL,
    picousd INTEGER
);
CREATE INDEX ledger_entries_place ON ledger_entries (tenant_id, workspace_id, number);
CREATE INDEX ledger_entries_time ON ledger_entries (tenant_id, workspace_id, at);

CREATE TRIGGER ledger_entries_no_delete BEFORE DELETE ON ledger_entries BEGIN
    SELECT RAISE(ABORT, 'entries of the ledger are never removed');
END;
CREATE TRIGGER ledger_entries_no_update BEFORE UPDATE ON ledger_entries BEGIN
    SELECT RAISE(ABORT, 'entries of the ledger are never changed');
END;
-- INSERT OR REPLACE removes a row without asking the trigger above.
CREATE TRIGGER ledger_entries_no_replace BEFORE INSERT ON ledger_entries
WHEN EXISTS (SELECT 1 FROM ledger_entries WHERE id = NEW.id OR number = NEW.number) BEGIN
    SELECT RAISE(ABORT, 'entries of the ledger are never replaced');
END;

-- derived: sums of a day (UTC), so that a cap is checked without adding up a month of calls
CREATE TABLE ledger_days (
    tenant_id TEXT NOT NULL,
    workspace_id TEXT NOT NULL,
    day TEXT NOT NULL,
    operation TEXT NOT NULL,
    task TEXT NOT NULL,
    model TEXT NOT NULL,
    priced INTEGER NOT NULL,
    calls INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    cached_tokens INTEGER NOT NULL,
    picousd INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, workspace_id, day, operation, task, model, priced)
) WITHOUT ROWID;
-- Without an upsert: a repair writes with INSERT OR REPLACE, and its policy would take the place of the trigger's.
CREATE TRIGGER ledger_entries_sum AFTER INSERT ON ledger_entries BEGIN
    INSERT INTO ledger_days
    SELECT NEW.tenant_id, NEW.workspace_id, date(NEW.at / 1000, 'unixepoch'), NEW.operation, NEW.task, NEW.model,
        NEW.picousd IS NOT NULL, 0, 0, 0, 0, 0
    WHERE NOT EXISTS (
        SELECT 1 FROM ledger_days
        WHERE tenant_id = NEW.tenant_id AND workspace_id = NEW.workspace_id
            AND day = date(NEW.at / 1000, 'unixepoch') AND operation = NEW.operation AND task = NEW.task
            AND model = NEW.model AND priced = (NEW.picousd IS NOT NULL)
    );
    UPDATE ledger_days SET
        calls = calls + 1,
        input_tokens = input_tokens + NEW.input_tokens,
        output_tokens = output_tokens + NEW.output_tokens,
        cached_tokens = cached_tokens + NEW.cached_tokens,
        picousd = picousd + coalesce(NEW.picousd, 0)
    WHERE tenant_id = NEW.tenant_id AND workspace_id = NEW.workspace_id
        AND day = date(NEW.at / 1000, 'unixepoch') AND operation = NEW.operation AND task = NEW.task
        AND model = NEW.model AND priced = (NEW.picousd IS NOT NULL);
END;

CREATE TABLE ledger_reservations (
    id TEXT PRIMARY KEY,
    at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    tenant_id TEXT NOT NULL,
    workspace_id TEXT NOT NULL,
    picousd INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE workspace_caps (
    tenant_id TEXT NOT NULL,
    workspace_id TEXT NOT NULL,
    daily_picousd INTEGER,
    monthly_picousd INTEGER,
    PRIMARY KEY (tenant_id, workspace_id)
) WITHOUT ROWID;
