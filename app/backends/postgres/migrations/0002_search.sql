-- Vectors and words. The index of the nearest vectors is made when the service starts, for the dimensions of the
-- store's embedding, which stand in its expression (see indexes.py).

-- Single precision, so that every store tells the same cosines. `workspace` spares a search that walks the index of
-- the nearest the look at the rows of others.
CREATE TABLE chunks_vec_default (
    number bigint PRIMARY KEY,
    workspace bigint NOT NULL,
    embedding vector NOT NULL
);
CREATE INDEX chunks_vec_default_workspace ON chunks_vec_default (workspace);

-- The vectors of the embedding that the store is being moved to; empty at other times. At the end of a move the two
-- tables change their names, so that a trigger on the one belongs on the other too, and asks TG_TABLE_NAME.
CREATE TABLE chunks_vec_default_next (
    number bigint PRIMARY KEY,
    workspace bigint NOT NULL,
    embedding vector NOT NULL
);
CREATE INDEX chunks_vec_default_next_workspace ON chunks_vec_default_next (workspace);

-- derived: a term is 64 bits of a hash of the workspace and the word, so that a search reads the postings of its own
-- workspace alone. Written through (fastupdate off): a list of pending postings would be read by every search.
CREATE TABLE chunks_fts_default (
    number bigint PRIMARY KEY,
    units integer NOT NULL,
    terms bigint[] NOT NULL
);
CREATE INDEX chunks_fts_default_terms ON chunks_fts_default USING gin (terms) WITH (fastupdate = off);

-- derived: how many texts stand in a workspace, and the units that they are long
CREATE TABLE chunks_fts_tallies (
    workspace bigint PRIMARY KEY,
    texts bigint NOT NULL,
    units bigint NOT NULL
) WITH (fillfactor = 50);

-- What a filter asks for; of `facets` the pairs of a key and a value.
CREATE INDEX chunks_default_tags ON chunks_default USING gin (tags) WITH (fastupdate = off);
CREATE INDEX chunks_default_facets ON chunks_default USING gin (facets jsonb_path_ops) WITH (fastupdate = off);
