import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import { eventually, type Scene } from "./scene.ts";

const MAIN = fileURLToPath(new URL("./worker-main.ts", import.meta.url));
/** Bound of a start, in milliseconds. */
const START_TIMEOUT_MS = 60_000;

/** The Worker of a scene in a process group of its own, at the same address and with the same data, so that SIGKILL ends it at once: workerd and what runs it. */
export class WorkerProcess {
  readonly #settings: string;
  readonly #url: string;
  #child: ChildProcess | null = null;

  private constructor(settings: string, url: string) {
    this.#settings = settings;
    this.#url = url;
  }

  /** Takes the place of the Worker that the scene has started. */
  static async inPlaceOf({ stack, folder }: Scene): Promise<WorkerProcess> {
    await stack.stopWorker();
    const { apiUrl, applicationId, publicKey, botToken } = stack.sandbox;
    const settings = {
      folder: join(folder, "stack", "worker"),
      port: Number(new URL(stack.workerUrl).port),
      discord: { apiUrl, applicationId, publicKey, botToken },
      tokenSecret: await readFile(join(folder, "stack", "token-secret"), "utf8"),
    };
    const worker = new WorkerProcess(JSON.stringify(settings), stack.workerUrl);
    onTestFinished(() => worker.kill());
    await worker.start();
    return worker;
  }

  async start(): Promise<void> {
    const child = spawn(process.execPath, [MAIN, this.#settings], { detached: true, stdio: ["ignore", "inherit", "inherit", "ipc"] });
    this.#child = child;
    const starting = new AbortController();
    const bound = AbortSignal.any([starting.signal, AbortSignal.timeout(START_TIMEOUT_MS)]);
    child.once("exit", (code) => starting.abort(new Error(`the Worker ended with code ${code} before it answered`)));
    await once(child, "message", { signal: bound }).catch(() => {
      throw bound.reason;
    });
  }

  /** `kill -9` of every process of the group. Resolves when nobody listens at the address any more. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    process.kill(-child.pid, "SIGKILL");
    await ended;
    await eventually(() => this.#isSilent(), "the killed Worker to be silent");
  }

  async #isSilent(): Promise<boolean> {
    try {
      await fetch(this.#url);
      return false;
    } catch {
      return true;
    }
  }
}
