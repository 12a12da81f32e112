import type { AnnouncedServer, Outcome, PollRequest, PollResponse } from "../../../schemas/index.ts";
import { isRefusal } from "../../refusals.ts";
import { HEARTBEAT } from "../../testing/test-agent.ts";
import type { Ask } from "../ask.ts";
import type { Guild } from "../guild.ts";
import { toWorker } from "../poll-messages.ts";
import type { Tables } from "../tables.ts";
import { tablesOf } from "../tables.ts";
import { Oracle, Violation } from "./model-oracle.ts";
import type { Call } from "./model-spec.ts";

/** Wakes and answers of the object to one poll. */
export class ModelSocket {
  readonly host: string;
  readonly request: PollRequest;
  ready = false;
  answer: PollResponse | null = null;
  #attachment: unknown;

  constructor(host: string, request: PollRequest, now: number) {
    this.host = host;
    this.request = request;
    this.#attachment = { host, at: now };
  }

  send(text: string): void {
    const message = toWorker.parse(JSON.parse(text));
    if (message.type === "ready") this.ready = true;
    else if (message.type === "answer") this.answer = message.response;
    else throw new Violation(`the poll was ${message.type}`);
  }

  serializeAttachment(value: unknown): void {
    this.#attachment = structuredClone(value);
  }

  deserializeAttachment(): unknown {
    return structuredClone(this.#attachment);
  }
}

/**
 * The real object with its real database, its clock and its held polls in the hands of the walk. Each call is followed by the oracle's look at
 * the database.
 *
 * The clock starts far ahead of the real one, so that no alarm comes by itself: the walk runs them when their time has come.
 */
export class Bench {
  readonly oracle: Oracle;
  /** Held polls, by host. They outlive the object's memory, as hibernating sockets do. */
  readonly held = new Map<string, ModelSocket>();
  readonly guild: string;
  now: number;
  calls = 0;
  #members = 0;
  #instance: Guild | null = null;
  #state: DurableObjectState | null = null;

  constructor(guild: string, now: number) {
    this.guild = guild;
    this.now = now;
    this.oracle = new Oracle(() => this.state.storage.sql);
  }

