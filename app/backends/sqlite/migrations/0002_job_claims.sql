-- A claim of a job has a token, so that only the worker that holds it may renew or finish it, and a job may wait for
-- its time.

ALTER TABLE jobs ADD COLUMN claim_token TEXT NOT NULL DEFAULT '';
ALTER TABLE jobs ADD COLUMN not_before INTEGER;
