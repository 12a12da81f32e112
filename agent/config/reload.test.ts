// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the syntax of the config is what is tested.
import { mkdir, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import type { Clock } from "../clock.ts";
import { HastyClock } from "../testing/fake-clock.ts";
import { eventually, memoryLogger } from "../testing/fixtures.ts";
import { LiveConfig } from "./live-config.ts";
import { loadConfig } from "./load-config.ts";
import { ConfigReloader, LOOK_EVERY_MS, SETTLE_MS } from "./reload.ts";
import { Sources } from "./sources.ts";
import { temporaryFolder } from "./testing/fixtures.ts";
import { profilesFolder } from "./testing/load.ts";

const server = (id: string, more = "") => `  - {id: ${id}, game: ark, folder: /srv/${id}, backup: {store: {type: r2}}${more}}\n`;
const config = (...ids: string[]) => `servers:\n${ids.map((id) => server(id)).join("")}`;

/** Time flies, but the look that comes without any event never does: what happens, happens because of an event. */
class EventsOnlyClock extends HastyClock {
  override sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return super.sleep(ms === LOOK_EVERY_MS ? 3_600_000_000 : ms, signal);
  }
}

interface Given {
  file?: string;
  clock?: Clock;
  /** Put in the place of each reading. */
  onLoad?: () => Promise<void>;
  env?: NodeJS.ProcessEnv;
}

/** A reloader at work on a config that was written before. */
async function reloading(folder: string, given: Given = {}) {
  const { file = path.join(folder, "config.yaml"), clock = new HastyClock(500), env = {} } = given;
  const load = (sources: Sources) =>
    loadConfig(file, { env, profilesFolder, platform: "linux", root: true, sources, dockerFolder: path.join(folder, "docker") });
  const sources = new Sources();
  const live = new LiveConfig(await load(sources));
  const { log, lines } = memoryLogger();
  let loads = 0;
  const reloader = new ConfigReloader({
    ...{ live, sources, clock, log },
    load: async ({ sources: fresh }) => {
      loads += 1;
      await given.onLoad?.();
      return load(fresh);
    },
  });
  const stop = new AbortController();
  const ended = reloader.run(stop.signal);
  onTestFinished(async () => {
    stop.abort();
    await ended;
  });
  const ids = () => live.current.servers.map(({ id }) => id).join(" ");
  const errors = () => lines.filter(({ level }) => level === 50);
  return {
    file,
    live,
    reloader,
    lines,
    errors,
    ids,
    loads: () => loads,
    becomes: (want: string) => eventually(() => ids() === want, want),
  };
}

async function folderWith(text: string): Promise<string> {
  const folder = await temporaryFolder();
  await writeFile(path.join(folder, "config.yaml"), text);
  return folder;
}

/** As editors and configuration tools write: another file takes the place of the old one. */
async function replace(file: string, text: string): Promise<void> {
  await writeFile(`${file}.tmp`, text);
  await rename(`${file}.tmp`, file);
}

