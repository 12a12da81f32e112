import type { ServerStatus } from "../../schemas/status.ts";
import type { Clock } from "../clock.ts";
import { START_TIMEOUT_MS_DEFAULT } from "../config/control-config.ts";
import type { ServerConfig } from "../config/host-config.ts";
import { observe } from "../monitor/observe.ts";
import { createProcessTable } from "../monitor/process-table.ts";
import type { ServerControl } from "./control.ts";

/** A server counts as up when it has been so for this long without a gap, in milliseconds: one that crashes in a loop is up now and then. */
export const SETTLE_MS = 10_000;
/**
 * So long, where nothing but a process can be seen, which a server that will crash while it loads has too; and where it is not known which
 * evidence this server can give, and only a weaker one has come.
 */
export const WEAK_SETTLE_MS = 60_000;
/** So long after the start, "stopped" may mean "not yet started", in milliseconds: programs and systemd take orders before they act. */
const BIRTH_MS = 5000;
/** Between two looks, in milliseconds. */
const LOOK_EVERY_MS = 1000;

/** From the strongest to the weakest. */
const KINDS = ["query", "port", "process"] as const;
type Kind = (typeof KINDS)[number];

export interface ProbeVerdict {
  up: boolean;
  /** In words, what showed it: "it answered a query after 12 s, and each one since", "its process ended 3 s after the start". */
  evidence: string;
  ms: number;
}

export interface ProbeDeps {
  clock: Clock;
  /** Tells whether it runs more surely than what is seen from outside. */
  control?: ServerControl;
  /** How the server looked before it was stopped: what worked then is asked for now. */
  before?: ServerStatus;
  /** `observe` of agent/monitor when absent. */
  look?: () => Promise<ServerStatus>;
  settleMs?: number;
  weakSettleMs?: number;
}

type Sight = Record<Kind, "yes" | "no" | "unknown">;

/** Watches a server that was just started until it is shown to be up, or to be down, or until its time is over. */
export async function probe(server: ServerConfig, deps: ProbeDeps, signal: AbortSignal): Promise<ProbeVerdict> {
  const { settleMs: given } = server.control ?? {};
  const { clock, control, before, settleMs = given ?? SETTLE_MS, weakSettleMs = given ?? WEAK_SETTLE_MS } = deps;
  const table = createProcessTable({ clock });
  const look = deps.look ?? (() => observe(server, { clock, processes: table }));
  const startedAt = clock.now();
  const timeoutMs = server.control?.startTimeoutMs ?? START_TIMEOUT_MS_DEFAULT;
  const asked = server.control?.probe;
  const wanted = asked === undefined ? strongestOf(before) : asked;
  const watch = new Watch(wanted ?? "any", settleMs, weakSettleMs);
  let ranOnce = false;
  let last: Sight = { query: "unknown", port: "unknown", process: "unknown" };

  for (;;) {
    signal.throwIfAborted();
    const [state, status] = await Promise.all([
      control ? control.state(signal) : ("unknown" as const),
      wanted === "none" ? undefined : look(),
    ]);
    const now = clock.now();
    const ms = now - startedAt;
    ranOnce ||= state === "running";
    if (state === "stopped" && (ranOnce || (ms >= BIRTH_MS && isCertain(server)))) {
      const evidence = ranOnce ? `its process ended ${seconds(ms)} after the start` : `it was not running ${seconds(ms)} after the start`;
      return { up: false, evidence, ms };
    }
    if (status === undefined) {
      if (ms >= settleMs) return { up: true, evidence: unproven(settleMs), ms };
    } else {
      last = sightOf(status, state);
      const proof = watch.see(last, status.process.pid, now);
      if (proof) return { up: true, evidence: proofOf(proof, proof.since - startedAt, last), ms };
    }
    if (ms >= timeoutMs) return { up: false, evidence: `${lackOf(wanted, last)} after ${seconds(ms)}${watch.restarts}`, ms };
    await clock.sleep(Math.min(LOOK_EVERY_MS, timeoutMs - ms), signal);
  }
}

/** Where only process and port tell, a script that updates the game before it starts it looks the same as a server that has ended. */
function isCertain({ control }: ServerConfig): boolean {
  return control?.type !== "commands" || control.status !== undefined;
}

/** What this server could show before it was stopped; undefined when it showed nothing then. */
export function strongestOf(before: ServerStatus | undefined): Kind | undefined {
  if (before === undefined) return undefined;
  const sight = sightOf(before, "unknown");
  return KINDS.find((kind) => sight[kind] === "yes");
}

