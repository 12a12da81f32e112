import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { createHash, createPublicKey, verify } from "node:crypto";
import { beforeEach, expect, it } from "vitest";
import type { AuditHead, AuditHeader, AuditRow } from "../../schemas/index.ts";
import { AUDIT_GENESIS, auditHead, auditHeader, auditMarkText, auditRow, auditRowText, canonicalJson } from "../../schemas/index.ts";
import { guildOf } from "../env.ts";
import { discordEdge } from "../testing/discord-edge.ts";
import { commandBody, envelope, PERMISSION, press, run, send, snowflake, textOf } from "../testing/interactions.ts";
import { TEST_BINDINGS } from "../testing/settings.ts";
import { backupResultOf, serverNamed, succeeded, TestAgent } from "../testing/test-agent.ts";
import { AUDIT_KEEP_MAX, AUDIT_KEEP_MS } from "./audit.ts";
import type { Guild } from "./guild.ts";
import { tablesOf } from "./tables.ts";

let guild = "";
beforeEach(() => {
  guild = snowflake();
});

interface Export {
  header: AuditHeader;
  rows: AuditRow[];
  head: AuditHead;
}

/** Presses Export and reads the file. */
async function exported(enough = (calls: number): boolean => calls === 1): Promise<Export> {
  const pressed = envelope(3, { guild }, { custom_id: "auditfile/all", component_type: 2 });
  const response = await send({ ...pressed, message: { id: "1" } });
  expect(await response.json()).toEqual({ type: 5, data: { flags: 64 } });
  const path = `/webhooks/${TEST_BINDINGS.DISCORD_APPLICATION_ID}/${pressed.token}/messages/@original`;
  await expect.poll(() => enough(discordEdge.calls(path).length), { timeout: 15_000 }).toBe(true);
  const file = discordEdge.calls(path)[0]?.files?.[0];
  if (file === undefined) throw new Error("no file came");
  expect(file.name).toBe(`reconsync-audit-${guild}.jsonl`);
  const lines = (await file.text())
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  return {
    header: auditHeader.parse(lines[0]),
    rows: lines.slice(1, -1).map((line) => auditRow.parse(line)),
    head: auditHead.parse(lines.at(-1)),
  };
}

/** Follows the chain by other code than the agent's. */
function checked({ header, rows, head }: Export): void {
  let { seq, hash } = header.after;
  for (const row of rows) {
    expect(row.seq).toBe(seq + 1);
    hash = createHash("sha256").update(auditRowText(hash, row)).digest("hex");
    expect(row.hash).toBe(hash);
    seq = row.seq;
  }
  expect(head).toMatchObject({ seq, hash });
  for (const mark of [head, ...(header.checkpoint === null ? [] : [header.checkpoint])]) {
    const key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x: mark.publicKey }, format: "jwk" });
    const bytes = Buffer.from(mark.signature, "base64url");
    expect(verify(null, Buffer.from(auditMarkText(guild, mark)), key, bytes)).toBe(true);
  }
}

const inGuild = (work: (tables: ReturnType<typeof tablesOf>, instance: Guild) => void | Promise<void>) =>
  runInDurableObject<Guild, void>(guildOf(env, guild), (instance, state) => work(tablesOf(state.storage.sql), instance));

it("tells what happened, newest first, by member and by server", async () => {
  const agent = await TestAgent.enrolled({ guild, id: "41" }, "Basement", [serverNamed("island", { store: "local" })]);
  await agent.poll();
  await run({ guild, id: "42" }, "backup now", { server: "island" });
  await agent.result(await agent.takeJob(), succeeded(backupResultOf("island")));
  await run({ guild, id: "43" }, "config set", { timezone: "Europe/Berlin" });
  await run({ guild, id: "44", permissions: PERMISSION.none }, "config set", { timezone: "UTC" });
  const all = textOf(await run({ guild }, "audit"));
  expect(all).toMatch(/<@44>.*\/config set.*refused.*<@43>.*Europe\/Berlin.*<@42>.*\/backup now.*island/s);
  expect(textOf(await run({ guild }, "audit", { member: "43" }))).not.toContain("/backup now");
  expect(textOf(await run({ guild }, "audit", { server: "island" }))).not.toContain("Europe/Berlin");
});

