import { env } from "cloudflare:test";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { issueToken } from "../agent-api/tokens.ts";
import { ADDRESS, ORIGIN, snowflake, worker } from "../testing/interactions.ts";
import type { TestAgent } from "../testing/test-agent.ts";
import { sha256 } from "../testing/test-agent.ts";
import type { Caller } from "./testing/repository-scene.ts";
import { BASE, content, hostWith, put, ResticProgram, said } from "./testing/repository-scene.ts";

/** What nobody gets with an agent's token: nothing that is stored is changed or taken away, and nothing but a file of one's own repository is reached. */

const TYPES = ["data", "index", "snapshots", "keys"] as const;
/** Longer than a token lives, in milliseconds. */
const LATER_MS = 16 * 60_000;

let guild = "";
let host: Caller;
let agent: TestAgent;
/** Every object of the guild before the test, by its key, with the hash of its content. */
let before: Record<string, string>;
let names: Record<string, string>;

beforeEach(async () => {
  const scene = await hostWith();
  ({ guild, host, agent } = scene);
  names = {};
  for (const [at, type] of [...TYPES, "locks"].entries()) names[type] = (await put(host, type, content(100 + at))).name;
  await host.call("POST", `${BASE}/config`, content(99));
  before = await stored();
});

async function stored(of = guild): Promise<Record<string, string>> {
  const { objects } = await env.BACKUPS.list({ prefix: `guilds/${of}/` });
  const entries = objects.map(async ({ key }) => {
    const object = await env.BACKUPS.get(key);
    return [key, await sha256(new Uint8Array((await object?.arrayBuffer()) ?? new ArrayBuffer()))] as const;
  });
  return Object.fromEntries(await Promise.all(entries));
}

/** Nothing came, nothing went, and every byte is as it was. */
async function expectUntouched(): Promise<void> {
  expect(await stored()).toEqual(before);
  expect(Object.keys(before)).toHaveLength(TYPES.length + 2);
}

describe.each([...TYPES, "config"] as const)("a file of type %s", (type) => {
  const path = () => (type === "config" ? `${BASE}/config` : `${BASE}/${type}/${names[type]}`);

  it("is not deleted", async () => {
    expect(await said(await host.call("DELETE", path()))).toBe("403 repository-append-only");
    await expectUntouched();
  });

  it("is not overwritten, by POST, PUT or PATCH, with bytes of the same length or another", async () => {
    for (const length of [60, 99, 100, 101, 102, 103, 104]) {
      const other = content(length, 9);
      expect(await said(await host.call("POST", path(), other)), `${length}`).toBe("403 repository-file-exists");
      for (const method of ["PUT", "PATCH"]) expect((await host.call(method, path(), other)).status, method).toBe(404);
    }
    await expectUntouched();
  });

  it.runIf(type !== "config")("is not stored under another name than its hash", async () => {
    const wrong = await sha256(content(70, 3));
    expect(await said(await host.call("POST", `${BASE}/${type}/${wrong}`, content(70, 4)))).toBe("400 repository-file-mismatch");
    await expectUntouched();
  });

  it("is neither read nor written nor deleted by another guild's host, or by another host of the guild", async () => {
    for (const of of [guild, snowflake()]) {
      const { host: stranger } = await hostWith(of, "Stranger", "hills");
      for (const [method, body] of [["GET"], ["POST", content(70, 5)], ["DELETE"]] as const)
        expect(await said(await stranger.call(method, path(), body)), method).toBe("403 server-not-yours");
    }
    await expectUntouched();
  });

  it("is not written with a credential that reads only", async () => {
    const reader = await ResticProgram.allowed(guild, {});
    const fresh = content(70, 6);
    const target = type === "config" ? path() : `${BASE}/${type}/${await sha256(fresh)}`;
    expect(await said(await reader.call("POST", target, fresh))).toBe("403 credential-read-only");
    expect(await said(await reader.call("DELETE", path()))).toBe("403 repository-append-only");
    await expectUntouched();
  });
});

it("a lock is deleted, and nothing else is by its name", async () => {
  for (const type of TYPES) expect((await host.call("DELETE", `${BASE}/${type}/${names.locks}`)).status, type).toBe(403);
  await expectUntouched();
  expect((await host.call("DELETE", `${BASE}/locks/${names.locks}`)).status).toBe(200);
  expect(Object.keys(await stored())).toHaveLength(TYPES.length + 1);
});

