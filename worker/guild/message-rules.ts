import type { Instant } from "../../schemas/index.ts";

/** Pure rules of the outbox: when and how a message is brought up to date in Discord. */

/** Discord keeps an interaction token for 15 minutes; we stop using it a minute earlier. */
export const TOKEN_USE_MS = 14 * 60_000;
/** Least time between two edits of one message: Discord allows about 5 edits in 5 s a channel, which several messages share. */
export const EDIT_INTERVAL_MS = 2500;
/** The answer to the interaction needs this long to reach Discord before it can be edited. */
export const FIRST_EDIT_AFTER_MS = 1000;
/** Waits between failed tries: doubling from the first to the second, in milliseconds. */
export const RETRY_FIRST_MS = 1000;
export const RETRY_LAST_MS = 5 * 60_000;
/** Tries before a message is given up; with the waits above that is about a day. */
export const TRIES_MAX = 300;
/** A message that Discord does not know through its token is tried so often before the bot posts one of its own. */
export const TOKEN_TRIES_MAX = 4;

export interface MessageFacts {
  token: string | null;
  tokenUntil: Instant | null;
  messageId: string | null;
  version: number;
  sent: number;
  sentAt: Instant;
  attempts: number;
  nextAt: Instant | null;
  createdAt: Instant;
}

export type Route = { via: "interaction"; token: string } | { via: "edit"; messageId: string } | { via: "post" };

/** Which call brings the message up to date now. */
export function routeFor(message: MessageFacts, now: Instant): Route {
  if (message.messageId !== null) return { via: "edit", messageId: message.messageId };
  if (message.token !== null && message.tokenUntil !== null && now < message.tokenUntil)
    return { via: "interaction", token: message.token };
  return { via: "post" };
}

/** When a changed message should go out: soon, but not faster than Discord likes, and never earlier than a wait that Discord asked for. */
export function whenToSend(message: MessageFacts, now: Instant): Instant {
  const earliest =
    message.sent === 0 && message.attempts === 0 ? message.createdAt + FIRST_EDIT_AFTER_MS : message.sentAt + EDIT_INTERVAL_MS;
  return Math.max(now, earliest, message.attempts > 0 ? (message.nextAt ?? now) : now);
}

export type SendOutcome =
  | { kind: "sent"; messageId?: string }
  /** Discord said how long to wait; this is no failure. */
  | { kind: "wait"; ms: number }
  /** Network failure or 5xx. */
  | { kind: "failed"; reason: string }
  /** 401, 403, 404 …: this way is closed. */
  | { kind: "refused"; status: number; reason: string };

export interface AfterSend {
  sent?: number;
  sentAt?: Instant;
  messageId?: string | null;
  token?: null;
  attempts: number;
  nextAt: Instant | null;
  givenUp?: string;
}

/** What becomes of the message after a try. `version` is the one that was tried; a newer one may have come since. */
export function afterSend(message: MessageFacts, version: number, route: Route, outcome: SendOutcome, now: Instant): AfterSend {
  switch (outcome.kind) {
    case "sent": {
      const behind = message.version > version;
      const after: AfterSend = { sent: version, sentAt: now, attempts: 0, nextAt: behind ? now + EDIT_INTERVAL_MS : null };
      return outcome.messageId === undefined ? after : { ...after, messageId: outcome.messageId };
    }
    case "wait":
      return { attempts: message.attempts, nextAt: now + outcome.ms };
    case "failed":
      return retryOrGiveUp(message, outcome.reason, now);
    case "refused":
      if (route.via === "interaction") {
        // The token ran out, or the answer never became a message: the bot posts its own, after a few tries in case it was only slow.
        const last = message.attempts + 1 >= TOKEN_TRIES_MAX || outcome.status === 401;
        return last ? { token: null, attempts: 0, nextAt: now } : retryOrGiveUp(message, outcome.reason, now);
      }
      // Somebody deleted the bot's message: post a new one, once more from the start.
      if (route.via === "edit" && outcome.status === 404)
        return { messageId: null, token: null, attempts: message.attempts + 1, nextAt: now };
      return { attempts: message.attempts + 1, nextAt: null, givenUp: outcome.reason };
  }
}

function retryOrGiveUp(message: MessageFacts, reason: string, now: Instant): AfterSend {
  const attempts = message.attempts + 1;
  if (attempts >= TRIES_MAX) return { attempts, nextAt: null, givenUp: reason };
  return { attempts, nextAt: now + Math.min(RETRY_LAST_MS, RETRY_FIRST_MS * 2 ** (attempts - 1)) };
}
