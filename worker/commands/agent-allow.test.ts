import { env, runInDurableObject } from "cloudflare:test";
import { expect, it } from "vitest";
import { BODY_SHA256_HEADER, PART_BYTES_MIN } from "../../schemas/index.ts";
import { guildOf } from "../env.ts";
import { tablesOf } from "../guild/tables.ts";
import { PERMISSION, run, snowflake, textOf } from "../testing/interactions.ts";
import { serverNamed, sha256, TestAgent } from "../testing/test-agent.ts";

const HOME = "203.0.113.7";
const AWAY = "198.51.100.9";

async function problemOf(response: Response): Promise<string> {
  const { code, message } = (await response.json()) as { code: string; message: string };
  return `${response.status} ${code}: ${message}`;
}

/** A guild with an agent that calls from home. */
async function atHome(): Promise<{ guild: string; agent: TestAgent }> {
  const guild = snowflake();
  const agent = await TestAgent.enrolled({ guild }, "Base", [serverNamed("island")]);
  agent.address = HOME;
  await agent.refresh();
  await agent.poll();
  return { guild, agent };
}

function allow(guild: string, addresses?: string, id?: string) {
  return run({ guild }, "agent allow", { host: "Base", ...(addresses === undefined ? {} : { addresses }) }, id);
}

it("keeps a host out by every route that calls from elsewhere, and names the address", async () => {
  const { guild, agent } = await atHome();
  const upload = await agent.upload("island", "island-20261122T143501Z.zip", new TextEncoder().encode("a world"));
  await run({ guild }, "backup now", { server: "island" });
  const job = await agent.takeJob();
  const begun = (await (
    await agent.call("POST", "/v1/archives", { server: "island", name: "island-20261122T143502Z.zip", partBytes: PART_BYTES_MIN })
  ).json()) as { upload: string };
  const rotation = await agent.rotation(await import("../testing/test-agent.ts").then(({ newKeys }) => newKeys()));
  expect(textOf(await allow(guild, "203.0.113.0/24, 2001:db8::/64"))).toContain("may call from these addresses only");
  const body = new TextEncoder().encode("part");
  const hashed = { headers: { [BODY_SHA256_HEADER]: await sha256(body), "content-length": "4" } };
  const complete = { parts: [{ partNumber: 1, etag: "x" }], bytes: 1, sha256: "0".repeat(64) };
  const routes: Record<string, () => Promise<Response>> = {
    token: async () => agent.tokenResponse(await agent.assertion()),
    rotate: () => agent.rotate(rotation),
    poll: () => agent.pollResponse({ running: [{ job: job.id, lease: job.lease }] }),
    "held poll": () => agent.pollResponse({ wait: 20, running: [{ job: job.id, lease: job.lease }] }),
    progress: () => agent.progress(job, 1, 2),
    result: () => agent.result(job, { state: "cancelled" }),
    report: () => agent.call("POST", "/v1/reports", { key: "island/by-hand", kind: "run", run: RUN, outcome: { state: "started" } }),
    "begin upload": () =>
      agent.call("POST", "/v1/archives", { server: "island", name: "island-20261122T143503Z.zip", partBytes: PART_BYTES_MIN }),
    part: () => agent.call("PUT", `/v1/archives/${begun.upload}/parts/1`, body, hashed),
    manifest: () => agent.call("PUT", `/v1/archives/${begun.upload}/manifest`, body, hashed),
    complete: () => agent.call("POST", `/v1/archives/${begun.upload}/complete`, complete),
    abort: () => agent.call("DELETE", `/v1/archives/${begun.upload}`),
    read: () => agent.call("GET", `/v1/archives/${upload}`),
    "read manifest": () => agent.call("GET", `/v1/archives/${upload}/manifest`),
  };
  agent.address = AWAY;
  // Whoever does not hold the key does not hear of the list.
  const forged = (await agent.assertion()).replace(/.$/, (last) => (last === "A" ? "Q" : "A"));
  expect(await problemOf(await agent.tokenResponse(forged))).toContain("401 assertion-invalid");
  for (const [route, call] of Object.entries(routes)) {
    expect(await problemOf(await call()), route).toContain(`403 address-not-allowed: This host may not call from ${AWAY}`);
  }
  agent.address = HOME;
  for (const route of ["token", "poll", "progress", "part", "abort", "read", "rotate"]) {
    const { status } = (await routes[route]?.()) ?? { status: 0 };
    expect([200, 204], route).toContain(status);
  }
});

