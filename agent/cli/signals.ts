/** SIGBREAK is Ctrl+Break on Windows, and what a console gets when it is closed or a service wrapper stops it. */
const STOP_SIGNALS: readonly NodeJS.Signals[] =
  process.platform === "win32" ? ["SIGINT", "SIGTERM", "SIGBREAK"] : ["SIGINT", "SIGTERM", "SIGHUP"];

/** As shells count: 128 and the number of the signal. */
const EXIT_INTERRUPTED = 130;

/** Calls `work` with a signal that fires when the process is asked to stop. Asked a second time, the process ends at once. */
export async function untilStopped<T>(work: (signal: AbortSignal) => Promise<T>, onStop: (name: string) => void): Promise<T> {
  const controller = new AbortController();
  const stop = (name: NodeJS.Signals) => {
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
