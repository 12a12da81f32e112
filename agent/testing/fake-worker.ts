import { errors, importJWK, jwtVerify, SignJWT } from "jose";
import {
  ACCESS_TOKEN_LIFE_S,
  ASSERTION_LIFE_S,
  CLIENT_ASSERTION_TYPE,
  enrollRequest,
  type Heartbeat,
  type HostId,
  newId,
  randomText,
} from "../../schemas/index.ts";
import { FakeArchives } from "./fake-archives.ts";
import { type Answer, type Asked, FakeHttp, refused } from "./fake-http.ts";
import { FakeJobs } from "./fake-jobs.ts";
import { FakeRotation } from "./fake-rotation.ts";

export interface FakeHost {
  id: HostId;
  tenant: string;
  publicKey: string;
  heartbeat: Heartbeat;
  revoked: boolean;
}

/** May answer in place of the stand-in. */
export type Fault = (asked: Asked) => Answer | undefined | Promise<Answer | undefined>;

/**
 * Stands for the Worker in tests of the agent: a real HTTP server with the routes of `schemas/`, real signature checks, and everything
 * in memory. One guild.
 */
export class FakeWorker {
  readonly jobs = new FakeJobs();
  readonly archives = new FakeArchives();
  readonly rotation = new FakeRotation(this);
  readonly hosts = new Map<HostId, FakeHost>();
  /** Every request, in order. */
  readonly log: { method: string; path: string; userAgent: string | undefined }[] = [];
  readonly tenant = `12345678-${randomText(8)}`;
  /** Asked first, for every request. */
  fault: Fault | undefined;
  /** Says, once a request was carried out, whether its answer is lost on the way. */
  loses: (asked: Asked) => boolean = () => false;
  /** How far this Worker's clock is ahead of ours, in milliseconds. */
  aheadMs = 0;
  tokensIssued = 0;
  /** Requests that came with a token that was not good. */
  tokensRefused = 0;
  readonly #http = new FakeHttp((asked) => this.#handle(asked));
  readonly #codes = new Map<string, "new" | "used">();
  readonly #seenAssertions = new Set<string>();
  #secret = crypto.getRandomValues(new Uint8Array(32));

  static async start(): Promise<FakeWorker> {
    const worker = new FakeWorker();
    await worker.start();
    return worker;
  }

  get origin(): string {
    return this.#http.origin;
  }

  /** What went wrong inside the stand-in itself, such as a body that no schema takes. */
  get errors(): readonly unknown[] {
    return this.#http.errors;
  }

  /** Again on the same port, when it was stopped before. */
  start(): Promise<void> {
    return this.#http.start();
  }

  stop(): Promise<void> {
    return this.#http.stop();
  }

  newCode(): string {
    const code = `${this.tenant}-${randomText(20)}`;
    this.#codes.set(code, "new");
    return code;
  }

  revokeAll(): void {
    for (const host of this.hosts.values()) host.revoked = true;
  }

  /** Every access token that is out there stops being good. */
  dropTokens(): void {
    this.#secret = crypto.getRandomValues(new Uint8Array(32));
  }

  async #handle(asked: Asked): Promise<Answer> {
    const { method, path, headers } = asked;
    this.log.push({ method, path, userAgent: headers["user-agent"] });
    const answer = (await this.fault?.(asked)) ?? (await this.#answer(asked));
    const date = new Date(Date.now() + this.aheadMs).toUTCString();
    return { ...answer, headers: { date, ...answer.headers }, lost: answer.lost === true || this.loses(asked) };
  }

