import type { SystemdControl } from "../config/host-config.ts";
import type { ControlDeps, ServerControl } from "./control.ts";
import { ask, environmentOf } from "./programs.ts";
import { startFailed, stopFailed, stopTimedOut, waitFor } from "./wait.ts";

/** What is asked of a unit; see systemd.unit(5) and org.freedesktop.systemd1(5). */
const PROPERTIES = ["LoadState", "ActiveState", "SubState", "MainPID", "TasksCurrent"] as const;
type Shown = Partial<Record<(typeof PROPERTIES)[number], string>>;

export interface UnitState {
  state: "running" | "stopped" | "unknown";
  /** Why it is unknown, in words. */
  problem?: string;
}

/** Reads the answer of `systemctl show`. */
export function unitState(shown: string): UnitState {
  const found: Shown = Object.fromEntries(
    shown.split("\n").flatMap((line) => {
      const [, key, value] = /^([A-Za-z]+)=(.*)$/.exec(line.trim()) ?? [];
      return key === undefined ? [] : [[key, value]];
    }),
  );
  if (found.LoadState === "not-found") return { state: "unknown", problem: "systemd knows no such unit" };
  switch (found.ActiveState) {
    case "active":
    case "reloading":
    case "refreshing":
    // Also while it waits to be restarted, which only a stop ends.
    case "activating":
    case "deactivating":
      return { state: "running" };
    case "inactive":
    case "failed":
      // A unit with KillMode=process or none may leave the game behind when it ends.
      return { state: Number(found.MainPID ?? 0) > 0 || countOf(found.TasksCurrent) > 0 ? "running" : "stopped" };
    default:
      return { state: "unknown", problem: `systemd says nothing usable of it (ActiveState=${found.ActiveState ?? ""})` };
  }
}

/** `[not set]`, or 2^64-1, where nothing is counted. */
function countOf(text = ""): number {
  const count = Number(text);
  return Number.isSafeInteger(count) ? count : 0;
}

/** Stops and starts a unit of systemd. */
export function systemdControl(control: SystemdControl, { clock, env: given, platform }: Required<ControlDeps>): ServerControl {
  const { unit, user, stopTimeoutMs } = control;
  const way = `systemd unit ${unit}${user ? " of this account" : ""}`;
  const env = environmentOf(withRuntimeFolder(given, user), {}, platform);
  const systemctl = (signal: AbortSignal, ...args: string[]) =>
    ask(["systemctl", ...(user ? ["--user"] : []), "--no-ask-password", ...args], { env, signal });
  const look = async (signal: AbortSignal): Promise<UnitState> => {
    const { code, out, problem } = await systemctl(signal, "show", `--property=${PROPERTIES.join(",")}`, "--", unit);
    return code === 0 ? unitState(out) : { state: "unknown", problem };
  };
  const stop = async (signal: AbortSignal) => {
    const before = await look(signal);
    if (before.state === "stopped") return;
    if (before.state === "unknown") throw stopFailed(way, `${before.problem}.`);
    const asked = await systemctl(signal, "stop", "--no-block", "--", unit);
    if (asked.code !== 0) throw stopFailed(way, `${asked.problem}. ${RIGHTS}`);
    const isStopped = async () => (await look(signal)).state === "stopped";
    if (await waitFor(isStopped, { timeoutMs: stopTimeoutMs, clock, signal })) return;
    throw stopTimedOut(
      way,
      stopTimeoutMs,
      "See what it does with systemctl status. Raise control.stop_timeout when it needs longer to save.",
    );
  };
  const start = async (signal: AbortSignal) => {
    const before = await look(signal);
    if (before.state === "running") return;
    if (before.state === "unknown") throw startFailed(way, `${before.problem}.`);
    // A unit that failed too often is not started again before it is forgiven. Where there is nothing to forgive, this changes nothing.
    await systemctl(signal, "reset-failed", "--", unit);
    const asked = await systemctl(signal, "start", "--no-block", "--", unit);
    if (asked.code !== 0) throw startFailed(way, `${asked.problem}. ${RIGHTS}`);
  };
  return { way, state: async (signal) => (await look(signal)).state, stop, start };
}

const RIGHTS = "The agent's account may need the right to manage this unit: see control.md.";

/** A service of the system that speaks to its account's own systemd has no session, and so no such variable. */
function withRuntimeFolder(env: NodeJS.ProcessEnv, user: boolean): NodeJS.ProcessEnv {
  const uid = process.getuid?.();
  return user && env.XDG_RUNTIME_DIR === undefined && uid !== undefined ? { ...env, XDG_RUNTIME_DIR: `/run/user/${uid}` } : env;
}
