import { expect, test } from "vitest";
import { FakeClock } from "../testing/fake-clock.ts";
import { memoryLogger } from "../testing/fixtures.ts";
import { OutageLog } from "./outage.ts";

const WARN = 40;
const error = { code: "control-plane-unreachable", message: "no answer" };

test("an outage is told at its start, ever more rarely while it lasts, and at its end with its length", () => {
  const clock = new FakeClock();
  const { log, lines } = memoryLogger();
  const outage = new OutageLog(clock, log);
  expect(outage.recovered()).toBe(false);
  // Six hours of a failure every 10 s.
  for (let second = 0; second < 6 * 3600; second += 10) {
    outage.failed(error);
    clock.advance(10_000);
  }
  const told = lines.filter(({ level }) => level === WARN).map(({ downSeconds }) => downSeconds);
  expect(told).toEqual([0, 60, 360, 1260, 4860, 8460, 12_060, 15_660, 19_260]);
  expect(outage.recovered()).toBe(true);
  expect(lines.at(-1)).toMatchObject({ msg: "the control plane answers again", downSeconds: 21_600 });
  expect(outage.recovered()).toBe(false);
});

test("a second outage is told from its start", () => {
  const { log, lines } = memoryLogger();
  const outage = new OutageLog(new FakeClock(), log);
  outage.failed(error);
  outage.recovered();
  outage.failed(error);
  expect(lines.filter(({ level }) => level === WARN)).toHaveLength(2);
});
