import { describe, expect, test } from "vitest";
import type { ServerStatus } from "../../schemas/status.ts";
import type { Clock } from "../clock.ts";
import { systemClock } from "../clock.ts";
import type { ProcessControl, ServerConfig } from "../config/host-config.ts";
import { testServer } from "../monitor/testing/servers.ts";
import type { ServerControl } from "./control.ts";
import { type ProbeDeps, probe, strongestOf } from "./probe.ts";
import { controlled, fakeSystemd, gamePlace, never, processOf, reaches } from "./testing/parts.ts";

const LONG = { timeout: 120_000 };
const SETTLED = { settleMs: 400, weakSettleMs: 800 };

describe.skipIf(process.platform !== "linux")("after a real start", () => {
  test("a server whose port opens and stays open is up", LONG, async () => {
    const place = await gamePlace();
    const { server, control } = controlled(place, processOf(place));
    await control.start(never);
    const verdict = await probe(server, { clock: systemClock, control, ...SETTLED }, never);
    expect(verdict).toEqual({
      up: true,
      evidence: expect.stringMatching(/^its port was open after [0-9.]+ s, and stayed so$/),
      ms: expect.any(Number),
    });
  });

  test("a slow start is no crash", LONG, async () => {
    const place = await gamePlace("slow=2500");
    const { server, control } = controlled(place, processOf(place));
    await control.start(never);
    const verdict = await probe(server, { clock: systemClock, control, ...SETTLED }, never);
    expect(verdict).toMatchObject({ up: true, evidence: expect.any(String) });
    expect(verdict.ms).toBeGreaterThanOrEqual(2000);
  });

  test("a server that dies soon after its start is down at once, though its port was open", LONG, async () => {
    const place = await gamePlace("dies=1000");
    const { server, control } = controlled(place, processOf(place, { startTimeoutMs: 3_600_000 }));
    await control.start(never);
    const verdict = await probe(server, { clock: systemClock, control, settleMs: 3_600_000 }, never);
    expect(verdict).toMatchObject({ up: false, evidence: expect.stringMatching(/^its process ended [0-9.]+ s after the start$/) });
  });

  test("a unit that dies is down as well", LONG, async () => {
    const place = await gamePlace("dies=1500");
    const { server, control } = await fakeSystemd(place);
    await control.start(never);
    await reaches(control, "running");
    const verdict = await probe(server, { clock: systemClock, control, settleMs: 3_600_000 }, never);
    expect(verdict).toMatchObject({ up: false, evidence: expect.stringMatching(/^(?:its process ended|it was not running)/) });
  });

  test("a server that runs and never opens its port is down when its time is over", LONG, async () => {
    const place = await gamePlace("mute");
    const { server, control } = controlled(place, processOf(place, { startTimeoutMs: 2000 }));
    await control.start(never);
    const verdict = await probe(server, { clock: systemClock, control, ...SETTLED }, never);
    expect(verdict).toMatchObject({
      up: false,
      evidence: expect.stringMatching(/^its port was not open \(though its process ran\) after/),
    });
    expect(await control.state(never)).toBe("running");
  });
});

/** A clock that only sleeping moves, and a server that looks as the script says at each second. */
function scripted(looks: (second: number) => Partial<ServerStatus> & { state?: "running" | "stopped" | "unknown" }) {
  let now = 0;
  const clock: Clock = {
    now: () => now,
    sleep: async (ms) => {
      now += ms;
    },
  };
  const at = () => looks(Math.floor(now / 1000));
  const control: ServerControl = { way: "test", state: async () => at().state ?? "unknown", stop: async () => {}, start: async () => {} };
  const look = async (): Promise<ServerStatus> => {
    const { state: _, ...seen } = at();
    return { server: "test", at: now, process: { state: "unknown" }, port: { state: "unknown" }, problems: [], ...seen };
  };
  return { clock, control, look } satisfies ProbeDeps;
}

const withProbe = (kind?: ProcessControl["probe"]): ServerConfig => {
  const control: ProcessControl = {
    ...{ type: "process", start: ["x"], cwd: "/x", pidFile: "/x.pid", logFile: "/x.log", stopSignal: "SIGTERM", kill: false, env: {} },
    ...{ stopTimeoutMs: 60_000, startTimeoutMs: 600_000, probe: kind },
  };
  return testServer({ control });
};
const open = { port: { state: "open" as const } };
const closed = { port: { state: "closed" as const } };
const answered = { query: { state: "answered" as const } };
const silent = { query: { state: "silent" as const } };
const runs = (pid: number) => ({ process: { state: "running" as const, pid } });
const earlier = (seen: Partial<ServerStatus>): ServerStatus => ({
  ...{ server: "test", at: 0, process: { state: "unknown" }, port: { state: "unknown" }, problems: [] },
  ...seen,
});

