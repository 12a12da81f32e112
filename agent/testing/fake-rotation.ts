import { compactVerify, decodeJwt } from "jose";
import { type HostId, rotateRequest } from "../../schemas/index.ts";
import { type Answer, type Asked, refused } from "./fake-http.ts";
import { type FakeHost, keyOf } from "./fake-worker.ts";

/** Changes of hosts' keys, as `schemas/poll.ts` says the Worker treats them. */
export class FakeRotation {
  readonly #worker: { readonly origin: string; readonly hosts: ReadonlyMap<HostId, FakeHost> };
  /** How often a key was changed. */
  rotated = 0;

  constructor(worker: { readonly origin: string; readonly hosts: ReadonlyMap<HostId, FakeHost> }) {
    this.#worker = worker;
  }

  async rotate({ body, headers }: Asked): Promise<Answer> {
    const { publicKey, proof, ownProof } = rotateRequest.parse(JSON.parse(body.toString()));
    const host = this.#worker.hosts.get(String(decodeJwt(headers.authorization?.slice("Bearer ".length) ?? "").sub) as HostId);
    if (host === undefined) return refused(401, "host-unknown");
    if (!(await this.#holds(ownProof, publicKey, host, publicKey))) return refused(401, "proof-invalid");
    // The same request again: the key that it brings is in use already.
    if (host.publicKey === publicKey) return { status: 200, json: { rotated: true } };
    if (!(await this.#holds(proof, host.publicKey, host, publicKey))) return refused(401, "proof-invalid");
    host.publicKey = publicKey;
    this.rotated += 1;
    return { status: 200, json: { rotated: true } };
  }

  async #holds(jws: string, key: string, host: FakeHost, next: string): Promise<boolean> {
    try {
      const { payload } = await compactVerify(jws, await keyOf(key), { algorithms: ["EdDSA"] });
      const claims = JSON.parse(new TextDecoder().decode(payload)) as Record<string, unknown>;
      return claims.aud === this.#worker.origin && claims.host === host.id && claims.key === next && typeof claims.iat === "number";
    } catch {
      return false;
    }
  }
}
