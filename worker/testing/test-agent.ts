import { CompactSign, exportJWK, generateKeyPair } from "jose";
import type {
  AnnouncedServer,
  ArchiveBackup,
  BackupResult,
  Heartbeat,
  Job,
  Outcome,
  PollRequest,
  PollResponse,
  RotateRequest,
  ServerStatus,
  SnapshotBackup,
} from "../../schemas/index.ts";
import { BODY_SHA256_HEADER, CLIENT_ASSERTION_TYPE, PART_BYTES_MIN } from "../../schemas/index.ts";
import { hex } from "../agent-api/tenant.ts";
import type { Member } from "./interactions.ts";
import { ADDRESS, newAddress, ORIGIN, run, textOf, worker } from "./interactions.ts";

export const HEARTBEAT = { agentVersion: "0.1.0", platform: "linux", arch: "x64", startedAt: 1_700_000_000_000, configHash: "c" } as const;

export function serverNamed(id: string, more: Partial<AnnouncedServer> = {}): AnnouncedServer {
  return { id, name: `The ${id}`, game: "valheim", gameName: "Valheim", store: "r2", retention: { keepLast: 10 }, ...more };
}

/** A host as the Worker sees it over HTTP: a real key, real assertions, real requests. */
export class TestAgent {
  #keys: CryptoKeyPair;
  /** From where it calls, as Cloudflare's edge says. */
  address = newAddress();
  readonly host: string;
  readonly tenant: string;
  servers: AnnouncedServer[];
  #token = "";

  private constructor(keys: CryptoKeyPair, host: string, tenant: string, servers: AnnouncedServer[]) {
    this.#keys = keys;
    this.host = host;
    this.tenant = tenant;
    this.servers = servers;
  }

  /** By the real flow: `/agent register`, then the code. */
  static async enrolled(member: Member, name: string, servers: AnnouncedServer[] = []): Promise<TestAgent> {
    const code = codeIn(textOf(await run(member, "agent register", { name })));
    const keys = await newKeys();
    const response = await enroll(code, keys);
    if (response.status !== 200) throw new Error(`enrolment got ${response.status}: ${await response.text()}`);
    const { host, tenant } = (await response.json()) as { host: string; tenant: string };
    const agent = new TestAgent(keys, host, tenant, servers);
    await agent.refresh();
    return agent;
  }

