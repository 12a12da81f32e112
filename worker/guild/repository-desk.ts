import { RpcTarget } from "cloudflare:workers";
import type { Instant, RepositoryFileType } from "../../schemas/index.ts";
import { bytes as bytesText } from "../discord/text.ts";
import type { Refusal } from "../refusals.ts";
import { isRefusal, refuse } from "../refusals.ts";
import type { CredentialDesk } from "./credential-desk.ts";
import type { HostCall } from "./host-call.ts";
import type { PruneDesk } from "./prune-desk.ts";
import type { RepositoryUsage } from "./repository-files.ts";
import type { RepositoryAct, RepositoryRight } from "./repository-rules.ts";
import { fitsQuota, isRecorded, objectionTo } from "./repository-rules.ts";
import type { Tables } from "./tables.ts";

/** Who uses a repository: an enrolled host, or the `restic` program with a credential, of which only the hash comes here. */
export type RepositoryCaller = ({ kind: "host" } & HostCall) | { kind: "credential"; hash: string; address: string | null };

/** What a request wants to do with a server's repository. */
export interface RepositoryCall {
  caller: RepositoryCaller;
  server: string;
  act: RepositoryAct;
  /** Null for the repository as a whole. */
  type: RepositoryFileType | null;
  /** The file; empty when it is about all of a type. */
  name: string;
  /** Of the file that is to be created. */
  bytes: number;
}

/** What R2 says of a file that it holds. */
export interface StoredFile {
  name: string;
  bytes: number;
  uploadedAt: Instant;
}

/**
 * The right to write down one file, once R2 holds it. Calls of it belong to the request that brought it: Cloudflare bills them together as
 * one (pricing of Durable Objects, RPC sessions). Whoever holds it keeps the object awake.
 */
export class FileTicket extends RpcTarget {
  readonly #record: (stored: StoredFile) => boolean;

  constructor(record: (stored: StoredFile) => boolean) {
    super();
    this.#record = record;
  }

  /** False when it was written down before. */
  record(stored: StoredFile): boolean {
    return this.#record(stored);
  }
}

export interface Admission {
  /** For a file that gets a row. */
  ticket: FileTicket | null;
  /** How many files of that type have rows and are in sight; null when they get none, or nobody asked. */
  recorded: number | null;
  /** Names of files that a listing leaves out: nobody needs them any more, and they are removed later. */
  hidden: string[];
}

export interface RepositoryDeskParts {
  storage: DurableObjectStorage;
  tables: Tables;
  credentials: CredentialDesk;
  prunes: PruneDesk;
  now: () => Instant;
  /** Why a host may not act, or null. */
  cutOff: (from: HostCall) => Refusal | null;
}

/** Repositories in R2: who may do what with which, and what came when. The bytes pass through the Worker, not through the object. */
export class RepositoryDesk {
  readonly #parts: RepositoryDeskParts;

  constructor(parts: RepositoryDeskParts) {
    this.#parts = parts;
  }

  admit(call: RepositoryCall): Admission | Refusal {
    const who = this.#who(call);
    if (isRefusal(who)) return who;
    const objection = objectionTo(who.right, call.act, call.type);
    if (objection !== null) return refuse(objection);
    const type = call.type !== null && isRecorded(call.type) ? call.type : null;
    const { tables, prunes } = this.#parts;
    // What somebody sees from here on must stay in sight until he is done.
    if (call.act === "list" || (call.act === "create" && call.type === "locks")) prunes.noteWork(call.server);
    if (call.act === "list" && call.type !== null) {
      const hidden = tables.prunes.hidden(call.server, call.type);
      return { ticket: null, recorded: type === null ? null : tables.repositoryFiles.count(call.server, type) - hidden.length, hidden };
    }
    const unseen = this.#hidden(call);
    if (unseen !== null) return unseen;
    if (call.act !== "create" || type === null) return { ticket: null, recorded: null, hidden: [] };
    const over = this.#overQuota(call, type);
    if (over !== null) return over;
    return { ticket: new FileTicket((stored) => this.#record(call.server, type, who.name, stored)), recorded: null, hidden: [] };
  }

  /** Writes files down that R2 holds and that have no rows. Answers how many there were. */
  adopt(call: RepositoryCall, found: readonly StoredFile[]): number | Refusal {
    const who = this.#who(call);
    if (isRefusal(who)) return who;
    const { type, server } = call;
    if (type === null || !isRecorded(type)) return 0;
    return this.#parts.storage.transactionSync(() => found.filter((stored) => this.#record(server, type, "listing", stored)).length);
  }

  /** Of one server, or of all. */
  usage(server: string | null): RepositoryUsage & { quota: number | null } {
    const { repositoryFiles, settings } = this.#parts.tables;
    return { ...repositoryFiles.usage(server), quota: settings.get().repositoryQuota };
  }

  /** By which name and right a request is made, or why it may not be. */
  #who({ caller, server }: RepositoryCall): { name: string; right: RepositoryRight } | Refusal {
    const { tables, credentials, cutOff } = this.#parts;
    if (caller.kind === "host") {
      const cut = cutOff(caller);
      if (cut !== null) return cut;
      if (tables.servers.byId(server)?.host !== caller.host) return refuse("server-not-yours", { server });
      return { name: `host ${caller.host}`, right: "append" };
    }
    const credential = credentials.admit(caller.hash, caller.address);
    if (isRefusal(credential)) return credential;
    if (credential.server !== server) return refuse("credential-other-server");
    return { name: `credential ${credential.id}`, right: credential.mayWrite ? "append" : "read" };
  }

  /** A hidden file cannot be read. Whoever stores it again shows that it is needed: then all that was hidden with it comes back. */
  #hidden({ server, type, name, act }: RepositoryCall): Refusal | null {
    const { storage, tables, prunes } = this.#parts;
    if (type === null || !tables.prunes.isHidden(server, type, name)) return null;
    if (act === "read") return refuse("repository-file-unknown");
    const prune = tables.prunes.of(server).find(({ names }) => type in names && names[type as keyof typeof names].includes(name));
    if (act !== "create" || prune === undefined) return null;
    return storage.transactionSync(() => prunes.revive(prune)) === null ? refuse("repository-file-busy") : null;
  }

  #overQuota({ server, name, bytes: more }: RepositoryCall, type: RepositoryFileType): Refusal | null {
    const { repositoryFiles, settings } = this.#parts.tables;
    const { repositoryQuota: quota } = settings.get();
    // What is there already takes no more room when it is sent again.
    if (quota === null || repositoryFiles.byName(server, type, name) !== null) return null;
    const used = repositoryFiles.sum();
    if (fitsQuota(used, more, quota)) return null;
    return refuse("repository-quota", { used: bytesText(used), quota: bytesText(quota), more: bytesText(more) });
  }

  #record(server: string, type: RepositoryFileType, putBy: string, { name, bytes, uploadedAt }: StoredFile): boolean {
    const { storage, tables, now } = this.#parts;
    // R2's clock is the control plane's too, and says when a file came that is written down later.
    const at = Math.min(uploadedAt, now());
    return storage.transactionSync(() => {
      const fresh = tables.repositoryFiles.add({ server, type, name, bytes, at, putBy });
      if (fresh && type === "config") {
        tables.audit.write({ kind: "repository", actor: putBy, allowedBy: null, server, change: { repositoryMade: server } }, now());
      }
      return fresh;
    });
  }
}