describe("what counts as up", () => {
  test("is what worked before the stop: a query then, a query now", async () => {
    const deps = scripted((second) => ({ ...open, ...(second < 100 ? silent : answered) }));
    const verdict = await probe(withProbe(), { ...deps, before: earlier({ ...open, ...answered }) }, never);
    expect(verdict).toMatchObject({ up: true, evidence: "it answered a query after 100 s, and each one since", ms: 110_000 });
  });

  test("asks for no more than worked before the stop", async () => {
    const deps = scripted(() => ({ ...open, ...silent, ...runs(5) }));
    const verdict = await probe(withProbe(), { ...deps, before: earlier({ ...open, ...silent }) }, never);
    expect(verdict).toMatchObject({
      up: true,
      evidence: "its port was open after 0 s, and stayed so, though it answers no query",
      ms: 10_000,
    });
  });

  test("is an open port for a minute where a query is set up, never seen to work, and silent", async () => {
    const verdict = await probe(
      withProbe(),
      scripted((second) => (second < 20 ? { ...closed, ...silent } : { ...open, ...silent })),
      never,
    );
    expect(verdict).toMatchObject({ up: true, ms: 80_000 });
  });

  test("is what the config says", async () => {
    const deps = scripted(() => ({ ...closed, ...silent, ...runs(5) }));
    expect(await probe(withProbe("process"), deps, never)).toMatchObject({ up: true, ms: 60_000 });
    expect(
      await probe(
        withProbe("port"),
        scripted(() => ({ ...closed, ...answered })),
        never,
      ),
    ).toMatchObject({ up: false });
  });

  test("starts anew with each gap and each new process: a crash loop is never up", async () => {
    const loop = scripted((second) => ({ ...(second % 9 < 8 ? open : closed) }));
    expect(await probe(withProbe(), loop, never)).toMatchObject({ up: false, ms: 600_000 });
    const replaced = scripted((second) => ({ ...open, ...runs(Math.floor(second / 9)), state: "running" }));
    expect(await probe(withProbe(), replaced, never)).toMatchObject({
      up: false,
      evidence: "its port was open, but not without a gap, after 600 s; its process was replaced 66 times meanwhile",
    });
  });

  test("is nothing where nothing can be told, unless the config asks for no proof", async () => {
    const blind = () => scripted(() => ({}));
    expect(await probe(withProbe(), blind(), never)).toMatchObject({
      up: false,
      evidence: expect.stringMatching(/^nothing could be told/),
    });
    expect(await probe(withProbe("none"), blind(), never)).toMatchObject({
      up: true,
      evidence: expect.stringMatching(/^control.probe is none/),
    });
    const dead = scripted((second) => ({ state: second < 5 ? "running" : "stopped" }));
    expect(await probe(withProbe("none"), dead, never)).toMatchObject({ up: false, evidence: "its process ended 5 s after the start" });
  });

  test("is not judged while an order may not have been obeyed yet", async () => {
    const late = scripted((second) => (second < 3 ? { ...closed, state: "stopped" } : { ...open, state: "running" }));
    expect(await probe(withProbe(), late, never)).toMatchObject({ up: true });
    const never5 = scripted(() => ({ ...closed, state: "stopped" }));
    expect(await probe(withProbe(), never5, never)).toMatchObject({ up: false, evidence: "it was not running 5 s after the start" });
    // Seen from outside, a script that updates the game first looks the same.
    const updating = scripted((second) => (second < 120 ? { ...closed, state: "stopped" } : { ...open, state: "running" }));
    const control = {
      type: "commands",
      start: ["x"],
      stop: ["x"],
      logFile: "/x",
      env: {},
      stopTimeoutMs: 1,
      startTimeoutMs: 600_000,
    } as const;
    expect(await probe(testServer({ control: { ...control, start: ["x"], stop: ["x"] } }), updating, never)).toMatchObject({ up: true });
  });

  test("is the process where nothing else can be seen, from the control too, held for longer", async () => {
    expect(
      await probe(
        withProbe(),
        scripted(() => ({ state: "running" })),
        never,
      ),
    ).toMatchObject({ up: true, ms: 60_000 });
  });

  test("ends with the signal", async () => {
    await expect(
      probe(
        withProbe(),
        scripted(() => closed),
        AbortSignal.abort(new Error("cancelled")),
      ),
    ).rejects.toThrow("cancelled");
  });
});

test.each([
  [undefined, undefined],
  [earlier({}), undefined],
  [earlier({ ...closed, ...silent }), undefined],
  [earlier({ ...closed, ...runs(1) }), "process"],
  [earlier({ ...open, ...silent }), "port"],
  [earlier({ ...closed, ...answered }), "query"],
])("the strongest of %j is %s", (status, kind) => {
  expect(strongestOf(status)).toBe(kind);
});