  /** A client assertion; `as` and `aud` make it lie. */
  async assertion(claims: Record<string, unknown> = {}, age = 0, lie: { as?: TestAgent; aud?: string } = {}): Promise<string> {
    const host = lie.as?.host ?? this.host;
    const now = Math.floor(Date.now() / 1000) - age;
    const aud = lie.aud ?? `${ORIGIN}/v1/token`;
    const honest = { tenant: this.tenant, iss: host, sub: host, aud, jti: crypto.randomUUID(), iat: now, exp: now + 60 };
    return signWith(this.#keys, { ...honest, ...claims });
  }

  async tokenResponse(assertion: string): Promise<Response> {
    const form = { grant_type: "client_credentials", client_assertion_type: CLIENT_ASSERTION_TYPE, client_assertion: assertion };
    const headers = { [ADDRESS]: this.address };
    return worker(new Request(`${ORIGIN}/v1/token`, { method: "POST", headers, body: new URLSearchParams(form) }));
  }

  async refresh(): Promise<void> {
    const response = await this.tokenResponse(await this.assertion());
    if (response.status !== 200) throw new Error(`no token: ${response.status} ${await response.text()}`);
    this.#token = ((await response.json()) as { access_token: string }).access_token;
  }

  /** What puts another key in the place of this one. `lies` change what the keys sign. */
  async rotation(to: CryptoKeyPair, lies: { old?: Record<string, unknown>; own?: Record<string, unknown> } = {}): Promise<RotateRequest> {
    const publicKey = await publicKeyOf(to);
    const claims = { aud: ORIGIN, host: this.host, key: publicKey, iat: Math.floor(Date.now() / 1000) };
    const proof = await signWith(this.#keys, { ...claims, ...lies.old });
    return { publicKey, proof, ownProof: await signWith(to, { ...claims, ...lies.own }) };
  }

  rotate(request: RotateRequest): Promise<Response> {
    return this.call("POST", "/v1/rotate", request);
  }

  /** Signs with another key from now on. */
  useKeys(keys: CryptoKeyPair): void {
    this.#keys = keys;
  }

  async call(
    method: string,
    path: string,
    body?: unknown,
    init: { signal?: AbortSignal; headers?: Record<string, string> } = {},
  ): Promise<Response> {
    const raw = body instanceof Uint8Array || body instanceof ReadableStream ? body : body === undefined ? undefined : JSON.stringify(body);
    return worker(
      new Request(`${ORIGIN}${path}`, {
        method,
        headers: {
          authorization: `Bearer ${this.#token}`,
          [ADDRESS]: this.address,
          ...(body === undefined ? {} : { "content-type": "application/json" }),
          ...init.headers,
        },
        ...(raw === undefined ? {} : { body: raw }),
        ...(init.signal === undefined ? {} : { signal: init.signal }),
      }),
    );
  }

  async pollResponse(more: Partial<PollRequest> = {}): Promise<Response> {
    const request = { protocol: 1, heartbeat: HEARTBEAT, servers: this.servers, status: [], running: [], wait: 0, room: 4, ...more };
    return this.call("POST", "/v1/poll", request);
  }

  async poll(more: Partial<PollRequest> = {}): Promise<PollResponse> {
    const response = await this.pollResponse(more);
    if (response.status === 204) return { jobs: [], cancel: [], problems: [] };
    if (response.status !== 200) throw new Error(`the poll got ${response.status}: ${await response.text()}`);
    return response.json();
  }

  /** Polls until there is a job of that kind. */
  async takeJob(kind: Job["kind"] = "backup"): Promise<Job> {
    const job = (await this.poll()).jobs.find((one) => one.kind === kind);
    if (job === undefined) throw new Error(`there is no ${kind} job`);
    return job;
  }

  progress(job: { id: string; lease: string }, done: number, total: number): Promise<Response> {
    return this.call("POST", `/v1/jobs/${job.id}/progress`, { lease: job.lease, progress: { phase: "archiving", done, total } });
  }

  result(job: { id: string; lease: string }, outcome: Outcome): Promise<Response> {
    return this.call("POST", `/v1/jobs/${job.id}/result`, { lease: job.lease, outcome });
  }

  /** Uploads an archive of some bytes and answers its upload id. */
  async upload(server: string, name: string, content: Uint8Array, job?: { id: string; lease: string }): Promise<string> {
    const begun = await this.call("POST", "/v1/archives", {
      server,
      name,
      partBytes: PART_BYTES_MIN,
      ...(job === undefined ? {} : { job: { id: job.id, lease: job.lease } }),
    });
    if (begun.status !== 200) throw new Error(`the upload was refused: ${begun.status} ${await begun.text()}`);
    const { upload } = (await begun.json()) as { upload: string };
    const parts = [];
    for (let offset = 0, number = 1; offset < content.byteLength; offset += PART_BYTES_MIN, number += 1) {
      const body = content.slice(offset, offset + PART_BYTES_MIN);
      const response = await this.call("PUT", `/v1/archives/${upload}/parts/${number}`, body, {
        headers: { [BODY_SHA256_HEADER]: await sha256(body) },
      });
      if (response.status !== 200) throw new Error(`a part was refused: ${response.status} ${await response.text()}`);
      parts.push(await response.json());
    }
    const manifest = new Uint8Array([31, 139, 8, 0]);
    const put = await this.call("PUT", `/v1/archives/${upload}/manifest`, manifest, {
      headers: { [BODY_SHA256_HEADER]: await sha256(manifest), "content-length": "4" },
    });
    if (put.status !== 200) throw new Error(`the manifest was refused: ${put.status} ${await put.text()}`);
    const done = await this.call("POST", `/v1/archives/${upload}/complete`, {
      parts,
      bytes: content.byteLength,
      sha256: await sha256(content),
    });
    if (done.status !== 200) throw new Error(`the upload was not completed: ${done.status} ${await done.text()}`);
    return upload;
  }
}

export function signWith(keys: CryptoKeyPair, claims: Record<string, unknown>): Promise<string> {
  return new CompactSign(new TextEncoder().encode(JSON.stringify(claims))).setProtectedHeader({ alg: "EdDSA" }).sign(keys.privateKey);
}

export function newKeys(): Promise<CryptoKeyPair> {
  return generateKeyPair("EdDSA", { crv: "Ed25519", extractable: true }) as Promise<CryptoKeyPair>;
}

export async function publicKeyOf(keys: CryptoKeyPair): Promise<string> {
  return (await exportJWK(keys.publicKey)).x ?? "";
}

export async function enroll(
  code: string,
  keys: CryptoKeyPair,
  claims: Record<string, unknown> = {},
  more: { heartbeat?: Heartbeat; address?: string } = {},
): Promise<Response> {
  const proof = await signWith(keys, { aud: ORIGIN, code, iat: Math.floor(Date.now() / 1000), ...claims });
  const body = { code, publicKey: await publicKeyOf(keys), proof, heartbeat: more.heartbeat ?? HEARTBEAT };
  const headers = { [ADDRESS]: more.address ?? newAddress() };
  return worker(new Request(`${ORIGIN}/v1/enroll`, { method: "POST", headers, body: JSON.stringify(body) }));
}

/** The enrolment code in the answer to `/agent register`. */
export function codeIn(text: string): string {
  const code = /enroll \S+ ([0-9a-z-]+)/.exec(text)?.[1];
  if (code === undefined) throw new Error(`there is no code in ${text}`);
  return code;
}

export async function sha256(bytes: Uint8Array): Promise<string> {
  return hex(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)));
}

