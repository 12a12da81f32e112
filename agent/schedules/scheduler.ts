import type { ScheduledRun } from "../../schemas/index.ts";
import type { Clock } from "../clock.ts";
import type { HostConfig, ScheduleConfig } from "../config/host-config.ts";
import { Bell } from "../control-plane/bell.ts";
import type { RunRow } from "../state/runs-table.ts";
import type { ScheduleRow } from "../state/schedules-table.ts";
import { decide, settle } from "./decide.ts";
import { asOf, takenUp } from "./schedule-state.ts";
import { beginRun, carryOut, mayGoOn, type RunDeps, skipRun } from "./scheduled-run.ts";
import { STRETCH_MS, slept } from "./sleep-until.ts";
import { type Waiting, waitForTurn } from "./turn.ts";

/** Runs that were told to stop get so long to clean up, in milliseconds, as jobs do; what does not end in time is an interruption. */
const CLEAN_UP_MS = 20_000;

export interface SchedulerDeps extends RunDeps {
  config: HostConfig;
  /** The clock of the loop that looks what is due; `clock` when absent. */
  loopClock?: Clock;
}

/**
 * Makes backups when the config's schedules say so. All that must outlive this process is in the state: how far each schedule has come, and
 * which runs have begun. Needs no control plane; what it has to tell waits in the outbox.
 */
export class Scheduler {
  readonly #deps: SchedulerDeps;
  readonly #bell: Bell;
  #config: HostConfig;
  /** By server and schedule: nominal times whose turn has not come. Another process finds them again by itself. */
  readonly #waiting = new Map<string, Waiting[]>();
  /** Servers of runs that have begun, or are about to. */
  readonly #busy = new Set<string>();
  readonly #tasks = new Set<Promise<void>>();
  #fatal: { error: unknown } | undefined;

  constructor(deps: SchedulerDeps) {
    this.#deps = deps;
    this.#config = deps.config;
    this.#bell = new Bell(deps.loopClock ?? deps.clock);
  }

  /** Something may have changed, such as a pause: look now. */
  ring(): void {
    this.#bell.ring();
  }

  /** Another config is in force. Runs at work go on as they are. */
  replace(config: HostConfig): void {
    this.#config = config;
    this.#takeUp();
    this.ring();
  }

