import type { Instant } from "../../schemas/index.ts";
import type { SettingKey, Settings, StoredSettings } from "./settings-rules.ts";
import { SETTING_KEYS, settingsOf } from "./settings-rules.ts";

/** Kept beside the settings; nobody sets them by hand. */
const HOME_CHANNEL = "home-channel";
const GUILD = "guild";

/** The guild's own settings: one row a setting that differs from the default. */
export class SettingsTable {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  get(): Settings {
    return settingsOf(this.stored());
  }

  stored(): StoredSettings {
    const rows = this.#sql.exec("SELECT key, value FROM settings").toArray();
    return Object.fromEntries(rows.filter(({ key }) => isSettingKey(String(key))).map(({ key, value }) => [String(key), String(value)]));
  }

  /** The channel in which `/agent register` was used last: where its owners are, as long as no other is set. */
  home(): string | null {
    return this.#internal(HOME_CHANNEL);
  }

  setHome(channel: string, by: string, now: Instant): void {
    if (this.home() !== channel) this.#put(HOME_CHANNEL, channel, by, now);
  }

  /** The guild's own id: signatures are bound to it. Empty until the first member has used a command. */
  guild(): string {
    return this.#internal(GUILD) ?? "";
  }

  setGuild(id: string, by: string, now: Instant): void {
    if (this.guild() === "") this.#put(GUILD, id, by, now);
  }

  /** Null takes a setting back to its default. Answers what it was before. */
  set(key: SettingKey, value: string | null, by: string, now: Instant): string | null {
    const before = this.stored()[key] ?? null;
    if (value === null) this.#sql.exec("DELETE FROM settings WHERE key = ?", key);
    else this.#put(key, value, by, now);
    return before;
  }

  #internal(key: string): string | null {
    const row = this.#sql.exec("SELECT value FROM settings WHERE key = ?", key).toArray()[0];
    return row === undefined ? null : String(row.value);
  }

  #put(key: string, value: string, by: string, now: Instant): void {
    this.#sql.exec(
      `INSERT INTO settings (key, value, changed_by, changed_at) VALUES (?, ?, ?, ?)
       ON CONFLICT (key) DO UPDATE SET value = excluded.value, changed_by = excluded.changed_by, changed_at = excluded.changed_at`,
      ...[key, value, by, now],
    );
  }
}

function isSettingKey(key: string): key is SettingKey {
  return SETTING_KEYS.some((known) => known === key);
}