export function backupResultOf(server: string, more: Partial<ArchiveBackup> = {}): ArchiveBackup {
  return {
    format: "zip",
    server,
    archive: `${server}-20261122T143501Z.zip`,
    store: "local",
    place: "/srv/backups",
    bytes: 1_400_000_000,
    sourceBytes: 2_800_000_000,
    files: 1234,
    startedAt: Date.now() - 125_000,
    durationMs: 125_000,
    sha256: "0".repeat(64),
    consistency: "stable",
    torn: [],
    tornCount: 0,
    pruned: [],
    warnings: [],
    ...more,
  };
}

/** A snapshot of which little was new. */
export function snapshotResultOf(server: string, more: Partial<SnapshotBackup> = {}): SnapshotBackup {
  const { server: id, sourceBytes, files, startedAt, durationMs, consistency, torn, tornCount, pruned, warnings } = backupResultOf(server);
  return {
    ...{ server: id, sourceBytes, files, startedAt, durationMs, consistency, torn, tornCount, pruned, warnings },
    format: "repository",
    snapshot: "f".repeat(64),
    store: "r2",
    place: "R2",
    bytes: 20_000_000,
    newBytes: 28_000_000,
    repositoryBytes: 1_500_000_000,
    ...more,
  };
}

export function succeeded(result: BackupResult): Outcome {
  return { state: "succeeded", kind: "backup", result };
}

export function statusOfServer(server: string, more: Partial<ServerStatus> = {}): ServerStatus {
  return {
    server,
    at: Date.now(),
    process: { state: "running", pid: 1, cpuPercent: 42, memoryBytes: 2_000_000_000, uptimeSeconds: 3600 },
    port: { state: "open", number: 2456, protocol: "udp" },
    query: { state: "answered", players: { online: 3, max: 10, names: ["Ragnar"] } },
    worldDisk: { freeBytes: 50_000_000_000, totalBytes: 100_000_000_000 },
    problems: [],
    ...more,
  };
}
