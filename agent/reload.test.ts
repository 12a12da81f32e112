// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the syntax of the config is what is tested.
import { existsSync } from "node:fs";
import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { systemClock } from "./clock.ts";
import { openState } from "./state/state.ts";
import type { FakeWorker } from "./testing/fake-worker.ts";
import { eventually, fakeWorker, temporaryFolder } from "./testing/fixtures.ts";
import { programOfFile, type Running, start } from "./testing/program.ts";

/** The built program in processes of its own: what reaches it from outside while it runs. */
const program = programOfFile();

async function site() {
  const folder = await temporaryFolder();
  const world = join(folder, "world");
  await mkdir(world);
  await writeFile(join(world, "level.txt"), "hello\n");
  const stateFile = join(folder, "state", "state.db");
  const config = join(folder, "config.yaml");
  const text = (ids: string[], more: object = {}, inside = world) =>
    stringify({
      state: stateFile,
      ...more,
      servers: ids.map((id) => ({
        ...{ id, game: "minecraft-java", folder: join(inside, id), query: false },
        backup: { format: "zip", profile_globs: false, include: ["**"], store: { type: "r2" } },
      })),
    });
  await writeFile(config, text(["one"]));
  const run = (args: string[], env: NodeJS.ProcessEnv = {}) => start(program.bundle, [...args, "--config", config], { cwd: folder, env });
  const enroll = async (worker: FakeWorker, env: NodeJS.ProcessEnv = {}) => {
    expect(await run(["enroll", worker.origin, worker.newCode()], env).ended).toMatchObject({ code: 0 });
  };
  return { folder, config, stateFile, text, run, enroll };
}

const announcedBy = (worker: FakeWorker) =>
  worker.jobs.polls
    .at(-1)
    ?.servers.map(({ id }) => id)
    .join(" ");
/** A long poll is held: the agent has said all that it has to say. */
const idle = (worker: FakeWorker) => worker.jobs.held === 1 && worker.jobs.polls.at(-1)?.wait === 50;

async function stopped(agent: Running) {
  agent.child.kill("SIGTERM");
  expect(await agent.ended).toMatchObject({ code: 0, signal: null });
}

