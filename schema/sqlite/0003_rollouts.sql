-- How an app's requests go over to a revision by steps, or that this was rolled back; no row: nothing of the kind. A
-- deploy, a rollback and a split by hand clear it.
CREATE TABLE rollouts (
  app           INTEGER PRIMARY KEY REFERENCES apps (id) ON DELETE CASCADE,
  from_revision INTEGER NOT NULL REFERENCES revisions (id) ON DELETE CASCADE,
  to_revision   INTEGER NOT NULL REFERENCES revisions (id) ON DELETE CASCADE,
  step          INTEGER NOT NULL CHECK (step BETWEEN 0 AND 99),
  stage         TEXT NOT NULL CHECK (stage IN ('starting', 'shifting', 'paused', 'rolled_back')),
  why           TEXT NOT NULL
) STRICT;
