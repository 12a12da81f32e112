import { setTimeout as delay } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import type { Verification } from "../../schemas/index.ts";
import type { Clock } from "../clock.ts";
import { eventually, hostConfig } from "../testing/fixtures.ts";
import { flipByte, site } from "./testing/site.ts";
import { ATTEMPTS_MAX, RETRY_MS, Verifier } from "./verifier.ts";

const WAIT = { timeout: 120_000 };
const DAY_MS = 24 * 60 * 60_000;

/** A clock that leaps when the test says so. Long bounds never run out by themselves. */
class LeapClock implements Clock {
  ahead = 0;

  now(): number {
    return Date.now() + this.ahead;
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    await delay(ms > 30_000 ? ms : Math.min(ms, 10), undefined, { signal });
  }
}

async function running(format: "repository" | "zip", given: { backups?: boolean; enrolled?: boolean } = {}) {
  const clock = new LeapClock();
  const it = await site({ format, clock });
  if (given.backups !== false) await it.backUp();
  if (given.enrolled !== false) {
    it.state.identity.replace({
      origin: "https://x.example",
      host: "host_0000000000000000",
      tenant: "1-00000000",
      name: "box",
      privateKey: { kty: "OKP", crv: "Ed25519", x: "-", d: "-" },
      enrolledAt: 1,
    });
  }
  const told: Verification[] = [];
  const put = it.state.outbox.putReport.bind(it.state.outbox);
  it.state.outbox.putReport = (report, now) => {
    if (report.kind === "verification") told.push(report.verification);
    put(report, now);
  };
  const config = hostConfig(it.state.file, [it.server]);
  const start = () => {
    const stop = new AbortController();
    const verifier = new Verifier({ ...it.deps, config, onReport: () => undefined });
    const ended = verifier.run(stop.signal);
    ended.catch(() => undefined);
    return {
      stop: async () => {
        stop.abort();
        await ended;
      },
      configure: (verify: typeof it.server.verify) =>
        verifier.replace(hostConfig(it.state.file, [{ ...it.server, verify: { ...verify, scratch: it.scratch } }])),
      leap: (ms: number) => {
        clock.ahead += ms;
        verifier.ring();
      },
    };
  };
  return { ...it, clock, told, start };
}

test("what is due is done, told, and not done again after a restart", WAIT, async () => {
  const it = await running("repository");
  const first = it.start();
  onTestFinished(first.stop);
  await eventually(() => it.state.verifications.all().length === 2, "both checks are taken up");
  expect(it.told).toEqual([]);
  first.leap(8 * DAY_MS);
  await eventually(() => it.told.length === 2, "both checks are told of");
  expect(it.told.map(({ check, outcome }) => `${check} ${outcome}`).toSorted()).toEqual(["daily passed", "drill passed"]);
  expect(it.told[0]?.drillsSince).toBe(Math.round(it.state.verifications.get("island", "drill")?.since ?? 0));
  expect(it.state.verifications.proven("island")).toMatch(/^[0-9a-f]{64}$/);
  await first.stop();
  const second = it.start();
  onTestFinished(second.stop);
  await delay(100);
  expect(it.told).toHaveLength(2);
  second.leap(DAY_MS);
  await eventually(() => it.told.length === 3, "the next day comes");
  expect(it.told[2]).toMatchObject({ check: "daily", outcome: "passed" });
});

test("damage is told as a failure, and the backup that it hits is in doubt", WAIT, async () => {
  const it = await running("repository");
  flipByte(it.packs()[0] ?? "");
  const { stop, leap } = it.start();
  onTestFinished(stop);
  await eventually(() => it.state.verifications.all().length === 2, "both checks are taken up");
  leap(8 * DAY_MS);
  const drill = await eventually(() => it.told.find(({ check }) => check === "drill"), "the drill is told of");
  expect(drill).toMatchObject({ outcome: "failed", problems: [{ kind: "restore", path: "big.bin" }] });
  expect(it.state.verifications.doubts("island").size).toBe(1);
  expect(it.state.verifications.proven("island")).toBeUndefined();
});

test("what cannot be done is tried some times, an hour apart, and then told as put off", WAIT, async () => {
  const it = await running("zip", { backups: false });
  const { stop, leap } = it.start();
  onTestFinished(stop);
  await eventually(() => it.state.verifications.all().length === 2, "both checks are taken up");
  leap(8 * DAY_MS);
  for (let attempt = 1; attempt < ATTEMPTS_MAX; attempt += 1) {
    await eventually(() => it.state.verifications.all().every(({ attempts }) => attempts === attempt), `attempt ${attempt}`);
    expect(it.told).toEqual([]);
    leap(RETRY_MS);
  }
  await eventually(() => it.told.length === 2, "both are told of");
  expect(it.told).toMatchObject([{ outcome: "put-off", reason: expect.stringContaining("drill-no-backup") }, { outcome: "put-off" }]);
});

test("a check that is turned off and on again begins anew, and keeps what it had proven", WAIT, async () => {
  const it = await running("zip");
  const { stop, leap, configure } = it.start();
  onTestFinished(stop);
  await eventually(() => it.state.verifications.all().length === 2, "both checks are taken up");
  const since = it.state.verifications.get("island", "drill")?.since ?? 0;
  leap(8 * DAY_MS);
  await eventually(() => it.told.length === 2, "both are told of");
  configure({ daily: true, drill: "off" });
  expect(it.state.verifications.get("island", "drill")?.since).toBe(0);
  leap(8 * DAY_MS);
  await eventually(() => it.told.length === 3, "the daily one goes on");
  expect(it.told[2]).not.toHaveProperty("drillsSince");
  configure({ daily: true, drill: "daily" });
  await eventually(() => (it.state.verifications.get("island", "drill")?.since ?? 0) > since, "the drill is taken up again");
  expect(it.state.verifications.proven("island")).toMatch(/^island-/);
});

test("a host that nobody knows tells nobody", WAIT, async () => {
  const it = await running("zip", { enrolled: false });
  const { stop, leap } = it.start();
  onTestFinished(stop);
  await eventually(() => it.state.verifications.all().length === 2, "both checks are taken up");
  leap(8 * DAY_MS);
  await eventually(() => it.state.verifications.proven("island"), "the drill has passed");
  expect(it.told).toEqual([]);
});