it("pages with its buttons, and keeps the filter", async () => {
  for (let at = 0; at < 25; at += 1) await run({ guild, id: "42" }, "status");
  for (let at = 0; at < 15; at += 1)
    await inGuild((tables) => tables.audit.write({ kind: "command", actor: "member 42", allowedBy: "everybody" }, at));
  const first = await run({ guild }, "audit", { member: "42" });
  const older = first.data.components[0]?.components.find(({ label }) => label === "Older");
  expect(older?.custom_id).toBe("audit/1/42/");
  expect((await press({ guild }, older?.custom_id ?? "")).data.embeds[0]?.footer?.text).toMatch(/page 2 of 2/);
});

it("exports a chain that can be followed, with a signed head", async () => {
  await TestAgent.enrolled({ guild }, "Basement");
  await run({ guild }, "config set", { timezone: "Europe/Berlin" });
  const file = await exported();
  expect(file.header).toMatchObject({ guild, after: { seq: 0, hash: AUDIT_GENESIS }, checkpoint: null });
  expect(file.rows.map((row) => row.seq)).toEqual(file.rows.map((_, index) => index + 1));
  checked(file);
  expect(textOf(await run({ guild }, "audit"))).toContain(file.head.publicKey);
});

it("gives each guild a key of its own", async () => {
  await run({ guild }, "status");
  const one = (await exported()).head.publicKey;
  guild = snowflake();
  await run({ guild }, "status");
  expect((await exported()).head.publicKey).not.toBe(one);
});

it("trims by number and by age, and goes on from a signed checkpoint", async () => {
  await run({ guild }, "status");
  const start = Date.now();
  const STEP_MS = 10_000;
  await inGuild((tables) => {
    for (let at = 0; at < AUDIT_KEEP_MAX + 600; at += 1)
      tables.audit.write({ kind: "job", actor: "guild", allowedBy: null }, start + at * STEP_MS);
  });
  await arm(start + (AUDIT_KEEP_MAX + 600) * STEP_MS);
  const byCount = await exported();
  checked(byCount);
  expect(byCount.header.checkpoint?.seq).toBe(byCount.header.after.seq);
  expect(byCount.rows.length).toBeLessThanOrEqual(AUDIT_KEEP_MAX + 1);

  await arm(start + AUDIT_KEEP_MS + 2 * 24 * 60 * 60_000);
  const byAge = await exported();
  checked(byAge);
  expect(byAge.header.checkpoint?.seq).toBeGreaterThan(byCount.header.checkpoint?.seq ?? 0);
  expect(byAge.rows.length).toBeLessThan(4000);
  expect(byAge.header.after.seq).toBe(byAge.header.checkpoint?.seq);
});

/** Lets the object's alarm run at another time. */
async function arm(at: number): Promise<void> {
  await inGuild(async (_, instance) => {
    instance.clock = { now: () => at };
    await instance.alarm();
  });
  await runDurableObjectAlarm(guildOf(env, guild));
}

it("cuts what is too long for a note", async () => {
  await run({ guild }, "status");
  await inGuild((tables) =>
    tables.audit.write({ kind: "setting", actor: "guild", allowedBy: null, change: { text: "x".repeat(10_000) } }, 1),
  );
  const file = await exported();
  checked(file);
  expect(JSON.stringify(file.rows).length).toBeLessThan(4000);
});

it("lets only owners look", async () => {
  const body = commandBody({ guild, permissions: PERMISSION.manageGuild }, "audit");
  expect(await (await send(body)).text()).toContain("permission-missing");
  const button = {
    ...envelope(3, { guild, permissions: PERMISSION.manageGuild }, { custom_id: "auditfile/all", component_type: 2 }),
    message: { id: "1" },
  };
  expect(await (await send(button)).text()).toContain("permission-missing");
});

it("writes the same value as the same text", () => {
  expect(canonicalJson({ b: [1, { d: null, c: "é\n" }], a: undefined, aa: true })).toBe('{"aa":true,"b":[1,{"c":"é\\n","d":null}]}');
});

it("tries again when Discord does not take the file", async () => {
  await run({ guild }, "status");
  let refused = 2;
  discordEdge.answer(() => (refused-- > 0 ? new Response(null, { status: 500 }) : Response.json({ id: "1" })));
  try {
    expect((await exported((calls) => calls === 3)).head.seq).toBeGreaterThan(0);
  } finally {
    discordEdge.reset();
  }
});
