import type { Instant, PollRequest, PollResponse, Problem } from "../../schemas/index.ts";
import type { HostRecord, Hosts } from "./hosts.ts";
import type { JobRecord, Jobs } from "./jobs.ts";
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
  now: () => Instant;
  /** Called after jobs changed hands or hosts changed what they announce. */
  changed: (jobs: JobRecord[]) => void;
}

/** Cancellations remembered as told; the oldest is forgotten, and its agent told once more. */
const CANCEL_TOLD_MAX = 1000;

/**
 * Held polls. Each is a hibernating WebSocket from the Worker, tagged with its host, so that the object may be evicted while agents wait
 * (platform facts: a poll held by the object itself would use up the free plan with one agent).
 */
export class PollDesk {
  readonly #parts: PollDeskParts;
  /** Leases whose cancellation the agent has been told, so that it is not told in a circle. */
  readonly #cancelTold = new Set<string>();

  constructor(parts: PollDeskParts) {
    this.#parts = parts;
  }

  /** Accepts the Worker's socket for a host. */
  accept(host: string): Response {
    const [client, server] = Object.values(new WebSocketPair()) as [WebSocket, WebSocket];
    for (const older of this.#parts.state.getWebSockets(host)) this.#say(older, { type: "superseded" });
    this.#parts.state.acceptWebSocket(server, [host]);
    server.serializeAttachment({ host, at: this.#parts.now() });
    return new Response(null, { status: 101, webSocket: client });
  }

  /** A message from the Worker. */
  heed(socket: WebSocket, text: string): void {
    const message = toGuild.parse(JSON.parse(text));
    const host = this.#hostOf(socket);
    if (host === null || host.revokedAt !== null) {
      this.#say(socket, { type: "refused", refused: host === null ? "host-unknown" : "host-revoked" });
      return;
    }
    if (message.type === "claim") {
      this.#say(socket, { type: "answer", response: this.#claim(host, message.running, message.room, []) });
      return;
    }
    const response = this.#arrive(host, message.request);
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

  #arrive(host: HostRecord, request: PollRequest): PollResponse {
    const { hosts, servers, jobs, presence, now } = this.#parts;
    const known = new Set(request.running.map((held) => held.job));
    presence.note(host, request, now());
    const problems: Problem[] = [];
    const hash = JSON.stringify(request.servers);
    if (hash !== host.announcedHash) {
      const nameOf = (id: string) => hosts.byId(id)?.name ?? id;
      problems.push(...servers.announce(host.id, request.servers, nameOf, now()));
      hosts.setAnnounced(host.id, hash);
    }
    const response = this.#claim(host, request.running, request.room, problems);
    // A job that was leased to this host but is not among its own never arrived: the answer was lost on the way.
    const lost = jobs.openOf(host.id).filter((job) => job.state === "leased" && !known.has(job.id));
    for (const job of lost) {
      if (response.jobs.length >= request.room || response.jobs.some((offered) => offered.id === job.id)) continue;
      const again = jobs.offerAgain(job);
      if (again !== null) response.jobs.push(again);
    }
    return response;
  }

  #claim(host: HostRecord, running: PollRequest["running"], room: number, problems: Problem[]): PollResponse {
    const { jobs, now } = this.#parts;
    const at = now();
    const cancel: string[] = [];
    for (const held of running) {
      const alive = jobs.renew(held.job, held.lease, at);
      const cancelled = alive && jobs.byId(held.job)?.cancelAt !== null;
      if (alive && !cancelled) continue;
      if (this.#cancelTold.has(held.lease)) continue;
      this.#rememberTold(held.lease);
      cancel.push(held.job);
    }
    const claimed = [];
    for (const job of jobs.openOf(host.id)) {
      if (claimed.length >= room) break;
      if (job.state !== "queued" || job.cancelAt !== null || running.some((held) => held.job === job.id)) continue;
      const offered = jobs.claim(job.id, at);
      if (offered !== null) claimed.push(offered);
    }
    this.#parts.changed(claimed.map((job) => jobs.byId(job.id)).filter((job) => job !== null));
    return { jobs: claimed, cancel, problems };
  }

  #rememberTold(lease: string): void {
    const [oldest] = this.#cancelTold;
    if (oldest !== undefined && this.#cancelTold.size >= CANCEL_TOLD_MAX) this.#cancelTold.delete(oldest);
    this.#cancelTold.add(lease);
  }

  #hostOf(socket: WebSocket): HostRecord | null {
    const attachment = socket.deserializeAttachment() as { host?: string } | null;
    return attachment?.host === undefined ? null : this.#parts.hosts.byId(attachment.host);
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
