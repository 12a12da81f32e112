// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables in texts are what is tested.
import { chmod, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { describeConfig } from "./redact.ts";
import { temporaryFolder } from "./testing/fixtures.ts";
import { load, problemsOf, SHORTEST } from "./testing/load.ts";

const MINECRAFT = SHORTEST.replace("game: ark", "game: minecraft-java");
const withHold = (hold: string, rest = "") => MINECRAFT.replace("    backup:\n", `    backup:\n      hold: ${hold}\n`) + rest;
const CONSOLE = "    console: {password: x}\n";

describe("a console", () => {
  test("takes address, port and dialect from the server and its profile", async () => {
    const { servers } = await load(`${MINECRAFT}    address: 10.0.0.7\n${CONSOLE}`);
    expect(servers[0]?.console).toMatchObject({ dialect: "source-rcon-minecraft", address: "10.0.0.7", port: 25575 });
    expect(servers[0]?.console?.password?.reveal()).toBe("x");
    const other = await load(`${MINECRAFT}    console: {dialect: source-rcon, address: ::1, port: 27015, password: y}\n`);
    expect(other.servers[0]?.console).toMatchObject({ dialect: "source-rcon", address: "::1", port: 27015 });
  });

  test("is not there unless the config says so, and nothing is held then", async () => {
    const { servers } = await load(MINECRAFT);
    expect(servers[0]?.console).toBeUndefined();
    expect(servers[0]?.backup.hold).toBeUndefined();
  });

  test("reads its password from a file, and never shows it", async () => {
    const file = path.join(await temporaryFolder(), "rcon");
    await writeFile(file, "hush-hush\n");
    await chmod(file, 0o600);
    const config = await load(`${MINECRAFT}    console: {password_file: ${file}}\n`);
    expect(config.servers[0]?.console?.password?.reveal()).toBe("hush-hush");
    expect(`${describeConfig(config)} ${JSON.stringify(config)}`).not.toContain("hush");
    expect(describeConfig(config)).toContain("dialect: source-rcon-minecraft");
    const another = await load(`${MINECRAFT}    console: {password: another}\n`);
    expect(another.hash).toBe((await load(`${MINECRAFT}    console: {password: one}\n`)).hash);
  });

  test("that lacks something is told of, with its place", async () => {
    expect(await problemsOf(`${MINECRAFT}    console: {}\n`)).toEqual([
      expect.stringContaining("servers[0].console: this console lets nobody in without a password"),
    ]);
    expect(await problemsOf(`${SHORTEST.replace("game: ark", "game: valheim")}${CONSOLE}`)).toEqual([
      expect.stringContaining('the profile "valheim" does not say how Valheim\'s console is spoken to'),
      expect.stringContaining("knows no usual port"),
    ]);
    expect(await problemsOf(`${SHORTEST.replace("game: ark", "game: factorio")}${CONSOLE}`)).toEqual([
      expect.stringContaining("Give console.port"),
    ]);
    expect(await problemsOf(`${MINECRAFT}    console: {password: a, password_file: /b}\n`)).toEqual([
      expect.stringContaining("give password or password_file, not both"),
    ]);
    expect(await problemsOf(`${MINECRAFT}    console: {password_file: rcon}\n`)).toEqual([
      expect.stringContaining("must be an absolute path"),
    ]);
    expect(await problemsOf(`${MINECRAFT}    console: {password_file: /no/such/file}\n`)).toEqual([
      expect.stringContaining("password_file: cannot be read: ENOENT"),
    ]);
    expect(await problemsOf(`${MINECRAFT}    console: {password: x, dialect: telnet}\n`)).toEqual([
      expect.stringContaining("use source-rcon"),
    ]);
  });
});

describe("holding saves", () => {
  const commands = (steps: object[] | undefined) => steps?.map((step) => ("command" in step ? step.command : Object.values(step)[0]));

  test("comes from the profile once there is a console", async () => {
    const { servers } = await load(MINECRAFT + CONSOLE);
    const hold = servers[0]?.backup.hold;
    expect(hold).toMatchObject({ required: false, maxMs: 30 * 60_000 });
    expect(commands(hold?.before)).toEqual(["save-off", "save-all flush"]);
    expect(commands(hold?.after)).toEqual(["save-on"]);
    // Where facts come from is nobody's business at run time.
    expect(JSON.stringify(hold)).not.toContain("sources");
  });

  test("can be turned off, and required", async () => {
    expect((await load(withHold("false", CONSOLE))).servers[0]?.backup.hold).toBeUndefined();
    expect((await load(withHold("{required: true, max_minutes: 5}", CONSOLE))).servers[0]?.backup.hold).toMatchObject({
      required: true,
      maxMs: 300_000,
    });
    expect(await problemsOf(withHold("{required: true}"))).toEqual([
      expect.stringContaining("give the server a console, or steps of your own"),
    ]);
  });

  test("takes own steps inside those of the profile, or in their place", async () => {
    const own = "before: [{program: [/bin/sync]}], after: [{command: say done}]";
    const added = (await load(withHold(`{${own}}`, CONSOLE))).servers[0]?.backup.hold;
    expect(commands(added?.before)).toEqual(["save-off", "save-all flush", ["/bin/sync"]]);
    expect(commands(added?.after)).toEqual(["say done", "save-on"]);
    const alone = (await load(withHold(`{profile_steps: false, ${own}}`, CONSOLE))).servers[0]?.backup.hold;
    expect(commands(alone?.before)).toEqual([["/bin/sync"]]);
    expect(commands(alone?.after)).toEqual(["say done"]);
  });

  test("with a program alone needs no console", async () => {
    const { servers } = await load(withHold("{before: [{program: [/bin/sync]}]}"));
    expect(commands(servers[0]?.backup.hold?.before)).toEqual([["/bin/sync"]]);
  });

  test.each([
    ['{before: [{command: "save-off\\nstop"}]}', "cannot hold a line break or a NUL"],
    ["{before: [{log: ../other.log, line: x}]}", "cannot leave the server's folder"],
    ["{before: [{log: /var/log/x, line: x}]}", "is relative to the server's folder"],
    ["{before: [{command: a, timeout_seconds: 601}]}", "must be at most 600"],
    ['{before: [{command: a, expect: "*"}]}', "needs more than *"],
    ["{before: [{comand: a}]}", "hold.before[0]"],
    ["{max_minutes: 31}", "must be at most 30"],
    ["{profile_steps: false, after: [{program: [x]}]}", "has steps after the copy and none before it"],
  ])("does not take %s", async (hold, complaint) => {
    expect((await problemsOf(withHold(hold, CONSOLE))).join("\n")).toContain(complaint);
  });

  test("with commands needs a console", async () => {
    expect(await problemsOf(withHold("{before: [{command: a}]}"))).toEqual([expect.stringContaining("so the server needs a console")]);
  });
});

test("no profile can name a program", async () => {
  const folder = await temporaryFolder();
  const profile = `id: mine
name: Mine
sources: [{key: own, text: mine}]
folder: {hint: x, sources: [own]}
backup: {include: [{globs: ["**"], sources: [own]}], exclude: []}
ports: {game: {port: 1000, protocol: tcp, sources: [own]}}
hold: {before: [{program: [/bin/sh], sources: [own]}], after: []}
`;
  await writeFile(path.join(folder, "mine.yaml"), profile);
  expect((await problemsOf(`profiles: ${folder}\n${SHORTEST}`)).join("\n")).toContain("hold.before[0]");
});
