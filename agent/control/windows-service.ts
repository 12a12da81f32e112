import path from "node:path";
import type { WindowsServiceControl } from "../config/host-config.ts";
import { lookUp } from "../config/paths.ts";
import type { ControlDeps, ServerControl } from "./control.ts";
import { type Answer, ask, environmentOf } from "./programs.ts";
import { startFailed, stopFailed, stopTimedOut, waitFor } from "./wait.ts";

/** Windows' error codes that `sc.exe` ends with; see "System Error Codes" of Microsoft. */
const ALREADY_RUNS = 1056;
const NO_SUCH_SERVICE = 1060;
/** Such as while it stops already. */
const TAKES_NO_ORDERS = 1061;
const NOT_STARTED = 1062;
const ADVICE: Readonly<Record<number, string>> = {
  5: "The agent's account may not control this service: run the agent as SYSTEM, or give it the right.",
  1051: "Other services that depend on it run. Stop these first.",
  1058: "The service is disabled.",
  [NO_SUCH_SERVICE]: "There is no service of this name. sc.exe getkeyname finds it by the name that is displayed.",
};

/** Reads the answer of `sc.exe query`. The words before the colon are translated, the constants behind the number are not. */
export function serviceState({ code, out }: Pick<Answer, "code" | "out">): "running" | "stopped" | "unknown" {
  if (code !== 0) return "unknown";
  const constant = /:\s*[1-7]\s+(STOPPED|START_PENDING|STOP_PENDING|RUNNING|CONTINUE_PENDING|PAUSE_PENDING|PAUSED)\b/.exec(out)?.[1];
  if (constant === undefined) return "unknown";
  return constant === "STOPPED" ? "stopped" : "running";
}

/** `sc.exe` by its full path: a file of this name in another folder is not meant. */
export function scProgram(env: NodeJS.ProcessEnv): string {
  return path.win32.join(lookUp(env, "SystemRoot", "win32") ?? "C:\\Windows", "System32", "sc.exe");
}

function why({ code, problem }: Answer): string {
  return `${problem}.${code === undefined || ADVICE[code] === undefined ? "" : ` ${ADVICE[code]}`}`;
}

/** Stops and starts a service of Windows. */
export function windowsServiceControl(
  control: WindowsServiceControl,
  { clock, env: given, platform }: Required<ControlDeps>,
): ServerControl {
  const { name, stopTimeoutMs } = control;
  const way = `Windows service ${name}`;
  const env = environmentOf(given, {}, platform);
  const sc = (signal: AbortSignal, verb: "query" | "stop" | "start") => ask([scProgram(given), verb, name], { env, signal });
  const state = async (signal: AbortSignal) => serviceState(await sc(signal, "query"));
  const stop = async (signal: AbortSignal) => {
    if ((await state(signal)) === "stopped") return;
    const asked = await sc(signal, "stop");
    if (![0, NOT_STARTED, TAKES_NO_ORDERS].includes(asked.code ?? -1)) throw stopFailed(way, why(asked));
    const isStopped = async () => (await state(signal)) === "stopped";
    if (await waitFor(isStopped, { timeoutMs: stopTimeoutMs, clock, signal })) return;
    throw stopTimedOut(way, stopTimeoutMs, "Raise control.stop_timeout when it needs longer to save.");
  };
  const start = async (signal: AbortSignal) => {
    if ((await state(signal)) === "running") return;
    const asked = await sc(signal, "start");
    if (asked.code !== 0 && asked.code !== ALREADY_RUNS) throw startFailed(way, why(asked));
  };
  return { way, state, stop, start };
}