const RUN = { server: "island", schedule: "nightly", nominal: 1_700_000_000_000, startedAt: 1_700_000_000_000, catchUp: false };

it("holds for IPv6, and for IPv4 in IPv6's clothes", async () => {
  const { guild, agent } = await atHome();
  await allow(guild, "2001:db8:7::/48 203.0.113.7");
  for (const [address, status] of [
    ["2001:db8:7:ffff::1", 204],
    ["::ffff:203.0.113.7", 204],
    ["2001:db8:8::1", 403],
    ["203.0.113.8", 403],
    ["not an address", 403],
  ] as const) {
    agent.address = address;
    expect((await agent.pollResponse()).status, address).toBe(status);
  }
});

it("ends a held poll, which is refused when it comes anew from elsewhere", async () => {
  const { guild, agent } = await atHome();
  const held = agent.pollResponse({ wait: 30 });
  await new Promise((resolve) => setTimeout(resolve, 200));
  await allow(guild, AWAY);
  expect((await held).status).toBe(204);
  expect((await agent.pollResponse({ wait: 30 })).status).toBe(403);
});

it("lifts the list when no address is given", async () => {
  const { guild, agent } = await atHome();
  await allow(guild, AWAY);
  expect((await agent.pollResponse()).status).toBe(403);
  expect(textOf(await allow(guild))).toContain("Base may call from everywhere");
  expect((await agent.pollResponse()).status).toBe(204);
});

it("warns when the host's last address is not on the list", async () => {
  const { guild } = await atHome();
  const warned = textOf(await allow(guild, AWAY));
  expect(warned).toContain(`It called last from \`${HOME}\`, which is not on the list`);
  expect(textOf(await allow(guild, "203.0.113.0/24"))).not.toContain("⚠️");
});

it.each([
  ["203.0.113.7, home, 1.2.3", "**home** is neither"],
  ["203.0.113.7/33", "**203.0.113.7/33** is neither"],
  [Array.from({ length: 21 }, (_, index) => `192.0.2.${index}`).join(","), "These are 21 addresses and ranges; a host may have 20"],
])("refuses %s and changes nothing", async (addresses, words) => {
  const { guild, agent } = await atHome();
  await allow(guild, "203.0.113.0/24");
  expect(textOf(await allow(guild, addresses))).toContain(words);
  expect((await agent.pollResponse()).status).toBe(204);
  agent.address = AWAY;
  expect((await agent.pollResponse()).status).toBe(403);
});

it("shows in /agent list from where a host calls and may call", async () => {
  const { guild } = await atHome();
  expect(textOf(await run({ guild }, "agent list"))).toContain(`from \`${HOME}\``);
  await allow(guild, "192.0.2.1,192.0.2.3,192.0.2.5,192.0.2.7,203.0.113.7");
  expect(textOf(await run({ guild }, "agent list"))).toContain("only from `192.0.2.1`, `192.0.2.3`, `192.0.2.5` and 2 more");
});

it("is for owners, and needs a host that is there", async () => {
  const { guild } = await atHome();
  const denied = await run({ guild, permissions: PERMISSION.manageGuild }, "agent allow", { host: "Base" });
  expect(textOf(denied)).toContain("permission-missing");
  expect(textOf(await run({ guild }, "agent allow", { host: "Nowhere" }))).toContain("host-not-found");
});

it("writes down what was changed, once, and does not bring an old list back when its interaction comes again", async () => {
  const { guild, agent } = await atHome();
  const [first, second] = [snowflake(), snowflake()];
  await allow(guild, HOME, first);
  await allow(guild, AWAY, second);
  expect(textOf(await allow(guild, HOME, first))).toContain(AWAY);
  expect((await agent.pollResponse()).status).toBe(403);
  const changes = await runInDurableObject(guildOf(env, guild), (_, state) => {
    const { rows } = tablesOf(state.storage.sql).audit.page({}, { limit: 100, offset: 0 });
    return rows.map(({ entry }) => entry.change).filter((change) => change !== undefined && "allowlistOf" in change);
  });
  expect(changes).toEqual([
    { allowlistOf: "Base", from: [HOME], to: [AWAY] },
    { allowlistOf: "Base", from: [], to: [HOME] },
  ]);
});
