-- What a key's requests weigh in a queue, relative to those of other keys.
ALTER TABLE keys ADD COLUMN weight INTEGER NOT NULL DEFAULT 1 CHECK (weight BETWEEN 1 AND 100);

-- How an app's requests are split by hand; no rows: the active revision takes all. A rollback clears them.
CREATE TABLE traffic (
  app      INTEGER NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
  revision INTEGER NOT NULL REFERENCES revisions (id) ON DELETE CASCADE,
  percent  INTEGER NOT NULL CHECK (percent BETWEEN 1 AND 100),
  PRIMARY KEY (app, revision)
) STRICT, WITHOUT ROWID;
