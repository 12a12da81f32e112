import { describe, expect, test } from "vitest";
import { newId } from "../../schemas/index.ts";
import { systemClock } from "../clock.ts";
import { HastyClock } from "../testing/fake-clock.ts";
import { refused } from "../testing/fake-http.ts";
import { enrolledState, eventually, fakeWorker, memoryLogger } from "../testing/fixtures.ts";
import { heartbeatOf } from "./heartbeat.ts";
import { type PollAnswer, type PollDeps, pollUntilStopped } from "./poll-loop.ts";
import { Renewal } from "./renewal.ts";
import { WorkerClient } from "./worker-client.ts";

async function polling(given: Partial<PollDeps> = {}) {
  const worker = await fakeWorker();
  worker.jobs.secondMs = 20;
  const { identity } = await enrolledState(worker);
  const clock = new HastyClock(1000);
  const { log, lines } = memoryLogger();
  const taken: PollAnswer[] = [];
  const recoveries: number[] = [];
  const stop = new AbortController();
  const deps: PollDeps = {
    plane: new WorkerClient({ identity, clock: systemClock }),
    clock,
    log,
    random: () => 0.5,
    compose: () => ({ heartbeat: heartbeatOf(1, ""), servers: [], status: [], running: [], room: 4 }),
    take: (answer) => void taken.push(answer),
    onRecovered: () => void recoveries.push(1),
    ...given,
  };
  const ended = pollUntilStopped(deps, stop.signal);
  return { worker, clock, lines, taken, recoveries, stop, ended };
}

const warnings = (lines: { level: number; msg: string }[]) => lines.filter(({ level }) => level === 40);

