import { once } from "node:events";
import type { MessagePort } from "node:worker_threads";
import { MessageChannel } from "node:worker_threads";
import { errorCode } from "../error-code.ts";
import type { OnRead } from "./read-small.ts";

/** What a test's `onRead` threw, on its way between threads: an error itself would lose its code there. */
interface Thrown {
  message: string;
  code?: string;
}

/** The end of a worker thread: asks over the port, and waits for the answer before it reads on. */
export function askToRead(port: MessagePort): OnRead {
  return async (location, bytesSoFar) => {
    port.postMessage({ location, bytesSoFar });
    const [thrown] = (await once(port, "message")) as [Thrown | null];
    if (thrown !== null) throw Object.assign(new Error(thrown.message), thrown);
  };
}

/** The end of whoever gave `onRead`: answers one thread until it is closed. */
export function answerReads(onRead: OnRead): { port: MessagePort; close: () => void } {
  const { port1, port2 } = new MessageChannel();
  port1.on("message", async ({ location, bytesSoFar }: { location: string; bytesSoFar: number }) => {
    try {
      await onRead(location, bytesSoFar);
      port1.postMessage(null);
    } catch (error) {
      port1.postMessage({ message: error instanceof Error ? error.message : String(error), code: errorCode(error) } satisfies Thrown);
    }
  });
  return { port: port2, close: () => port1.close() };
}
