import type { IncidentKind, IncidentState } from "./incident-rules.ts";

/** What the security monitor has counted: one row a kind. */
export class Incidents {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  byKind(kind: IncidentKind): IncidentState | null {
    const row = this.#sql.exec("SELECT state_json FROM incidents WHERE kind = ?", kind).toArray()[0];
    return row === undefined ? null : (JSON.parse(String(row.state_json)) as IncidentState);
  }

  set(kind: IncidentKind, state: IncidentState): void {
    this.#sql.exec(
      "INSERT INTO incidents (kind, state_json) VALUES (?, ?) ON CONFLICT (kind) DO UPDATE SET state_json = excluded.state_json",
      ...[kind, JSON.stringify(state)],
    );
  }
}
