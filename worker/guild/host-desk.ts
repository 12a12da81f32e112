import type { Heartbeat, Instant } from "../../schemas/index.ts";
import { ADDRESSES_MAX, allowsAddress, readAllowlist } from "../addresses.ts";
import type { Refusal } from "../refusals.ts";
import { isRefusal, problemOf, refuse } from "../refusals.ts";
import type { Ask } from "./ask.ts";
import type { HostRecord } from "./hosts.ts";
import { HOSTS_MAX } from "./hosts.ts";
import type { Tables } from "./tables.ts";

export interface HostDeskParts {
  storage: DurableObjectStorage;
  tables: Tables;
  now: () => Instant;
}

/** What a host brings when it enrols. */
export interface Enrolment {
  codeHash: string;
  publicKey: string;
  heartbeat: Heartbeat;
  address: string | null;
}

/** From where a host may call, as it is now. */
export interface AllowlistView {
  host: string;
  name: string;
  /** Empty for everywhere. */
  list: string[];
  /** From where it called last; null when that is not known. */
  seen: string | null;
  /** The list does not hold that address. */
  locksOut: boolean;
}

/** Which hosts belong to the guild, and what each may do. */
export class HostDesk {
  readonly #parts: HostDeskParts;

  constructor(parts: HostDeskParts) {
    this.#parts = parts;
  }

  /** Remembers an enrolment code by its hash. */
  addCode(ask: Ask, code: { hash: string; hostName: string }): { expiresAt: Instant } | Refusal {
    const { storage, tables, now } = this.#parts;
    const objection = this.#noRoomFor(code.hostName);
    if (objection !== null) return objection;
    return storage.transactionSync(() => {
      const { expiresAt, fresh } = tables.codes.add({ ...code, createdBy: ask.member.id }, now());
      if (!fresh) return { expiresAt };
      tables.settings.setHome(ask.channel, ask.member.id, now());
      const change = { enrolmentCodeFor: code.hostName };
      tables.audit.write({ kind: "host", actor: `member ${ask.member.id}`, allowedBy: null, change }, now());
      return { expiresAt };
    });
  }

  enrol(request: Enrolment): { host: string; name: string } | Refusal {
    const { storage, tables, now } = this.#parts;
    return storage.transactionSync(() => {
      const used = tables.codes.use(request.codeHash, (name) => this.#noRoomFor(name), now());
      if (isRefusal(used)) return used;
      const { publicKey, heartbeat, address } = request;
      const host = tables.hosts.add({ name: used.hostName, publicKey, createdBy: used.createdBy, heartbeat, address }, now());
      const change = { enrolled: host.name };
      tables.audit.write({ kind: "host", actor: `host ${host.id}`, allowedBy: "enrolment code", host: host.id, change }, now());
      return { host: host.id, name: host.name };
    });
  }

  /** Cuts a host off: its jobs fail, its servers leave the guild. Its backups stay. `typed` is its name, typed once more. */
  revoke(ask: Ask, id: string, typed: string): { host: HostRecord; jobs: number } | Refusal {
    const { storage, tables, now } = this.#parts;
    const host = tables.hosts.byId(id);
    if (host === null || host.revokedAt !== null) return refuse("host-not-found", { host: host?.name ?? typed });
    if (typed.trim().toLowerCase() !== host.name.toLowerCase()) return refuse("name-mismatch");
    const jobs = storage.transactionSync(() => {
      tables.hosts.revoke(host.id, ask.member.id, now());
      tables.servers.removeOf(host.id);
      // Another host may have wanted one of the ids that are free now: let all of them announce anew.
      tables.hosts.forgetAnnounced();
      const change = { revoked: host.name };
      tables.audit.write({ kind: "host", actor: `member ${ask.member.id}`, allowedBy: null, host: host.id, change }, now());
      return tables.jobs.failAllOf(host.id, problemOf(refuse("host-revoked")).body, `member ${ask.member.id}`, now());
    });
    return { host, jobs: jobs.length };
  }

  /**
   * Says from which addresses a host may call. `typed` has addresses and ranges apart by commas or spaces; with none, all may.
   * `polledFrom` says from where a host polls now.
   */
  allow(ask: Ask, name: string, typed: string, polledFrom: (host: string) => string | null): AllowlistView | Refusal {
    const { storage, tables, now } = this.#parts;
    const host = tables.hosts.byName(name);
    if (host === null) return refuse("host-not-found", { host: name });
    const read = readAllowlist(typed);
    if ("wrong" in read) return refuse("address-invalid", { entry: read.wrong });
    if ("tooMany" in read) return refuse("address-limit", { count: String(read.tooMany), limit: String(ADDRESSES_MAX) });
    const { list } = read;
    if (list.join() !== host.allowlist.join()) {
      storage.transactionSync(() => {
        tables.hosts.setAllowlist(host.id, list);
        const change = { allowlistOf: host.name, from: host.allowlist, to: list };
        tables.audit.write({ kind: "host", actor: `member ${ask.member.id}`, allowedBy: null, host: host.id, change }, now());
      });
    }
    return this.allowed(name, polledFrom);
  }

  /** From which addresses a host may call now. */
  allowed(name: string, polledFrom: (host: string) => string | null): AllowlistView | Refusal {
    const host = this.#parts.tables.hosts.byName(name);
    if (host === null) return refuse("host-not-found", { host: name });
    const seen = polledFrom(host.id) ?? host.address;
    const list = host.allowlist;
    return { host: host.id, name: host.name, list, seen, locksOut: seen !== null && !allowsAddress(list, seen) };
  }

  /** Why a host of that name cannot be added now, or null. */
  #noRoomFor(name: string): Refusal | null {
    const { hosts } = this.#parts.tables;
    if (hosts.byName(name) !== null) return refuse("host-name-taken", { host: name });
    return hosts.active().length >= HOSTS_MAX ? refuse("host-limit", { limit: String(HOSTS_MAX) }) : null;
  }
}
