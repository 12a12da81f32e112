import { env, listDurableObjectIds, runInDurableObject } from "cloudflare:test";
import { expect, it } from "vitest";
import { guildOf } from "../env.ts";
import { fillIn, ORIGIN, run, snowflake, textOf, worker } from "../testing/interactions.ts";
import { codeIn, enroll, newKeys, serverNamed, TestAgent } from "../testing/test-agent.ts";
import { issueToken } from "./tokens.ts";

async function codeOf(response: Response): Promise<string> {
  return `${response.status} ${((await response.json()) as { code: string }).code}`;
}

async function newCode(guild: string, name = "Base"): Promise<string> {
  return codeIn(textOf(await run({ guild }, "agent register", { name })));
}

it("enrols a host by the code that /agent register gave, and gives it tokens", async () => {
  const guild = snowflake();
  const agent = await TestAgent.enrolled({ guild }, "Base");
  expect((await agent.pollResponse()).status).toBe(204);
  expect(textOf(await run({ guild }, "agent list"))).toContain("Base");
});

it("gives the same code when Discord delivers the command twice", async () => {
  const guild = snowflake();
  const id = snowflake();
  const first = await run({ guild }, "agent register", { name: "Base" }, id);
  expect(await run({ guild }, "agent register", { name: "Base" }, id)).toEqual(first);
  expect(await newCode(guild)).not.toBe(codeIn(textOf(first)));
});

it("takes a code once", async () => {
  const code = await newCode(snowflake());
  expect((await enroll(code, await newKeys())).status).toBe(200);
  expect(await codeOf(await enroll(code, await newKeys()))).toBe("401 code-used");
});

it("takes a code for ten minutes", async () => {
  const guild = snowflake();
  const code = await newCode(guild);
  await runInDurableObject(guildOf(env, guild), (instance) => {
    instance.clock = { now: () => Date.now() + 10 * 60_000 + 1 };
  });
  expect(await codeOf(await enroll(code, await newKeys()))).toBe("401 code-expired");
});

it("refuses codes that it did not issue, without waking an object", async () => {
  const code = await newCode(snowflake());
  const [guild, tag = "", secret] = code.split("-");
  const keys = await newKeys();
  const otherTag = `${tag.startsWith("0") ? "1" : "0"}${tag.slice(1)}`;
  const before = (await listDurableObjectIds(env.GUILDS)).length;
  const strangersGuild = BigInt(snowflake()).toString(36);
  expect(await codeOf(await enroll(`${guild}-${otherTag}-${secret}`, keys))).toBe("401 code-invalid");
  expect(await codeOf(await enroll(`${strangersGuild}-${tag}-${secret}`, keys))).toBe("401 code-invalid");
  expect((await listDurableObjectIds(env.GUILDS)).length).toBe(before);
  expect(await codeOf(await enroll(`${guild}-${tag}-${"0".repeat(20)}`, keys))).toBe("401 code-invalid");
  expect(await codeOf(await enroll("nonsense", keys))).toBe("401 code-invalid");
});

it("refuses a key whose owner does not show that it holds it", async () => {
  const code = await newCode(snowflake());
  const keys = await newKeys();
  const other = await newKeys();
  expect(await codeOf(await enroll(code, { publicKey: keys.publicKey, privateKey: other.privateKey }))).toBe("401 proof-invalid");
  expect(await codeOf(await enroll(code, keys, { aud: "https://elsewhere.test" }))).toBe("401 proof-invalid");
  expect(await codeOf(await enroll(code, keys, { iat: "now" }))).toBe("401 proof-invalid");
  expect((await enroll(code, keys)).status).toBe(200);
});

it("refuses a host name that is in use, and keeps the code good for another try", async () => {
  const guild = snowflake();
  const second = await newCode(guild, "base");
  await TestAgent.enrolled({ guild }, "Base");
  expect(await codeOf(await enroll(second, await newKeys()))).toBe("409 host-name-taken");
  expect(textOf(await run({ guild }, "agent register", { name: "BASE" }))).toContain("host-name-taken");
});

it.each([
  ["another audience", {}, 0, { aud: "https://elsewhere.test/v1/token" }],
  ["an id that is too long", { jti: "x".repeat(65) }, 0, {}],
  ["an end that has passed", { exp: Math.floor(Date.now() / 1000) - 61 }, 0, {}],
  ["a made-up tenant", { tenant: "abc-00000000" }, 0, {}],
  ["no tenant", { tenant: undefined }, 0, {}],
])("gives no token for %s", async (_, claims, age, lie) => {
  const agent = await TestAgent.enrolled({ guild: snowflake() }, "Base");
  expect(await codeOf(await agent.tokenResponse(await agent.assertion(claims, age, lie)))).toBe("401 assertion-invalid");
});

it("gives no token to a host that another host's key signs for", async () => {
  const guild = snowflake();
  const mine = await TestAgent.enrolled({ guild }, "Mine");
  const other = await TestAgent.enrolled({ guild }, "Other");
  expect(await codeOf(await other.tokenResponse(await other.assertion({}, 0, { as: mine })))).toBe("401 assertion-invalid");
  expect((await mine.tokenResponse(await mine.assertion())).status).toBe(200);
});