  /** Runs backups until the signal fires, and then until those at work have been stopped. Takes up the config's schedules at once. */
  async run(signal: AbortSignal): Promise<void> {
    const stopped = new AbortController();
    const stop = () => stopped.abort();
    signal.addEventListener("abort", stop, { once: true });
    if (signal.aborted) stop();
    try {
      this.#takeUp();
      await this.#goOn(stopped.signal);
      while (!stopped.signal.aborted && this.#fatal === undefined) {
        const nextAt = this.#look(stopped.signal);
        const { clock } = this.#deps;
        // At least a millisecond: what is due by now waits for its turn elsewhere.
        await this.#bell.wait(Math.max(1, Math.min(STRETCH_MS, nextAt - clock.now())), stopped.signal);
      }
    } finally {
      stopped.abort();
      await this.#windDown();
      signal.removeEventListener("abort", stop);
    }
    if (this.#fatal !== undefined) throw this.#fatal.error;
  }

  /** Brings the table in line with the config. */
  #takeUp(): void {
    const { state, clock } = this.#deps;
    const now = clock.now();
    state.transaction(() => {
      const named = new Set<string>();
      for (const { server, schedule } of schedulesOf(this.#config)) {
        named.add(keyOf(server, schedule.name));
        state.schedules.put(takenUp(state.schedules.get(server, schedule.name), server, schedule, now));
      }
      for (const { server, name } of state.schedules.all()) if (!named.has(keyOf(server, name))) state.schedules.remove(server, name);
    });
  }

  /** Takes up runs that a process before this one began. */
  async #goOn(signal: AbortSignal): Promise<void> {
    for (const run of this.#deps.state.runs.unfinished()) {
      const interrupted = run.state === "running";
      if (await mayGoOn(run, this.#deps)) this.#start(run, interrupted, signal);
    }
  }

  /** Decides for each schedule what it has to do. Answers when the next one is due. */
  #look(signal: AbortSignal): number {
    const { state, clock } = this.#deps;
    const rows = new Map(state.schedules.all().map((row) => [keyOf(row.server, row.name), row]));
    let nextAt = Number.POSITIVE_INFINITY;
    for (const { server, schedule } of schedulesOf(this.#config)) {
      const now = clock.now();
      const stored = rows.get(keyOf(server, schedule.name));
      if (stored === undefined) continue;
      const row = asOf(stored, now);
      if (row !== stored) state.schedules.put(row);
      if (row.paused) {
        nextAt = Math.min(nextAt, row.pausedUntil ?? Number.POSITIVE_INFINITY);
        continue;
      }
      const decision = decide(row, now, this.#waiting.get(keyOf(server, row.name))?.at(-1)?.nominal);
      if (decision.kind === "wait") nextAt = Math.min(nextAt, decision.until ?? Number.POSITIVE_INFINITY);
      else {
        this.#due(row, schedule, decision, signal);
        nextAt = now;
      }
    }
    return nextAt;
  }

  #due(row: ScheduleRow, schedule: ScheduleConfig, due: { nominal: number; late: boolean; passedOver: number }, signal: AbortSignal): void {
    const { state, clock, log } = this.#deps;
    const { nominal, late, passedOver } = due;
    const facts = { server: row.server, schedule: row.name, nominal: new Date(nominal).toISOString() };
    if (passedOver > 0) log.warn({ ...facts, missed: passedOver }, "older scheduled backups were missed; only the newest one counts");
    if (late && !schedule.catchUp) {
      log.warn(facts, "a scheduled backup was missed and is left out, since catch_up is false");
      state.schedules.put({ ...row, settled: settle(row, nominal) });
      return;
    }
    if (late) log.warn(facts, "a scheduled backup was missed; it is made now");
    const key = keyOf(row.server, row.name);
    const held = this.#waiting.get(key) ?? [];
    // One of the same schedule that cannot begin does not wait any longer: this one does the same.
    for (const older of held) older.superseded = true;
    const waiting: Waiting = { server: row.server, schedule, nominal, catchUp: late, since: clock.now(), superseded: false };
    this.#waiting.set(key, [...held, waiting]);
    this.#follow(this.#await(waiting, signal));
  }

  /** Waits for the turn of a nominal time, and begins its run. */
  async #await(waiting: Waiting, signal: AbortSignal): Promise<void> {
    const { state, clock, log } = this.#deps;
    const { server, schedule, nominal, catchUp } = waiting;
    let begun: RunRow | undefined;
    try {
      const turn = await waitForTurn(waiting, { state, clock, log, claim: () => this.#claim(server) }, signal);
      if (turn === "go" || turn === "busy") {
        const run: ScheduledRun = { server, schedule: schedule.name, nominal, startedAt: clock.now(), catchUp };
        const settled = (more: Partial<ScheduleRow>) => {
          const row = state.schedules.get(server, schedule.name);
          if (row !== undefined) state.schedules.put({ ...row, ...more, settled: settle(row, nominal) });
        };
        if (turn === "go") begun = beginRun(run, () => settled({ lastStartedAt: run.startedAt }), this.#deps);
        else skipRun(run, () => settled({}), this.#deps);
      }
    } finally {
      const key = keyOf(server, schedule.name);
      const others = (this.#waiting.get(key) ?? []).filter((it) => it !== waiting);
      if (others.length > 0) this.#waiting.set(key, others);
      else this.#waiting.delete(key);
      this.ring();
    }
    if (begun === undefined) return;
    const facts = { server, schedule: schedule.name, nominal: new Date(nominal).toISOString(), catchUp };
    log.info(facts, "a scheduled backup begins");
    this.#start(begun, false, signal);
  }

  /** Carries out a run that has begun. */
  #start(run: RunRow, interrupted: boolean, signal: AbortSignal): void {
    this.#busy.add(run.server);
    const skipUnchanged = schedulesOf(this.#config).some(
      ({ server, schedule }) => server === run.server && schedule.name === run.schedule && schedule.skipUnchanged,
    );
    const work = carryOut(run, { skipUnchanged, interrupted }, this.#deps, signal).finally(() => this.#busy.delete(run.server));
    this.#follow(work);
  }

  /** False while somebody backs this server up. Otherwise it is taken: of two runs that are due at once only one begins. */
  #claim(server: string): boolean {
    if (this.#busy.has(server)) return false;
    const lock = this.#deps.host.lockBackup(server);
    if (lock === undefined) return false;
    lock.release();
    this.#busy.add(server);
    return true;
  }

  /** A failure of a task is one of the scheduler: its state cannot be used any more. */
  #follow(work: Promise<void>): void {
    const task: Promise<void> = work
      .catch((error: unknown) => {
        this.#fatal ??= { error };
        this.ring();
      })
      .finally(() => this.#tasks.delete(task));
    this.#tasks.add(task);
  }

  async #windDown(): Promise<void> {
    const { clock, log } = this.#deps;
    const enough = new AbortController();
    const bound = slept(clock, CLEAN_UP_MS, enough.signal).then((over) => {
      if (over) log.error("a scheduled backup did not stop in time; it is taken up again when the agent starts");
    });
    // A task that ends may have begun another one.
    const ended = (async () => {
      while (this.#tasks.size > 0) await Promise.all(this.#tasks);
    })();
    await Promise.race([ended, bound]);
    enough.abort();
    await bound;
  }
}

const keyOf = (server: string, schedule: string) => `${server}/${schedule}`;

function schedulesOf(config: HostConfig): { server: string; schedule: ScheduleConfig }[] {
  return config.servers.flatMap(({ id, backup }) => backup.schedules.map((schedule) => ({ server: id, schedule })));
}