it.each([
  ["dots", (name: string) => `${BASE}/data/../keys/${name}`],
  ["encoded dots", (name: string) => `${BASE}/data/%2e%2e/keys/${name}`],
  ["encoded dots that leave the repository", (name: string) => `${BASE}/data/%2e%2e/%2e%2e/hills/data/${name}`],
  ["half encoded dots", (name: string) => `${BASE}/data/.%2e/keys/${name}`],
  ["doubly encoded dots", (name: string) => `${BASE}/data/%252e%252e%252fkeys/${name}`],
  ["an encoded slash", (name: string) => `${BASE}/data%2f${name}`],
  ["an encoded backslash", (name: string) => `${BASE}/data/..%5ckeys%5c${name}`],
  ["two slashes", (name: string) => `${BASE}/data//${name}`],
  ["a NUL", (name: string) => `${BASE}/data/${name}%00`],
  ["a NUL before", (name: string) => `${BASE}/data/%00${name}`],
  ["a line feed", (name: string) => `${BASE}/data/${name}%0a`],
  ["upper case", (name: string) => `${BASE}/data/${name.toUpperCase()}`],
  ["an upper-case type", (name: string) => `${BASE}/DATA/${name}`],
  ["a name that is too long", (name: string) => `${BASE}/data/${name}0`],
  ["a name that is much too long", (name: string) => `${BASE}/data/${name.repeat(30)}`],
  ["a name that is too short", (name: string) => `${BASE}/data/${name.slice(1)}`],
  ["an unknown type", (name: string) => `${BASE}/secrets/${name}`],
  ["a type of an object", (name: string) => `${BASE}/__proto__/${name}`],
  ["a folder of packs", (name: string) => `${BASE}/data/${name.slice(0, 2)}/${name}`],
  ["another config", () => `${BASE}/config/config`],
  ["a full-width letter", (name: string) => `${BASE}/data/${encodeURIComponent("ａ")}${name.slice(1)}`],
])("nothing is stored, found or deleted by a path with %s", async (_, pathFor) => {
  const bytes = content(80, 8);
  const path = pathFor(await sha256(bytes));
  for (const [method, body] of [["POST", bytes], ["PUT", bytes], ["GET"], ["HEAD"], ["DELETE"]] as const) {
    const { status } = await host.call(method, path, body);
    // Dots that the address itself resolves make it another address: that of a key, which may be stored, or of somebody else's server.
    if (/\/(?:\.\.|%2e%2e|\.%2e)\/keys\//.test(path)) expect([200, 403, 404], `${method} ${path}`).toContain(status);
    else expect([403, 404], `${method} ${path}`).toContain(status);
  }
  const after = await stored();
  for (const key of Object.keys(after))
    expect(key).toMatch(
      new RegExp(`^guilds/${guild}/repositories/island/(?:config|(?:data/[0-9a-f]{2}|index|snapshots|keys|locks)/[0-9a-f]{64})$`),
    );
  expect(after).toMatchObject(before);
  if (!path.includes("/keys/")) await expectUntouched();
});

describe("a token", () => {
  const get = (token: string, address: string) =>
    worker(new Request(`${ORIGIN}${BASE}/config`, { headers: { authorization: `Bearer ${token}`, [ADDRESS]: address } }));

  it("that has run out opens nothing", async () => {
    const token = await issueToken(env.TOKEN_SECRET, ORIGIN, { guild, host: agent.host });
    expect((await get(token, agent.address)).status).toBe(200);
    vi.useFakeTimers({ now: Date.now() + LATER_MS, toFake: ["Date"] });
    try {
      expect(await said(await get(token, agent.address))).toBe("401 token-expired");
    } finally {
      vi.useRealTimers();
    }
  });

  it("of another guild, of another service, or made with another secret opens nothing", async () => {
    const caller = { guild, host: agent.host };
    const forged = await issueToken("another secret that is also long enough to sign", ORIGIN, caller);
    const elsewhere = await issueToken(env.TOKEN_SECRET, "https://elsewhere.test", caller);
    for (const token of [forged, elsewhere]) expect(await said(await get(token, agent.address))).toBe("401 token-invalid");
    const foreign = await issueToken(env.TOKEN_SECRET, ORIGIN, { guild: snowflake(), host: agent.host });
    expect((await get(foreign, agent.address)).status).toBe(401);
  });

  it("is not given twice for one sign-in", async () => {
    const used = await agent.assertion();
    expect((await agent.tokenResponse(used)).status).toBe(200);
    expect(await said(await agent.tokenResponse(used))).toBe("401 assertion-replayed");
  });
});
