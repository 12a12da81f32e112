import { env, runInDurableObject } from "cloudflare:test";
import { describe, expect, it } from "vitest";
import { PART_BYTES_MIN } from "../../schemas/index.ts";
import { randomNumbers } from "../../schemas/testing/random.ts";
import type { Env } from "../env.ts";
import { guildOf } from "../env.ts";
import type { Guild } from "../guild/guild.ts";
import { WRITE_EVERY_MS } from "../guild/security-desk.ts";
import { tablesOf } from "../guild/tables.ts";
import { snowflake } from "../testing/interactions.ts";
import { backupResultOf, serverNamed, TestAgent } from "../testing/test-agent.ts";
import { trickIn } from "./path-tricks.ts";

const SEED = Number((env as Env & { FUZZ_SEED?: string }).FUZZ_SEED ?? "20261122");

describe("a name that does not fit", () => {
  it.each(["../other", "a/b", "a\\b", "a\u0000b", "..", "a\nb", "%2e%2e", "..%2F", "a%5cb", "a%00b", "C:\\x", "a\u0085b"])(
    "%j is made to leave its place",
    (value) => expect(trickIn({ name: value }, [{ path: ["name"] }])).toEqual({ field: "name", value }),
  );

  it.each(["Island", "island backup", "a.b", "ü", "a%20b", "@everyone", "", "x".repeat(300)])("%j is only wrong", (value) =>
    expect(trickIn({ name: value }, [{ path: ["name"] }])).toBeUndefined(),
  );

  it("is looked at where names become paths, and not where people write", () => {
    const body = { servers: [{ id: "../x", name: "a/b" }], note: "../x", 3: "../x" };
    expect(trickIn(body, [{ path: ["note"] }, { path: ["servers", 0, "name"] }, { path: [3] }, { path: [] }])).toBeUndefined();
    expect(trickIn(body, [{ path: ["gone", "id"] }, { path: ["servers", 0, "id"] }])).toEqual({ field: "servers.0.id", value: "../x" });
  });

  it("is not looked for in what an object inherits, and is cut", () => {
    expect(trickIn({}, [{ path: ["constructor", "name"] }, { path: ["__proto__", "id"] }])).toBeUndefined();
    expect(trickIn({ id: `../${"x".repeat(1000)}` }, [{ path: ["id"] }])?.value).toHaveLength(200);
  });
});

it("is counted for the host that sent it, by every route that takes names", async () => {
  const guild = snowflake();
  const agent = await TestAgent.enrolled({ guild }, "Base", [serverNamed("island")]);
  await agent.poll();
  const name = "island-20261122T143501Z.zip";
  const tricks: [string, () => Promise<Response>, number][] = [
    ["archive", () => agent.call("POST", "/v1/archives", { server: "island", name: `../${name}`, partBytes: PART_BYTES_MIN }), 400],
    ["server", () => agent.call("POST", "/v1/archives", { server: "..", name, partBytes: PART_BYTES_MIN }), 400],
    ["announced", () => agent.pollResponse({ servers: [serverNamed("../x")] }), 400],
    ["running", () => agent.pollResponse({ running: [{ job: "job_../../../../../x", lease: "lease_0000000000000000" }] }), 400],
    ["upload", () => agent.call("GET", "/v1/archives/..%2f..%2fguilds"), 404],
    ["control character", () => agent.call("DELETE", "/v1/archives/upload_%00"), 404],
    ["job", () => agent.call("POST", "/v1/jobs/..%5c..%5cx/progress", { lease: "lease_0000000000000000", progress: PROGRESS }), 404],
    ["report", () => agent.call("POST", "/v1/reports", { key: "by-hand/1", kind: "backup", result: backupResultOf("../up") }), 400],
  ];
  for (const [index, [what, send, status]] of tricks.entries()) {
    expect((await send()).status, what).toBe(status);
    expect(await countIn(guild), what).toBe(index + 1);
    await later(guild);
  }
  // What is only wrong is not counted.
  expect((await agent.call("POST", "/v1/archives", { server: "Island", name, partBytes: 1 })).status).toBe(400);
  expect((await agent.call("GET", "/v1/archives/upload_x")).status).toBe(404);
  expect(await countIn(guild)).toBe(tricks.length);
  expect((await incident(guild))?.toldAt).not.toBeNull();
});

it(`answers 2,000 mutated requests of a host (seed ${SEED}) without a 5xx, and writes no key outside of its guild`, {
  timeout: 300_000,
}, async () => {
  const guild = snowflake();
  const agent = await TestAgent.enrolled({ guild }, "Base", [serverNamed("island")]);
  await agent.poll();
  const next = randomNumbers(SEED);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)] as T;
  const pieces = [
    "..",
    "/",
    "\\",
    "%2e%2e",
    "%2f",
    "\u0000",
    "island",
    "-20261122T143501Z",
    ".zip",
    "host_",
    "upload_",
    "0",
    "💥",
    " ",
    "'",
  ];
  const odd = () => Array.from({ length: 1 + Math.floor(next() * 5) }, () => pick(pieces)).join("");
  const seen: Record<string, number> = {};
  for (let round = 0; round < 2000; round += 1) {
    const token = odd();
    const send = pick([
      () =>
        agent.call("POST", "/v1/archives", {
          server: pick(["island", odd()]),
          name: pick([odd(), `island-20261122T1435${10 + (round % 50)}Z.zip`]),
          partBytes: PART_BYTES_MIN,
        }),
      () => agent.call(pick(["GET", "DELETE"]), `/v1/archives/${encodeURIComponent(token.toWellFormed())}`),
      () =>
        agent.call("POST", `/v1/jobs/${encodeURIComponent(token.toWellFormed())}/result`, {
          lease: odd(),
          outcome: { state: pick(["cancelled", odd()]) },
        }),
      () => agent.call("POST", "/v1/rotate", { publicKey: pick([odd(), "A".repeat(43)]), proof: odd(), ownProof: odd() }),
      async () =>
        agent.tokenResponse(
          (await agent.assertion({ jti: pick([odd(), 7, null, {}]), iat: pick([odd(), -1, 1e300]) })) + pick(["", odd()]),
        ),
      () => agent.pollResponse({ running: [{ job: odd(), lease: odd() }] }),
    ]);
    agent.address = `2001:db8:${(round >> 4).toString(16)}::1`;
    const response = await send();
    seen[response.status] = (seen[response.status] ?? 0) + 1;
    expect(response.status, `round ${round}: ${await response.clone().text()}`).toBeLessThan(500);
    await response.body?.cancel();
  }
  expect(Object.keys(seen)).toEqual(expect.arrayContaining(["400", "401", "404"]));
  const keys = (await env.BACKUPS.list()).objects.map(({ key }) => key);
  expect(keys.filter((key) => !/^(?:known-guilds\/\d+|guilds\/\d+\/archives\/island\/island-[0-9TZ]+\.zip)$/.test(key))).toEqual([]);
});

const PROGRESS = { phase: "archiving", done: 1, total: 2 };

function incident(guild: string) {
  return runInDurableObject(guildOf(env, guild), (_, state) => tablesOf(state.storage.sql).incidents.byKind("path-trick"));
}

/** How many were counted lately. */
async function countIn(guild: string): Promise<number> {
  return ((await incident(guild))?.steps ?? []).reduce((sum, [, many]) => sum + many, 0);
}

/** Lets time pass, so that the next count is written. */
function later(guild: string): Promise<void> {
  return runInDurableObject<Guild, void>(guildOf(env, guild), (instance) => {
    const at = instance.clock.now() + WRITE_EVERY_MS;
    instance.clock = { now: () => at };
  });
}
