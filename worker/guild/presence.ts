import type { Heartbeat, Instant, PollRequest } from "../../schemas/index.ts";
import { POLL_WAIT_MAX_S } from "../../schemas/index.ts";
import type { HostRecord, HostStatus, Hosts } from "./hosts.ts";

/** A host counts as offline when it has not polled for two polls and some slack. */
export const OFFLINE_AFTER_MS = 2 * POLL_WAIT_MAX_S * 1000 + 20_000;
/** What a poll brings is written down at most so often: rows written are the tightest limit of Cloudflare's free plan. */
export const WRITE_SEEN_EVERY_MS = 5 * 60_000;
/** Cloudflare keeps at most 2,048 bytes with a hibernating WebSocket. */
const ATTACHMENT_BYTES_MAX = 2000;

/** What stands on a waiting socket, so that it outlives the object's memory. */
export interface Attachment {
  host: string;
  at: Instant;
  status?: HostStatus;
}

export interface Sight {
  seenAt: Instant | null;
  online: boolean;
  status: HostStatus | null;
}

/**
 * Which hosts are there, and what they last said. The newest word is in memory and on the waiting socket; the database gets it at most
 * every five minutes.
 */
export class Presence {
  readonly #hosts: Hosts;
  readonly #sockets: (host: string) => WebSocket[];
  readonly #recent = new Map<string, { at: Instant; status: HostStatus }>();
  readonly #writtenAt = new Map<string, Instant>();

  constructor(hosts: Hosts, sockets: (host: string) => WebSocket[]) {
    this.#hosts = hosts;
    this.#sockets = sockets;
  }

  /** Takes in what a poll says. */
  note(host: HostRecord, request: PollRequest, now: Instant): void {
    const status: HostStatus = { at: now, servers: request.status, ...(request.load === undefined ? {} : { load: request.load }) };
    this.#recent.set(host.id, { at: now, status });
    const writtenAt = this.#writtenAt.get(host.id) ?? host.seenAt ?? 0;
    if (now - writtenAt >= WRITE_SEEN_EVERY_MS || !sameAgent(host.heartbeat, request.heartbeat)) {
      this.#hosts.setSeen(host.id, now, request.heartbeat, status);
      this.#writtenAt.set(host.id, now);
    }
  }

  /** A fresh look at the servers came as a job's result. */
  noteStatus(host: string, status: HostStatus): void {
    this.#recent.set(host, { at: status.at, status });
  }

  attachment(host: string, now: Instant): Attachment {
    const status = this.#recent.get(host)?.status;
    const whole: Attachment = { host, at: now, ...(status === undefined ? {} : { status }) };
    return new TextEncoder().encode(JSON.stringify(whole)).byteLength <= ATTACHMENT_BYTES_MAX ? whole : { host, at: now };
  }

  of(host: HostRecord, now: Instant): Sight {
    const waiting = this.#sockets(host.id).map((socket) => socket.deserializeAttachment() as Attachment | null);
    const attached = waiting.filter((attachment) => attachment !== null).sort((a, b) => b.at - a.at)[0];
    const recent = this.#recent.get(host.id);
    const seenAt = Math.max(recent?.at ?? 0, attached?.at ?? 0, host.seenAt ?? 0) || null;
    const online = waiting.length > 0 || (seenAt !== null && now - seenAt < OFFLINE_AFTER_MS);
    const candidates = [recent?.status, attached?.status, host.status].filter((status) => status !== undefined && status !== null);
    const status = candidates.sort((a, b) => b.at - a.at)[0] ?? null;
    // A held poll is a sign of life for as long as it is held.
    return { seenAt: waiting.length > 0 ? now : seenAt, online, status };
  }
}

function sameAgent(before: Heartbeat | null, now: Heartbeat): boolean {
  return (
    before !== null &&
    before.agentVersion === now.agentVersion &&
    before.startedAt === now.startedAt &&
    before.configHash === now.configHash
  );
}