function sightOf(status: ServerStatus, state: "running" | "stopped" | "unknown"): Sight {
  const { process, port, query } = status;
  return {
    query: query === undefined ? "unknown" : query.state === "answered" ? "yes" : "no",
    port: port.state === "unknown" ? "unknown" : port.state === "open" ? "yes" : "no",
    process: process.state === "running" || state === "running" ? "yes" : process.state === "unknown" ? "unknown" : "no",
  };
}

interface Proof {
  kind: Kind;
  since: number;
}

/** Since when each evidence has been there without a gap. */
class Watch {
  readonly #wanted: Kind | "none" | "any";
  readonly #settleMs: number;
  readonly #weakSettleMs: number;
  readonly #since = new Map<Kind, number>();
  #pid: number | undefined;
  #restarts = 0;

  constructor(wanted: Kind | "none" | "any", settleMs: number, weakSettleMs: number) {
    this.#wanted = wanted;
    this.#settleMs = settleMs;
    this.#weakSettleMs = weakSettleMs;
  }

  /** In words, for a verdict; empty when nothing was replaced. */
  get restarts(): string {
    return this.#restarts === 0 ? "" : `; its process was replaced ${this.#restarts === 1 ? "once" : `${this.#restarts} times`} meanwhile`;
  }

  see(sight: Sight, pid: number | undefined, now: number): Proof | undefined {
    if (pid !== undefined) {
      if (this.#pid !== undefined && this.#pid !== pid) {
        // Another process is another start: what the one before has shown counts no more.
        this.#since.clear();
        this.#restarts += 1;
      }
      this.#pid = pid;
    }
    for (const kind of KINDS) {
      if (sight[kind] !== "yes") this.#since.delete(kind);
      else if (!this.#since.has(kind)) this.#since.set(kind, now);
    }
    if (this.#wanted === "none") return undefined;
    if (this.#wanted !== "any") return this.#held(this.#wanted, this.#settleOf(this.#wanted), now);
    // The strongest that can be told of this server at all.
    const strongest = KINDS.find((kind) => sight[kind] !== "unknown");
    if (strongest === undefined) return undefined;
    // A query that has never been seen to work may be set up wrong; an open port that stays open says enough. A process alone does not:
    // a server that hangs while it loads has one too.
    const weaker = strongest === "query" ? this.#held("port", this.#weakSettleMs, now) : undefined;
    return this.#held(strongest, this.#settleOf(strongest), now) ?? weaker;
  }

  #settleOf(kind: Kind): number {
    return kind === "process" ? this.#weakSettleMs : this.#settleMs;
  }

  #held(kind: Kind, forMs: number, now: number): Proof | undefined {
    const since = this.#since.get(kind);
    return since !== undefined && now - since >= forMs ? { kind, since } : undefined;
  }
}

function proofOf({ kind }: Proof, afterMs: number, sight: Sight): string {
  const silent = kind === "port" && sight.query === "no" ? ", though it answers no query" : "";
  const [shown, since] = {
    query: ["it answered a query", "and each one since"],
    port: ["its port was open", "and stayed so"],
    process: ["it had a process", "and still has it"],
  }[kind];
  return `${shown} after ${seconds(afterMs)}, ${since}${silent}`;
}

function lackOf(wanted: Kind | "none" | undefined, sight: Sight): string {
  const kind = wanted === undefined || wanted === "none" ? KINDS.find((it) => sight[it] !== "unknown") : wanted;
  if (kind === undefined) return "nothing could be told of this server (no query, port or process; see control.probe in the config)";
  if (sight[kind] === "yes")
    return `${{ query: "it answered queries", port: "its port was open", process: "it had a process" }[kind]}, but not without a gap,`;
  const lack = { query: "it answered no query", port: "its port was not open", process: "it had no process" }[kind];
  const weaker = KINDS.slice(KINDS.indexOf(kind) + 1).find((it) => sight[it] === "yes");
  const though = weaker === undefined ? "" : ` (though ${weaker === "port" ? "its port was open" : "its process ran"})`;
  return `${lack}${though}`;
}

const unproven = (settleMs: number) =>
  `control.probe is none, so no proof was asked for; nothing said within ${seconds(settleMs)} that it had ended`;
const seconds = (ms: number) => `${Math.round(ms / 100) / 10} s`;
