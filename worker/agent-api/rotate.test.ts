import { env, runInDurableObject } from "cloudflare:test";
import { expect, it } from "vitest";
import { guildOf } from "../env.ts";
import { tablesOf } from "../guild/tables.ts";
import { fillIn, run, snowflake, textOf } from "../testing/interactions.ts";
import { newKeys, publicKeyOf, TestAgent } from "../testing/test-agent.ts";

async function codeOf(response: Response): Promise<string> {
  return `${response.status} ${((await response.json()) as { code?: string }).code}`;
}

async function agentIn(guild = snowflake()): Promise<TestAgent> {
  return TestAgent.enrolled({ guild }, "Base");
}

it("puts the new key in the place of the old one: only the new one signs for tokens", async () => {
  const agent = await agentIn();
  const before = await agent.assertion();
  const keys = await newKeys();
  const rotated = await agent.rotate(await agent.rotation(keys));
  expect([rotated.status, await rotated.json()]).toEqual([200, { rotated: true }]);
  expect(await codeOf(await agent.tokenResponse(before))).toBe("401 assertion-invalid");
  expect(await codeOf(await agent.tokenResponse(await agent.assertion()))).toBe("401 assertion-invalid");
  agent.useKeys(keys);
  expect((await agent.tokenResponse(await agent.assertion())).status).toBe(200);
});

it("leaves access tokens good that were issued before", async () => {
  const agent = await agentIn();
  await agent.rotate(await agent.rotation(await newKeys()));
  expect((await agent.pollResponse()).status).toBe(204);
});

it("answers the same request the same, also long after it took effect, and acts once", async () => {
  const guild = snowflake();
  const agent = await agentIn(guild);
  const keys = await newKeys();
  // As signed when it was made, which is too long ago for a first time.
  const old = Math.floor(Date.now() / 1000) - 3600;
  const late = await agent.rotation(keys, { old: { iat: old }, own: { iat: old } });
  expect(await codeOf(await agent.rotate(late))).toBe("401 clock-skew");
  const request = await agent.rotation(keys);
  expect((await agent.rotate(request)).status).toBe(200);
  const again = await agent.rotate(request);
  expect([again.status, await again.json()]).toEqual([200, { rotated: true }]);
  expect((await agent.rotate(late)).status).toBe(200);
  expect(await audited(guild)).toHaveLength(1);
});

it("writes down who changed which key, and /agent list shows when", async () => {
  const guild = snowflake();
  const agent = await agentIn(guild);
  expect(textOf(await run({ guild }, "agent list"))).not.toContain("key changed");
  const keys = await newKeys();
  await agent.rotate(await agent.rotation(keys));
  expect(textOf(await run({ guild }, "agent list"))).toContain("key changed <t:");
  expect(await audited(guild)).toEqual([{ rotatedKeyOf: "Base", newKey: await publicKeyOf(keys) }]);
});

it("refuses a new key that the old one did not sign, or that is not held", async () => {
  const guild = snowflake();
  const agent = await agentIn(guild);
  const other = await TestAgent.enrolled({ guild }, "Other");
  const keys = await newKeys();
  const good = await agent.rotation(keys);
  const lies = {
    "signed by another host's key": { ...good, proof: (await other.rotation(keys)).proof },
    "proof of another key": { ...good, ownProof: good.proof },
    "another new key": { ...good, publicKey: await publicKeyOf(await newKeys()) },
    "another origin": await agent.rotation(keys, { old: { aud: "https://elsewhere.test" } }),
    "another host": await agent.rotation(keys, { old: { host: other.host }, own: { host: other.host } }),
    "no time": await agent.rotation(keys, { own: { iat: undefined } }),
    rubbish: { ...good, proof: "a.b.c" },
    "no signature": { ...good, proof: `${good.proof.slice(0, good.proof.lastIndexOf("."))}.` },
  };
  for (const [what, request] of Object.entries(lies)) expect(await codeOf(await agent.rotate(request)), what).toBe("401 proof-invalid");
  expect(await codeOf(await agent.rotate({ ...good, publicKey: "short" }))).toBe("400 body-invalid");
  expect((await agent.tokenResponse(await agent.assertion())).status).toBe(200);
  expect(await audited(guild)).toEqual([]);
});

it("says by how much the clock is off only to whoever holds the key", async () => {
  const agent = await agentIn();
  const ahead = { iat: Math.floor(Date.now() / 1000) + 400 };
  const response = await agent.rotate(await agent.rotation(await newKeys(), { old: ahead, own: ahead }));
  expect(((await response.json()) as { message: string }).message).toMatch(/is (399|400) s ahead/);
});

it("lets the conditional update decide when two rotations come at the same time", async () => {
  const guild = snowflake();
  const agent = await agentIn(guild);
  const keys = await Promise.all([newKeys(), newKeys(), newKeys(), newKeys()]);
  const requests = await Promise.all(keys.map((one) => agent.rotation(one)));
  const answers = await Promise.all(requests.map((request) => agent.rotate(request).then((response) => response.status)));
  expect(answers.filter((status) => status === 200)).toHaveLength(1);
  expect(answers.filter((status) => status === 401)).toHaveLength(3);
  expect(await audited(guild)).toHaveLength(1);
});

it("is not for hosts whose access was revoked", async () => {
  const guild = snowflake();
  const agent = await agentIn(guild);
  const request = await agent.rotation(await newKeys());
  await fillIn({ guild }, `revoke/${agent.host}`, { name: "Base" });
  expect(await codeOf(await agent.rotate(request))).toBe("401 host-revoked");
});

/** What the audit says of rotations. */
function audited(guild: string): Promise<unknown[]> {
  return runInDurableObject(guildOf(env, guild), (_, state) => {
    const { audit } = tablesOf(state.storage.sql);
    const changes = audit.page({}, { limit: 100, offset: 0 }).rows.map(({ entry }) => entry.change);
    return changes.filter((change) => change !== undefined && "rotatedKeyOf" in change);
  });
}