it("knows no host of another guild", async () => {
  const agent = await TestAgent.enrolled({ guild: snowflake() }, "Base");
  const elsewhere = await TestAgent.enrolled({ guild: snowflake() }, "Base");
  expect(await codeOf(await agent.tokenResponse(await agent.assertion({ tenant: elsewhere.tenant })))).toBe("401 host-unknown");
});

it("refuses other grants, rubbish and bodies that are too large", async () => {
  const post = (body: BodyInit) => worker(new Request(`${ORIGIN}/v1/token`, { method: "POST", body }));
  expect(await codeOf(await post("grant_type=password"))).toBe("400 grant-unsupported");
  expect(await codeOf(await post("x".repeat(9000)))).toBe("413 body-too-large");
  const agent = await TestAgent.enrolled({ guild: snowflake() }, "Base");
  expect(await codeOf(await agent.tokenResponse("a.b.c"))).toBe("401 assertion-invalid");
  expect(await codeOf(await worker(new Request(`${ORIGIN}/v1/enroll`, { method: "POST", body: "{" })))).toBe("400 body-invalid");
  expect(await codeOf(await worker(new Request(`${ORIGIN}/v1/enroll`, { method: "POST", body: "{}" })))).toBe("400 body-invalid");
  expect(await codeOf(await worker(new Request(`${ORIGIN}/v1/enroll`, { method: "POST", body: "x".repeat(2_100_000) })))).toBe(
    "413 body-too-large",
  );
});

it("lets nobody poll without a token, with a forged one, or with one that has run out", async () => {
  const poll = (authorization?: string) =>
    worker(new Request(`${ORIGIN}/v1/poll`, { method: "POST", body: "{}", headers: authorization === undefined ? {} : { authorization } }));
  expect(await codeOf(await poll())).toBe("401 token-missing");
  expect(await codeOf(await poll("Bearer abc"))).toBe("401 token-missing");
  const caller = { guild: snowflake(), host: "host_0000000000000000" };
  const forged = await issueToken("another secret that is also long enough to sign", ORIGIN, caller);
  expect(await codeOf(await poll(`Bearer ${forged}`))).toBe("401 token-invalid");
  const elsewhere = await issueToken(env.TOKEN_SECRET, "https://elsewhere.test", caller);
  expect(await codeOf(await poll(`Bearer ${elsewhere}`))).toBe("401 token-invalid");
  const real = await issueToken(env.TOKEN_SECRET, ORIGIN, caller);
  const later = Date.now() + 16 * 60_000;
  const RealDate = Date;
  globalThis.Date = class extends RealDate {
    constructor(...given: [] | [number]) {
      super(...((given.length === 0 ? [later] : given) as [number]));
    }
  } as DateConstructor;
  try {
    expect(await codeOf(await poll(`Bearer ${real}`))).toBe("401 token-expired");
  } finally {
    globalThis.Date = RealDate;
  }
});

it("cuts a revoked host off at once: its held poll ends, its token is dead, its servers leave", async () => {
  const guild = snowflake();
  const agent = await TestAgent.enrolled({ guild }, "Base", [serverNamed("island")]);
  await agent.poll();
  const held = agent.pollResponse({ wait: 30 });
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(await fillIn({ guild }, `revoke/${agent.host}`, { name: "wrong" })).toMatchObject({
    data: { embeds: [{ footer: { text: "name-mismatch" } }] },
  });
  const asked = await run({ guild }, "agent revoke", { host: "base" });
  expect(asked.type).toBe(9);
  expect(asked.data.custom_id).toBe(`revoke/${agent.host}`);
  expect(textOf(await fillIn({ guild }, asked.data.custom_id, { name: "BASE" }))).toContain("no access any more");
  expect(await codeOf(await held)).toBe("401 host-revoked");
  expect(await codeOf(await agent.pollResponse())).toBe("401 host-revoked");
  expect(await codeOf(await agent.tokenResponse(await agent.assertion()))).toBe("401 host-revoked");
  const body = { server: "island", name: "island-20261122T143501Z.zip", partBytes: 8 * 1024 * 1024 };
  expect(await codeOf(await agent.call("POST", "/v1/archives", body))).toBe("401 host-revoked");
  expect(textOf(await run({ guild }, "status"))).toContain("No servers yet");
  expect(textOf(await run({ guild }, "agent revoke", { host: "Base" }))).toContain("host-not-found");
});

it("frees the server ids of a revoked host for another one that wanted them", async () => {
  const guild = snowflake();
  const first = await TestAgent.enrolled({ guild }, "First", [serverNamed("island")]);
  await first.poll();
  const second = await TestAgent.enrolled({ guild }, "Second", [serverNamed("island")]);
  expect((await second.poll()).problems).toEqual([expect.objectContaining({ code: "server-taken" })]);
  await fillIn({ guild }, `revoke/${first.host}`, { name: "First" });
  expect(textOf(await run({ guild }, "status"))).toContain("No servers yet");
  expect((await second.poll()).problems).toEqual([]);
  expect(textOf(await run({ guild }, "backup now", { server: "island" }))).toContain("is waiting");
});
