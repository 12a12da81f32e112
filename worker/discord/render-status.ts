import type { ServerStatus } from "../../schemas/index.ts";
import type { ServerView, StatusView } from "../guild/views.ts";
import type { Embed, MessageBody } from "./message.ts";
import { COLOURS, message } from "./message.ts";
import { verifiedField } from "./render-verification.ts";
import type { Format } from "./text.ts";
import { formatter, safe, time } from "./text.ts";

/** Servers shown whole; Discord takes 10 embeds and 6,000 characters a message. */
const SERVERS_SHOWN = 6;
/** Player names in a line. */
const NAMES_SHOWN = 10;
/** A look at a server is called old after this time, in milliseconds: two rounds of the agent's own looking (60 s). */
const OLD_AFTER_MS = 3 * 60_000;

export function statusMessage(view: StatusView): MessageBody {
  if (view.servers.length === 0) {
    return message({
      title: "No servers yet",
      description: "Add a game host with `/agent register`, and list its servers in the host's config.yaml.",
      color: COLOURS.info,
    });
  }
  const embeds = view.servers.slice(0, SERVERS_SHOWN).map((server) => serverEmbed(server, view));
  const more = view.servers.slice(SERVERS_SHOWN);
  if (more.length > 0) {
    const names = more.map((server) => `${dot(server)} ${safe(server.name, 60)}`).slice(0, 40);
    embeds.push({ title: formatter(view.format).plural(more.length, "more server"), description: names.join("\n"), color: COLOURS.info });
  }
  const last = embeds.at(-1);
  if (view.refreshing && last !== undefined) last.footer = { text: "Asking the hosts for a fresh look …" };
  return message(embeds);
}

function dot(server: ServerView): string {
  return { up: "🟢", partly: "🟡", down: "🔴", unknown: "⚪" }[condition(server)];
}

/** One word for a server, by the evidence at hand. */
function condition(server: ServerView): "up" | "partly" | "down" | "unknown" {
  const { status } = server;
  if (!server.hostOnline || status === null) return "unknown";
  if (status.process.state === "stopped") return "down";
  const deaf = status.port.state === "closed" || status.query?.state === "silent";
  if (status.process.state === "running") return deaf ? "partly" : "up";
  if (status.query?.state === "answered" || status.port.state === "open") return "up";
  return status.port.state === "closed" ? "down" : "unknown";
}

const WORDS = { up: "up", partly: "runs, but does not answer", down: "down", unknown: "state unknown" } as const;
const COLOUR_OF = { up: COLOURS.success, partly: COLOURS.warning, down: COLOURS.error, unknown: COLOURS.info } as const;

function serverEmbed(server: ServerView, { now, format }: StatusView): Embed {
  const { status } = server;
  const is = condition(server);
  const lines: string[] = [];
  if (!server.hostOnline) {
    const seen = server.hostSeenAt;
    const since = seen === null ? "and has not been seen yet" : `since ${time(seen, "f")} (${time(seen)})`;
    lines.push(`Host offline ${since}: **${safe(server.hostName, 60)}**. What is below is from before.`);
  }
  if (server.backupRunning) lines.push("A backup is on its way.");
  if (server.restoring) lines.push("**A restore goes on**: the server may be stopped meanwhile.");
  if (status !== null) {
    lines.push(`Looked at ${time(status.at)}${now - status.at > OLD_AFTER_MS ? " (old)" : ""}`);
    lines.push(...status.problems.map((problem) => safe(problem)));
  } else if (server.hostOnline) lines.push("The host has not looked at this server yet.");
  return {
    title: `${dot(server)} ${safe(server.name, 100)}: ${WORDS[is]}`,
    description: lines.join("\n"),
    color: COLOUR_OF[is],
    fields: [
      { name: "Game", value: safe(server.gameName, 60), inline: true },
      { name: "Host", value: safe(server.hostName, 60), inline: true },
      ...(status === null ? [] : statusFields(status, format)),
      { name: "Last backup", value: lastBackup(server, format), inline: true },
      ...(server.verified === null ? [] : [{ name: "Last proven restorable", value: verifiedField(server.verified), inline: false }]),
    ],
  };
}

function statusFields(status: ServerStatus, format: Format): { name: string; value: string; inline: boolean }[] {
  const { bytes, duration } = formatter(format);
  const fields: { name: string; value: string }[] = [];
  const { process, port, query } = status;
  if (process.state !== "unknown") {
    const up = process.uptimeSeconds === undefined ? "" : `, up ${duration(process.uptimeSeconds * 1000)}`;
    fields.push({ name: "Process", value: `${process.state}${up}` });
  }
  if (process.cpuPercent !== undefined) fields.push({ name: "CPU", value: `${Math.round(process.cpuPercent)} % of a core` });
  if (process.memoryBytes !== undefined) fields.push({ name: "Memory", value: bytes(process.memoryBytes) });
  if (port.state !== "unknown") fields.push({ name: "Port", value: `${port.number ?? ""} ${port.protocol ?? ""} ${port.state}`.trim() });
  if (query?.state === "silent") fields.push({ name: "Players", value: "The server does not answer queries" });
  if (query?.players !== undefined) fields.push({ name: "Players", value: players(query.players, format) });
  if (status.worldDisk !== undefined) fields.push({ name: "World disk", value: disk(status.worldDisk, format) });
  if (status.backupDisk !== undefined) fields.push({ name: "Backup disk", value: disk(status.backupDisk, format) });
  return fields.map((field) => ({ ...field, inline: true }));
}

type Players = NonNullable<NonNullable<ServerStatus["query"]>["players"]>;

function players({ online, max, names }: Players, format: Format): string {
  const { count } = formatter(format);
  const shown = names.slice(0, NAMES_SHOWN).map((name) => safe(name, 40));
  const more = online - shown.length;
  const list = shown.length === 0 ? "" : `\n${shown.join(", ")}${more > 0 ? ` and ${count(more)} more` : ""}`;
  return `${count(online)}${max === undefined ? "" : ` of ${count(max)}`}${list}`;
}

function disk({ freeBytes, totalBytes }: { freeBytes: number; totalBytes: number }, format: Format): string {
  const { bytes } = formatter(format);
  return `${bytes(freeBytes)} free of ${bytes(totalBytes)}`;
}

function lastBackup({ lastBackup: last }: ServerView, format: Format): string {
  if (last === null) return "none yet";
  return `${time(last.at)}, ${formatter(format).bytes(last.bytes)}, ${last.consistency}`;
}
