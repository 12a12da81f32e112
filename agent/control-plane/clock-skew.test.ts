import { describe, expect, test } from "vitest";
import { systemClock } from "../clock.ts";
import { HastyClock } from "../testing/fake-clock.ts";
import { enrolledState, eventually, fakeWorker, memoryLogger, temporaryState } from "../testing/fixtures.ts";
import { clockOffset, offsetText, SkewWatch } from "./clock-skew.ts";
import { enroll } from "./enroll.ts";
import { heartbeatOf } from "./heartbeat.ts";
import { pollUntilStopped } from "./poll-loop.ts";
import { WorkerClient } from "./worker-client.ts";

const T = Date.UTC(2026, 10, 22, 12);
const date = (ms: number) => new Date(ms).toUTCString();

describe("the offset of this host's clock", () => {
  test.for([
    ["within request and answer", T + 10_000, T, T + 50_000, 0],
    ["in the second that Date leaves out", T, T + 999, T + 1000, 0],
    ["ahead: the answer was made before it was asked for", T, T + 90_000, T + 91_000, 90_000],
    ["behind: the answer was made after it came", T + 90_000, T, T + 1000, -89_000],
  ] as const)("%s", ([, theirs, sentAt, receivedAt, offset]) => {
    expect(clockOffset(date(theirs), sentAt, receivedAt)).toBe(offset);
  });

  test("is not known when the answer has no time", () => {
    expect(clockOffset(null, T, T)).toBeUndefined();
    expect(clockOffset("yesterday", T, T)).toBeUndefined();
  });

  test("is told in words with its direction", () => {
    expect(offsetText(185_000)).toBe("3 min 5 s ahead of the control plane's");
    expect(offsetText(-7_500_000)).toBe("2 h 5 min behind the control plane's");
  });
});

test("a clock that is off is told once, again when it is off by another amount, and when it is right again", () => {
  const { log, lines } = memoryLogger();
  const watch = new SkewWatch(log);
  const sees = (offset: number) => watch.saw(date(T), T + offset, T + offset);
  for (const offset of [0, 20_000, 40_000, 41_000, 65_000, 75_000, -40_000, -41_000, 20_000, 0, 35_000]) sees(offset);
  expect(lines.map(({ level, code, offsetSeconds }) => [level, code, offsetSeconds])).toEqual([
    [40, "clock-skew", 40],
    [40, "clock-skew", 75],
    [40, "clock-skew", -40],
    [30, undefined, undefined],
    [40, "clock-skew", 35],
  ]);
  expect(lines[0]?.msg).toMatch(/^this host's clock is 40 s ahead of the control plane's\. Set the clock right .*timedatectl.*w32tm/);
});

describe("a control plane with another time", () => {
  test("refuses tokens, which is no reason to end: it is tried again, and works when the clock is right", async () => {
    const worker = await fakeWorker();
    worker.jobs.secondMs = 20;
    const { identity } = await enrolledState(worker);
    worker.aheadMs = 10 * 60_000;
    const { log, lines } = memoryLogger();
    const stop = new AbortController();
    const clock = new HastyClock(1000);
    const plane = new WorkerClient({ identity, clock: systemClock, skew: new SkewWatch(log) });
    const compose = () => ({ heartbeat: heartbeatOf(1, ""), servers: [], status: [], running: [], room: 4 });
    const ended = pollUntilStopped(
      { plane, clock, log, random: () => 0, compose, take: () => undefined, onRecovered: () => undefined },
      stop.signal,
    );
    await eventually(() => clock.slept.filter((ms) => ms >= 1000).length >= 4, "four failures");
    const outage = lines.find(({ code, downSeconds }) => code === "clock-skew" && downSeconds === 0);
    expect(outage?.msg).toBe("the control plane cannot be used: refused: clock-skew");
    const told = lines.filter(({ offsetSeconds }) => offsetSeconds !== undefined);
    expect(told.map(({ msg }) => msg)).toEqual([expect.stringMatching(/^this host's clock is (9 min 5\d s|10 min) behind/)]);
    worker.aheadMs = 0;
    await eventually(() => worker.jobs.polls.length > 0, "it polls");
    expect(lines.some(({ msg }) => msg === "this host's clock agrees with the control plane's again")).toBe(true);
    stop.abort();
    await ended;
  });

  test("refuses an enrolment without saying why: the error says by how much the clock is off", async () => {
    const worker = await fakeWorker();
    worker.aheadMs = -60 * 60_000;
    const code = worker.newCode();
    worker.fault = ({ path }) => (path === "/v1/enroll" ? { status: 401, json: { code: "proof-invalid", message: "no." } } : undefined);
    const state = await temporaryState();
    const heartbeat = heartbeatOf(Date.now(), "");
    await expect(enroll({ url: worker.origin, code, heartbeat, state, clock: systemClock })).rejects.toMatchObject({
      code: "proof-invalid",
      message: expect.stringMatching(/^no\. This host's clock is 1 h( 0 min)? ahead of the control plane's/),
    });
  });
});
