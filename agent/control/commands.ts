import type { CommandsControl, ServerConfig } from "../config/host-config.ts";
import { observe } from "../monitor/observe.ts";
import { createProcessTable } from "../monitor/process-table.ts";
import type { ControlDeps, ServerControl } from "./control.ts";
import { ask, carryOut, type Done, environmentOf, programName } from "./programs.ts";
import { startFailed, stopFailed, stopTimedOut, waitFor } from "./wait.ts";

/** Exit codes of a status program, as the Linux Standard Base has them for init scripts. Others tell nothing. */
const STATUS_CODES: Readonly<Record<number, "running" | "stopped">> = { 0: "running", 3: "stopped" };

/** Stops and starts a server by programs of the admin. */
export function commandsControl(server: ServerConfig, control: CommandsControl, deps: Required<ControlDeps>): ServerControl {
  const { clock, platform } = deps;
  const { logFile, stopTimeoutMs, startTimeoutMs, status } = control;
  const way = `command ${programName(control.stop)}`;
  const env = environmentOf(deps.env, control.env, platform);
  const state = async (signal: AbortSignal) => {
    if (status === undefined) return seenFromOutside(server, deps);
    const { code } = await ask(status, { env, signal });
    return (code === undefined ? undefined : STATUS_CODES[code]) ?? "unknown";
  };
  const stop = async (signal: AbortSignal) => {
    const before = await state(signal);
    // A status program knows. What is seen from outside may be a wrong name or port, so the server is asked to stop all the same.
    if (status !== undefined && before === "stopped") return;
    const until = clock.now() + stopTimeoutMs;
    const done = await carryOut({ command: control.stop, env, logFile, timeoutMs: stopTimeoutMs, clock, signal });
    if (done.state === "late") throw stopTimedOut(way, stopTimeoutMs, `Its command has not ended. ${LONGER}`);
    const problem = problemOf(done);
    // Many programs that stop something fail when there is nothing to stop.
    if (problem !== undefined && before === "stopped" && (await state(signal)) === "stopped") return;
    if (problem !== undefined) throw stopFailed(way, `${problem}. Run it by hand to see why.`);
    const isStopped = async () => (await state(signal)) === "stopped";
    // At least one look, however long the command took.
    if (await waitFor(isStopped, { timeoutMs: Math.max(until - clock.now(), 1), clock, signal })) return;
    if ((await state(signal)) === "running") throw stopTimedOut(way, stopTimeoutMs, LONGER);
    throw stopFailed(way, "its command ended well, but whether the server has stopped cannot be told. Give control.status in config.yaml.");
  };
  const start = async (signal: AbortSignal) => {
    if ((await state(signal)) === "running") return;
    const done = await carryOut({ command: control.start, env, logFile, timeoutMs: startTimeoutMs, clock, signal });
    if (done.state === "late") {
      const advice = "It must end when the server is started. A program that stays in the foreground needs control.type: process.";
      throw startFailed(way, `the command has not ended after ${startTimeoutMs / 1000} s. ${advice}`);
    }
    const problem = problemOf(done);
    if (problem !== undefined) throw startFailed(way, `${problem}. All that it printed is in ${logFile}.`);
  };
  return { way, state, stop, start };
}

const LONGER = "When it needs longer to save, raise control.stop_timeout. The server was not killed.";

function problemOf(done: Exclude<Done, { state: "late" }>): string | undefined {
  if (done.state === "failed") return done.problem;
  if (done.code === 0) return undefined;
  return `the command ended with exit code ${done.code}${done.said === "" ? "" : `: ${done.said}`}`;
}

/**
 * Where no program says it. That it is stopped needs two witnesses, no process and a closed port: a single one may only mean that a name or
 * a number in the config is wrong.
 */
async function seenFromOutside(server: ServerConfig, { clock, platform }: Required<ControlDeps>): ReturnType<ServerControl["state"]> {
  // A listing of its own: the shared one may be seconds old.
  const status = await observe(server, { clock, platform, processes: createProcessTable({ clock, platform }) });
  if (status.process.state === "running" || status.port.state === "open" || status.query?.state === "answered") return "running";
  return status.process.state === "stopped" && status.port.state === "closed" ? "stopped" : "unknown";
}