describe("a changed config", () => {
  test.for(["events", "a look now and then"])("is found by %s: written in place, replaced, taken away and brought back", async (by) => {
    const folder = await folderWith(config("a"));
    const clock = by === "events" ? new EventsOnlyClock(500) : new HastyClock(500);
    const { file, becomes, lines } = await reloading(folder, { clock });
    await writeFile(file, config("a", "b"));
    await becomes("a b");
    await replace(file, config("c"));
    await becomes("c");
    await rm(file);
    await eventually(() => lines.some(({ code }) => code === "config-invalid"), "the config is missed");
    await writeFile(file, config("d"));
    await becomes("d");
  });

  test.for(["events", "a look now and then"])("is found by %s behind the links of a mounted volume", async (by) => {
    const folder = await temporaryFolder();
    const volume = async (name: string, text: string) => {
      await mkdir(path.join(folder, name));
      await writeFile(path.join(folder, name, "config.yaml"), text);
    };
    // As Kubernetes lays a ConfigMap out: config.yaml -> ..data/config.yaml, and ..data -> a folder that is never changed.
    await volume("..2026_1", config("a"));
    await symlink("..2026_1", path.join(folder, "..data"));
    await symlink("..data/config.yaml", path.join(folder, "config.yaml"));
    const clock = by === "events" ? new EventsOnlyClock(500) : new HastyClock(500);
    const { becomes } = await reloading(folder, { clock });
    for (const [name, id] of [
      ["..2026_2", "b"],
      ["..2026_3", "c"],
    ] as const) {
      await volume(name, config(id));
      await symlink(name, path.join(folder, "..data_tmp"));
      await rename(path.join(folder, "..data_tmp"), path.join(folder, "..data"));
      await becomes(id);
    }
  });

  test("is found when its whole folder was replaced", async () => {
    const parent = await temporaryFolder();
    const folder = path.join(parent, "etc");
    await mkdir(folder);
    await writeFile(path.join(folder, "config.yaml"), config("a"));
    const { becomes, file } = await reloading(folder);
    await mkdir(path.join(parent, "new"));
    await writeFile(path.join(parent, "new/config.yaml"), config("b"));
    await rename(folder, path.join(parent, "old"));
    await rename(path.join(parent, "new"), folder);
    await becomes("b");
    await writeFile(file, config("c"));
    await becomes("c");
  });

  test("is not read in the middle of being written", async () => {
    const folder = await folderWith(config("a"));
    const file = path.join(folder, "config.yaml");
    // Each wait for the file to settle brings another piece. Every state in between would be a good config with fewer servers.
    const pieces = [config("a", "b"), config("a", "b", "c"), config("a", "b", "c", "d")];
    class WritingClock extends HastyClock {
      override async sleep(ms: number, signal?: AbortSignal): Promise<void> {
        const piece = ms === SETTLE_MS ? pieces.shift() : undefined;
        if (piece !== undefined) await writeFile(file, piece);
        await super.sleep(ms, signal);
      }
    }
    const seen: string[] = [];
    const { live, ids, becomes } = await reloading(folder, { clock: new WritingClock(500) });
    live.subscribe(() => void seen.push(ids()));
    await writeFile(file, "servers: []\n");
    await becomes("a b c d");
    expect(seen).toEqual(["a b c d"]);
  });

  test("that cannot be used leaves the one before in force, is told once for each content, and is over when it is good again", async () => {
    const folder = await folderWith(config("a"));
    const { file, live, becomes, errors, ids, lines, reloader, loads } = await reloading(folder);
    await writeFile(file, `${config("a")}nonsense: 1\n`);
    await eventually(() => live.problem, "the problem is known");
    expect(live.problem).toEqual({ code: "config-invalid", message: "config.yaml:3:1: nonsense: no such key." });
    expect(ids()).toBe("a");
    // Asked twice, looked at many times: still one error in the log.
    for (let asked = 0; asked < 2; asked += 1) {
      const before = loads();
      reloader.reload();
      await eventually(() => loads() > before, "it was read again");
    }
    await eventually(
      () => lines.filter(({ msg }) => msg.includes("it still cannot be used")).length === 2,
      "the answers to those who asked",
    );
    expect(errors()).toHaveLength(1);
    expect(errors()[0]).toMatchObject({ code: "config-invalid", msg: expect.stringContaining(`${file}:3:1: nonsense: no such key.`) });
    await writeFile(file, `${config("a")}other: 1\n`);
    await eventually(() => errors().length === 2, "another content is another error");
    await writeFile(file, config("a"));
    await eventually(() => live.problem === undefined, "it is good again");
    expect(lines.at(-1)?.msg).toBe("the config can be used again");
    await writeFile(file, config("a", "b"));
    await becomes("a b");
  });

  test("with many problems tells the guild a few, without folders, within bounds", async () => {
    const folder = await folderWith(config("a"));
    const { file, live } = await reloading(folder);
    await writeFile(file, `${config(...Array.from({ length: 40 }, (_, n) => `b${n}`))}${"x".repeat(900)}: 1\ny: 1\nz: 1\nw: 1\n`);
    await eventually(() => live.problem, "the problem is known");
    expect(live.problem?.message.length).toBeLessThanOrEqual(1000);
    expect(live.problem?.message).toMatch(/^config\.yaml:42:1: x/);
    await writeFile(file, "a: 1\nb: 1\nc: 1\nd: 1\ne: 1\n");
    await eventually(() => live.problem?.message.startsWith("config.yaml:1:1: servers: is missing"), "the other problem");
    expect(live.problem?.message.split("\n").at(-1)).toBe("and 3 more, see the agent's log");
    expect(live.problem?.message).not.toContain(folder);
  });

  test("names what needs a restart, and takes the rest", async () => {
    const folder = await folderWith(config("a"));
    const { file, live, becomes, lines } = await reloading(folder);
    await writeFile(file, `state: /elsewhere/state.db\nlog: {level: debug}\n${config("b")}`);
    await becomes("b");
    expect(live.current).toMatchObject({ stateFile: "/var/lib/reconsync/state.db", log: { level: "info" } });
    expect(lines.find(({ keys }) => keys !== undefined)).toMatchObject({ level: 40, keys: ["state", "log"] });
  });

  test("includes own profiles, also new ones", async () => {
    const folder = await temporaryFolder();
    const games = path.join(folder, "games");
    await mkdir(games);
    const text = (id: string) => `profiles: ${games}\nservers:\n${server("a").replace("game: ark", `game: ${id}`)}`;
    await writeFile(path.join(folder, "config.yaml"), text("ark"));
    const { file, live, lines } = await reloading(folder, { clock: new EventsOnlyClock(500) });
    await writeFile(file, text("mine"));
    await eventually(() => live.problem?.message.includes('no profile is called "mine"'), "it is missing");
    const ark = await readFile(path.join(profilesFolder, "ark.yaml"), "utf8");
    await writeFile(path.join(games, "mine.yaml"), ark.replace("id: ark\n", "id: mine\n"));
    await eventually(() => live.current.servers[0]?.profile.id === "mine", "the new profile is found");
    await writeFile(path.join(games, "mine.yaml"), ark.replace("id: ark\n", "id: mine\n").replace(/^name: .*$/m, "name: Mine"));
    await eventually(() => live.current.servers[0]?.profile.name === "Mine", "the changed profile is read");
    await writeFile(path.join(games, "ark.yaml"), ark);
    await eventually(() => lines.some(({ msg }) => msg.includes('"ark" of')), "the notice of the replaced profile");
  });

  test("includes password files and secrets, which change no hash; a secret that comes to be found is found", async () => {
    const folder = await temporaryFolder();
    const credentials = path.join(folder, "credentials");
    await mkdir(credentials);
    await writeFile(path.join(folder, "password"), "one\n", { mode: 0o600 });
    const query = (it: string) => `servers:\n${server("a", `, query: {type: ase, ${it}}`)}`;
    await writeFile(path.join(folder, "config.yaml"), query(`password_file: ${folder}/password`));
    const clock = new EventsOnlyClock(500);
    const { file, live, lines } = await reloading(folder, { clock, env: { CREDENTIALS_DIRECTORY: credentials } });
    const password = () => live.current.servers[0]?.query?.password?.reveal();
    expect(password()).toBe("one");
    const { hash } = live.current;
    await writeFile(path.join(folder, "password"), "two\n");
    await eventually(() => password() === "two", "the new password");
    expect(live.current.hash).toBe(hash);
    expect(lines.at(-1)?.msg).toContain("nothing of it has changed but secrets");
    await writeFile(file, query('password: "${secret:rcon}"'));
    await eventually(() => live.problem?.message.includes('there is no secret "rcon"'), "it is not there yet");
    await writeFile(path.join(credentials, "rcon"), "three");
    await eventually(() => password() === "three", "the secret");
    expect(live.current.hash).toBe(hash);
  });
});

