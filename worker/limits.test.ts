import { env } from "cloudflare:test";
import { expect, it } from "vitest";
import config from "../wrangler.toml?raw";
import { FORGERIES_PER_REPORT } from "./guild/incident-rules.ts";
import { LIMIT_PERIOD_S } from "./limits.ts";
import { ADDRESS, commandBody, newAddress, ORIGIN, send, sign, signed, snowflake, worker } from "./testing/interactions.ts";
import { enroll, newKeys, TestAgent } from "./testing/test-agent.ts";

/** What wrangler.toml says of one limit. */
function limitOf(name: string): number {
  const found = new RegExp(`name = "${name}"\\nnamespace_id = "\\d+"\\nsimple = \\{ limit = (\\d+), period = ${LIMIT_PERIOD_S} \\}`).exec(
    config,
  );
  return Number(found?.[1]);
}

/** Sends the same until it is too much; answers how many came through, and what the last one got. */
async function until429(send: () => Promise<Response>, most: number): Promise<{ before: number; response: Response }> {
  for (let before = 0; before <= most; before += 1) {
    const response = await send();
    if (response.status === 429) return { before, response };
    await response.body?.cancel();
  }
  throw new Error(`nothing was too much in ${most} requests`);
}

const at = (address: string, path: string, init: RequestInit = {}) =>
  worker(new Request(`${ORIGIN}${path}`, { ...init, headers: { ...init.headers, [ADDRESS]: address } }));

/** A minute's limit may begin anew in between, so twice as many have to be enough. */
const most = (name: string) => 2 * limitOf(name) + 1;

async function expectTooMany(response: Response): Promise<void> {
  expect([response.status, response.headers.get("retry-after")]).toEqual([429, String(LIMIT_PERIOD_S)]);
  expect(await response.json()).toMatchObject({ code: "too-many-requests", message: expect.stringContaining("60 seconds") });
}

it("limits enrolments by address, and an IPv6 address by its network", async () => {
  const keys = await newKeys();
  let last = 0;
  const { before, response } = await until429(() => {
    last += 1;
    return enroll("nonsense", keys, {}, { address: `2001:db8:e:1::${last.toString(16)}` });
  }, most("LIMIT_ENROL"));
  expect(before).toBeGreaterThanOrEqual(limitOf("LIMIT_ENROL"));
  await expectTooMany(response);
  expect((await enroll("nonsense", keys, {}, { address: "2001:db8:e:2::1" })).status).toBe(401);
});

it("limits token requests for one host of one address, and leaves other hosts and addresses alone", async () => {
  const guild = snowflake();
  const [agent, neighbour] = [await TestAgent.enrolled({ guild }, "Base"), await TestAgent.enrolled({ guild }, "Neighbour")];
  const forged = (await agent.assertion()).replace(/.$/, (end) => (end === "A" ? "Q" : "A"));
  const { before, response } = await until429(() => agent.tokenResponse(forged), most("LIMIT_TOKEN_OF_HOST"));
  expect(before).toBeGreaterThanOrEqual(limitOf("LIMIT_TOKEN_OF_HOST") - 1);
  await expectTooMany(response);
  neighbour.address = agent.address;
  expect((await neighbour.tokenResponse(await neighbour.assertion())).status).toBe(200);
  agent.address = newAddress();
  expect((await agent.tokenResponse(await agent.assertion())).status).toBe(200);
});

it("has room for a thousand agents behind one address that all want a token at once", () => {
  expect(limitOf("LIMIT_TOKEN")).toBeGreaterThanOrEqual(2000);
});

it("limits wrong signatures by address, and never what Discord has signed", async () => {
  const address = newAddress();
  const timestamp = String(Math.floor(Date.now() / 1000));
  const headers = { "x-signature-ed25519": "0".repeat(128), "x-signature-timestamp": timestamp };
  const forged = () => at(address, "/interactions", { method: "POST", body: '{"type":1}', headers });
  const { before, response } = await until429(forged, most("LIMIT_FAILURES"));
  expect(before).toBeGreaterThanOrEqual(limitOf("LIMIT_FAILURES"));
  await expectTooMany(response);
  for (let index = 0; index < 20; index += 1) {
    const genuine = await signed('{"type":1}');
    genuine.headers.set(ADDRESS, address);
    expect((await worker(genuine)).status).toBe(200);
  }
  // Other failures have a count of their own.
  expect((await at(address, "/nowhere")).status).toBe(404);
});

it("limits missing headers, old timestamps and bodies that are too large like wrong signatures", async () => {
  const address = newAddress();
  const old = String(Math.floor(Date.now() / 1000) - 1000);
  const kinds: RequestInit[] = [
    { method: "POST", body: "{}" },
    { method: "POST", body: "{}", headers: { "x-signature-ed25519": await sign("{}", old), "x-signature-timestamp": old } },
    {
      method: "POST",
      body: "x".repeat(300_000),
      headers: { "x-signature-ed25519": "0".repeat(128), "x-signature-timestamp": String(Math.floor(Date.now() / 1000)) },
    },
  ];
  let count = 0;
  const { before } = await until429(() => {
    count += 1;
    return at(address, "/interactions", kinds[count % kinds.length]);
  }, most("LIMIT_FAILURES"));
  expect(before).toBeGreaterThanOrEqual(limitOf("LIMIT_FAILURES"));
});

it.each([
  ["unknown routes", "/wp-admin", {}],
  ["wrong access tokens", "/v1/poll", { authorization: `Bearer ${"x".repeat(40)}` }],
  ["missing access tokens", "/v1/nowhere", {}],
])("limits %s by address", async (_, path, headers) => {
  const address = newAddress();
  const { before, response } = await until429(() => at(address, path, { headers }), most("LIMIT_FAILURES"));
  expect(before).toBeGreaterThanOrEqual(limitOf("LIMIT_FAILURES"));
  await expectTooMany(response);
  expect((await at(newAddress(), path, { headers })).status).not.toBe(429);
});

it("does not limit a host whose address has failed too often", async () => {
  const agent = await TestAgent.enrolled({ guild: snowflake() }, "Base");
  await until429(() => at(agent.address, "/v1/poll", { method: "POST" }), most("LIMIT_FAILURES"));
  expect((await agent.pollResponse()).status).toBe(204);
  expect((await at(agent.address, "/healthz")).status).toBe(200);
});

it("does not limit members, whose commands all come from Discord's addresses", async () => {
  const answers = await Promise.all(Array.from({ length: 150 }, () => send(commandBody({ guild: GUILD }, "help"))));
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
});

const GUILD = snowflake();

it("counts a report of forgeries for as many as an address may fail", () => {
  expect(FORGERIES_PER_REPORT).toBe(limitOf("LIMIT_FAILURES"));
});

it("has all its limits bound", () => {
  for (const name of ["LIMIT_ENROL", "LIMIT_TOKEN", "LIMIT_TOKEN_OF_HOST", "LIMIT_FAILURES", "LIMIT_FORGERIES"] as const) {
    expect(limitOf(name), name).toBeGreaterThan(0);
    expect(typeof env[name].limit, name).toBe("function");
  }
});
