import { beforeEach, expect, it } from "vitest";
import { answerOf, commandBody, PERMISSION, run, send, snowflake, textOf } from "../testing/interactions.ts";
import { backupResultOf, serverNamed, succeeded, TestAgent } from "../testing/test-agent.ts";

let guild = "";
beforeEach(() => {
  guild = snowflake();
});

it("shows the settings as they are before anybody changed them", async () => {
  const shown = textOf(await run({ guild, permissions: PERMISSION.manageGuild }, "config view"));
  expect(shown).toContain("UTC");
  expect(shown).toContain("looking 5/30s, acting 3/60s, what cannot be taken back 1/120s");
  expect(shown).toMatch(/en-US, such as 1,234\.5 and Nov 22, 2026, 03:04\sPM UTC/);
});

it("changes several settings at once and takes one back", async () => {
  const options = { notices: "555", timezone: "Europe/Berlin", language: "de-DE", acting: "10/60" };
  const changed = textOf(await run({ guild }, "config set", options));
  expect(changed).toContain("<#555>");
  expect(changed).toMatch(/de-DE, such as 1\.234,5 and 22\. Nov\. 2026, 16:04 MEZ/);
  expect(textOf(await run({ guild }, "config view"))).toContain("acting 10/60s");
  expect(textOf(await run({ guild }, "config set", { reset: "locale" }))).toContain("en-US");
});

it.each([
  [{}, "Give at least one option"],
  [{ timezone: "Mars/Olympus" }, "IANA time zone"],
  [{ timezone: "+01:00" }, "choose one of those"],
  [{ language: "xx-notalanguage" }, "language tag"],
  [{ looking: "0/30" }, "COUNT/SECONDS"],
  [{ danger: "often" }, "COUNT/SECONDS"],
  [{ acting: "2/60", looking: "nonsense" }, "COUNT/SECONDS"],
])("refuses %j and changes nothing", async (options, words) => {
  const before = textOf(await run({ guild }, "config view"));
  expect(textOf(await run({ guild }, "config set", options))).toContain(words);
  expect(textOf(await run({ guild }, "config view"))).toBe(before);
});

it("offers zones and languages while a member types", async () => {
  const complete = async (option: string, typed: string) => {
    const answer = await answerOf(await send(commandBody({ guild }, "config set", { [option]: typed }, { focused: option })));
    return answer.data.choices.map((one) => one.value);
  };
  expect(await complete("timezone", "new york")).toEqual(["America/New_York"]);
  expect(await complete("language", "german")).toEqual(["de-DE"]);
  expect((await complete("timezone", "")).length).toBe(25);
});

it("writes numbers in the language of the guild", async () => {
  const agent = await TestAgent.enrolled({ guild }, "Basement", [serverNamed("island", { store: "local" })]);
  await agent.poll();
  await run({ guild }, "backup now", { server: "island" });
  await agent.result(await agent.takeJob(), succeeded(backupResultOf("island", { bytes: 1_400_000_000, files: 12_345 })));
  expect(textOf(await run({ guild }, "backup list", { server: "island" }))).toContain("1.4 GB, 12,345 files");
  await run({ guild }, "config set", { language: "de-DE" });
  expect(textOf(await run({ guild }, "backup list", { server: "island" }))).toContain("1,4 GB, 12.345 files");
});
