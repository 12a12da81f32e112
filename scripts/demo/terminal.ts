import { stripVTControlCharacters, styleText } from "node:util";
import type { SandboxMessage } from "../../sandbox/index.ts";

/** Shows Discord messages in a terminal: plain lines, each state that is worth a line once. */

const WIDTH = 110;

/** Discord's markdown and timestamps as plain words, for people in a terminal. */
export function plain(text: string, now = Date.now()): string {
  return text
    .replace(/<t:(\d+):R>/g, (_, seconds: string) => relative(Number(seconds) * 1000, now))
    .replace(/<t:(\d+)(?::\w)?>/g, (_, seconds: string) => new Date(Number(seconds) * 1000).toISOString().replace("T", " ").slice(0, 19))
    .replace(/<@(\d+)>/g, "@member")
    .replace(/```\w*\n?/g, "")
    .replace(/\*\*/g, "")
    .replace(/(?<!\\)`/g, "")
    .replace(/\\([\\`*_~|<>[\]()#+\-.])/g, "$1")
    .replaceAll("\u200b", "");
}

function relative(at: number, now: number): string {
  const seconds = Math.round((at - now) / 1000);
  const size = Math.abs(seconds);
  const words = size < 90 ? `${size} s` : size < 5400 ? `${Math.round(size / 60)} min` : `${Math.round(size / 3600)} h`;
  return seconds > 0 ? `in ${words}` : `${words} ago`;
}

/** One message as lines: titles, texts, fields side by side. */
export function lines(message: SandboxMessage): string[] {
  const out: string[] = [];
  if (message.content !== "") out.push(plain(message.content));
  for (const embed of message.embeds) {
    if (embed.title !== undefined) out.push(styleText("bold", plain(embed.title)));
    if (embed.description !== undefined) out.push(...plain(embed.description).split("\n"));
    const fields = (embed.fields ?? []).map((field) => `${field.name}: ${plain(field.value).replaceAll("\n", ", ")}`);
    for (let at = 0; at < fields.length; at += 3) out.push(fields.slice(at, at + 3).join("  ·  "));
  }
  return out.map((line) => (stripVTControlCharacters(line).length > WIDTH * 2 ? `${line.slice(0, WIDTH * 2 - 1)}…` : line));
}

/** A printer that shows each message when it comes and whenever it has changed. */
export function messagePrinter(print: (line: string) => void): (message: SandboxMessage) => void {
  const shown = new Map<string, string>();
  return (message) => {
    const text = lines(message).join("\n");
    if (shown.get(message.id) === text) return;
    const first = !shown.has(message.id);
    shown.set(message.id, text);
    const head = message.interaction === undefined ? "" : ` (/${message.interaction.name})`;
    print(`${styleText("cyan", message.author.username)}${head}${first ? "" : styleText("dim", " edited")}`);
    for (const line of text.split("\n")) print(`  ${line}`);
  };
}
