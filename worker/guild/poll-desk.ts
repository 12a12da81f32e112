import type { Instant, Job, PollRequest, PollResponse, Problem, RetentionOrders } from "../../schemas/index.ts";
import type { Refusal } from "../refusals.ts";
import { refuse } from "../refusals.ts";
import type { Absences } from "./absences.ts";
import { AWAY_AFTER_MS } from "./absences.ts";
import { chooseJobs, isBlocked } from "./claim-rules.ts";
import type { HostCall } from "./host-call.ts";
import type { HostRecord, Hosts } from "./hosts.ts";
import type { Jobs } from "./jobs.ts";
import type { ToWorker } from "./poll-messages.ts";
import { isEmpty, toGuild } from "./poll-messages.ts";
import type { Presence } from "./presence.ts";
import type { Servers } from "./servers.ts";

export interface PollDeskParts {
  state: DurableObjectState;
  hosts: Hosts;
  servers: Servers;
  jobs: Jobs;
  presence: Presence;
  absences: Absences;
  now: () => Instant;
  /** Why a host may not act, or null. */
  cutOff: (from: HostCall) => Refusal | null;
  /** A host named jobs as its own. */
  touched: (from: HostCall, jobs: readonly string[]) => void;
  /** A host announced other servers than before, or other schedules of theirs. */
  announced: (host: string) => void;
  /** What a host has to know of retention. */
  orders: (host: string) => RetentionOrders;
  /** What a host says of its own troubles; answers what it should hear of them now. */
  troubles: (host: string, request: PollRequest) => Problem[];
}

type Held = PollRequest["running"];

/** Cancellations remembered as told; the oldest is forgotten, and its agent told once more. */
const CANCEL_TOLD_MAX = 1000;
/** A held poll has two tags: its host, and behind this the address from which it came. */
const ADDRESS_TAG = "from ";

/**
 * Held polls. Each is a hibernating WebSocket from the Worker, tagged with its host, so that the object may be evicted while agents wait
 * (platform facts: a poll held by the object itself would use up the free plan with one agent).
 */
export class PollDesk {
  readonly #parts: PollDeskParts;
  /** Leases whose cancellation the agent has been told, so that it is not told in a circle. */
  readonly #cancelTold = new Set<string>();
  /** When each host was seen last before the poll that comes in now. */
  readonly #seenBefore = new Map<string, Instant>();

  constructor(parts: PollDeskParts) {
    this.#parts = parts;
  }

