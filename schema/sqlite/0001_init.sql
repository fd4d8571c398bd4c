-- What must outlive every process. Identities are never used twice (AUTOINCREMENT), also not those of deleted apps.
-- Usage and ledger name their app and workspace by value: they stay when the app is deleted.

CREATE TABLE counters (
  name  TEXT PRIMARY KEY,
  value INTEGER NOT NULL
) STRICT;

INSERT INTO counters (name, value) VALUES ('epoch', 0);

CREATE TABLE apps (
  id              INTEGER PRIMARY KEY AUTOINCREMENT,
  workspace       TEXT NOT NULL,
  name            TEXT NOT NULL,
  -- Set by hand over the active revision's own; a deploy or rollback clears them.
  replicas_min    INTEGER,
  replicas_max    INTEGER,
  created_unix_ms INTEGER NOT NULL,
  UNIQUE (workspace, name),
  CHECK ((replicas_min IS NULL) = (replicas_max IS NULL))
) STRICT;

CREATE TABLE revisions (
  id              INTEGER PRIMARY KEY AUTOINCREMENT,
  app             INTEGER NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
  number          INTEGER NOT NULL CHECK (number >= 1),
  is_active       INTEGER NOT NULL CHECK (is_active IN (0, 1)),
  spec            TEXT NOT NULL CHECK (json_valid(spec)),
  folder          TEXT NOT NULL,
  program         TEXT NOT NULL,
  model_path      TEXT NOT NULL,
  created_unix_ms INTEGER NOT NULL,
  UNIQUE (app, number)
) STRICT;

CREATE UNIQUE INDEX one_active_revision_per_app ON revisions (app) WHERE is_active = 1;

CREATE TABLE keys (
  id              INTEGER PRIMARY KEY AUTOINCREMENT,
  name            TEXT NOT NULL,
  prefix          TEXT NOT NULL UNIQUE,
  workspace       TEXT NOT NULL,
  may_invoke      INTEGER NOT NULL CHECK (may_invoke IN (0, 1)),
  may_admin       INTEGER NOT NULL CHECK (may_admin IN (0, 1)),
  hash            BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
  created_unix_ms INTEGER NOT NULL
) STRICT;

-- One row covers at most ten seconds of one replica in one phase; busy time stands in the same row.
CREATE TABLE usage (
  replica      INTEGER NOT NULL,
  sequence     INTEGER NOT NULL CHECK (sequence >= 0),
  app          INTEGER NOT NULL,
  app_name     TEXT NOT NULL,
  revision     INTEGER NOT NULL,
  workspace    TEXT NOT NULL,
  node         INTEGER NOT NULL,
  kind         TEXT NOT NULL,
  accelerators INTEGER NOT NULL CHECK (accelerators >= 0),
  phase        TEXT NOT NULL,
  from_unix_ns INTEGER NOT NULL,
  to_unix_ns   INTEGER NOT NULL CHECK (to_unix_ns >= from_unix_ns),
  total_ms     INTEGER NOT NULL CHECK (total_ms >= 0),
  -- Remainders below 1 ms are carried for each of the two, so one row may show 1 ms more busy than total.
  busy_ms      INTEGER NOT NULL CHECK (busy_ms >= 0),
  is_billable  INTEGER NOT NULL CHECK (is_billable IN (0, 1)),
  PRIMARY KEY (replica, sequence)
) STRICT, WITHOUT ROWID;

CREATE INDEX usage_by_time ON usage (workspace, from_unix_ns);

-- Double entry: the entries of one usage row sum to zero.
CREATE TABLE ledger (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  replica     INTEGER NOT NULL,
  sequence    INTEGER NOT NULL,
  account     TEXT NOT NULL CHECK (account IN ('workspace_receivable', 'revenue')),
  workspace   TEXT NOT NULL,
  app         INTEGER NOT NULL,
  amount_nano INTEGER NOT NULL,
  UNIQUE (replica, sequence, account),
  FOREIGN KEY (replica, sequence) REFERENCES usage (replica, sequence)
) STRICT;

CREATE TRIGGER usage_is_never_changed BEFORE UPDATE ON usage
BEGIN SELECT RAISE(ABORT, 'usage is append-only'); END;

CREATE TRIGGER usage_is_never_removed BEFORE DELETE ON usage
BEGIN SELECT RAISE(ABORT, 'usage is append-only'); END;

CREATE TRIGGER ledger_is_never_changed BEFORE UPDATE ON ledger
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;

CREATE TRIGGER ledger_is_never_removed BEFORE DELETE ON ledger
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