  get instance(): Guild {
    if (this.#instance === null) throw new Error("the bench has no object");
    return this.#instance;
  }

  get state(): DurableObjectState {
    if (this.#state === null) throw new Error("the bench has no object");
    return this.#state;
  }

  /** Takes hold of the object, anew after it lost its memory. */
  bind(instance: Guild, state: DurableObjectState): void {
    this.#instance = instance;
    this.#state = state;
    instance.clock = { now: () => this.now };
    const sockets = (host?: string) =>
      (host === undefined ? [...this.held.values()] : [this.held.get(host)]).filter((one) => one !== undefined);
    state.getWebSockets = (host) => sockets(host) as unknown as WebSocket[];
    state.getTags = (socket) => [(socket as unknown as ModelSocket).host];
  }

  get tables(): Tables {
    return tablesOf(this.state.storage.sql);
  }

  addHost(name: string, servers: AnnouncedServer[]): string {
    const { hosts, servers: table } = this.tables;
    const { id } = hosts.add(
      { name, publicKey: "k", createdBy: "1", heartbeat: HEARTBEAT, address: null } as Parameters<typeof hosts.add>[0],
      this.now,
    );
    table.announce(id, servers, String, this.now);
    return id;
  }

  /** What a member asks for; each time another member, since members have rate limits. */
  ask(command: string, key?: string): Ask {
    this.#members += 1;
    return {
      key: key ?? `ask-${this.#members}`,
      guild: this.guild,
      member: { id: String(this.#members), roles: [], permissions: "8" },
      command: { name: command, tier: "admin", rate: "query" },
      token: `token-${key ?? this.#members}`,
      channel: "300000000000000003",
      trace: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    };
  }

  async call<T>(call: Call, act: () => Promise<T>): Promise<T> {
    this.calls += 1;
    // No two things happen at one time, so that what comes first does not hang on random ids.
    this.now += 1;
    const answer = await act();
    this.oracle.after(call, this.now);
    return answer;
  }

  /** Sends a poll. Answers null when it is held. */
  async poll(socket: ModelSocket): Promise<PollResponse | null> {
    const { host, request } = socket;
    const { running, room } = request;
    return this.#pollCall(socket, { type: "poll", request }, { do: "poll", by: `host ${host}`, host, running, room });
  }

  /** The Worker claims for a held poll that was woken. */
  async claim(socket: ModelSocket): Promise<PollResponse> {
    const { host, request } = socket;
    const { running, room } = request;
    const answer = await this.#pollCall(socket, { type: "claim", running, room }, { do: "poll", by: `host ${host}`, host, running, room });
    if (answer === null) throw new Violation("a claim was not answered");
    return answer;
  }

  async #pollCall(socket: ModelSocket, message: unknown, call: Extract<Call, { do: "poll" }>): Promise<PollResponse | null> {
    socket.answer = null;
    await this.call(call, () => this.instance.webSocketMessage(socket as unknown as WebSocket, JSON.stringify(message)));
    if (socket.answer !== null) this.oracle.checkAnswer(call, socket.answer);
    return socket.answer;
  }

  /** `cancel`, or false for "not yours any more". */
  async progress(host: string, job: string, lease: string): Promise<{ cancel: boolean } | false> {
    const before = this.oracle.before(job);
    const progress = { phase: "archiving" as const, done: 1, total: 2 };
    const call: Call = { do: "progress", by: `host ${host}`, host, job, lease };
    const answer = await this.call(call, () => this.instance.progress({ host, address: null }, job, lease, progress));
    const holds = before?.lease === lease && ["queued", "leased", "running"].includes(before.state);
    if (isRefusal(answer) === holds) throw new Violation(`progress of ${job} was ${holds ? "refused" : "taken"}`);
    if (isRefusal(answer)) return false;
    if (answer.cancel !== (before?.cancelAt !== null)) throw new Violation(`progress of ${job} hides that it is to stop`);
    return answer;
  }

  /** `taken`, or false for "not yours any more". */
  async result(host: string, job: string, lease: string, outcome: Outcome): Promise<{ taken: boolean } | false> {
    const before = this.oracle.before(job);
    const call: Call = { do: "result", by: `host ${host}`, host, job, lease, outcome };
    const answer = await this.call(call, () => this.instance.result({ host, address: null }, job, lease, outcome));
    const open = before !== null && ["queued", "leased", "running"].includes(before.state);
    const late = before?.code === "agent-lost" && before.state === "failed" && outcome.state === "succeeded";
    const should = before === null || before.lease !== lease ? "stale" : open || late ? "taken" : "duplicate";
    const is = isRefusal(answer) ? "stale" : answer.taken ? "taken" : "duplicate";
    if (is !== should) throw new Violation(`the result of ${job} was ${is}, not ${should}`);
    return isRefusal(answer) ? false : answer;
  }

  /** Runs the alarm if its time has come. */
  async alarmIfDue(): Promise<boolean> {
    const at = await this.state.storage.getAlarm();
    if (at === null || at > this.now) return false;
    await this.alarm();
    return true;
  }

  /** Runs the alarm, due or not: it comes at least once, sometimes twice. */
  async alarm(): Promise<void> {
    await this.state.storage.deleteAlarm();
    await this.call({ do: "alarm", by: "guild" }, () => this.instance.alarm());
  }

  /** Looks at what the alarm did so far, before something else happens in the middle of it. */
  lookInAlarm(): void {
    this.oracle.after({ do: "alarm", by: "guild" }, this.now);
  }

  /** Nothing that is due may be left without an alarm. */
  async checkAlarm(): Promise<void> {
    const jobs = this.oracle.open.map(({ deadline, leaseUntil }) => Math.min(deadline, leaseUntil ?? deadline));
    const message = this.state.storage.sql.exec("SELECT MIN(next_at) AS at FROM messages WHERE given_up IS NULL").one().at;
    const due = Math.min(...jobs, message === null ? Number.POSITIVE_INFINITY : Number(message));
    const at = (await this.state.storage.getAlarm()) ?? Number.POSITIVE_INFINITY;
    if (at > due) throw new Violation(`something is due at ${due}, and the alarm is set for ${at}`);
  }
}
