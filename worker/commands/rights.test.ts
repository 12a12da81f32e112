import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeEach, expect, it } from "vitest";
import { guildOf } from "../env.ts";
import type { Tier } from "../guild/access-rules.ts";
import { TIERS } from "../guild/access-rules.ts";
import type { Guild } from "../guild/guild.ts";
import type { Member } from "../testing/interactions.ts";
import { answerOf, commandBody, fillIn, PERMISSION, press, run, send, snowflake, textOf } from "../testing/interactions.ts";
import { serverNamed, TestAgent } from "../testing/test-agent.ts";
import { BUTTONS, COMMANDS, FORMS } from "./index.ts";
import { OptionType } from "./options.ts";

const ROLE = "600000000000000001";
let guild = "";

beforeEach(async () => {
  guild = snowflake();
  const agent = await TestAgent.enrolled({ guild }, "Basement", [serverNamed("island"), serverNamed("ridge")]);
  await agent.poll();
});

/** A value that fits each option of a command. */
function valuesFor(name: string): Record<string, unknown> {
  const found = COMMANDS.find((one) => one.name === name);
  const values = Object.entries(found?.options ?? {}).filter(([, option]) => option.required);
  return Object.fromEntries(
    values.map(([option, { type, choices }]) => {
      if (option === "server") return [option, "island"];
      if (option === "host") return [option, "Basement"];
      if (choices !== undefined) return [option, choices[0]?.value];
      if (type === OptionType.mentionable || type === OptionType.role) return [option, ROLE];
      if (type === OptionType.integer) return [option, 1];
      if (option === "backup") return [option, "backup_0000000000000000"];
      return [option, option === "job" ? "job_0000000000000000" : "1"];
    }),
  );
}

async function codeOf(member: Omit<Member, "guild">, name: string, values = valuesFor(name)): Promise<string> {
  const body = commandBody({ guild, ...member }, name, values);
  Object.assign(body.data as object, { resolved: { roles: { [ROLE]: { id: ROLE } } } });
  const answer = await answerOf(await send(body));
  const footer = answer.data.embeds?.[0]?.footer?.text ?? "";
  if (footer.startsWith("permission-missing")) expect(answer.data.flags, `/${name} must refuse in private`).toBe(64);
  return footer.startsWith("permission-missing") ? "refused" : "done";
}

const PERMISSIONS: Record<Tier, string> = { user: PERMISSION.none, admin: PERMISSION.manageGuild, owner: PERMISSION.administrator };
const TABLE = COMMANDS.flatMap(({ name, tier }) => (["user", "admin", "owner"] as const).map((held) => [name, tier, held] as const));

it.each(TABLE)("/%s (tier %s) for a member whom Discord's permissions or a grant make %s", async (name, needed, held) => {
  const expected = TIERS[held].rank >= TIERS[needed].rank ? "done" : "refused";
  expect(await codeOf({ permissions: PERMISSIONS[held] }, name), "by permission").toBe(expected);
  expect(await codeOf({ permissions: PERMISSION.none }, name), "with neither").toBe(needed === "user" ? "done" : "refused");

  const grants: [object, string][] = [
    [{ who: ROLE, tier: held }, expected],
    [{ who: ROLE, tier: held, command: name }, expected],
    [{ who: ROLE, tier: held, server: "island" }, "server" in valuesFor(name) ? expected : needed === "user" ? "done" : "refused"],
    [{ who: ROLE, tier: held, server: "ridge" }, needed === "user" ? "done" : "refused"],
    [{ who: ROLE, tier: held, command: name === "status" ? "help" : "status" }, needed === "user" ? "done" : "refused"],
  ];
  for (const [grant, outcome] of grants) {
    expect(await codeOf({}, "access grant", { ...grant })).toBe("done");
    expect(await codeOf({ permissions: PERMISSION.none, roles: [ROLE] }, name), `with ${JSON.stringify(grant)}`).toBe(outcome);
    expect(await codeOf({ permissions: PERMISSION.none }, name), `without the role of ${JSON.stringify(grant)}`).toBe(
      needed === "user" ? "done" : "refused",
    );
    await forgetGrants();
  }
});

