import type { Instant } from "../../schemas/index.ts";
import type { Refusal } from "../refusals.ts";
import { isRefusal, refuse } from "../refusals.ts";
import type { Ask } from "./ask.ts";
import type { CredentialRecord } from "./repository-credentials.ts";
import { CREDENTIALS_MAX, USE_NOTED_EVERY_MS } from "./repository-credentials.ts";
import type { Tables } from "./tables.ts";
import type { Choice } from "./views.ts";

/** Discord takes at most 25 choices of 100 characters. */
const CHOICES_MAX = 25;
const CHOICE_LENGTH_MAX = 100;

/** What `/backup credentials` asks for. */
export interface WantedCredential {
  /** SHA-256 of the secret. */
  hash: string;
  server: string;
  mayWrite: boolean;
  days: number;
}

/** Who may use repositories with the `restic` program. Whether the member may decide that has been decided before. */
export class CredentialDesk {
  readonly #tables: Tables;
  readonly #storage: DurableObjectStorage;
  readonly #now: () => Instant;

  constructor(parts: { tables: Tables; storage: DurableObjectStorage; now: () => Instant }) {
    this.#tables = parts.tables;
    this.#storage = parts.storage;
    this.#now = parts.now;
  }

  add(ask: Ask, wanted: WantedCredential): CredentialRecord | Refusal {
    const { credentials, servers, repositoryFiles, audit } = this.#tables;
    const now = this.#now();
    const { server } = wanted;
    // A repository outlives its server's place in a host's config: that is when it may be needed most.
    if (servers.byId(server) === null && !repositoryFiles.has(server)) return refuse("server-unknown", { server });
    const known = credentials.byHash(wanted.hash);
    if (known !== null) return known;
    if (credentials.allWorking(now).length >= CREDENTIALS_MAX) return refuse("credential-limit", { limit: String(CREDENTIALS_MAX) });
    return this.#storage.transactionSync(() => {
      const { credential } = credentials.add({ ...wanted, createdBy: ask.member.id }, now);
      const change = { credential: credential.id, write: wanted.mayWrite, days: wanted.days };
      audit.write({ ...this.#by(ask, server), change }, now);
      return credential;
    });
  }

  all(): CredentialRecord[] {
    return this.#tables.credentials.allWorking(this.#now());
  }

  /** Takes effect with the credential's next request. Taking it back again changes nothing. */
  revoke(ask: Ask, id: number): CredentialRecord | Refusal {
    const { credentials, audit } = this.#tables;
    const now = this.#now();
    const known = credentials.byId(id);
    if (known === null || (known.revokedAt === null && known.expiresAt <= now)) return refuse("credential-unknown");
    if (known.revokedAt !== null) return known;
    return this.#storage.transactionSync(() => {
      credentials.revoke(id, now);
      audit.write({ ...this.#by(ask, known.server), change: { credentialRevoked: id } }, now);
      return known;
    });
  }

  choices(typed: string): Choice[] {
    const wanted = typed.trim().toLowerCase();
    const named = this.all().map(({ id, server, mayWrite }) => ({
      name: `${id}: ${server}, ${mayWrite ? "may write" : "only reads"}`.slice(0, CHOICE_LENGTH_MAX),
      value: String(id),
    }));
    return named.filter(({ name }) => name.toLowerCase().includes(wanted)).slice(0, CHOICES_MAX);
  }

  /** The credential that a request brings, if it works; its use is in the audit once a day. */
  admit(hash: string, from: string | null): CredentialRecord | Refusal {
    const { credentials, audit } = this.#tables;
    const now = this.#now();
    const credential = credentials.working(hash, now);
    if (isRefusal(credential)) return credential;
    const { id, server, usedAt } = credential;
    // A clock that was set back must not write a row a request.
    if (usedAt !== null && Math.abs(now - usedAt) < USE_NOTED_EVERY_MS) return credential;
    this.#storage.transactionSync(() => {
      credentials.noteUse(id, from, now);
      const change = { credentialUsed: id, from };
      audit.write({ kind: "repository", actor: `credential ${id}`, allowedBy: `credential ${id}`, server, change }, now);
    });
    return credential;
  }

  #by(ask: Ask, server: string) {
    return { kind: "repository" as const, actor: `member ${ask.member.id}`, allowedBy: null, command: ask.command.name, server };
  }
}