describe("asked to read the config again", () => {
  test("it does, changed or not, and a secret's command is asked anew", async () => {
    const folder = await temporaryFolder();
    const answer = path.join(folder, "answer");
    await writeFile(answer, "one");
    const script = "process.stdout.write(require('fs').readFileSync(process.argv[1]))";
    const command = JSON.stringify([process.execPath, "-e", script, "--", answer, "{name}"]);
    const text = `secret_command: ${command}\nservers:\n${server("a", ', query: {type: ase, password: "${secret:x}"}')}`;
    await writeFile(path.join(folder, "config.yaml"), text);
    const { live, reloader, loads } = await reloading(folder, { clock: new EventsOnlyClock(500) });
    const password = () => live.current.servers[0]?.query?.password?.reveal();
    await writeFile(answer, "two");
    reloader.reload();
    await eventually(() => password() === "two", "the new secret");
    expect(loads()).toBe(1);
  });

  test("a config that could not be used for a reason outside of its files is tried again by itself", async () => {
    const folder = await folderWith(config("a"));
    let broken = true;
    const onLoad = async () => {
      if (broken) throw new Error("the moon is full");
    };
    const { live, reloader, errors } = await reloading(folder, { onLoad });
    reloader.reload();
    await eventually(() => live.problem?.code === "internal-error", "it fails");
    expect(errors()).toMatchObject([{ code: "internal-error", err: { message: "the moon is full" } }]);
    broken = false;
    await eventually(() => live.problem === undefined, "it is tried again");
  });
});

test("a failure of whoever has to follow the config is no fault of the config, and goes up", async () => {
  const folder = await folderWith(config("a"));
  const load = (sources: Sources) => loadConfig(path.join(folder, "config.yaml"), { env: {}, profilesFolder, platform: "linux", sources });
  const sources = new Sources();
  const live = new LiveConfig(await load(sources));
  live.subscribe(() => {
    throw new Error("database is not open");
  });
  const { log } = memoryLogger();
  const reloader = new ConfigReloader({ live, sources, clock: new HastyClock(500), log, load: ({ sources: fresh }) => load(fresh) });
  reloader.reload();
  await expect(reloader.run(new AbortController().signal)).rejects.toThrow("database is not open");
  expect(live.problem).toBeUndefined();
});

test("files that are of no concern cause no reading", async () => {
  const folder = await folderWith(config("a"));
  const { loads, file, becomes } = await reloading(folder, { clock: new EventsOnlyClock(500) });
  for (const name of ["state.db", "state.db-wal", "other.yaml"]) await writeFile(path.join(folder, name), "x");
  // In one step, so that no half of it is ever there to be read.
  await writeFile(path.join(folder, "config.yaml.new"), config("b"));
  await rename(path.join(folder, "config.yaml.new"), file);
  await becomes("b");
  expect(loads()).toBe(1);
});
