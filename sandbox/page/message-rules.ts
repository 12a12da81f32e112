import { dayNumber } from "./timestamps.ts";
import type { Message } from "./types.ts";

/** Messages kept in the page; the sandbox keeps 500 a channel. */
export const MESSAGES_SHOWN_MAX = 300;
/** Discord puts messages of one author within this time under one name. Milliseconds. */
const GROUP_MS = 7 * 60_000;

/** Ephemeral messages are seen by one member only; events carry all of them. */
export function isVisible(message: Message, member: string): boolean {
  return message.ephemeral !== true || message.ephemeralFor === undefined || message.ephemeralFor === member;
}

/** Puts a message into its place, by the order of their ids. An edit replaces, the oldest fall out beyond the cap. */
export function withMessage(messages: readonly Message[], message: Message): Message[] {
  const others = messages.filter((one) => one.id !== message.id);
  const after = others.findIndex((one) => isOlder(message.id, one.id));
  const at = after === -1 ? others.length : after;
  return [...others.slice(0, at), message, ...others.slice(at)].slice(-MESSAGES_SHOWN_MAX);
}

/** Snowflakes are numbers beyond what JavaScript counts exactly; of two, the longer is the larger. */
function isOlder(a: string, b: string): boolean {
  return a.length === b.length ? a < b : a.length < b.length;
}

/** Whether a message goes on under the name of the one before. */
export function continues(message: Message, before: Message | undefined): boolean {
  if (before === undefined || isReply(message) || message.author.id !== before.author.id) return false;
  if (message.ephemeral === true || before.ephemeral === true) return false;
  const apart = Date.parse(message.timestamp) - Date.parse(before.timestamp);
  return apart < GROUP_MS && !startsDay(message, before);
}

/** Whether a line with the date stands above a message. */
export function startsDay(message: Message, before: Message | undefined, timeZone?: string): boolean {
  if (before === undefined) return true;
  return dayNumber(Date.parse(message.timestamp), timeZone) !== dayNumber(Date.parse(before.timestamp), timeZone);
}

/** Name of the command that a message answers, or null. Components and modals have an id of the application instead of a name. */
export function answeredCommand(message: Message): string | null {
  const { interaction, interaction_metadata: metadata } = message;
  if (interaction === undefined || message.content === COMPONENT_FAILED) return null;
  const byCommand = metadata === undefined ? /^[-_\p{L}\p{N} ]+$/u.test(interaction.name) : metadata.type === COMMAND;
  return byCommand ? interaction.name : null;
}

const COMMAND = 2;
/** Discord's notice for a button, menu or form that was not answered. */
const COMPONENT_FAILED = "This interaction failed";

function isReply(message: Message): boolean {
  return message.interaction !== undefined;
}

const UNITS = ["bytes", "KB", "MB"] as const;

/** The size of a file as Discord shows it, as `[1.46, "KB"]`. */
export function fileSize(bytes: number): [amount: number, unit: string] {
  let [amount, unit] = [bytes, 0];
  while (amount >= 1024 && unit < UNITS.length - 1) {
    amount /= 1024;
    unit += 1;
  }
  return [Number(amount.toFixed(2)), UNITS[unit] ?? ""];
}

/** Up to two letters for a guild without a picture. */
export function acronym(name: string): string {
  const words = name.split(/\s+/).filter((word) => word !== "");
  return words
    .slice(0, 3)
    .map((word) => [...word][0] ?? "")
    .join("");
}

/** Parses `#guild/channel/member`; parts that are missing are empty. */
export function placeFromHash(hash: string): { guild: string; channel: string; member: string } {
  const [guild = "", channel = "", member = ""] = hash.replace(/^#/, "").split("/").map(decoded);
  return { guild, channel, member };
}

export function hashOf(place: { guild: string; channel: string; member: string }): string {
  return `#${[place.guild, place.channel, place.member].map(encodeURIComponent).join("/")}`;
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
