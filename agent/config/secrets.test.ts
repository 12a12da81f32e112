// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the syntax of the config is what is tested.
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { ConfigError } from "./config-error.ts";
import { loadConfig } from "./load-config.ts";
import { describeConfig } from "./redact.ts";
import { dockerSecrets, findSecrets, SECRETS_MAX } from "./secrets.ts";
import { Sources } from "./sources.ts";
import { temporaryFolder } from "./testing/fixtures.ts";
import { profilesFolder } from "./testing/load.ts";

/** A host with credentials, Docker secrets and a secret manager, each with the secrets that are given. */
async function host(
  given: { credentials?: Record<string, string>; docker?: Record<string, string>; manager?: Record<string, string> } = {},
) {
  const folder = await temporaryFolder();
  const [credentials, docker] = [path.join(folder, "credentials"), path.join(folder, "docker")];
  for (const [place, secrets] of [
    [credentials, given.credentials],
    [docker, given.docker],
  ] as const) {
    if (secrets === undefined) continue;
    await mkdir(place);
    // As systemd and Docker leave them.
    for (const [name, text] of Object.entries(secrets)) await writeFile(path.join(place, name), text, { mode: 0o444 });
  }
  const code = `const it = ${JSON.stringify(given.manager ?? {})}[process.argv[1]]; it === undefined ? (console.error('not in this vault'), process.exit(4)) : console.log(it)`;
  const command = given.manager === undefined ? undefined : [process.execPath, "-e", code, "--", "{name}"];
  const env: NodeJS.ProcessEnv = given.credentials === undefined ? {} : { CREDENTIALS_DIRECTORY: credentials };
  const load = async (text: string, more: NodeJS.ProcessEnv = {}) => {
    const file = path.join(folder, "config.yaml");
    await writeFile(file, text);
    return loadConfig(file, { env: { ...env, ...more }, profilesFolder, platform: "linux", root: true, dockerFolder: docker });
  };
  const problems = async (text: string) => {
    const error = await load(text).then(
      () => undefined,
      (it: unknown) => it,
    );
    if (!(error instanceof ConfigError)) throw new Error(`expected a ConfigError, got ${String(error)}`);
    return error.problems.map(({ line, column, path: where, message }) => `${line}:${column} ${where}: ${message}`);
  };
  return { credentials, docker, command, env, load, problems, folder };
}

const withCommand = (command: string[] | undefined, text: string) =>
  `${command === undefined ? "" : `secret_command: ${JSON.stringify(command)}\n`}${text}`;
const asking = (password: string) => `servers:
  - id: a
    game: ark
    folder: /srv/a
    query: { type: ase, password: "${password}" }
    backup: { store: { type: r2 } }
`;

describe("a secret", () => {
  test("is looked for in systemd's credentials, then Docker's, then asked of the command", async () => {
    const secrets = { credentials: { one: "c1\n" }, docker: { one: "d1", two: "d2\r\n" }, manager: { one: "m1", two: "m2", three: "m3" } };
    const { load, command } = await host(secrets);
    const text = asking("${secret:one}-${secret:two}-${secret:three}-${OTHER:-e}-$${secret:no}");
    const config = await load(withCommand(command, text));
    expect(config.servers[0]?.query?.password?.reveal()).toBe("c1-d2-m3-e-${secret:no}");
    // What systemd and Docker make readable for all is meant to be: they keep others out by the folder.
    expect(config.notices).toEqual([]);
  });

  test("may be in any text, once looked up, and what it holds is not expanded again", async () => {
    const { load } = await host({ docker: { host: "10.0.0.5", odd: "${HOME} $${ \"': [" } });
    const text = asking("${secret:odd}").replace("game: ark", "game: ark\n    address: ${secret:host}");
    const { servers } = await load(text, { HOME: "/root" });
    expect(servers[0]).toMatchObject({ address: "10.0.0.5" });
    expect(servers[0]?.query?.password?.reveal()).toBe("${HOME} $${ \"': [");
  });

  test("that is nowhere is an error with line and column that names where it looked", async () => {
    const nothing = await host();
    const docker = path.join(nothing.docker, "rcon.pw");
    expect(await nothing.problems(asking("${secret:rcon.pw}"))).toEqual([
      `5:35 servers[0].query.password: there is no secret "rcon.pw". Looked in systemd credentials ($CREDENTIALS_DIRECTORY is not set), ${docker} (not there), secret_command (not set)`,
    ]);
    const all = await host({ credentials: {}, docker: {}, manager: {} });
    expect(await all.problems(withCommand(all.command, asking("${secret:x}")))).toEqual([
      `6:35 servers[0].query.password: no secret "x" in ${all.credentials}/x (not there), ${all.docker}/x (not there); and secret_command ended with exit code 4: not in this vault`,
    ]);
  });

  test("that is there but cannot be used is an error, and no other place is tried", async () => {
    const { problems, credentials, command } = await host({
      credentials: { empty: "\n", big: "x".repeat(70_000) },
      manager: { empty: "m", big: "m" },
    });
    await mkdir(path.join(credentials, "folder"));
    const found = await problems(withCommand(command, asking("${secret:empty}${secret:big}${secret:folder}")));
    expect(found).toEqual([
      expect.stringContaining(`${credentials}/empty is empty`),
      expect.stringContaining(`${credentials}/big is larger than 64 KiB: is it the right file?`),
      expect.stringContaining(`${credentials}/folder cannot be read: EISDIR`),
    ]);
    if (process.getuid?.() !== 0) {
      await chmod(path.join(credentials, "empty"), 0);
      expect(await problems(asking("${secret:empty}"))).toEqual([expect.stringContaining("cannot be read: EACCES")]);
    }
  });

  test.for(["..", ".", "", "a/b", "..\\b", "a b", "é", "a".repeat(101), "a\\u0000b"])("cannot be called %s", async (name) => {
    const { problems } = await host({ docker: {} });
    const [problem = ""] = await problems(asking(`\${secret:${name.replaceAll("\\", "\\\\")}}`));
    expect(problem).toMatch(/needs the name of a secret/);
  });

  test("of a comment, a key or the name `secret` with a default is none", async () => {
    const { load } = await host();
    const config = await load(`# \${secret:nowhere}\n${asking("${secret:-fallback}")}`);
    expect(config.servers[0]?.query?.password?.reveal()).toBe("fallback");
    expect(config.secrets).toEqual([]);
  });

  test("is asked of the command once, however often it is named, and at most 4 at the same time", async () => {
    const folder = await temporaryFolder();
    const code = `const fs = require('fs'), [log, name] = process.argv.slice(1);
      fs.appendFileSync(log, '+' + name + '\\n');
      setTimeout(() => { fs.appendFileSync(log, '-' + name + '\\n'); console.log(name); }, 100)`;
    const log = path.join(folder, "log");
    const command = [process.execPath, "-e", code, "--", log, "{name}"];
    const names = Array.from({ length: 9 }, (_, n) => `s${n}`);
    const { load } = await host();
    const config = await load(withCommand(command, asking([...names, ...names].map((name) => `\${secret:${name}}`).join(","))));
    expect(config.servers[0]?.query?.password?.reveal()).toBe([...names, ...names].join(","));
    const lines = (await readFile(log, "utf8")).trim().split("\n");
    expect(lines.filter((line) => line.startsWith("+")).sort()).toEqual(names.map((name) => `+${name}`));
    let running = 0;
    const most = Math.max(...lines.map((line) => (running += line.startsWith("+") ? 1 : -1)));
    expect(most).toBeLessThanOrEqual(4);
  });

  test("too many of them are refused", async () => {
    const { env } = await host();
    const names = Array.from({ length: SECRETS_MAX + 1 }, (_, n) => `s${n}`);
    const found = await findSecrets(names, { env, platform: "linux", sources: new Sources(), dockerFolder: "/nowhere" });
    expect(found.size).toBe(SECRETS_MAX + 1);
    expect(found.get(`s${SECRETS_MAX}`)).toMatchObject({ problem: "is one secret too many: a config has at most 100" });
  });

  test("is looked for where the platform has it", () => {
    expect(dockerSecrets("linux")).toBe("/run/secrets");
    expect(dockerSecrets("win32")).toBe("C:\\ProgramData\\Docker\\secrets");
  });
});

