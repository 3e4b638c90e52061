-- What a vector index beside the store has not been told yet: the last change of each memory, in the order of the
-- claims, which never repeat. The triggers that write notes are made when an index is attached (notes.py), so that a
-- store without one pays nothing for them.

CREATE TABLE index_feed (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    mark text NOT NULL
);

CREATE SEQUENCE index_notes_claim;

-- `claimed` is the claim that was given out last, which lasts until `leased_until`. Rows come and go all the time.
CREATE TABLE index_notes (
    number bigint PRIMARY KEY,
    workspace bigint NOT NULL,
    claim bigint NOT NULL DEFAULT nextval('index_notes_claim'),
    claimed bigint NOT NULL DEFAULT 0,
    leased_until bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
CREATE INDEX index_notes_order ON index_notes (claim);
CREATE INDEX index_notes_workspace ON index_notes (workspace);

-- A note is written anew at the end of the order, once in a transaction; a claim of it lasts on. The new claim is taken
-- when the row is locked, so that it is larger than that of any change before.
CREATE FUNCTION note_for_index() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO index_notes AS kept (number, workspace)
    VALUES (coalesce(NEW.number, OLD.number), coalesce(NEW.workspace, OLD.workspace))
    ON CONFLICT (number) DO UPDATE SET claim = nextval('index_notes_claim')
    WHERE kept.xmin <> pg_current_xact_id()::xid;
    RETURN NULL;
END
$$;