async function forgetGrants(): Promise<void> {
  await runInDurableObject<Guild, void>(guildOf(env, guild), (_, state) => {
    state.storage.sql.exec("DELETE FROM grants");
  });
}

it("names the right that is missing, and the server", async () => {
  const player = { guild, permissions: PERMISSION.none };
  expect(textOf(await run(player, "backup now", { server: "island" }))).toMatch(/\/backup now.*island.*Admin.*Manage Server.*access grant/);
  expect(textOf(await run(player, "access list"))).toMatch(/\/access list.*Owner.*Administrator/);
});

it.each([...BUTTONS, ...FORMS].filter((one) => one.tier !== "user").map((one) => [one.prefix, one] as const))(
  "refuses the button or form %s to members without the right, and does nothing",
  async (prefix, one) => {
    const before = await rowsOf();
    const player = { guild, permissions: PERMISSION.none };
    const isForm = FORMS.some((form) => form.prefix === prefix);
    const answer = isForm ? await fillIn(player, `${prefix}/island`, {}) : await press(player, `${prefix}/island`);
    expect(answer.data.embeds[0]?.footer?.text, one.command).toMatch(/^permission-missing/);
    expect(answer.data.flags).toBe(64);
    expect(await rowsOf()).toEqual(before);
  },
);

function rowsOf(): Promise<number[]> {
  const tables = ["jobs", "hosts", "servers", "backups", "grants", "settings", "messages"];
  return runInDurableObject<Guild, number[]>(guildOf(env, guild), (_, { storage }) =>
    tables.map((table) => Number(storage.sql.exec(`SELECT COUNT(*) AS n FROM ${table}`).one().n)),
  );
}

it("offers members only those servers on which they may use the command", async () => {
  await codeOf({}, "access grant", { who: ROLE, tier: "admin", server: "ridge" });
  const complete = async (roles: string[]) => {
    const body = commandBody({ guild, permissions: PERMISSION.none, roles }, "backup now", { server: "" }, { focused: "server" });
    return (await answerOf(await send(body))).data.choices.map((one) => one.value);
  };
  expect(await complete([ROLE])).toEqual(["ridge"]);
  expect(await complete([])).toEqual([]);
});

it("refuses what comes too fast, in private, and says when", async () => {
  const helper = { guild, id: snowflake() };
  for (let use = 0; use < 5; use += 1) expect(textOf(await run(helper, "status"))).not.toContain("works again");
  const answer = await run(helper, "status");
  expect(answer.data.flags).toBe(64);
  expect(textOf(answer)).toMatch(/\(looking\) 5 times in 30 s.*`\/status` works again <t:\d+:R>/);
  // Other members and other kinds of command are counted by themselves.
  expect(textOf(await run({ guild }, "status"))).not.toContain("works again");
  expect(textOf(await run(helper, "backup now", { server: "island" }))).not.toContain("works again");
});

it("counts an interaction that Discord delivers twice once", async () => {
  const helper = { guild, id: snowflake() };
  await run({ guild }, "config set", { looking: "1/60" });
  const id = snowflake();
  const first = await run(helper, "status", {}, id);
  expect(await run(helper, "status", {}, id)).toEqual(first);
  expect(textOf(await run(helper, "status"))).toContain("works again");
});

it("writes down who did what by which right, and who was refused", async () => {
  await run({ guild, id: "41", permissions: PERMISSION.none }, "backup now", { server: "island" });
  await run({ guild, id: "42", permissions: PERMISSION.manageGuild }, "backup now", { server: "island" });
  const rows = await runInDurableObject<Guild, Record<string, unknown>[]>(guildOf(env, guild), (_, { storage }) =>
    storage.sql
      .exec("SELECT entry_json FROM audit ORDER BY seq")
      .toArray()
      .map((row) => JSON.parse(String(row.entry_json))),
  );
  const commands = rows.filter((row) => row.command === "backup now" && (row.kind === "command" || row.kind === "refused"));
  expect(commands).toEqual([
    { kind: "refused", actor: "member 41", command: "backup now", server: "island", allowedBy: null, change: { missing: "admin" } },
    { kind: "command", actor: "member 42", command: "backup now", server: "island", allowedBy: "permission Manage Server" },
  ]);
});