  /** Accepts the Worker's socket for a host. Its address is a tag, and not in the attachment: that has little room. */
  accept({ host, address }: HostCall): Response {
    const [client, server] = Object.values(new WebSocketPair()) as [WebSocket, WebSocket];
    const known = this.#parts.hosts.byId(host);
    // One that has announced nothing yet is new, and was nowhere.
    const { seenAt } =
      known === null || known.announcedHash === null ? { seenAt: null } : this.#parts.presence.of(known, this.#parts.now());
    if (seenAt !== null) this.#seenBefore.set(host, seenAt);
    for (const older of this.#parts.state.getWebSockets(host)) this.#say(older, { type: "superseded" });
    this.#parts.state.acceptWebSocket(server, [host, `${ADDRESS_TAG}${address ?? ""}`]);
    server.serializeAttachment({ host, at: this.#parts.now() });
    return new Response(null, { status: 101, webSocket: client });
  }

  /** A message from the Worker. */
  heed(socket: WebSocket, text: string): void {
    const message = toGuild.parse(JSON.parse(text));
    const from = this.#callOf(socket);
    const cut = this.#parts.cutOff(from);
    const host = this.#parts.hosts.byId(from.host);
    if (cut !== null || host === null) {
      const { refused, params } = cut ?? refuse("host-unknown");
      this.#say(socket, { type: "refused", refused, ...(params === undefined ? {} : { params }) });
      return;
    }
    const running = message.type === "claim" ? message.running : message.request.running;
    this.#parts.touched(
      from,
      running.map((held) => held.job),
    );
    const { storage } = this.#parts.state;
    if (message.type === "claim") {
      const nothing = { again: [], problems: [] };
      const given = storage.transactionSync(() => this.#claim(host, message.running, message.room, nothing));
      this.#say(socket, { type: "answer", response: given });
      return;
    }
    const response = storage.transactionSync(() => this.#arrive(host, message.request));
    if (isEmpty(response) && message.request.wait > 0) {
      socket.serializeAttachment(this.#parts.presence.attachment(host.id, this.#parts.now()));
      return;
    }
    this.#say(socket, { type: "answer", response });
  }

  /** Tells the held polls of a host that there is something for it. */
  wake(host: string): void {
    for (const socket of this.#parts.state.getWebSockets(host)) this.#say(socket, { type: "ready" });
  }

  /** Ends the held polls of a host that may not poll any more. */
  dismiss(host: string): void {
    for (const socket of this.#parts.state.getWebSockets(host)) this.#say(socket, { type: "refused", refused: "host-revoked" });
  }

  /** Ends the held polls of a host, so that it polls anew and is looked at again. */
  supersede(host: string): void {
    for (const socket of this.#parts.state.getWebSockets(host)) this.#say(socket, { type: "superseded" });
  }

  /** From where a host polls now; null when it does not, or that is not known. */
  addressOf(host: string): string | null {
    const calls = this.#parts.state.getWebSockets(host).map((socket) => this.#callOf(socket));
    return calls.findLast(({ address }) => address !== null)?.address ?? null;
  }

  #arrive(host: HostRecord, request: PollRequest): PollResponse {
    const { hosts, servers, jobs, presence, announced, troubles, now } = this.#parts;
    const known = new Set(request.running.map((held) => held.job));
    this.#noteAbsence(host.id);
    presence.note(host, request, now());
    const problems: Problem[] = [];
    const hash = JSON.stringify(request.servers);
    if (hash !== host.announcedHash) {
      const nameOf = (id: string) => hosts.byId(id)?.name ?? id;
      problems.push(...servers.announce(host.id, request.servers, nameOf, now()));
      hosts.setAnnounced(host.id, hash);
      announced(host.id);
    }
    problems.push(...troubles(host.id, request));
    // A job that was leased to this host but is not among its own never arrived: the answer was lost on the way.
    const lost = jobs.openOf(host.id).filter((job) => job.state === "leased" && !known.has(job.id));
    // It waits, though, while the agent is still at work on the same server for a job that it was to stop long ago.
    const atWork = lost.length === 0 ? new Set<string>() : jobs.serversAtWork(host.id, known);
    const again = lost.map((job) => (isBlocked(job, atWork) ? null : jobs.offerAgain(job))).filter((job) => job !== null);
    const offered = { again: again.slice(0, request.room), problems };
    const response = this.#claim(host, request.running, request.room, offered);
    // An agent that does not say what it knows is too old to take any, and would be told with every poll.
    const orders = request.retention === undefined ? null : this.#parts.orders(host.id);
    return orders === null || orders.hash === request.retention ? response : { ...response, retention: orders };
  }

  /** Writes down that a host was away, when it comes back. */
  #noteAbsence(host: string): void {
    const { absences, now } = this.#parts;
    const before = this.#seenBefore.get(host);
    this.#seenBefore.delete(host);
    if (before !== undefined && now() - before >= AWAY_AFTER_MS) absences.add(host, before, now());
  }

  /** `again`: jobs that are offered once more, before any others. */
  #claim(host: HostRecord, running: Held, room: number, { again, problems }: { again: Job[]; problems: Problem[] }): PollResponse {
    const { jobs, now } = this.#parts;
    const at = now();
    const cancel = this.#renew(running, at);
    const listed = new Set(running.map((held) => held.job));
    const waiting = jobs.openOf(host.id).filter((job) => job.state === "queued" && !listed.has(job.id));
    const held = waiting.length === 0 ? new Set<string>() : jobs.heldServers(host.id, listed);
    const busy = running.length + again.length > 0;
    const claimed = chooseJobs(waiting, held, room - again.length, busy).map((job) => jobs.claim(job.id, at));
    return { jobs: [...again, ...claimed.filter((job) => job !== null)], cancel, problems };
  }

  /** Renews what the agent has. Answers the jobs that it has to stop. */
  #renew(running: Held, at: Instant): string[] {
    const { jobs } = this.#parts;
    const cancel: string[] = [];
    for (const held of running) {
      const alive = jobs.renew(held.job, held.lease, at);
      const cancelled = alive && jobs.byId(held.job)?.cancelAt !== null;
      if (alive && !cancelled) continue;
      if (this.#cancelTold.has(held.lease)) continue;
      this.#rememberTold(held.lease);
      cancel.push(held.job);
    }
    return cancel;
  }

  #rememberTold(lease: string): void {
    const [oldest] = this.#cancelTold;
    if (oldest !== undefined && this.#cancelTold.size >= CANCEL_TOLD_MAX) this.#cancelTold.delete(oldest);
    this.#cancelTold.add(lease);
  }

  #callOf(socket: WebSocket): HostCall {
    const [host = "", from = ""] = this.#parts.state.getTags(socket);
    return { host, address: from.slice(ADDRESS_TAG.length) || null };
  }

  #say(socket: WebSocket, message: ToWorker): void {
    try {
      socket.send(JSON.stringify(message));
    } catch (error) {
      // The Worker has gone away; the agent will poll again, and a lease that it never saw runs out or is offered again.
      console.warn({ message: "a held poll is gone", error: String(error) });
    }
  }
}
