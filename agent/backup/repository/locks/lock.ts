import { hostname as hostName, userInfo } from "node:os";
import { type Clock, systemClock } from "../../../clock.ts";
import { AgentError, EXIT } from "../../../errors.ts";
import { errorCode } from "../../error-code.ts";
import type { Cipher } from "../format/cipher.ts";
import type { RepositoryConfig } from "../format/config-file.ts";
import { CorruptError } from "../format/corrupt.ts";
import { openDocument } from "../format/document.ts";
import type { Id } from "../format/ids.ts";
import { decodeLock, encodeLock, type Lock } from "../format/lock-file.ts";
import { isMissing } from "../missing.ts";
import type { RepositoryStore } from "../stores/store.ts";
import { inTheWay, isStale, type SeenLock } from "./rules.ts";

/** Two that lock at the same moment see each other when each looks again after this, in milliseconds. restic's own number. */
const LOOK_AGAIN_MS = 200;
/** A lock is written anew so often. restic's own number, in milliseconds. */
export const REFRESH_MS = 5 * 60_000;
/** After a refresh that failed it is tried again this soon, in milliseconds. */
const RETRY_MS = 30_000;
/** A lock that could not be refreshed for so long counts as lost, well before others take it for stale. restic's own number, in milliseconds. */
export const LOST_AFTER_MS = 22.5 * 60_000;

/** A lock is given back within this, also where the store is away: one that stays is stale after half an hour. In milliseconds. */
const RELEASE_MS = 30_000;

export type LockKind = "shared" | "exclusive";

export interface LockOptions {
  signal?: AbortSignal;
  clock?: Clock;
  /** The lock is gone, so others may change what this run relies on: stop. Called at most once. */
  onLost: (error: AgentError) => void;
}

export interface LockContext {
  store: RepositoryStore;
  cipher: Cipher;
  version: RepositoryConfig["version"];
}

/** @throws AgentError `repository-locked`; what the store throws */
export async function acquireLock(context: LockContext, kind: LockKind, options: LockOptions): Promise<RepositoryLock> {
  const lock = await beginLock(context, kind, options);
  await confirmedOrReleased(lock);
  return lock;
}

/**
 * Writes a lock, and leaves the second look for others to `confirmed`. Until then its holder may read and nothing else: what is read cannot be removed any
 * more, since whoever locks in the same moment waits and looks again too. Where the store is so slow that this does not hold, the second look comes first.
 *
 * @throws AgentError `repository-locked`; what the store throws
 */
export async function beginLock(context: LockContext, kind: LockKind, options: LockOptions): Promise<RepositoryLock> {
  const { clock = systemClock, signal } = options;
  const began = clock.now();
  await refuseOthers(context, kind, clock, undefined, signal);
  const name = await writeLock(context, kind === "exclusive", clock.now(), signal);
  const lock = new RepositoryLock(context, name, kind, { ...options, clock });
  // Somebody who looked before us and wrote after may have looked again by now.
  if (clock.now() - began >= LOOK_AGAIN_MS) await confirmedOrReleased(lock);
  return lock;
}

async function confirmedOrReleased(lock: RepositoryLock): Promise<void> {
  try {
    await lock.confirmed();
  } catch (error) {
    await lock.release();
    throw error;
  }
}

/** A lock that is held. It writes itself anew until it is released. */
export class RepositoryLock {
  readonly #context: LockContext;
  readonly #kind: LockKind;
  readonly #clock: Clock;
  readonly #onLost: (error: AgentError) => void;
  readonly #stop = new AbortController();
  readonly #keeping: Promise<void>;
  /** What the second look found; undefined: nobody in the way. */
  readonly #looked: Promise<{ error: unknown } | undefined>;
  #name: Id;
  #refreshedAt: number;

