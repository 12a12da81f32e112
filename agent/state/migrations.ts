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
];
