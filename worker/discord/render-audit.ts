import type { AuditEntry, AuditFilter, AuditRecord } from "../guild/audit.ts";
import type { AuditView } from "../guild/audit-desk.ts";
import { lines } from "./lines.ts";
import type { MessageBody } from "./message.ts";
import { button, COLOURS, message, row } from "./message.ts";
import { code, plural, safe, time } from "./text.ts";

/** Of a change, in characters. */
const CHANGE_LENGTH_MAX = 200;

const MARKS: Record<AuditEntry["kind"], string> = {
  command: "▸",
  refused: "⛔",
  job: "⚙",
  setting: "✎",
  grant: "🔑",
  host: "🖥",
  schedule: "⏱",
  security: "🛡",
  repository: "📦",
  restore: "⏪",
  retention: "📌",
};

/** One page of the audit log. */
export function auditMessage(view: AuditView): MessageBody {
  const { page, pages, count, filter, publicKey } = view;
  const about = [
    filter.member === undefined ? "" : ` of <@${filter.member}>`,
    filter.server === undefined ? "" : ` on **${safe(filter.server, 40)}**`,
  ];
  const shown = view.rows.map((record) => lineOf(record, view));
  const newer = { ...button("secondary", "Newer", pageId(page - 1, filter)), disabled: page === 0 };
  const older = { ...button("secondary", "Older", pageId(page + 1, filter)), disabled: page >= pages - 1 };
  const file = button("secondary", "Export", "auditfile/all");
  return message(
    {
      title: "Audit",
      description: lines([`What happened${about.join("")}, newest first:`, ...(shown.length === 0 ? ["Nothing yet."] : shown)]),
      color: COLOURS.info,
      footer: { text: `${plural(count, "row")} · page ${page + 1} of ${pages} · audit key ${publicKey}` },
    },
    [row(...(pages > 1 ? [newer, older] : []), file)],
  );
}

function pageId(page: number, { member = "", server = "" }: AuditFilter): string {
  return `audit/${Math.max(0, page)}/${member}/${server}`;
}

function lineOf({ seq, at, entry }: AuditRecord, view: AuditView): string {
  const parts = [`\`${seq}\` ${time(at)} ${MARKS[entry.kind]} ${actorOf(entry.actor, view)}`];
  if (entry.command !== undefined) parts.push(`\`/${entry.command.replaceAll("`", "'")}\``);
  if (entry.server !== undefined) parts.push(`on **${safe(entry.server, 40)}**`);
  if (entry.host !== undefined && entry.actor !== `host ${entry.host}`)
    parts.push(`host **${safe(view.hosts[entry.host] ?? entry.host, 40)}**`);
  if (entry.job !== undefined) parts.push(code(entry.job, 24));
  if (entry.kind === "refused") parts.push("refused");
  if (entry.change !== undefined) parts.push(safe(changeText(entry.change), CHANGE_LENGTH_MAX));
  if (entry.allowedBy !== null) parts.push(`(${safe(entry.allowedBy, 80)})`);
  return parts.join(" ");
}

/** `setting time-zone, UTC → Europe/Berlin`. The export has it exactly. */
function changeText({ from, to, ...rest }: Record<string, unknown>): string {
  const parts = Object.entries(rest).map(([key, value]) => `${key} ${flat(value)}`);
  if (to !== undefined) parts.push(from === undefined ? flat(to) : `${flat(from)} → ${flat(to)}`);
  return parts.join(", ");
}

function flat(value: unknown): string {
  if (value === null || value === undefined) return "none";
  if (typeof value !== "object") return String(value);
  const known = Object.values(value).filter((one) => one !== null && one !== undefined);
  return `(${known.map(flat).join(", ")})`;
}

function actorOf(actor: string, view: AuditView): string {
  const [kind, id = ""] = actor.split(" ");
  if (kind === "member") return `<@${safe(id, 20)}>`;
  if (kind === "host") return `host **${safe(view.hosts[id] ?? id, 40)}**`;
  return safe(actor, 40);
}