  async #answer(asked: Asked): Promise<Answer> {
    const { path } = asked;
    if (path === "/v1/enroll") return this.#enroll(asked);
    if (path === "/v1/token") return this.#token(asked);
    const refusal = await this.#authenticate(asked);
    return refusal ?? this.#route(asked);
  }

  #route(asked: Asked): Answer | Promise<Answer> {
    const { method, path } = asked;
    if (method === "POST" && path === "/v1/poll") return this.jobs.poll(asked);
    if (method === "POST" && path === "/v1/rotate") return this.rotation.rotate(asked);
    if (method === "POST" && path === "/v1/reports") return this.jobs.report(asked);
    if (method === "POST" && path === "/v1/archives") return this.archives.begin(asked);
    const [, jobId, verb] = /^\/v1\/jobs\/(job_[0-9a-z]{16})\/(progress|result)$/.exec(path) ?? [];
    if (method === "POST" && jobId !== undefined)
      return verb === "progress" ? this.jobs.progress(jobId, asked) : this.jobs.result(jobId, asked);
    const [, upload, rest] = /^\/v1\/archives\/(upload_[0-9a-z]{16})(.*)$/.exec(path) ?? [];
    if (upload !== undefined) return this.archives.handle(upload, rest ?? "", asked);
    return refused(404, "not-found");
  }

  async #enroll({ body }: Asked): Promise<Answer> {
    const { code, publicKey, proof, heartbeat } = enrollRequest.parse(JSON.parse(body.toString()));
    const state = this.#codes.get(code);
    if (state !== "new") return refused(401, state === undefined ? "code-invalid" : "code-used");
    try {
      const { payload } = await jwtVerify(proof, await keyOf(publicKey), {
        audience: this.origin,
        algorithms: ["EdDSA"],
        maxTokenAge: "60s",
      });
      if (payload.code !== code) return refused(401, "proof-invalid");
    } catch {
      return refused(401, "proof-invalid");
    }
    this.#codes.set(code, "used");
    const host: FakeHost = { id: newId("host"), tenant: this.tenant, publicKey, heartbeat, revoked: false };
    this.hosts.set(host.id, host);
    return { status: 200, json: { host: host.id, tenant: host.tenant, name: "test host" } };
  }

  async #token({ body, headers }: Asked): Promise<Answer> {
    if (headers["content-type"]?.startsWith("application/x-www-form-urlencoded") !== true) return refused(400, "body-invalid");
    const form = new URLSearchParams(body.toString());
    if (form.get("grant_type") !== "client_credentials" || form.get("client_assertion_type") !== CLIENT_ASSERTION_TYPE) {
      return refused(400, "grant-unsupported");
    }
    const assertion = form.get("client_assertion") ?? "";
    const claims: unknown = JSON.parse(Buffer.from(assertion.split(".")[1] ?? "", "base64url").toString() || "{}");
    const host = this.hosts.get(String((claims as { sub?: string }).sub));
    if (host === undefined) return refused(401, "host-unknown");
    if (host.revoked) return refused(401, "host-revoked");
    try {
      const { payload } = await jwtVerify(assertion, await keyOf(host.publicKey), {
        issuer: host.id,
        subject: host.id,
        audience: `${this.origin}/v1/token`,
        algorithms: ["EdDSA"],
        requiredClaims: ["jti", "iat", "exp"],
        maxTokenAge: `${ASSERTION_LIFE_S}s`,
        currentDate: new Date(Date.now() + this.aheadMs),
      });
      if (payload.tenant !== host.tenant || this.#seenAssertions.has(String(payload.jti))) return refused(401, "assertion-invalid");
      this.#seenAssertions.add(String(payload.jti));
    } catch (error) {
      const late = error instanceof errors.JWTExpired;
      const early = error instanceof errors.JWTClaimValidationFailed && error.claim === "iat";
      return refused(401, late || early ? "clock-skew" : "assertion-invalid");
    }
    this.tokensIssued += 1;
    const token = await new SignJWT()
      .setProtectedHeader({ alg: "HS256" })
      .setSubject(host.id)
      .setIssuedAt()
      .setExpirationTime("15m")
      .sign(this.#secret);
    return { status: 200, json: { access_token: token, token_type: "Bearer", expires_in: ACCESS_TOKEN_LIFE_S } };
  }

  async #authenticate({ headers }: Asked): Promise<Answer | undefined> {
    const token = /^Bearer (.+)$/.exec(headers.authorization ?? "")?.[1];
    if (token === undefined) return refused(401, "token-missing");
    try {
      const { payload } = await jwtVerify(token, this.#secret);
      const host = this.hosts.get(String(payload.sub));
      return host?.revoked === false ? undefined : refused(401, "host-revoked");
    } catch {
      this.tokensRefused += 1;
      return refused(401, "token-invalid");
    }
  }
}

export function keyOf(publicKey: string) {
  return importJWK({ kty: "OKP", crv: "Ed25519", x: publicKey }, "EdDSA");
}
