import type { Instant } from "../../schemas/index.ts";
import type { Refusal } from "../refusals.ts";
import { isRefusal, refuse } from "../refusals.ts";
import type { Grant } from "./access-rules.ts";
import type { Ask } from "./ask.ts";
import type { GrantRecord } from "./grants.ts";
import { sameGrant } from "./grants.ts";
import type { SettingKey, Settings } from "./settings-rules.ts";
import { settingProblem } from "./settings-rules.ts";
import type { Tables } from "./tables.ts";

/** Grants and settings: what the guild's owners decide about ReconSync itself. Whether the member may has been decided before. */
export class RightsDesk {
  readonly #tables: Tables;
  readonly #storage: DurableObjectStorage;
  readonly #now: () => Instant;

  constructor(parts: { tables: Tables; storage: DurableObjectStorage; now: () => Instant }) {
    this.#tables = parts.tables;
    this.#storage = parts.storage;
    this.#now = parts.now;
  }

  grants(server: string | undefined): GrantRecord[] {
    const all = this.#tables.grants.all();
    return server === undefined ? all : all.filter((grant) => grant.server === null || grant.server === server);
  }

  grant(ask: Ask, wanted: Omit<Grant, "id">): { grant: GrantRecord; fresh: boolean } | Refusal {
    const { grants, audit, servers } = this.#tables;
    if (wanted.server !== null && servers.byId(wanted.server) === null) return refuse("server-unknown", { server: wanted.server });
    return this.#storage.transactionSync(() => {
      const added = grants.add(wanted, ask.member.id, this.#now());
      if (!isRefusal(added) && added.fresh) audit.write({ ...this.#by(ask, "grant"), change: { granted: wanted } }, this.#now());
      return added;
    });
  }

  /** What came of a grant that was asked for before. It may be gone again. */
  granted(wanted: Omit<Grant, "id">): { grant: GrantRecord; fresh: boolean } | Refusal {
    const there = this.#tables.grants.all().find((one) => sameGrant(one, wanted));
    return there === undefined ? refuse("grant-unknown") : { grant: there, fresh: false };
  }

  revoke(ask: Ask, id: number): GrantRecord | Refusal {
    const { grants, audit } = this.#tables;
    const record = grants.all().find((one) => one.id === id);
    if (record === undefined) return refuse("grant-unknown");
    return this.#storage.transactionSync(() => {
      grants.remove(id);
      const { subject, tier, command, server } = record;
      audit.write({ ...this.#by(ask, "grant"), change: { revoked: { id, subject, tier, command, server } } }, this.#now());
      return record;
    });
  }

  settings(): Settings {
    return this.#tables.settings.get();
  }

  /** Changes all of them, or none. Null takes one back to its default. */
  set(ask: Ask, changes: Partial<Record<SettingKey, string | null>>): Settings | Refusal {
    const { settings, audit } = this.#tables;
    const entries = Object.entries(changes) as [SettingKey, string | null][];
    if (entries.length === 0) return refuse("settings-empty");
    for (const [setting, value] of entries) {
      const reason = value === null ? null : settingProblem(setting, value);
      if (reason !== null) return refuse("setting-invalid", { setting, reason });
    }
    return this.#storage.transactionSync(() => {
      for (const [setting, to] of entries) {
        const from = settings.set(setting, to, ask.member.id, this.#now());
        if (from !== to) audit.write({ ...this.#by(ask, "setting"), change: { setting, from, to } }, this.#now());
      }
      return settings.get();
    });
  }

  #by(ask: Ask, kind: "grant" | "setting") {
    return { kind, actor: `member ${ask.member.id}`, allowedBy: null, command: ask.command.name };
  }
}
