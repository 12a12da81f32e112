import { readdir, readFile } from "node:fs/promises";

/**
 * CPU time of a process, from Linux's scheduler: nanoseconds that each of its threads was on a core (`/proc/PID/task/TID/schedstat`, see
 * proc(5) and the kernel's documentation of scheduler statistics). A workerd cannot tell itself: its clocks stand still while it computes.
 */
export async function cpuNanoseconds(pid: number): Promise<number> {
  const threads = await readdir(`/proc/${pid}/task`);
  const times = await Promise.all(threads.map(async (thread) => onCore(await readFile(`/proc/${pid}/task/${thread}/schedstat`, "utf8"))));
  return times.reduce((sum, time) => sum + time, 0);
}

/** The first of the three numbers. */
export function onCore(schedstat: string): number {
  const time = Number(schedstat.split(" ")[0]);
  if (!Number.isFinite(time)) throw new Error(`not a schedstat: ${schedstat}`);
  return time;
}

/** Processes of that name that this process started, directly or through others. */
export async function descendants(name: string): Promise<number[]> {
  const ids = (await readdir("/proc")).filter((entry) => /^\d+$/.test(entry)).map(Number);
  const facts = await Promise.all(ids.map((id) => factsOf(id)));
  const parents = new Map(facts.filter((one) => one !== undefined).map((one) => [one.pid, one]));
  const ours = (pid: number): boolean => {
    const one = parents.get(pid);
    return one !== undefined && (one.parent === process.pid || ours(one.parent));
  };
  return ids.filter((id) => parents.get(id)?.name === name && ours(id));
}

/** From `/proc/PID/stat`: `12 (name) S 7 …`. A process that has ended meanwhile has none. */
async function factsOf(pid: number): Promise<{ pid: number; name: string; parent: number } | undefined> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, "utf8");
    const end = stat.lastIndexOf(")");
    return { pid, name: stat.slice(stat.indexOf("(") + 1, end), parent: Number(stat.slice(end + 2).split(" ")[1]) };
  } catch (error) {
    if (error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ESRCH")) return undefined;
    throw error;
  }
}