describe("secret_command", () => {
  test("must be a list that takes the name, and cannot hold a secret itself", async () => {
    const { problems, load } = await host({ docker: { token: "t0ken" } });
    expect(await problems(`secret_command: op read {name}\n${asking("x")}`)).toEqual(["1:17 secret_command: expected a list, got text"]);
    expect(await problems(`secret_command: [op, read]\n${asking("x")}`)).toEqual([
      "1:17 secret_command: needs {name} in one of its arguments",
    ]);
    expect(await problems(`secret_command: ["{name}"]\n${asking("x")}`)).toEqual([
      "1:17 secret_command: needs {name} in one of its arguments",
    ]);
    const own = "cannot hold a secret itself: its arguments can be seen by everybody on this host";
    expect(await problems(`secret_command: [op, "{name}", "\${secret:token}"]\n${asking("x")}`)).toEqual([
      `1:32 secret_command[2]: ${own}`,
    ]);
    // It is not asked when nobody wants anything of it.
    await load(`secret_command: [no-such-program, "{name}"]\n${asking("x")}`);
  });

  test("may hold variables", async () => {
    const { load } = await host({ manager: {} });
    const command = `secret_command: ["\${NODE}", "-e", "console.log(process.argv[1])", "--", "\${VAULT:-games}/{name}"]\n`;
    const { servers } = await load(`${command}${asking("${secret:x}")}`, { NODE: process.execPath });
    expect(servers[0]?.query?.password?.reveal()).toBe("games/x");
  });
});

describe("what came from a secret", () => {
  const text = `servers:
  - id: a
    game: ark
    folder: /srv/\${secret:tenant}/world
    address: \${secret:tenant}.example
    query: { type: ase, password: "\${secret:pw}" }
    backup: { store: { type: local, folder: "/mnt/\${secret:tenant}" } }
`;

  test("is not shown, wherever it stands, and does not count in the hash", async () => {
    const { load, docker } = await host({ docker: { tenant: "acme-77", pw: "hunter2" } });
    const config = await load(text);
    expect(config.servers[0]).toMatchObject({ folder: "/srv/acme-77/world", address: "acme-77.example" });
    const shown = describeConfig(config);
    expect(shown).not.toMatch(/acme-77|hunter2/);
    expect(shown).toContain("folder: /srv/«redacted»/world");
    await chmod(path.join(docker, "tenant"), 0o600);
    await writeFile(path.join(docker, "tenant"), "other-9");
    expect((await load(text)).hash).toBe(config.hash);
    expect((await load(text.replace("/srv/", "/games/"))).hash).not.toBe(config.hash);
    expect(JSON.stringify(config.secrets)).toBe('["«redacted»","«redacted»"]');
  });

  test("stands in no error", async () => {
    const { problems } = await host({ docker: { tenant: "acme-77", pw: "hunter2" } });
    const found = await problems(`${text}    game_x: 1\n  - id: \${secret:pw}\n    game: \${secret:pw}\n    folder: \${secret:tenant}\n`);
    expect(found.join("\n")).toContain('no profile is called "«redacted»"');
    expect(found.join("\n")).not.toMatch(/acme-77|hunter2/);
  });
});
