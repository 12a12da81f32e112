import { spawn } from "node:child_process";
import { once } from "node:events";
import { access, chmod, readFile, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { systemClock } from "../clock.ts";
import { Secret } from "../config/secret.ts";
import { observe } from "../monitor/observe.ts";
import { assertStopped } from "./control.ts";
import { taskkill } from "./process.ts";
import { bootOf, familyOf, identify } from "./process-identity.ts";
import { writeRecord } from "./process-record.ts";
import { controlled, end, GAME, gamePlace, never, processOf, reaches, saved, worldOf } from "./testing/parts.ts";

const LONG = { timeout: 120_000 };
const pidIn = async (file: string) => Number(await readFile(file, "utf8"));
const there = (file: string) =>
  access(file).then(
    () => true,
    () => false,
  );

describe.skipIf(process.platform !== "linux")("a process of the agent's own", () => {
  test("starts in its folder, is seen by the monitor, saves when it is asked to stop, and is stopped then", LONG, async () => {
    const place = await gamePlace();
    const config = processOf(place, { env: { MOD_TOKEN: new Secret("x") } });
    const { server, control } = controlled(place, config, { ...process.env, AWS_SECRET_ACCESS_KEY: "the agent's own" });
    expect(control.way).toBe(`process ${basename(process.execPath)}`);
    expect(await control.state(never)).toBe("stopped");
    await control.stop(never);
    await control.start(never);
    expect(await control.state(never)).toBe("running");
    await saved(place);
    const { pid, cwd, env } = await worldOf(place);
    expect(await pidIn(config.pidFile)).toBe(pid);
    expect(cwd).toBe(place.folder);
    expect(env).toContain("MOD_TOKEN");
    expect(env).not.toContain("AWS_SECRET_ACCESS_KEY");
    expect((await observe(server, { clock: systemClock })).process).toMatchObject({ state: "running", pid });
    await control.start(never);
    expect(await pidIn(config.pidFile)).toBe(pid);

    await control.stop(never);
    expect((await worldOf(place)).why).toBe("SIGTERM");
    expect(await control.state(never)).toBe("stopped");
    expect(await there(config.pidFile)).toBe(false);
    expect(await readFile(config.logFile, "utf8")).toMatch(/got SIGTERM\n$/);
    await assertStopped(control, never);
  });

  test("gets the signal that the config names, also behind a script", LONG, async () => {
    const place = await gamePlace();
    const script = join(place.folder, "run.sh");
    await writeFile(script, `#!/bin/sh\n"${process.execPath}" "${GAME}" "${place.world}" ${place.port}\necho over\n`);
    await chmod(script, 0o755);
    const { control } = controlled(place, processOf(place, { start: [script], stopSignal: "SIGINT" }));
    await control.start(never);
    await saved(place);
    await control.stop(never);
    expect((await worldOf(place)).why).toBe("SIGINT");
  });

  test("that does not stop in time is told of and left alone", LONG, async () => {
    const place = await gamePlace("deaf");
    const { control } = controlled(place, processOf(place, { stopTimeoutMs: 300 }));
    await control.start(never);
    await saved(place);
    await expect(control.stop(never)).rejects.toMatchObject({
      code: "server-stop-timeout",
      message: expect.stringContaining("not killed"),
    });
    expect(await control.state(never)).toBe("running");
    await expect(assertStopped(control, never)).rejects.toMatchObject({ code: "server-came-back" });
  });

  test("is killed after its time when the config says so, with all that it started", LONG, async () => {
    const place = await gamePlace("deaf");
    const script = join(place.folder, "run.sh");
    await writeFile(script, `#!/bin/sh\ntrap '' TERM\n"${process.execPath}" "${GAME}" "${place.world}" ${place.port} deaf\n`);
    await chmod(script, 0o755);
    const { control } = controlled(place, processOf(place, { start: [script], stopTimeoutMs: 300, kill: true }));
    await control.start(never);
    await saved(place);
    const { pid } = await worldOf(place);
    await control.stop(never);
    expect(await identify(pid, { platform: "linux", env: {}, signal: never })).toBeUndefined();
  });

  test("whose number another process has got is stopped, and that one is not touched", LONG, async () => {
    const place = await gamePlace();
    const config = processOf(place, { stopTimeoutMs: 300, kill: true });
    const { control } = controlled(place, { ...config, pidFile: join(place.folder, "control", "x.pid") });
    const other = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { detached: true, stdio: "ignore" });
    onTestFinished(() => void other.kill("SIGKILL"));
    const now = await identify(other.pid ?? 0, { platform: "linux", env: {}, signal: never });
    if (now === undefined) throw new Error("the other process is gone");
    await control.start(never);
    const pidFile = join(place.folder, "control", "x.pid");
    writeRecord(pidFile, { ...now, birth: String(Number(now.birth) - 1) });
    expect(await control.state(never)).toBe("stopped");
    await control.stop(never);
    expect(other.exitCode ?? other.signalCode).toBeNull();
    // The same ticks in another boot are another process too.
    writeRecord(pidFile, { ...now, boot: "another" });
    await control.stop(never);
    expect(other.exitCode ?? other.signalCode).toBeNull();
  });

  test("of whom only children are left runs, and is not signalled", LONG, async () => {
    const place = await gamePlace();
    const script = join(place.folder, "run.sh");
    await writeFile(script, `#!/bin/sh\n"${process.execPath}" "${GAME}" "${place.world}" ${place.port} &\n`);
    await chmod(script, 0o755);
    const { control } = controlled(place, processOf(place, { start: [script] }));
    await control.start(never);
    await saved(place);
    expect(await control.state(never)).toBe("running");
    const { pid } = await worldOf(place);
    const stopping = expect(control.stop(never)).rejects.toMatchObject({
      code: "server-stop-failed",
      message: expect.stringContaining(`(${pid})`),
    });
    await stopping;
    expect((await worldOf(place)).why).toBe("start");
    end(pid);
    await reaches(control, "stopped");
  });

  test("that cannot be started says why: no program, no folder, no right to run it", LONG, async () => {
    const place = await gamePlace();
    const start = async (changes: Parameters<typeof processOf>[1]) => controlled(place, processOf(place, changes)).control.start(never);
    const failure = (text: string) => ({ code: "server-start-failed", message: expect.stringContaining(text) });
    await expect(start({ start: ["/nowhere/game"] })).rejects.toMatchObject(failure('there is no program "/nowhere/game"'));
    await expect(start({ cwd: "/nowhere" })).rejects.toMatchObject(failure("there is no folder /nowhere"));
    await writeFile(join(place.folder, "plain"), "");
    await expect(start({ start: [join(place.folder, "plain")] })).rejects.toMatchObject(failure("EACCES"));
    const { control } = controlled(place, processOf(place));
    expect(await control.state(never)).toBe("stopped");
  });

  test("is found again when the agent was killed in the middle of the start", LONG, async () => {
    const place = await gamePlace();
    const config = processOf(place);
    const { control } = controlled(place, config);
    const gone = spawn(process.execPath, ["-e", ""], { stdio: "ignore" });
    const by = await identify(gone.pid ?? 0, { platform: "linux", env: {}, signal: never });
    if (by === undefined) throw new Error("it ended too soon");
    await once(gone, "exit");
    // As start() leaves it between spawning and writing down who that is.
    const [program = "", ...args] = place.start;
    const game = spawn(program, args, { detached: true, stdio: "ignore", env: { ...process.env, RECONSYNC_START: "mark-1" } });
    onTestFinished(() => void game.kill("SIGKILL"));
    await saved(place);
    const starting = `${config.pidFile}.starting`;
    await writeFile(starting, JSON.stringify({ mark: "mark-1", by }));
    expect(await control.state(never)).toBe("running");
    expect(await pidIn(config.pidFile)).toBe(game.pid);
    expect(await there(starting)).toBe(false);
    await control.stop(never);
    expect((await worldOf(place)).why).toBe("SIGTERM");

    // A script that has ended and left the game behind is not forgotten either.
    const left = spawn("/bin/sh", ["-c", `'${place.start.join("' '")}' & sleep 0.2`], {
      ...{ detached: true, stdio: "ignore", env: { ...process.env, RECONSYNC_START: "mark-3" } },
    });
    await once(left, "exit");
    await writeFile(starting, JSON.stringify({ mark: "mark-3", by }));
    expect(await control.state(never)).toBe("running");
    await expect(control.stop(never)).rejects.toMatchObject({ code: "server-stop-failed" });
    for (const { pid } of familyOf({ pid: left.pid ?? 0, birth: "0", boot: bootOf("linux") })) end(pid);
    await reaches(control, "stopped");

    // And when it had not come to the game, or not even to write down what it was about to do.
    await writeFile(starting, "");
    expect(await control.state(never)).toBe("stopped");
    await writeFile(starting, JSON.stringify({ mark: "mark-2", by }));
    expect(await control.state(never)).toBe("stopped");
  });

  test("of which another agent is just starting is neither started twice nor taken as stopped", LONG, async () => {
    const place = await gamePlace();
    const config = processOf(place);
    const { control } = controlled(place, config);
    const by = await identify(process.pid, { platform: "linux", env: {}, signal: never });
    if (by === undefined) throw new Error("no process");
    writeRecord(config.pidFile, { ...by, boot: "another" });
    await writeFile(`${config.pidFile}.starting`, JSON.stringify({ mark: "m", by }));
    expect(await control.state(never)).toBe("unknown");
    await expect(control.start(never)).rejects.toMatchObject({ code: "server-start-failed" });
    await expect(control.stop(never)).rejects.toMatchObject({ code: "server-stop-failed" });
    await expect(assertStopped(control, never)).rejects.toMatchObject({ code: "server-state-unknown" });
  });

  test("a damaged record is told of by its name, and nothing is done", LONG, async () => {
    const place = await gamePlace();
    const config = processOf(place);
    const { control } = controlled(place, config);
    const record = `${config.pidFile}.json`;
    for (const text of [
      "{",
      "{}",
      JSON.stringify({ pid: 1, birth: "1", boot: bootOf("linux") }),
      JSON.stringify({ pid: 0, birth: "1", boot: "" }),
    ]) {
      await writeFile(record, text);
      expect(await control.state(never)).toBe("unknown");
      await expect(control.stop(never)).rejects.toMatchObject({ message: expect.stringContaining("game.pid.json is damaged") });
    }
  });

  test("waiting for it ends when the work is cancelled", LONG, async () => {
    const place = await gamePlace("deaf");
    const { control } = controlled(place, processOf(place));
    await control.start(never);
    await saved(place);
    const cancel = new AbortController();
    const stopping = control.stop(cancel.signal);
    setTimeout(() => cancel.abort(new Error("cancelled")), 100);
    await expect(stopping).rejects.toThrow();
    expect(await control.state(never)).toBe("running");
  });
});

test("Windows is asked by taskkill first without force, for the process and its children", () => {
  const env = { systemroot: "D:\\Windows" };
  expect(taskkill(42, false, env)).toEqual(["D:\\Windows\\System32\\taskkill.exe", "/PID", "42", "/T"]);
  expect(taskkill(42, true, {})).toEqual(["C:\\Windows\\System32\\taskkill.exe", "/PID", "42", "/T", "/F"]);
});