describe("a running agent", () => {
  test("takes a changed file at once, keeps the last good config while the file is bad, and polls no more than that", async () => {
    const worker = await fakeWorker();
    const { config, text, run, enroll } = await site();
    await enroll(worker);
    const agent = run(["run"]);
    await eventually(() => idle(worker), "it is idle");
    const polls = worker.jobs.polls.length;

    await writeFile(config, text(["one", "two"]));
    await eventually(() => announcedBy(worker) === "one two" && idle(worker), "the new server is announced");
    expect(worker.jobs.polls).toHaveLength(polls + 1);

    await writeFile(config, `${text(["three"])}nonsense: 1\n`);
    await eventually(() => worker.jobs.polls.at(-1)?.configProblem !== undefined && idle(worker), "the problem is told");
    expect(worker.jobs.polls.at(-1)).toMatchObject({
      configProblem: { code: "config-invalid", message: expect.stringMatching(/^config\.yaml:\d+:1: nonsense: no such key\.$/) },
      servers: [{ id: "one" }, { id: "two" }],
    });
    expect(agent.err.match(/the config is not taken/g)).toHaveLength(1);

    // As an editor saves.
    await writeFile(`${config}~`, text(["three"]));
    await rename(`${config}~`, config);
    await eventually(() => announcedBy(worker) === "three" && idle(worker), "the good one is in force");
    expect(worker.jobs.polls.at(-1)?.configProblem).toBeUndefined();
    expect(worker.jobs.polls).toHaveLength(polls + 3);
    await stopped(agent);
  });

  test.runIf(process.platform !== "win32")(
    "reads its config and secrets again on SIGHUP, names what needs a restart, and shows no secret",
    async () => {
      const worker = await fakeWorker();
      const { folder, config, text, run, enroll } = await site();
      const credentials = join(folder, "credentials");
      await mkdir(credentials);
      await writeFile(join(credentials, "place"), "tenant-4711");
      const env = { CREDENTIALS_DIRECTORY: credentials };
      const inside = join(folder, "${secret:place}");
      await writeFile(config, text(["one"], {}, inside));
      await enroll(worker, env);
      const agent = run(["run"], env);
      await eventually(() => idle(worker), "it is idle");
      const polls = worker.jobs.polls.length;
      agent.child.kill("SIGHUP");
      await eventually(() => agent.err.includes("the config was read again"), "it has read the config");
      // Nothing has changed that the guild should know of.
      expect(worker.jobs.polls).toHaveLength(polls);
      const job = worker.jobs.enqueue("backup", { server: "one" });
      await eventually(() => job.state === "failed", "the folder is not there");
      await writeFile(config, text(["one", "two"], { log: { level: "debug" } }, inside));
      agent.child.kill("SIGHUP");
      await eventually(() => announcedBy(worker) === "one two", "the change is announced");
      await eventually(() => agent.err.includes("these keys need a restart of the agent to change: log"), "the warning");
      await stopped(agent);
      expect(agent.err).toContain("«redacted»");
      expect(agent.err).not.toContain("tenant-4711");
      const shown = await run(["check", "--show"], env).ended;
      expect(shown.out).toContain("«redacted»");
    },
  );

  test.runIf(process.platform !== "win32")("is not ended by SIGHUP, also while it starts or stops; another command is", async () => {
    const worker = await fakeWorker();
    const { run, enroll, folder, config, text } = await site();
    await enroll(worker);
    // A secret manager that takes its time: it goes on when it finds its file, and tells by another that it was asked.
    const [asked, goOn] = [join(folder, "asked"), join(folder, "go-on")];
    const code =
      "const fs = require('fs'); const [asked, goOn] = process.argv.slice(1); fs.writeFileSync(asked, 'x'); setInterval(() => fs.existsSync(goOn) && (console.log('world'), process.exit()), 5)";
    await writeFile(
      config,
      text(["one"], { secret_command: [process.execPath, "-e", code, "--", asked, goOn, "{name}"] }, join(folder, "${secret:place}")),
    );
    const agent = run(["run", "--grace", "60"]);
    await eventually(() => existsSync(asked), "it starts");
    agent.child.kill("SIGHUP");
    await writeFile(goOn, "x");
    await eventually(() => idle(worker), "it is idle");
    for (let n = 0; n < 5; n += 1) agent.child.kill("SIGHUP");
    agent.child.kill("SIGTERM");
    agent.child.kill("SIGHUP");
    expect(await agent.ended).toMatchObject({ code: 0, signal: null });
    worker.fault = ({ path }) => (path.includes("/parts/") ? new Promise(() => undefined) : undefined);
    await mkdir(join(folder, "world/one"));
    await writeFile(join(folder, "world/one/level.dat"), "x");
    const backup = run(["backup", "one"]);
    await eventually(() => worker.log.some(({ path }) => path.includes("/parts/")), "the upload is under way");
    backup.child.kill("SIGHUP");
    expect(await backup.ended).toMatchObject({ code: 1, err: expect.stringContaining("backup-cancelled") });
  });

  test("goes on with a new key when it was rotated beside it, also when the answer was lost", async () => {
    const worker = await fakeWorker();
    const { run, enroll, stateFile } = await site();
    await enroll(worker);
    const agent = run(["run"]);
    await eventually(() => idle(worker), "it is idle");
    const host = [...worker.hosts.values()][0];
    const first = host?.publicKey;
    const rotated = await run(["rotate", "--json"]).ended;
    expect(JSON.parse(rotated.out)).toEqual({ host: host?.id, name: "test host", origin: worker.origin, rotated: true });
    const second = host?.publicKey;
    expect(second).not.toBe(first);

    worker.loses = ({ path }) => path === "/v1/rotate";
    expect(await run(["rotate"]).ended).toMatchObject({ code: 69, err: expect.stringContaining("reconsync: control-plane-unreachable: ") });
    worker.loses = () => false;
    const third = host?.publicKey;
    expect(third).not.toBe(second);
    worker.dropTokens();
    const job = worker.jobs.enqueue("status", { servers: [] });
    await eventually(() => job.state === "succeeded", "the agent goes on");
    await stopped(agent);
    const state = openState(stateFile, systemClock);
    expect(state.identity.get()).toMatchObject({ privateKey: { x: third } });
    expect(state.identity.get()?.nextKey).toBeUndefined();
    state.close();
    expect(await run(["rotate"]).ended).toMatchObject({ code: 0, out: expect.stringContaining("has a new key at ") });
  });

  test("killed in the middle of a rotation it has access, whether the guild took the new key or not", async () => {
    const worker = await fakeWorker();
    const { run, enroll } = await site();
    await enroll(worker);
    const host = [...worker.hosts.values()][0];
    for (const taken of [false, true]) {
      const before = host?.publicKey;
      const held = Promise.withResolvers<undefined>();
      let asked = false;
      const hold = async ({ path }: { path: string }) => {
        if (path !== "/v1/rotate") return undefined;
        asked = true;
        return held.promise;
      };
      worker.fault = hold;
      const rotation = run(["rotate"]);
      await eventually(() => asked, "the request is there");
      if (taken) held.resolve(undefined);
      if (taken) await eventually(() => host?.publicKey !== before, "the guild has the new key");
      rotation.child.kill("SIGKILL");
      await rotation.ended;
      worker.fault = undefined;
      const agent = run(["run"]);
      const count = worker.jobs.polls.length;
      await eventually(() => worker.jobs.polls.length > count, "the agent has access");
      await stopped(agent);
      held.resolve(undefined);
    }
    expect(await run(["rotate"]).ended).toMatchObject({ code: 0 });
  });

  test("that is too old ends with the way to update, and runs again when it is not too old any more", async () => {
    const worker = await fakeWorker();
    const { run, enroll } = await site();
    await enroll(worker);
    const message = "This agent speaks protocol 1; 2 is needed.";
    worker.fault = ({ path }) => (path === "/v1/poll" ? { status: 426, json: { code: "agent-too-old", message } } : undefined);
    const ended = await run(["run"]).ended;
    expect(ended).toMatchObject({
      code: 77,
      err: expect.stringContaining(`reconsync: agent-too-old: ${message} Nothing is lost meanwhile.`),
    });
    worker.fault = undefined;
    const agent = run(["run"]);
    await eventually(() => worker.jobs.polls.length > 0, "it polls");
    await stopped(agent);
  });
});