describe("the poll loop", () => {
  test("announces itself by a short poll, then holds a long one, takes jobs at once, and ends when stopped", async () => {
    const { worker, taken, stop, ended } = await polling();
    const job = worker.jobs.enqueue("backup", { server: "island" });
    await eventually(() => taken.length === 1, "the job arrives");
    expect(taken[0]?.jobs).toMatchObject([{ id: job.id, kind: "backup", attempt: 1 }]);
    await eventually(() => worker.jobs.polls.length === 2, "the next poll");
    expect(worker.jobs.polls.map(({ wait }) => wait)).toEqual([2, 50]);
    expect(worker.jobs.polls[0]).toMatchObject({ protocol: 1, heartbeat: { platform: process.platform }, room: 4 });
    worker.jobs.enqueue("status", { servers: [] });
    await eventually(() => taken.length === 2, "the second job arrives");
    stop.abort();
    await ended;
  });

  test("holds polls for a short time only while there is no room", async () => {
    const room = { now: 4 };
    const compose: PollDeps["compose"] = () => ({ heartbeat: heartbeatOf(1, ""), servers: [], status: [], running: [], room: room.now });
    const { worker, stop, ended } = await polling({ compose });
    room.now = 0;
    worker.jobs.enqueue("status", { servers: [] });
    await eventually(() => worker.jobs.polls.at(1), "a second poll");
    expect(worker.jobs.polls[1]).toMatchObject({ room: 0, wait: 5 });
    stop.abort();
    await ended;
  });

  test("waits out an outage with a growing, bounded backoff, tells of it now and then, and of its end", async () => {
    const { worker, clock, lines, recoveries, stop, ended } = await polling();
    await eventually(() => worker.jobs.polls.length === 1, "the first poll");
    await worker.stop();
    await eventually(() => clock.slept.filter((ms) => ms >= 1000).length >= 8, "eight failures");
    expect(clock.slept.filter((ms) => ms >= 1000).slice(0, 8)).toEqual([1500, 2500, 4500, 8500, 16_500, 30_500, 30_500, 30_500]);
    expect(warnings(lines)[0]).toMatchObject({ downSeconds: 0, code: "control-plane-unreachable" });
    expect(warnings(lines).length).toBeLessThan(5);
    expect(recoveries).toHaveLength(0);
    const polls = worker.jobs.polls.length;
    await worker.start();
    await eventually(() => worker.jobs.polls.length > polls, "polls go on");
    await eventually(() => recoveries.length === 1, "the end of the outage");
    expect(lines.some(({ msg }) => msg === "the control plane answers again")).toBe(true);
    expect(worker.jobs.polls[polls]?.wait).toBe(2);
    stop.abort();
    await ended;
  });

  test("after a success the backoff begins anew, and Retry-After is obeyed within bounds", async () => {
    const { worker, clock, stop, ended } = await polling();
    const answers = [
      refused(503, "internal"),
      refused(429, "slow-down", { "retry-after": "20" }),
      refused(429, "slow-down", { "retry-after": "86400" }),
    ];
    worker.fault = ({ path }) => {
      if (path !== "/v1/poll") return undefined;
      return answers.shift() ?? { status: 204 };
    };
    worker.jobs.enqueue("status", { servers: [] });
    await eventually(() => clock.slept.filter((ms) => ms >= 1000).length >= 3, "three failures");
    expect(clock.slept.filter((ms) => ms >= 1000)).toEqual([1500, 20_000, 300_000]);
    await eventually(() => clock.slept.filter((ms) => ms < 1000).length >= 2, "successes again");
    answers.push(refused(500, "internal"));
    await eventually(() => clock.slept.filter((ms) => ms >= 1000).length === 4, "a fourth failure");
    expect(clock.slept.filter((ms) => ms >= 1000).at(-1)).toBe(1500);
    stop.abort();
    await ended;
  });

  test("goes on after an answer that is not ours", async () => {
    const { worker, lines, taken, stop, ended } = await polling();
    const pages = [
      { status: 200, body: "<html>log in</html>", headers: { "content-type": "text/html" } },
      { status: 200, json: { jobs: "many" } },
    ];
    worker.fault = ({ path }) => (path === "/v1/poll" ? pages.shift() : undefined);
    worker.jobs.enqueue("status", { servers: [] });
    await eventually(() => taken.length === 1, "the job arrives after all");
    expect(warnings(lines)[0]).toMatchObject({ code: "control-plane-odd-answer" });
    stop.abort();
    await ended;
  });

  test("a job that no schema knows does not hide the others", async () => {
    const { worker, taken, stop, ended } = await polling();
    worker.jobs.rawOffers.push({ id: newId("job"), kind: "dance" }, 7);
    worker.jobs.enqueue("status", { servers: [] });
    await eventually(() => taken.length === 1, "the answer arrives");
    expect(taken[0]?.jobs).toHaveLength(3);
    stop.abort();
    await ended;
  });

  test("a complaint of the guild is logged once while it lasts", async () => {
    const { worker, lines, stop, ended } = await polling();
    const complaint = { code: "server-taken", message: "another host has it" };
    for (let n = 0; n < 3; n += 1) {
      worker.jobs.problems.push(complaint, complaint, { code: "clock-skew", message: `off by ${n}` });
      worker.jobs.enqueue("status", { servers: [] });
      await eventually(() => worker.jobs.problems.length === 0, "the complaint was fetched");
    }
    stop.abort();
    await ended;
    expect(warnings(lines).map(({ msg }) => msg)).toEqual([complaint.message, "off by 0"]);
  });

  test("with news it polls again at once, once for each, and holds that poll as long as any other", async () => {
    const renewal = new Renewal();
    const hash = { now: "a" };
    const compose: PollDeps["compose"] = () => ({ heartbeat: heartbeatOf(1, hash.now), servers: [], status: [], running: [], room: 4 });
    const { worker, clock, lines, stop, ended } = await polling({ compose, renewal });
    // The real length of a second: a poll that is held stays so for the whole test.
    worker.jobs.secondMs = 1000;
    worker.jobs.enqueue("status", { servers: [] });
    await eventually(() => worker.jobs.polls.length === 2 && worker.jobs.held === 1, "a long poll is held");
    for (const [count, news] of [
      [3, "b"],
      [4, "c"],
    ] as const) {
      hash.now = news;
      renewal.renew();
      renewal.renew();
      await eventually(() => worker.jobs.polls.length === count && worker.jobs.held === 1, "the next poll is held");
      expect(worker.jobs.polls.at(-1)).toMatchObject({ heartbeat: { configHash: news }, wait: 50 });
    }
    // It counts as no failure: there was no backoff, and nothing to log.
    expect(clock.slept.filter((ms) => ms >= 1000)).toEqual([]);
    expect(warnings(lines)).toEqual([]);
    stop.abort();
    await ended;
    expect(worker.jobs.polls).toHaveLength(4);
  });

  test("news during an outage does not shorten the backoff", async () => {
    const renewal = new Renewal();
    const { worker, clock, stop, ended } = await polling({ renewal });
    await eventually(() => worker.jobs.polls.length === 1, "the first poll");
    await worker.stop();
    await eventually(() => clock.slept.filter((ms) => ms >= 1000).length >= 1, "a failure");
    const nudging = setInterval(() => renewal.renew(), 1);
    await eventually(() => clock.slept.filter((ms) => ms >= 1000).length >= 5, "five failures");
    clearInterval(nudging);
    expect(clock.slept.filter((ms) => ms >= 1000).slice(0, 5)).toEqual([1500, 2500, 4500, 8500, 16_500]);
    stop.abort();
    await ended;
  });

  test("a job whose answer is cut off by news is not taken for a failure", async () => {
    const renewal = new Renewal();
    const { worker, lines, taken, stop, ended } = await polling({ renewal });
    worker.jobs.secondMs = 1000;
    worker.jobs.enqueue("status", { servers: [] });
    await eventually(() => worker.jobs.polls.length === 2 && worker.jobs.held === 1, "a long poll is held");
    worker.fault = ({ path }) => {
      if (path !== "/v1/poll") return undefined;
      worker.fault = undefined;
      renewal.renew();
      return { status: 200, json: { jobs: [], cancel: [], problems: [] } };
    };
    renewal.renew();
    await eventually(() => worker.jobs.polls.length === 3 && worker.jobs.held === 1, "it polls on");
    expect(taken.length).toBeLessThanOrEqual(2);
    expect(warnings(lines)).toEqual([]);
    stop.abort();
    await ended;
  });

  test("ends for good when the host is revoked, and when the agent is too old", async () => {
    const revoked = await polling();
    await eventually(() => revoked.worker.jobs.polls.length === 1, "the first poll");
    revoked.worker.revokeAll();
    await expect(revoked.ended).rejects.toMatchObject({ code: "host-revoked", exitCode: 77 });

    const old = await polling();
    old.worker.fault = ({ path }) => (path === "/v1/poll" ? refused(426, "agent-too-old") : undefined);
    await expect(old.ended).rejects.toMatchObject({
      code: "agent-too-old",
      exitCode: 77,
      message: expect.stringMatching(/^refused: agent-too-old Nothing is lost meanwhile\. docs\/user\/install\.md/),
    });
  });
});
