import { mkdirSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { HeldSaves } from "../backup/saves.ts";
import { systemClock } from "../clock.ts";
import { LiveConfig } from "../config/live-config.ts";
import { WorkerClient } from "../control-plane/worker-client.ts";
import { runDaemon } from "../daemon.ts";
import { backUp, backUpIfChanged } from "../jobs/backup.ts";
import { enrolledState, eventually, fakeWorker, hostConfig, memoryLogger, testHost } from "../testing/fixtures.ts";
import { SaveKeeper } from "./keeper.ts";
import { consoleServer, MINECRAFT, minecraft, PASSWORD, type Scene, scene, step } from "./testing/kit.ts";

/** Nobody listens there. */
const NOBODY = 1;

const held = <T>({ host, server, context }: Scene, work: (saves: HeldSaves) => Promise<T>) => host.saves.whileHeld(server, context, work);
const evidence = (it: Scene) => held(it, (saves) => saves.readAll());

describe("saves held around a backup", () => {
  test("are written down before the server hears of it, and are let go when all is read", async () => {
    const console = await consoleServer(minecraft);
    const it = await scene({ port: console.port });
    const open: boolean[] = [];
    console.run = (command) => {
      open.push(it.state.holds.get("island") !== undefined);
      return minecraft(command);
    };
    const commands: string[][] = [];
    const told = await held(it, async (saves) => {
      commands.push([...console.commands]);
      const answer = await saves.readAll();
      commands.push([...console.commands]);
      return answer;
    });
    expect(commands).toEqual([
      ["save-off", "save-all flush"],
      ["save-off", "save-all flush", "save-on"],
    ]);
    expect(open).toEqual([true, true, true]);
    expect(it.state.holds.all()).toEqual([]);
    expect(told).toEqual({
      quiesced: true,
      warnings: [],
      evidence: [
        "save-off answered 'Automatic saving is now disabled'",
        "save-all flush answered 'Saved the game'",
        "no file was written while saves were held",
        expect.stringMatching(/^saves were held for \d+ s$/),
      ],
    });
    expect(it.reports[0]?.notice).toContain("hold saves");
  });

  test("are let go when the backup fails, is cancelled, or never says that it has read all", async () => {
    const console = await consoleServer(minecraft);
    const it = await scene({ port: console.port });
    await expect(held(it, () => Promise.reject(new Error("the disk is full")))).rejects.toThrow("the disk is full");
    await held(it, async () => "nothing to say");
    const cancel = new AbortController();
    it.context.signal = cancel.signal;
    const cancelled = held(it, async () => {
      cancel.abort(new Error("cancelled"));
      cancel.signal.throwIfAborted();
    });
    await expect(cancelled).rejects.toThrow("cancelled");
    expect(console.commands.filter((command) => command === "save-on").length).toBe(3);
    expect(it.state.holds.all()).toEqual([]);
  });

  test("are let go when the backup is cancelled in the middle of the steps", async () => {
    const cancel = new AbortController();
    const console = await consoleServer((command) => {
      if (command === "save-all flush") cancel.abort(new Error("cancelled"));
      return command === "save-all flush" ? new Promise(() => undefined) : minecraft(command);
    });
    const it = await scene({ port: console.port });
    it.context.signal = cancel.signal;
    await expect(held(it, async () => expect.unreachable())).rejects.toThrow("cancelled");
    expect(console.commands.at(-1)).toBe("save-on");
    expect(it.state.holds.all()).toEqual([]);
  });

  test("that take too long are let go while the copy goes on, which says so", async () => {
    const console = await consoleServer(minecraft);
    const it = await scene({ port: console.port, hold: { maxMs: 3000, before: MINECRAFT.before.slice(0, 1) } });
    const told = await held(it, async (saves) => {
      await eventually(() => console.commands.includes("save-on"), "the server saves again");
      return saves.readAll();
    });
    expect(told).toMatchObject({
      quiesced: false,
      evidence: expect.arrayContaining(["saves were let go after 0.05 min, before all was copied"]),
    });
    expect(console.commands.filter((command) => command === "save-on")).toEqual(["save-on"]);
  });

  test("whose steps take too long are let go after the step that is under way has been given up", async () => {
    const console = await consoleServer((command) => (command === "save-all flush" ? new Promise(() => undefined) : minecraft(command)));
    const it = await scene({ port: console.port, hold: { maxMs: 3000 } });
    const told = await evidence(it);
    expect(told.warnings[0]).toContain("the steps together took longer");
    expect(console.commands).toEqual(["save-off", "save-all flush", "save-on"]);
  });

  test("are told apart from those that nothing confirms", async () => {
    const console = await consoleServer(() => "what?");
    const it = await scene({ port: console.port, hold: { before: [{ command: "saveworld" }], after: [] } });
    expect(await evidence(it)).toMatchObject({
      quiesced: false,
      evidence: expect.arrayContaining(["saveworld answered 'what?'", "nothing said that the save was complete"]),
    });
    // There is nothing to let go.
    expect(console.commands).toEqual(["saveworld"]);
  });

  test("wait for a line of the server's log", async () => {
    const it = await scene({ port: NOBODY, hold: { after: [] } });
    mkdirSync(join(it.world, "logs"));
    const log = join(it.world, "logs", "game.log");
    writeFileSync(log, "Saving finished: of yesterday\n");
    const console = await consoleServer(() => {
      // Before it answers: the line may come before its step does.
      writeFileSync(log, "Saving finished: of yesterday\nSaving 100 %\nSaving finished: now\n");
      return "";
    });
    if (it.server.console !== undefined) it.server.console.port = console.port;
    if (it.server.backup.hold !== undefined) {
      it.server.backup.hold.before = [step({ command: "/server-save" }), step({ log: "logs/game.log", line: "Saving finished: *" })];
    }
    const told = await evidence(it);
    expect(told.evidence).toEqual(expect.arrayContaining([expect.stringContaining("logs/game.log said 'Saving finished: now' at ")]));
    expect(told.quiesced).toBe(true);
  });

  test("are held by a program of the host's config, whose failure is told in its own words", async () => {
    const it = await scene({ port: NOBODY, hold: { after: [] } });
    const { hold } = it.server.backup;
    if (hold === undefined) throw new Error("no hold");
    hold.before = [{ program: [process.execPath, "-e", "process.exit(process.argv[1] === 'a b; c' ? 0 : 1)", "a b; c"] }];
    expect(await evidence(it)).toMatchObject({
      quiesced: true,
      evidence: expect.arrayContaining([`${process.execPath} ended with exit code 0`]),
    });
    hold.before = [{ program: [process.execPath, "-e", "console.error('no such world'); process.exit(3)"] }];
    expect((await evidence(it)).warnings[0]).toContain("no such world");
    hold.before = [{ program: ["/no/such/program"] }];
    expect((await evidence(it)).warnings[0]).toContain("/no/such/program");
    hold.before = [{ program: [process.execPath, "-e", "setInterval(() => 0, 1000)"], timeout_seconds: 1 }];
    expect((await evidence(it)).warnings[0]).toContain("did not end within 1 s");
  });

  test("are asked for again and again until the server is ready, within their bound", async () => {
    let asked = 0;
    const console = await consoleServer((command) => {
      if (command !== "save query") return "Saving...";
      asked += 1;
      return asked < 3 ? "A previous save has not been completed." : "Files are now ready";
    });
    const poll = { command: "save query", until: "Files are now ready", every_seconds: 1 };
    const it = await scene({ port: console.port, hold: { before: [{ command: "save hold", poll }], after: [] } });
    expect(await evidence(it)).toMatchObject({ quiesced: true });
    expect(asked).toBe(3);
    asked = -100;
    if (it.server.backup.hold !== undefined) it.server.backup.hold.before = [{ command: "save hold", poll, timeout_seconds: 2 }];
    expect((await evidence(it)).warnings[0]).toContain('"save query" had no answer that it is done within 2 s');
  });
});

describe("saves that cannot be held", () => {
  test("do not hinder the backup, which warns", async () => {
    const it = await scene({ port: NOBODY, hold: { after: [] } });
    const told = await evidence(it);
    expect(told.quiesced).toBe(false);
    expect(told.warnings).toEqual([
      expect.stringContaining("Saves could not be held, so the files were copied without: the console at 127.0.0.1"),
    ]);
    expect(told.evidence[0]).toContain("saves were not held: the console at");
  });

  test("end the backup when the config requires them", async () => {
    const it = await scene({ port: NOBODY, hold: { after: [], required: true } });
    await expect(evidence(it)).rejects.toMatchObject({ code: "saves-not-held", message: expect.stringContaining("cannot be reached") });
  });

  test("are let go again: another reply than expected does not mean that nothing was held", async () => {
    const console = await consoleServer((command) =>
      command === "save-all flush" ? "Unable to save the game (is there enough disk space?)" : minecraft(command),
    );
    const it = await scene({ port: console.port });
    const told = await evidence(it);
    expect(console.commands).toEqual(["save-off", "save-all flush", "save-on"]);
    expect(told.warnings[0]).toContain("Unable to save the game");
    expect(it.state.holds.all()).toEqual([]);
  });

  test("say why they were not even tried", async () => {
    const it = await scene({ port: NOBODY });
    const { hold } = it.server.backup;
    delete it.server.backup.hold;
    expect(await evidence(it)).toEqual({
      quiesced: false,
      warnings: [],
      evidence: ["saves were not held: no way to hold saves of Test Game is known"],
    });
    it.server.profile = { ...it.server.profile, hold: { before: [{ command: "save", sources: ["x"] }], after: [] } };
    expect((await evidence(it)).evidence).toEqual(["saves were not held: config.yaml says so"]);
    delete it.server.console;
    expect((await evidence(it)).evidence).toEqual(["saves were not held: config.yaml gives this server no console"]);
    expect(hold).toBeDefined();
  });
});

describe("saves that cannot be let go", () => {
  test("are a warning with what to do, and are let go later", async () => {
    let deaf = false;
    const console = await consoleServer((command) => (command === "save-on" && deaf ? "Unknown command" : minecraft(command)));
    const it = await scene({ port: console.port });
    deaf = true;
    const told = await evidence(it);
    expect(told.warnings).toEqual([expect.stringContaining(`type "save-on" into the server's console`)]);
    // The copy itself was held.
    expect(told.quiesced).toBe(true);
    expect(it.host.saves.problems("island")).toEqual([expect.stringMatching(/^Saves may be held since .*type "save-on"/)]);
    expect(it.log.lines.some(({ msg }) => msg.includes("may not save its world"))).toBe(true);
    // It is not tried again at once.
    const before = console.commands.length;
    await it.host.saves.releaseLeft(new AbortController().signal);
    expect(console.commands.length).toBe(before);
    deaf = false;
    it.state.holds.startAnew();
    await it.host.saves.releaseLeft(new AbortController().signal);
    expect(it.state.holds.all()).toEqual([]);
    expect(it.host.saves.problems("island")).toEqual([]);
  });

  test("belong to the backup that holds them, for as long as it runs", async () => {
    const console = await consoleServer(minecraft);
    const it = await scene({ port: console.port });
    it.state.holds.open("island", Date.now(), MINECRAFT.after);
    const lock = it.host.lockBackup("island");
    await it.host.saves.releaseLeft(new AbortController().signal);
    expect(console.commands).toEqual([]);
    lock?.release();
    await it.host.saves.releaseLeft(new AbortController().signal);
    expect(console.commands).toEqual(["save-on"]);
    expect(it.state.holds.all()).toEqual([]);
  });

  test("are let go by the next backup, also when that holds nothing itself", async () => {
    const console = await consoleServer(minecraft);
    const it = await scene({ port: console.port });
    it.state.holds.open("island", Date.now() - 60_000, MINECRAFT.after);
    delete it.server.backup.hold;
    expect((await evidence(it)).warnings).toEqual([]);
    expect(console.commands).toEqual(["save-on"]);
  });

  test("are let go by what was written down, not by what the config says since", async () => {
    const console = await consoleServer(minecraft);
    const it = await scene({ port: console.port });
    it.state.holds.open("island", Date.now(), MINECRAFT.after);
    if (it.server.backup.hold !== undefined) it.server.backup.hold.after = [];
    await it.host.saves.releaseLeft(new AbortController().signal);
    expect(console.commands).toEqual(["save-on"]);
  });

  test("of a server that has left the config are told, and forgotten after a week", async () => {
    const it = await scene({ port: NOBODY });
    const { holds, backups } = it.state;
    const keeper = (now: number) =>
      new SaveKeeper({
        holds,
        backups,
        servers: () => [],
        lockBackup: it.host.lockBackup,
        clock: { ...systemClock, now: () => now },
        log: it.log.log,
      });
    holds.open("island", Date.now(), MINECRAFT.after);
    await keeper(Date.now()).releaseLeft(new AbortController().signal);
    expect(it.log.lines.at(-1)?.msg).toContain("not in the config any more");
    expect(holds.all().length).toBe(1);
    await keeper(Date.now() + 8 * 24 * 60 * 60_000).releaseLeft(new AbortController().signal);
    expect(holds.all()).toEqual([]);
  });

  test("are let go when the agent starts, by the daemon itself", async () => {
    const console = await consoleServer(minecraft);
    const it = await scene({ port: console.port });
    const worker = await fakeWorker();
    const state = await enrolledState(worker);
    // Left by a process that was killed.
    state.holds.open("island", Date.now(), MINECRAFT.after);
    state.holds.failed("island", Date.now() + 600_000);
    const { log } = memoryLogger();
    const config = new LiveConfig(hostConfig(state.file, [it.server]));
    const base = testHost(state.file, [it.server]);
    const { holds, backups } = state;
    const saves = new SaveKeeper({ holds, backups, servers: () => [it.server], lockBackup: base.lockBackup, clock: systemClock, log });
    const stop = new AbortController();
    const plane = new WorkerClient({ identity: state.identity, clock: systemClock });
    const ended = runDaemon({ config, state, plane, host: { ...base, saves }, clock: systemClock, log }, stop.signal);
    await eventually(() => state.holds.all().length === 0, "the hold is released");
    expect(console.commands).toEqual(["save-on"]);
    stop.abort();
    await ended;
  });
});

describe("a backup only if something has changed", () => {
  test.each(["zip", "repository"] as const)("as %s does not make the server save when no file was touched", async (format) => {
    const console = await consoleServer(minecraft);
    const it = await scene({ port: console.port, format });
    it.server.backup.schedules = [
      { name: "often", cron: "* * * * *", zone: "UTC", jitterMs: 0, skipUnchanged: true, catchUp: true, graceStartMs: 1, graceFinishMs: 1 },
    ];
    const file = join(it.world, "level.dat");
    writeFileSync(file, "one");
    const old = new Date(Date.now() - 60_000);
    utimesSync(file, old, old);
    // Its ctime is that of now: let it be older than the backup.
    await systemClock.sleep(50);
    const first = await backUp(it.server, {}, it.context);
    expect(first).toMatchObject({ consistency: "quiesced", evidence: expect.arrayContaining(["no file changed while it was read"]) });
    it.state.backups.put(first);
    console.commands.length = 0;
    await systemClock.sleep(50);
    expect(await backUpIfChanged(it.server, {}, it.context)).toBeNull();
    expect(console.commands).toEqual([]);
    writeFileSync(file, "two");
    expect(await backUpIfChanged(it.server, {}, it.context)).toMatchObject({ consistency: "quiesced" });
    expect(console.commands).toEqual(["save-off", "save-all flush", "save-on"]);
  });
});

test("a password stands in no log line, no evidence and no warning", async () => {
  const console = await consoleServer(minecraft);
  const it = await scene({ port: console.port });
  const told = await evidence(it);
  if (it.server.console !== undefined) it.server.console.port = NOBODY;
  const failed = await evidence(it);
  expect(JSON.stringify([told, failed, it.log.lines, it.state.holds.all(), it.server])).not.toContain(PASSWORD);
});
