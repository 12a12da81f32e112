import type { Instant } from "../../schemas/index.ts";
import { plural } from "../discord/text.ts";
import type { Refusal } from "../refusals.ts";
import { refuse } from "../refusals.ts";
import type { CommandRight, Member } from "./access-rules.ts";
import { decide, decideAnywhere, TIERS } from "./access-rules.ts";
import type { Ask } from "./ask.ts";
import type { RateClass, RateLimit } from "./rate-rules.ts";
import type { Tables } from "./tables.ts";

/** Decides what members may do, and writes down what they did. */
export class MemberDesk {
  readonly #tables: Tables;
  readonly #storage: DurableObjectStorage;
  readonly #now: () => Instant;
  readonly #refused: (who: string) => void;

  /** `refused` hears of each member who tried what it may not. */
  constructor(parts: { tables: Tables; storage: DurableObjectStorage; now: () => Instant; refused: (who: string) => void }) {
    this.#tables = parts.tables;
    this.#storage = parts.storage;
    this.#now = parts.now;
    this.#refused = parts.refused;
  }

  /**
   * Why a member may not do this now, or null. Call it before anything is stored or queued; it counts the use and writes the audit row.
   * `repeated` is what the method of that name says.
   */
  admit(ask: Ask, server: string | null, repeated: boolean): Refusal | null {
    return this.#storage.transactionSync(() => {
      const { hits, settings, grants, audit, acted } = this.#tables;
      const now = this.#now();
      const { member, command } = ask;
      const limit = settings.get().limits[command.rate];
      const used = hits.take(member.id, command.rate, ask.key, limit, now);
      if ("until" in used) return tooFast(command, limit, used.until);
      const decision = decide(member, command, server, grants.all());
      const again = used.again || repeated;
      if (decision.allowed && command.rate !== "query") acted.add(ask.key, now);
      if (!again) {
        settings.setGuild(ask.guild, member.id, now);
        const what = { actor: `member ${member.id}`, command: command.name, ...(server === null ? {} : { server }) };
        if (decision.allowed) audit.write({ kind: "command", ...what, allowedBy: decision.by }, now);
        else {
          audit.write({ kind: "refused", ...what, allowedBy: null, change: { missing: decision.missing } }, now);
          this.#refused(`member ${member.id}`);
        }
      }
      return decision.allowed ? null : missingRight(command, server);
    });
  }

  /** Whether this very interaction has come before. Only those that do something are remembered. */
  repeated(ask: Ask): boolean {
    return this.#tables.acted.has(ask.key);
  }

  /** Whether a member may do this. Counts and writes nothing: for completion. */
  may(member: Member, command: CommandRight, server: string | null): boolean {
    return decide(member, command, server, this.#tables.grants.all()).allowed;
  }

  /** Those of the commands with which the member may do anything at all, on some server or without one. */
  permitted(member: Member, commands: readonly CommandRight[]): string[] {
    const servers = this.#tables.servers.all().map((server) => server.id);
    const grants = this.#tables.grants.all();
    return commands.filter((one) => decideAnywhere(member, one, servers, grants)).map(({ name }) => name);
  }
}

/** Names of the kinds, as `/config set` calls them. */
const KINDS: Record<RateClass, string> = { query: "looking", act: "acting", danger: "danger" };

/** Says how much is allowed, and when the next use counts. */
function tooFast({ name, rate }: Ask["command"], { count, windowMs }: RateLimit, until: Instant): Refusal {
  const limit = `${plural(count, "time")} in ${windowMs / 1000} s`;
  return refuse("rate-limited", { command: name, kind: KINDS[rate], limit, until: String(Math.ceil(until / 1000)) });
}

/** Names the right that is missing, and both ways to get it. */
function missingRight(command: CommandRight, server: string | null): Refusal {
  const { name, permission } = TIERS[command.tier];
  const base = { command: command.name, tier: name, permission };
  return server === null ? refuse("permission-missing", base) : refuse("permission-missing-on", { ...base, server });
}
