import type { Instant } from "../../schemas/index.ts";
import type { MessageBody } from "../discord/message.ts";
import { movedMessage } from "../discord/render-backup.ts";
import type { DiscordRest, RestOutcome } from "../discord/rest.ts";
import { safe } from "../discord/text.ts";
import type { Route, SendOutcome } from "./message-rules.ts";
import { afterSend, routeFor } from "./message-rules.ts";
import type { MessageRecord, Messages } from "./messages.ts";
import { OWNER_CHANNEL, openOwnerChannel } from "./owner-channel.ts";

/** Messages brought up to date in one alarm; more wait for the next, which comes at once. */
const BATCH = 20;

export interface OwnerParts {
  /** Id of the guild. */
  guild: string;
  /** Channel for what the owner's direct messages do not take; null when none is known. */
  fallback: () => string | null;
}

export interface DeliveryParts {
  rest: DiscordRest;
  applicationId: string;
  messages: Messages;
  /** What a message shows now; null when there is nothing left to show. */
  render: (message: MessageRecord) => MessageBody | null;
  now: () => Instant;
  /** For messages to the guild's owner. */
  owner: OwnerParts;
}

/** Drains the outbox: each message that is behind is rendered from the newest state and sent by the way that is open. */
export async function deliver(parts: DeliveryParts): Promise<void> {
  const { messages, now } = parts;
  for (const due of messages.due(now(), BATCH)) {
    const message = messages.byId(due.id);
    if (message === null || message.nextAt === null) continue;
    const body = parts.render(message);
    if (body === null) {
      messages.apply(message.id, { attempts: 0, nextAt: null });
      continue;
    }
    const route = routeFor(message, now());
    const answer =
      message.channel === OWNER_CHANNEL
        ? await sendToOwner(parts, message.id, body)
        : await send(parts, message.channel, message.id, route, body);
    const outcome = outcomeOf(answer, route);
    // Read again: while Discord was answering, the state may have gone on.
    const current = messages.byId(message.id);
    if (current === null) continue;
    const after = afterSend(current, message.version, route, outcome, now());
    messages.apply(message.id, after);
    if (after.givenUp !== undefined) console.error({ message: "a Discord message was given up", id: message.id, reason: after.givenUp });
    if (outcome.kind === "wait" && answer.kind === "limited" && answer.global) messages.delayAll(now() + outcome.ms);
    if (route.via === "post" && outcome.kind === "sent") await sayMoved(parts, message, outcome.messageId);
  }
}

function send(parts: DeliveryParts, channel: string, id: number, route: Route, body: MessageBody): Promise<RestOutcome> {
  const { rest, applicationId } = parts;
  switch (route.via) {
    case "interaction":
      return rest.send("PATCH", `/webhooks/${applicationId}/${route.token}/messages/@original`, body, {
        bucket: "interaction",
        secret: true,
      });
    case "edit":
      return rest.send("PATCH", `/channels/${channel}/messages/${route.messageId}`, body);
    case "post":
      // The nonce keeps a try whose answer was lost from showing up twice.
      return rest.send("POST", `/channels/${channel}/messages`, { ...body, nonce: `reconsync-${id}`, enforce_nonce: true });
  }
}

/** To the owner's direct messages; when these are closed, to the channel for notices. Where it got through it stays. */
async function sendToOwner(parts: DeliveryParts, id: number, body: MessageBody): Promise<RestOutcome> {
  const { rest, messages, owner } = parts;
  const way = await openOwnerChannel(rest, owner.guild);
  if (way.kind === "open") {
    const greeting = `About your Discord server **${safe(way.guildName, 100)}**:`;
    const sent = await send(parts, way.channel, id, { via: "post" }, { ...body, content: greeting });
    if (sent.kind === "ok") messages.setChannel(id, way.channel);
    if (sent.kind !== "refused") return sent;
    console.warn({ message: "the guild's owner takes no direct messages of the bot", id, reason: sent.reason });
  } else if (way.kind !== "refused") {
    return way;
  }
  const fallback = owner.fallback();
  if (fallback === null)
    return way.kind === "refused" ? way : { kind: "refused", status: 403, reason: "the owner's direct messages are closed" };
  messages.setChannel(id, fallback);
  return send(parts, fallback, id, { via: "post" }, body);
}

function outcomeOf(answer: RestOutcome, route: Route): SendOutcome {
  switch (answer.kind) {
    case "ok": {
      const id = (answer.body as { id?: unknown } | null)?.id;
      return route.via === "post" && typeof id === "string" ? { kind: "sent", messageId: id } : { kind: "sent" };
    }
    case "limited":
      return { kind: "wait", ms: answer.ms };
    case "failed":
      return { kind: "failed", reason: answer.reason };
    case "refused":
      return { kind: "refused", status: answer.status, reason: answer.reason };
  }
}

/** Leaves a pointer in the interaction's answer, while its token still lives, so that it does not look stuck. One try: it is a courtesy. */
async function sayMoved(parts: DeliveryParts, message: MessageRecord, messageId: string | undefined): Promise<void> {
  if (message.token === null || messageId === undefined) return;
  const path = `/webhooks/${parts.applicationId}/${message.token}/messages/@original`;
  const answer = await parts.rest.send("PATCH", path, movedMessage(), { bucket: "interaction", secret: true });
  if (answer.kind !== "ok")
    console.warn({ message: "the first answer could not be marked as moved", id: message.id, outcome: answer.kind });
}
