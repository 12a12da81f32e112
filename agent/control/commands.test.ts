import { chmod, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Secret } from "../config/secret.ts";
import { observePort } from "../monitor/port.ts";
import { commandsOf, controlled, gamePlace, never, reaches, saved, worldOf } from "./testing/parts.ts";

const LONG = { timeout: 120_000 };

/** Scripts as an admin writes them: one that starts the game in the background, one that stops it, one that says whether it runs. */
async function scripts(...traits: string[]) {
  const place = await gamePlace(...traits);
  const { folder, start } = place;
  const script = async (name: string, text: string) => {
    const file = join(folder, name);
    await writeFile(file, `#!/bin/sh\n${text}\n`);
    await chmod(file, 0o755);
    return [file];
  };
  const pidFile = join(folder, "pid");
  const alive = `test -s '${pidFile}' && grep -qv ') Z ' "/proc/$(cat '${pidFile}')/stat" 2>/dev/null`;
  return {
    place,
    script,
    alive,
    pidFile,
    start: await script("start", `echo starting "$MOD"\n${start.map((it) => `'${it}'`).join(" ")} &\necho $! > '${pidFile}'`),
    stop: await script(
      "stop",
      `${alive} || { echo 'it does not run' >&2; exit 2; }\nkill "$(cat '${pidFile}')"\nwhile ${alive}; do sleep 0.05; done`,
    ),
    status: await script("status", `${alive} && exit 0\nexit 3`),
  };
}

describe.skipIf(process.platform === "win32")("a server that is stopped and started by commands", () => {
  test("runs, saves and stops, and each order twice is the same as once", LONG, async () => {
    const { place, start, stop, status } = await scripts();
    const { control } = controlled(place, commandsOf(place, { start, stop, status, env: { MOD: new Secret("oak") } }));
    expect(await control.state(never)).toBe("stopped");
    await control.stop(never);
    await control.start(never);
    expect(await control.state(never)).toBe("running");
    await saved(place);
    const { pid } = await worldOf(place);
    await control.start(never);
    expect((await worldOf(place)).pid).toBe(pid);
    await control.stop(never);
    expect((await worldOf(place)).why).toBe("SIGTERM");
    expect(await control.state(never)).toBe("stopped");
    expect(await readFile(join(place.folder, "control", "game.log"), "utf8")).toMatch(/^starting oak\n[\s\S]*got SIGTERM\n$/);
  });

  test("without a status program, process and port together tell; one alone does not", LONG, async () => {
    const { place, start, stop, pidFile } = await scripts();
    const { server, control } = controlled(place, commandsOf(place, { start, stop }));
    server.process = { pidFile };
    expect(await control.state(never)).toBe("stopped");
    // The program fails, as there is nothing to stop: that is as good.
    await control.stop(never);
    await control.start(never);
    await reaches(control, "running");
    await saved(place);
    await control.stop(never);
    expect((await worldOf(place)).why).toBe("SIGTERM");
    expect((await observePort(server)).port.state).toBe("closed");
    server.process = undefined;
    expect(await control.state(never)).toBe("unknown");
    await expect(control.stop(never)).rejects.toMatchObject({ code: "server-stop-failed" });
  });

  test("a stop whose outcome nobody can tell is no success", LONG, async () => {
    const { place, script, start } = await scripts();
    const [stop, status] = [await script("nothing", "exit 0"), await script("unsure", "exit 4")];
    const { control } = controlled(place, commandsOf(place, { start, stop, status, stopTimeoutMs: 200 }));
    await expect(control.stop(never)).rejects.toMatchObject({
      code: "server-stop-failed",
      message: expect.stringContaining("cannot be told"),
    });
  });

  test("a program that fails, hangs or is not there says so, with what it printed", LONG, async () => {
    const { place, script, start, stop, status } = await scripts();
    const runs = await script("runs", "exit 0");
    const of = (changes: Parameters<typeof commandsOf>[1]) => controlled(place, commandsOf(place, changes)).control;
    const broken = await script("broken", "echo 'no such container: valheim' >&2\nexit 7");
    const hangs = await script("hangs", "exec sleep 600");
    const said = expect.stringContaining("exit code 7: no such container: valheim");
    await expect(of({ start: broken, stop, status }).start(never)).rejects.toMatchObject({ code: "server-start-failed", message: said });
    await expect(of({ start, stop: broken, status: runs }).stop(never)).rejects.toMatchObject({
      code: "server-stop-failed",
      message: said,
    });
    await expect(of({ start: ["/nowhere/start"], stop, status }).start(never)).rejects.toMatchObject({
      code: "server-start-failed",
      message: expect.stringContaining('there is no program "/nowhere/start"'),
    });
    await expect(of({ start: hangs, stop, status, startTimeoutMs: 200 }).start(never)).rejects.toMatchObject({
      code: "server-start-failed",
      message: expect.stringContaining("control.type: process"),
    });
    await expect(of({ start, stop: hangs, status: runs, stopTimeoutMs: 200 }).stop(never)).rejects.toMatchObject({
      code: "server-stop-timeout",
    });
  });

  test("a stop that is obeyed too late is told of, and the server left alone", LONG, async () => {
    const { place, script, start, status } = await scripts("deaf");
    const stop = await script("hint", "exit 0");
    const { control } = controlled(place, commandsOf(place, { start, stop, status, stopTimeoutMs: 300 }));
    await control.start(never);
    await saved(place);
    await expect(control.stop(never)).rejects.toMatchObject({
      code: "server-stop-timeout",
      message: expect.stringContaining("not killed"),
    });
    expect(await control.state(never)).toBe("running");
  });
});
