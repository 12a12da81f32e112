import { beforeEach, expect, it } from "vitest";
import { answerOf, commandBody, PERMISSION, run, send, snowflake, textOf } from "../testing/interactions.ts";
import { serverNamed, TestAgent } from "../testing/test-agent.ts";

const ROLE = "600000000000000001";
const MEMBER = "700000000000000001";
let guild = "";

beforeEach(async () => {
  guild = snowflake();
  await (await TestAgent.enrolled({ guild }, "Basement", [serverNamed("island")])).poll();
});

async function grant(options: Record<string, unknown>, permissions: string = PERMISSION.administrator) {
  const body = commandBody({ guild, permissions }, "access grant", options);
  Object.assign(body.data as object, { resolved: { roles: { [ROLE]: {} }, users: { [MEMBER]: {} } } });
  return answerOf(await send(body));
}

it("grants, shows and takes away", async () => {
  expect(textOf(await grant({ who: ROLE, tier: "admin", command: "backup", server: "island" }))).toContain("Granted");
  expect(textOf(await grant({ who: MEMBER, tier: "owner" }))).toContain(`<@${MEMBER}>`);
  const shown = textOf(await run({ guild }, "access list"));
  expect(shown).toMatch(new RegExp(`1.{1,4}<@&${ROLE}>: \\*\\*Admin\\*\\* for .{1,3}/backup.{1,3} on \\*\\*island`));
  expect(shown).toMatch(/Manage Server/);
  const choices = await answerOf(await send(commandBody({ guild }, "access revoke", { grant: "island" }, { focused: "grant" })));
  expect(choices.data.choices).toEqual([{ name: `1: role ${ROLE}, Admin, /backup, on island`, value: "1" }]);
  expect(textOf(await run({ guild }, "access revoke", { grant: "1" }))).toContain("Taken away");
  expect(textOf(await run({ guild }, "access revoke", { grant: "1" }))).toContain("no such grant");
  expect(textOf(await run({ guild }, "access list"))).not.toContain(ROLE);
});

it("says so when the same was granted before", async () => {
  await grant({ who: ROLE, tier: "admin" });
  expect(textOf(await grant({ who: ROLE, tier: "admin" }))).toContain("already");
  expect(textOf(await run({ guild }, "access list")).match(new RegExp(ROLE, "g"))).toHaveLength(1);
});

it.each([
  [{ who: "5", tier: "admin" }, "choose a role or a member"],
  [{ who: ROLE, tier: "king" }, "choose one of those"],
  [{ who: ROLE, tier: "admin", command: "format disk" }, "no command"],
  [{ who: ROLE, tier: "admin", server: "nowhere" }, "no server called"],
])("refuses %j", async (options, words) => {
  expect(textOf(await grant(options))).toContain(words);
  expect(textOf(await run({ guild }, "access list"))).toContain("No grants yet");
});

it("lets an owner by grant act as one, and a server's admin not", async () => {
  await grant({ who: ROLE, tier: "owner" });
  const byRole = { guild, permissions: PERMISSION.none, roles: [ROLE] };
  expect(textOf(await run(byRole, "access list"))).toContain("Who may do what");
  await run({ guild }, "access revoke", { grant: "1" });
  await grant({ who: ROLE, tier: "owner", server: "island" });
  expect(textOf(await run(byRole, "access list"))).toContain("permission-missing");
  expect(textOf(await run(byRole, "backup list", { server: "island" }))).toContain("Backups of");
});

it("keeps so many grants at most", async () => {
  const { GRANTS_MAX } = await import("../guild/grants.ts");
  for (let index = 0; index < GRANTS_MAX; index += 1) {
    const body = commandBody({ guild }, "access grant", { who: String(1000 + index), tier: "user" });
    Object.assign(body.data as object, { resolved: { users: { [String(1000 + index)]: {} } } });
    await send(body);
  }
  expect(textOf(await grant({ who: ROLE, tier: "admin" }))).toContain(`There are ${GRANTS_MAX} grants`);
  expect(textOf(await run({ guild }, "access list"))).toMatch(/and \d+ more lines/);
});
