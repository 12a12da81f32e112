import { isatty } from "node:tty";

/** SIGBREAK is Ctrl+Break on Windows, and what a console gets when it is closed or a service wrapper stops it. */
const STOP_SIGNALS: readonly NodeJS.Signals[] =
  process.platform === "win32" ? ["SIGINT", "SIGTERM", "SIGBREAK"] : ["SIGINT", "SIGTERM", "SIGHUP"];

/** As shells count: 128 and the number of the signal. */
const EXIT_INTERRUPTED = 130;

/** What a signal other than one that stops does. */
export interface OtherSignals {
  /** SIGHUP asks to read the config again. Absent, it stops. There is none on Windows. */
  onHangup?: () => void;
}

/** Calls `work` with a signal that fires when the process is asked to stop. Asked a second time, the process ends at once. */
export async function untilStopped<T>(
  work: (signal: AbortSignal) => Promise<T>,
  onStop: (name: string) => void,
  { onHangup }: OtherSignals = {},
): Promise<T> {
  const controller = new AbortController();
  const terminalIsGone = terminalWatch();
  const stop = (name: NodeJS.Signals) => {
    if (name === "SIGHUP" && onHangup !== undefined && !terminalIsGone()) return onHangup();
    if (controller.signal.aborted) process.exit(EXIT_INTERRUPTED);
    onStop(name);
    controller.abort();
  };
  for (const name of STOP_SIGNALS) process.on(name, stop);
  try {
    return await work(controller.signal);
  } finally {
    for (const name of STOP_SIGNALS) process.off(name, stop);
  }
}

/** While `work` runs, SIGHUP by itself does not end the process: somebody may ask for a reload before the agent is ready for it. */
export async function sparedByHangup<T>(work: () => Promise<T>): Promise<T> {
  if (process.platform === "win32") return work();
  const spare = () => undefined;
  process.on("SIGHUP", spare);
  try {
    return await work();
  } finally {
    process.off("SIGHUP", spare);
  }
}

/**
 * SIGHUP also comes when the terminal is closed that a program was started in. That one means to stop: nobody is there any more who could.
 * A terminal that is gone does not answer as one.
 */
export function terminalWatch(isTerminal: (fd: number) => boolean = isatty): () => boolean {
  const terminals = [0, 1, 2].filter(isTerminal);
  return () => terminals.some((fd) => !isTerminal(fd));
}
