/** Marks a SQLite file as ours (`PRAGMA application_id`): the letters "RSYN". */
export const APPLICATION_ID = 0x5253594e;

/** Number N brings the schema from version N to N + 1 (`PRAGMA user_version`). Never change one that has been released: add another. */
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE identity (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    origin TEXT NOT NULL,
    host TEXT NOT NULL,
    tenant TEXT NOT NULL,
    name TEXT NOT NULL,
    private_key TEXT NOT NULL,
    enrolled_at INTEGER NOT NULL,
    revoked_at INTEGER
  ) STRICT;

  CREATE TABLE journal (
    job TEXT PRIMARY KEY,
    state TEXT NOT NULL CHECK (state IN ('taken', 'running', 'done')),
    body TEXT NOT NULL,
    interruptions INTEGER NOT NULL DEFAULT 0,
    taken_at INTEGER NOT NULL,
    finished_at INTEGER,
    outcome TEXT
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL CHECK (kind IN ('result', 'report')),
    ref TEXT NOT NULL,
    body TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    next_at INTEGER NOT NULL,
    UNIQUE (kind, ref)
  ) STRICT;
  CREATE INDEX outbox_next ON outbox (next_at);

  CREATE TABLE uploads (
    upload TEXT PRIMARY KEY,
    server TEXT NOT NULL,
    name TEXT NOT NULL,
    begun_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX uploads_server ON uploads (server);
  `,
  `
  ALTER TABLE identity ADD COLUMN next_key TEXT;
  `,
  `
  CREATE TABLE schedules (
    server TEXT NOT NULL,
    name TEXT NOT NULL,
    cron TEXT NOT NULL,
    zone TEXT NOT NULL,
    grace_start_s INTEGER NOT NULL,
    grace_finish_s INTEGER NOT NULL,
    since INTEGER NOT NULL,
    paused INTEGER NOT NULL CHECK (paused IN (0, 1)),
    paused_until INTEGER,
    last_started_at INTEGER,
    settled TEXT NOT NULL,
    PRIMARY KEY (server, name)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE scheduled_runs (
    server TEXT NOT NULL,
    schedule TEXT NOT NULL,
    nominal INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    catch_up INTEGER NOT NULL CHECK (catch_up IN (0, 1)),
    traceparent TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('running', 'stopped')),
    interruptions INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (server, schedule, nominal)
  ) STRICT, WITHOUT ROWID;
  `,
  `
  CREATE TABLE last_backups (
    server TEXT PRIMARY KEY,
    ended_at REAL NOT NULL,
    duration_ms REAL NOT NULL,
    bytes INTEGER NOT NULL,
    source_bytes INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  `,
  `
  CREATE TABLE restores (
    id TEXT PRIMARY KEY,
    server TEXT NOT NULL,
    job TEXT,
    started_at INTEGER NOT NULL,
    phase TEXT NOT NULL,
    body TEXT NOT NULL,
    problem TEXT
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX restores_job ON restores (job) WHERE job IS NOT NULL;
  `,
  `
  CREATE TABLE open_holds (
    server TEXT PRIMARY KEY,
    since INTEGER NOT NULL,
    release_steps TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    next_at REAL NOT NULL
  ) STRICT, WITHOUT ROWID;
  `,
  `
  CREATE TABLE retention_orders (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    hash TEXT NOT NULL,
    body TEXT
  ) STRICT;

  CREATE TABLE retention_resumes (
    server TEXT PRIMARY KEY,
    resumed_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  `,
  `
  CREATE TABLE verifications (
    server TEXT NOT NULL,
    check_name TEXT NOT NULL CHECK (check_name IN ('daily', 'drill')),
    since REAL NOT NULL,
    settled REAL NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    next_at REAL NOT NULL DEFAULT 0,
    round TEXT NOT NULL DEFAULT '[]',
    last TEXT,
    proven TEXT,
    PRIMARY KEY (server, check_name)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE doubts (
    server TEXT NOT NULL,
    backup TEXT NOT NULL,
    why TEXT NOT NULL,
    at REAL NOT NULL,
    PRIMARY KEY (server, backup)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE drill_folders (
    folder TEXT PRIMARY KEY,
    server TEXT NOT NULL,
    begun_at REAL NOT NULL
  ) STRICT, WITHOUT ROWID;
  `,
];
