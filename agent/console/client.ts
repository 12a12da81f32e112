import type { Clock } from "../clock.ts";
import { AgentError } from "../errors.ts";
import {
  type Console,
  type ConsoleSession,
  type ConsoleTarget,
  checkText,
  consoleError,
  type Dialect,
  type SendOptions,
} from "./console.ts";
import { DIALECTS } from "./dialects.ts";

/** A call that names no bound has this one, in milliseconds. */
export const SEND_TIMEOUT_MS = 10_000;
/** So many commands may wait for their turn. */
export const QUEUE_MAX = 50;
/** A console that cannot be reached is tried so often within one call, */
const CONNECT_TRIES = 3;
/** with these pauses between, in milliseconds: the first one, doubled each time. */
const CONNECT_PAUSE_MS = 250;
/** One try to connect and log in takes no longer, in milliseconds. */
const CONNECT_TIMEOUT_MS = 5000;

/** Opens nothing yet: the first command does. */
export function openConsole(target: ConsoleTarget, clock: Clock): Console {
  return new QueuedConsole(target, DIALECTS[target.dialect], clock);
}

class QueuedConsole implements Console {
  readonly #target: ConsoleTarget;
  readonly #dialect: Dialect;
  readonly #clock: Clock;
  #session: ConsoleSession | undefined;
  /** Ends when all that was asked before has ended. */
  #turn: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  readonly #closed = new AbortController();

  constructor(target: ConsoleTarget, dialect: Dialect, clock: Clock) {
    this.#target = target;
    this.#dialect = dialect;
    this.#clock = clock;
  }

  async connect(options: SendOptions = {}): Promise<void> {
    await this.#queued(options, "connecting", (signal) => this.#connected(signal));
  }

  async send(command: string, options: SendOptions = {}): Promise<string> {
    checkText(command, this.#dialect.commandBytesMax);
    return this.#queued(options, "a command", async (signal) => {
      const session = await this.#connected(signal);
      try {
        return await session.exchange(command, signal);
      } catch (error) {
        // A reply that comes late must not be taken for that of the next command.
        this.#drop();
        throw error;
      }
    });
  }

  async close(): Promise<void> {
    this.#closed.abort(consoleError.lost(this.#target, "since it was closed here"));
    await this.#turn;
    this.#drop();
  }

  /** Does `work` when all that was asked before is done. The bound counts from now on. */
  async #queued<T>(
    { timeoutMs = SEND_TIMEOUT_MS, signal }: SendOptions,
    what: string,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    if (this.#waiting >= QUEUE_MAX) throw consoleError.busy(this.#target);
    const bound = new AbortController();
    const timer = setTimeout(() => bound.abort(consoleError.timeout(this.#target, what)), timeoutMs);
    const signals = AbortSignal.any([bound.signal, this.#closed.signal, ...(signal === undefined ? [] : [signal])]);
    this.#waiting += 1;
    const mine = this.#turn.then(async () => {
      signals.throwIfAborted();
      return work(signals);
    });
    this.#turn = mine.catch(() => undefined);
    try {
      return await untilAborted(mine, signals);
    } finally {
      clearTimeout(timer);
      this.#waiting -= 1;
    }
  }

  async #connected(signal: AbortSignal): Promise<ConsoleSession> {
    if (this.#session?.open === true) return this.#session;
    this.#drop();
    for (let attempt = 1; ; attempt += 1) {
      try {
        this.#session = await this.#open(signal);
        return this.#session;
      } catch (error) {
        signal.throwIfAborted();
        // What fails once the password was sent is not tried again: servers ban those who guess.
        const again = error instanceof AgentError && error.code === "console-unreachable";
        if (!again || attempt >= CONNECT_TRIES) throw error;
        await this.#clock.sleep(CONNECT_PAUSE_MS * 2 ** (attempt - 1), signal).catch(() => signal.throwIfAborted());
      }
    }
  }

  async #open(signal: AbortSignal): Promise<ConsoleSession> {
    const bound = new AbortController();
    const timer = setTimeout(() => bound.abort(consoleError.timeout(this.#target, "connecting and logging in")), CONNECT_TIMEOUT_MS);
    try {
      return await this.#dialect.open(this.#target, AbortSignal.any([signal, bound.signal]));
    } finally {
      clearTimeout(timer);
    }
  }

  #drop(): void {
    this.#session?.close();
    this.#session = undefined;
  }
}

/** The outcome of `task`, or the signal's reason as soon as it fires. */
function untilAborted<T>(task: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  return Promise.race([task, promise]).finally(() => signal.removeEventListener("abort", onAbort));
}
