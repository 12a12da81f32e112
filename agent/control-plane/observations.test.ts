import { describe, expect, test } from "vitest";
import { systemClock } from "../clock.ts";
import { FakeClock } from "../testing/fake-clock.ts";
import { eventually, memoryLogger, serverConfig, serverStatus } from "../testing/fixtures.ts";
import { Observations } from "./observations.ts";

const servers = [serverConfig("island"), serverConfig("cave")];
const load = async () => ({ cpuPercent: 1, memoryUsedBytes: 2, memoryTotalBytes: 3 });

describe("observations", () => {
  test("are renewed every minute, until stopped", async () => {
    const clock = new FakeClock();
    let looks = 0;
    const observe = async ({ id }: { id: string }) => {
      looks += 1;
      return serverStatus(id);
    };
    const observations = new Observations({ host: { servers, observe, load }, clock, log: memoryLogger().log });
    const stop = new AbortController();
    const running = observations.run(stop.signal);
    await eventually(() => looks === 2 && clock.slept.at(-1) === 60_000, "the first look");
    expect(observations.status.map(({ server }) => server)).toEqual(["island", "cave"]);
    expect(observations.load).toMatchObject({ cpuPercent: 1 });
    clock.advance(60_000);
    await eventually(() => looks === 4, "the second look");
    stop.abort();
    await running;
  });

  test("of one server do not wait for another that hangs, and it is not looked at twice at the same time", async () => {
    const { promise: hanging, resolve } = Promise.withResolvers<void>();
    const clock = new FakeClock();
    let looks = 0;
    const observe = async ({ id }: { id: string }) => {
      if (id === "cave") {
        looks += 1;
        await hanging;
      }
      return serverStatus(id);
    };
    const observations = new Observations({ host: { servers, observe, load }, clock, log: memoryLogger().log });
    const stop = new AbortController();
    const first = observations.look(stop.signal);
    await eventually(() => observations.status.length === 1, "the island is seen");
    clock.advance(30_000);
    await first;
    const second = observations.look(stop.signal);
    expect(looks).toBe(1);
    stop.abort();
    await second;
    resolve();
    await eventually(() => observations.status.length === 2, "the cave is seen at last");
  });

  test("that fail leave the last look and a line in the log", async () => {
    const { log, lines } = memoryLogger();
    const fail = () => Promise.reject(new Error("no such luck"));
    const observations = new Observations({ host: { servers, observe: fail, load: fail }, clock: systemClock, log });
    await observations.look(new AbortController().signal);
    expect(observations.status).toEqual([]);
    expect(lines.filter(({ level }) => level === 40)).toHaveLength(2);
  });
});
