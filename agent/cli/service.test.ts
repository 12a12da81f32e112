import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { cli } from "../testing/cli.ts";
import { temporaryFolder } from "../testing/fixtures.ts";
import { installProgram, start } from "../testing/program.ts";

const linux = process.platform === "linux";

async function site() {
  const folder = await temporaryFolder();
  const world = join(folder, "world");
  await mkdir(world);
  const config = join(folder, "config.yaml");
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the syntax of the config itself.
  const query = { password: "${secret:query}" };
  const server = { id: "island", game: "ark", folder: world, query, backup: { store: { type: "local", folder: join(folder, "backups") } } };
  await writeFile(config, stringify({ health: false, state: join(folder, "state.db"), servers: [server] }));
  await mkdir(join(folder, "secrets"));
  await writeFile(join(folder, "secrets/query"), "hidden\n");
  return { folder, config };
}

describe.runIf(linux)("reconsync service", () => {
  test("shows the unit in a dry run, with the program that runs now, and writes nothing", { timeout: 120_000 }, async () => {
    const { folder, config } = await site();
    const program = await temporaryFolder();
    const bundle = await installProgram(program);
    const before = await readdir(folder);
    const { ended } = start(bundle, ["service", "install", "--dry-run", "--config", config], { cwd: program });
    const { code, out, err } = await ended;
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(out).toContain("Would write /etc/systemd/system/reconsync.service:\n# Made by `reconsync service install` of version ");
    expect(out).toContain(`ExecStart=${process.execPath} ${bundle} run --config ${config} --state ${folder}/state.db\n`);
    expect(out).toContain(`LoadCredential=query:${folder}/secrets/query`);
    expect(out).not.toContain("hidden");
    expect(await readdir(folder)).toEqual(before);
  });

  test("finds out now, not in the journal, that a variable of the config is set nowhere", async () => {
    const { config, folder } = await site();
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the syntax of the config itself.
    await writeFile(config, (await readFile(config, "utf8")).replace("${secret:query}", "${ARK_QUERY}"));
    expect(await cli(["service", "install", "--dry-run", "--config", config])).toMatchObject({
      code: 78,
      err: expect.stringContaining("ARK_QUERY"),
    });
    await writeFile(join(folder, "environment"), "ARK_QUERY=hidden\n");
    const found = await cli(["service", "install", "--dry-run", "--config", config]);
    expect(found).toMatchObject({ code: 0, out: expect.stringContaining(`EnvironmentFile=-${folder}/environment`) });
  });

  test("writes the unit of a user below the user's own settings", async () => {
    const { config, folder } = await site();
    await writeFile(join(folder, "environment"), "");
    await writeFile(config, (await readFile(config, "utf8")).replace(/query:\n *password:.*\n/, "query: false\n"));
    const { code, out } = await cli(["service", "install", "--user", "--dry-run", "--config", config], {
      env: { XDG_CONFIG_HOME: folder },
    });
    expect(code).toBe(0);
    expect(out).toContain(`Would write ${folder}/systemd/user/reconsync.service:`);
    expect(out).toContain("Would run: systemctl --user enable --now reconsync.service");
  });

  test("supervises the real agent, and ends when a person is needed", { timeout: 120_000 }, async () => {
    const { folder, config } = await site();
    await writeFile(config, (await readFile(config, "utf8")).replace(/query:\n *password:.*\n/, "query: false\n"));
    const program = await temporaryFolder();
    const bundle = await installProgram(program);
    const log = join(folder, "logs/agent.log");
    const args = ["service", "supervise", "--config", config, "--state", join(folder, "state.db"), "--log", log];
    expect(await start(bundle, args, { cwd: program }).ended).toMatchObject({ code: 78 });
    expect(await readFile(log, "utf8")).toMatch(/reconsync: not-enrolled:[\s\S]*the agent ended with 78\n$/);
  });
});
