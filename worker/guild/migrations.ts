/**
 * Numbered steps of the guild's database, in order. A step that has been released is never changed; a change is a new step.
 * Times are milliseconds since the epoch; `*_json` columns hold what `schemas/` describes.
 */
export const STEPS: readonly string[] = [
  `
  CREATE TABLE hosts (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    public_key TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    revoked_at INTEGER,
    revoked_by TEXT,
    seen_at INTEGER,
    heartbeat_json TEXT,
    announced_hash TEXT,
    status_json TEXT
  );
  CREATE TABLE enrolment_codes (
    hash TEXT PRIMARY KEY,
    host_name TEXT NOT NULL,
    created_by TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    used_at INTEGER
  );
  CREATE TABLE servers (
    id TEXT PRIMARY KEY,
    host_id TEXT NOT NULL,
    announced_json TEXT NOT NULL,
    announced_at INTEGER NOT NULL
  );
  CREATE TABLE jobs (
    id TEXT PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    host_id TEXT NOT NULL,
    server_id TEXT,
    payload_json TEXT NOT NULL,
    state TEXT NOT NULL,
    requested_by TEXT NOT NULL,
    message_id INTEGER,
    attempt INTEGER NOT NULL DEFAULT 0,
    lease TEXT,
    lease_until INTEGER,
    deadline INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    started_at INTEGER,
    ended_at INTEGER,
    cancel_at INTEGER,
    cancel_by TEXT,
    progress_json TEXT,
    result_json TEXT,
    error_json TEXT,
    notice TEXT
  );
  CREATE INDEX jobs_open ON jobs (host_id, created_at) WHERE ended_at IS NULL;
  CREATE TABLE backups (
    id TEXT PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    server_id TEXT NOT NULL,
    host_id TEXT NOT NULL,
    job_id TEXT,
    upload_id TEXT,
    made_by TEXT,
    created_at INTEGER NOT NULL,
    result_json TEXT NOT NULL,
    removed_at INTEGER
  );
  CREATE INDEX backups_of_server ON backups (server_id, created_at);
  CREATE TABLE uploads (
    id TEXT PRIMARY KEY,
    object_key TEXT NOT NULL UNIQUE,
    multipart_id TEXT NOT NULL,
    host_id TEXT NOT NULL,
    server_id TEXT NOT NULL,
    job_id TEXT,
    part_bytes INTEGER NOT NULL,
    state TEXT NOT NULL,
    bytes INTEGER,
    created_at INTEGER NOT NULL,
    due_at INTEGER
  );
  CREATE TABLE messages (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    subject_json TEXT NOT NULL,
    channel_id TEXT NOT NULL,
    token TEXT,
    token_until INTEGER,
    message_id TEXT,
    version INTEGER NOT NULL DEFAULT 0,
    sent INTEGER NOT NULL DEFAULT 0,
    sent_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    next_at INTEGER,
    given_up TEXT,
    created_at INTEGER NOT NULL
  );
  `,
  `
  CREATE TABLE grants (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    subject_kind TEXT NOT NULL,
    subject_id TEXT NOT NULL,
    tier TEXT NOT NULL,
    command TEXT,
    server_id TEXT,
    granted_by TEXT NOT NULL,
    granted_at INTEGER NOT NULL
  );
  CREATE TABLE settings (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL,
    changed_by TEXT NOT NULL,
    changed_at INTEGER NOT NULL
  );
  CREATE TABLE member_hits (
    member_id TEXT NOT NULL,
    rate TEXT NOT NULL,
    hits_json TEXT NOT NULL,
    last_at INTEGER NOT NULL,
    PRIMARY KEY (member_id, rate)
  ) WITHOUT ROWID;
  CREATE TABLE audit (
    seq INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    server_id TEXT,
    entry_json TEXT NOT NULL,
    hash TEXT NOT NULL
  );
  CREATE TABLE audit_checkpoint (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    mark_json TEXT NOT NULL
  );
  ALTER TABLE jobs ADD COLUMN trace TEXT;
  `,
  `
  CREATE TABLE runs (
    id INTEGER PRIMARY KEY,
    host_id TEXT NOT NULL,
    server_id TEXT NOT NULL,
    schedule TEXT NOT NULL,
    nominal INTEGER NOT NULL,
    catch_up INTEGER NOT NULL,
    state TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at INTEGER,
    problem_json TEXT,
    reason TEXT,
    backup_id TEXT,
    trace TEXT,
    reported_at INTEGER NOT NULL
  );
  CREATE UNIQUE INDEX runs_nominal ON runs (server_id, schedule, nominal, host_id);
  CREATE TABLE notices (
    key TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    notice_json TEXT NOT NULL,
    message_id INTEGER,
    told_at INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE TABLE notice_counts (
    kind TEXT PRIMARY KEY,
    told INTEGER NOT NULL,
    since INTEGER NOT NULL
  ) WITHOUT ROWID;
  `,
  `
  ALTER TABLE jobs ADD COLUMN leased_at INTEGER;
  ALTER TABLE jobs ADD COLUMN handbacks INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE jobs ADD COLUMN ended_by TEXT;
  ALTER TABLE jobs ADD COLUMN timeline_json TEXT NOT NULL DEFAULT '[]';
  `,
  `
  ALTER TABLE hosts ADD COLUMN key_changed_at INTEGER;
  ALTER TABLE hosts ADD COLUMN allowlist_json TEXT;
  ALTER TABLE hosts ADD COLUMN address TEXT;
  ALTER TABLE hosts ADD COLUMN assertions_json TEXT;
  CREATE TABLE incidents (
    kind TEXT PRIMARY KEY,
    state_json TEXT NOT NULL
  ) WITHOUT ROWID;
  CREATE TABLE acted (
    key TEXT PRIMARY KEY,
    at INTEGER NOT NULL
  ) WITHOUT ROWID;
  `,
  `
  CREATE TABLE repository_files (
    server_id TEXT NOT NULL,
    type TEXT NOT NULL,
    name TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    at INTEGER NOT NULL,
    put_by TEXT NOT NULL,
    PRIMARY KEY (server_id, type, name)
  ) WITHOUT ROWID;
  CREATE TABLE repository_sum (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    bytes INTEGER NOT NULL
  );
  CREATE TABLE repository_credentials (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    hash TEXT NOT NULL UNIQUE,
    server_id TEXT NOT NULL,
    may_write INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    revoked_at INTEGER,
    used_at INTEGER,
    used_from TEXT
  );
  `,
  `
  CREATE TABLE restores (
    id TEXT PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    server_id TEXT NOT NULL,
    host_id TEXT NOT NULL,
    payload_json TEXT NOT NULL,
    chosen_json TEXT NOT NULL,
    backup_json TEXT NOT NULL,
    backup_id TEXT,
    asked_by TEXT NOT NULL,
    asked_at INTEGER NOT NULL,
    message_id INTEGER,
    plan_job TEXT,
    plan_json TEXT,
    ready_at INTEGER,
    declined_at INTEGER,
    declined_by TEXT,
    confirmed_at INTEGER,
    confirmed_by TEXT,
    job_id TEXT,
    undo_of TEXT
  );
  CREATE INDEX restores_of_server ON restores (server_id, asked_at);
  CREATE TABLE absences (
    id INTEGER PRIMARY KEY,
    host_id TEXT NOT NULL,
    from_at INTEGER NOT NULL,
    back_at INTEGER NOT NULL
  );
  `,
  `
  CREATE TABLE retention_policies (
    server_id TEXT PRIMARY KEY,
    policy_json TEXT NOT NULL,
    changed_by TEXT NOT NULL,
    changed_at INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE TABLE retention_brakes (
    server_id TEXT PRIMARY KEY,
    frozen_json TEXT,
    accepted_at INTEGER,
    allowance INTEGER NOT NULL DEFAULT 0,
    judged TEXT
  ) WITHOUT ROWID;
  CREATE TABLE repository_prunes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    server_id TEXT NOT NULL,
    host_id TEXT NOT NULL,
    hidden_at INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    state TEXT NOT NULL,
    names_json TEXT NOT NULL
  );
  ALTER TABLE backups ADD COLUMN pin_json TEXT;
  ALTER TABLE backups ADD COLUMN tags_json TEXT;
  CREATE INDEX backups_marked ON backups (server_id) WHERE pin_json IS NOT NULL OR tags_json IS NOT NULL;
  `,
  `
  CREATE TABLE verifications (
    server_id TEXT NOT NULL,
    slot TEXT NOT NULL,
    host_id TEXT NOT NULL,
    verification_json TEXT NOT NULL,
    told_at INTEGER NOT NULL,
    PRIMARY KEY (server_id, slot)
  ) WITHOUT ROWID;
  `,
];

/** Brings the database up to date. Each step and its number commit together. */
export function migrate(storage: DurableObjectStorage, steps: readonly string[] = STEPS): void {
  storage.sql.exec("CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL)");
  const current = Number(storage.sql.exec("SELECT MAX(version) AS version FROM schema_version").one().version ?? 0);
  for (const [index, step] of steps.entries()) {
    const version = index + 1;
    if (version <= current) continue;
    storage.transactionSync(() => {
      storage.sql.exec(step);
      storage.sql.exec("INSERT INTO schema_version (version) VALUES (?)", version);
    });
  }
}
