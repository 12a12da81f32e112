import { cpus, freemem, totalmem } from "node:os";
import type { HostLoad } from "../../schemas/status.ts";
import { type Clock, systemClock } from "../clock.ts";

/** CPU time is measured over at least so many milliseconds. */
const CPU_WINDOW_MS = 400;

/** Measures the whole machine: its CPU since the call before, or over a short while at the first. */
export function createLoadMeter(clock: Clock): () => Promise<HostLoad> {
  let last: { at: number; times: CpuTimes } | undefined;
  return async () => {
    let before = last;
    if (!before || clock.now() - before.at < CPU_WINDOW_MS) {
      before = { at: clock.now(), times: cpuTimes() };
      await clock.sleep(CPU_WINDOW_MS);
    }
    last = { at: clock.now(), times: cpuTimes() };
    return { cpuPercent: busyPercent(before.times, last.times), memoryUsedBytes: totalmem() - freemem(), memoryTotalBytes: totalmem() };
  };
}

/** Milliseconds of all cores together. */
interface CpuTimes {
  busy: number;
  all: number;
}

function cpuTimes(): CpuTimes {
  const sum = { busy: 0, all: 0 };
  for (const { times } of cpus()) {
    const all = times.user + times.nice + times.sys + times.idle + times.irq;
    sum.all += all;
    sum.busy += all - times.idle;
  }
  return sum;
}

/** Share of the time between two looks that was not idle, 0 to 100, with one decimal. */
export function busyPercent(before: CpuTimes, after: CpuTimes): number {
  const all = after.all - before.all;
  if (all <= 0) return 0;
  const share = (after.busy - before.busy) / all;
  return Math.round(Math.min(1, Math.max(0, share)) * 1000) / 10;
}

let meter: (() => Promise<HostLoad>) | undefined;

/** Load of this host. Memory in use is what programs could not get; what the system only caches counts as free. */
export function hostLoad(): Promise<HostLoad> {
  meter ??= createLoadMeter(systemClock);
  return meter();
}