  constructor(context: LockContext, name: Id, kind: LockKind, options: LockOptions & { clock: Clock }) {
    this.#context = context;
    this.#name = name;
    this.#kind = kind;
    this.#clock = options.clock;
    this.#onLost = options.onLost;
    this.#refreshedAt = options.clock.now();
    this.#looked = this.#lookAgain(options.signal).then(
      () => undefined,
      (error: unknown) => ({ error }),
    );
    this.#keeping = this.#keep();
  }

  /**
   * Waits until it is known that nobody else locked in the same moment. Only then may anything be written.
   * @throws AgentError `repository-locked`, and the lock has to be released; what the store throws
   */
  async confirmed(): Promise<void> {
    const found = await this.#looked;
    if (found !== undefined) throw found.error;
  }

  /** Name of the file that stands for the lock now. */
  get name(): Id {
    return this.#name;
  }

  /** Takes the lock away. One that cannot be removed, or not in time, is stale after half an hour; the error says why. */
  async release(withinMs = RELEASE_MS): Promise<void> {
    this.#stop.abort();
    await this.#looked;
    await this.#keeping;
    await removeLock(this.#context.store, this.#name, withinMs);
  }

  async #lookAgain(asked: AbortSignal | undefined): Promise<void> {
    const signal = asked === undefined ? this.#stop.signal : AbortSignal.any([asked, this.#stop.signal]);
    await this.#clock.sleep(LOOK_AGAIN_MS, signal);
    await refuseOthers(this.#context, this.#kind, this.#clock, this.#name, signal);
  }

  async #keep(): Promise<void> {
    let wait = REFRESH_MS;
    while (await this.#slept(wait)) {
      try {
        await this.#refresh();
        wait = REFRESH_MS;
      } catch (error) {
        if (this.#stop.signal.aborted) return;
        wait = RETRY_MS;
        const gone = error instanceof AgentError && error.code === "lock-lost";
        if (!gone && this.#clock.now() - this.#refreshedAt < LOST_AFTER_MS) continue;
        this.#onLost(gone ? error : lostError("it could not be written anew", error));
        return;
      }
    }
  }

  /** False when the lock is being released. */
  async #slept(ms: number): Promise<boolean> {
    const { signal } = this.#stop;
    try {
      await this.#clock.sleep(ms, signal);
    } catch (error) {
      if (!signal.aborted) throw error;
    }
    return !signal.aborted;
  }

  async #refresh(): Promise<void> {
    const { store } = this.#context;
    const { signal } = this.#stop;
    const now = this.#clock.now();
    // A host that slept: others may have taken the lock for stale.
    if (now - this.#refreshedAt >= LOST_AFTER_MS) throw lostError("this host was away for too long");
    if ((await store.stat("locks", this.#name, signal)) === null) throw lostError("somebody removed it");
    const old = this.#name;
    this.#name = await writeLock(this.#context, this.#kind === "exclusive", now, signal);
    this.#refreshedAt = now;
    await store.remove("locks", old, signal);
  }
}

async function removeLock(store: RepositoryStore, name: Id, withinMs: number): Promise<void> {
  const bound = AbortSignal.timeout(withinMs);
  try {
    await store.remove("locks", name, bound);
  } catch (error) {
    if (!bound.aborted || error instanceof AgentError) throw error;
    const text = `The lock on the repository could not be given back: ${store.place} did not answer within ${withinMs / 1000} s. Others pass over it when it is half an hour old.`;
    throw new AgentError("store-unreachable", text, { cause: error, exitCode: EXIT.unavailable });
  }
}

function lostError(why: string, cause?: unknown): AgentError {
  return new AgentError("lock-lost", `The lock on the repository is lost: ${why}. The work stopped; what is stored stays. Try again.`, {
    cause,
  });
}

async function writeLock({ store, cipher, version }: LockContext, exclusive: boolean, now: number, signal?: AbortSignal): Promise<Id> {
  const lock: Lock = { time: new Date(now).toISOString(), exclusive, hostname: hostName(), ...account(), pid: process.pid };
  const { name, bytes } = encodeLock(cipher, version, lock);
  await store.write("locks", name, bytes, signal);
  return name;
}

function account(): Pick<Lock, "username" | "uid" | "gid"> {
  try {
    const { username, uid, gid } = userInfo();
    // Windows has neither, and Node says -1.
    return { username, ...(uid >= 0 && { uid, gid }) };
  } catch (error) {
    // Containers often run under a number that no account has.
    if (errorCode(error) === undefined) throw error;
    return { username: String(process.getuid?.() ?? "unknown"), uid: process.getuid?.(), gid: process.getgid?.() };
  }
}

async function refuseOthers(
  context: LockContext,
  kind: LockKind,
  clock: Clock,
  own: Id | undefined,
  signal: AbortSignal | undefined,
): Promise<void> {
  const locks = (await readLocks(context, signal)).filter(({ name }) => name !== own);
  const here = { hostname: hostName(), now: clock.now(), isRunning };
  await removeStale(
    context.store,
    locks.filter((lock) => isStale(lock, here)),
    signal,
  );
  const blocking = inTheWay(locks, kind, here);
  if (blocking === null) return;
  throw new AgentError("repository-locked", blocking, { exitCode: EXIT.unavailable });
}

/** Every lock there is. One that vanishes meanwhile has been released; one that is damaged has no holder that could be named. */
export async function readLocks({ store, cipher }: Pick<LockContext, "store" | "cipher">, signal?: AbortSignal): Promise<SeenLock[]> {
  const locks: SeenLock[] = [];
  for await (const { name } of store.list("locks", signal)) {
    try {
      const bytes = await store.read("locks", name, undefined, signal);
      locks.push({ name, lock: decodeLock(openDocument(cipher, "locks", name, bytes), name) });
    } catch (error) {
      if (isMissing(error)) continue;
      if (!(error instanceof CorruptError)) throw error;
      locks.push({ name, damage: error });
    }
  }
  return locks;
}

/** What is stale is in nobody's way, so a store that refuses to remove it changes nothing for us; restic itself would wait for it. */
async function removeStale(store: RepositoryStore, locks: readonly SeenLock[], signal: AbortSignal | undefined): Promise<void> {
  for (const { name } of locks) {
    try {
      await store.remove("locks", name, signal);
    } catch (error) {
      if (!(error instanceof AgentError && error.code === "store-refused")) throw error;
    }
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Somebody else's process may not be signalled, but it is there.
    return errorCode(error) === "EPERM";
  }
}
