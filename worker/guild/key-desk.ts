import type { Instant, RotateRequest } from "../../schemas/index.ts";
import { ASSERTION_LIFE_S } from "../../schemas/index.ts";
import { proofProblem, readAssertion, saysAll } from "../agent-api/assertion-rules.ts";
import { claimsSignedBy } from "../agent-api/tokens.ts";
import type { Refusal } from "../refusals.ts";
import { isRefusal, refuse } from "../refusals.ts";
import type { HostCall } from "./host-call.ts";
import type { HostRecord } from "./hosts.ts";
import type { IncidentKind } from "./incident-rules.ts";
import type { Tables } from "./tables.ts";

export interface KeyDeskParts {
  storage: DurableObjectStorage;
  tables: Tables;
  now: () => Instant;
  /** Why a host may not act, or null. */
  cutOff: (from: HostCall) => Refusal | null;
  /** Counts an incident. */
  note: (kind: IncidentKind, who: string) => void;
}

/**
 * What hosts sign with their keys: client assertions and rotations. Signatures are checked here and not in the Worker, so that a token
 * costs one call of this object and not two.
 */
export class KeyDesk {
  readonly #parts: KeyDeskParts;

  constructor(parts: KeyDeskParts) {
    this.#parts = parts;
  }

  /** Whether a host may have an access token for a client assertion. Each assertion is good once. */
  async admit(from: HostCall, assertion: string, origin: string): Promise<{ admitted: true } | Refusal> {
    const { tables, now, note } = this.#parts;
    const key = this.#keyOf(from);
    if (isRefusal(key)) return key;
    const claims = await claimsSignedBy(key.publicKey, assertion);
    const read = claims === null ? refuse("assertion-invalid") : readAssertion(claims, { origin, host: from.host }, now() / 1000);
    if (isRefusal(read)) {
      // A wrong clock is a fault and no attack.
      if (read.refused !== "clock-skew") note("bad-credential", `host ${from.host}`);
      return read;
    }
    // Only now, so that an address counts as the host's own; and the host may have been cut off while the signature was checked,
    const cut = this.#parts.cutOff(from);
    if (cut !== null) return cut;
    // or its key been rotated.
    if (tables.hosts.byId(from.host)?.publicKey !== key.publicKey) return refuse("assertion-invalid");
    const used = tables.hosts.useAssertion(from.host, read, from.address, now());
    if (used === "fresh") return { admitted: true };
    // One that could not be remembered must not be taken.
    if (used === "full") return refuse("too-many-requests", { seconds: String(ASSERTION_LIFE_S) });
    note("replay", `host ${from.host}`);
    return refuse("assertion-replayed");
  }

  /** Puts a new key in the place of the one in use. The same request again is answered the same, also after it took effect. */
  async rotate(from: HostCall, { publicKey, proof, ownProof }: RotateRequest, origin: string): Promise<{ rotated: true } | Refusal> {
    const { now, note } = this.#parts;
    const key = this.#keyOf(from);
    if (isRefusal(key)) return key;
    const expected = { origin, host: from.host, key: publicKey };
    const own = await claimsSignedBy(publicKey, ownProof);
    const done = key.publicKey === publicKey;
    // Changes nothing, so it does not matter when it was signed.
    if (done && own !== null && saysAll(own, expected)) return { rotated: true };
    const old = done ? null : await claimsSignedBy(key.publicKey, proof);
    const problems = [old, own].map((claims) => (claims === null ? refuse("proof-invalid") : proofProblem(claims, expected, now() / 1000)));
    const problem = problems.find((one) => one !== null);
    if (problem !== undefined) {
      if (problem.refused !== "clock-skew") note("bad-credential", `host ${from.host}`);
      return problem;
    }
    return this.#replace(from, key, publicKey);
  }

  /** The conditional update decides when two rotations come at the same time. */
  #replace(from: HostCall, host: HostRecord, to: string): { rotated: true } | Refusal {
    const { storage, tables, now } = this.#parts;
    const cut = this.#parts.cutOff(from);
    if (cut !== null) return cut;
    const rotated = storage.transactionSync(() => {
      if (!tables.hosts.rotateKey(host.id, { from: host.publicKey, to }, now())) return false;
      const change = { rotatedKeyOf: host.name, newKey: to };
      tables.audit.write({ kind: "host", actor: `host ${host.id}`, allowedBy: "the key before", host: host.id, change }, now());
      return true;
    });
    return rotated || tables.hosts.byId(host.id)?.publicKey === to ? { rotated: true } : refuse("proof-invalid");
  }

  #keyOf({ host }: HostCall): HostRecord | Refusal {
    const record = this.#parts.tables.hosts.access(host);
    if (isRefusal(record) && record.refused === "host-unknown") this.#parts.note("bad-credential", `host ${host}`);
    return record;
  }
}
