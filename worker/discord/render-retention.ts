import type { Instant } from "../../schemas/index.ts";
import { policyText } from "../../schemas/index.ts";
import type { Notice } from "../guild/notices.ts";
import type { FrozenReason } from "../guild/retention-table.ts";
import type { MarkedView, PolicyView, PreviewView, RetainedView, UndeletedView } from "../guild/retention-view.ts";
import type { Tables } from "../guild/tables.ts";
import { lines } from "./lines.ts";
import type { MessageBody } from "./message.ts";
import { COLOURS, message } from "./message.ts";
import type { Format } from "./text.ts";
import { code, formatter, plural, safe, time } from "./text.ts";

/** Backups that a preview names of those that stay, and of those that would go, at most. */
const SHOWN_MAX = 15;

const FROM: Record<PreviewView["from"], string> = {
  server: "set for this server",
  all: "set for all servers",
  host: "from the host's config",
  asked: "as you asked; it is not set",
};

/** `/backup retention show`, `set` and `resume`. */
export function policyMessage(view: PolicyView, did: "show" | "set" | "resume"): MessageBody {
  const of = view.serverName === null ? "all servers without one of their own" : safe(view.serverName, 100);
  const { effective, by, at, frozen } = view;
  const text = [
    effective === null
      ? "Nothing is set: what each host's config says holds."
      : `Keeps ${code(policyText(effective.policy), 300)}, ${FROM[effective.from]}.`,
    ...(by === null || at === null ? [] : [`By <@${by}>, ${time(at)}.`]),
    ...(effective === null
      ? []
      : [`The brake stops a plan that would remove more than ${Math.round(effective.removeShare * 100)} % at once.`]),
    ...frozenLines(frozen, view.format),
    ...(did === "set" ? ["It holds from the next good backup on. `/backup retention preview` shows what it does."] : []),
    ...(did === "resume" ? ["Retention goes on."] : []),
  ];
  const color = frozen !== null ? COLOURS.warning : did === "show" ? COLOURS.info : COLOURS.success;
  return message({ title: `Retention of ${of}`, description: text.join("\n"), color });
}

/** `/backup retention preview`. */
export function previewMessage(view: PreviewView): MessageBody {
  const { bytes } = formatter(view.format);
  const sum = (rows: readonly RetainedView[]) => bytes(rows.reduce((total, one) => total + one.bytes, 0));
  const { kept, gone, waiting } = view;
  const description = lines([
    `Policy: ${code(policyText(view.policy), 300)}, ${FROM[view.from]}.`,
    ...frozenLines(view.frozen, view.format),
    ...(view.tooMuch.length === 0 ? [] : [`🧊 The brake would stop this: ${reasonsText(view.tooMuch, view.format)}.`]),
    "",
    `**Stay: ${plural(kept.length, "backup")}, ${sum(kept)}**`,
    ...some(kept, (one) => `${time(one.at, "f")} ${code(one.name, 60)}, ${bytes(one.bytes)}: ${safe(one.reasons.join(", "), 120)}`),
    "",
    `**Would go with the next good backup: ${plural(gone.length, "backup")}, ${sum(gone)}**`,
    ...some(gone, (one) => `${time(one.at, "f")} ${code(one.name, 60)}, ${bytes(one.bytes)}`),
    ...(waiting.count === 0
      ? []
      : [
          "",
          `${plural(waiting.count, "backup")} more, ${bytes(waiting.bytes)}, went in the last days and can come back: \`/backup undelete\`.`,
        ]),
  ]);
  return message({
    title: `Retention of ${safe(view.serverName, 100)}`,
    description,
    color: view.frozen === null && view.tooMuch.length === 0 ? COLOURS.info : COLOURS.warning,
  });
}

/** `/backup pin`, `unpin` and `tag`. */
export function markedMessage(view: MarkedView): MessageBody {
  const tags = view.tags.length === 0 ? "" : ` Tags: ${view.tags.map((tag) => code(tag, 40)).join(" ")}.`;
  const stays = view.pinned ? "📌 It stays, whatever retention says, until `/backup unpin`." : "It is not pinned: retention decides.";
  const note = view.note === null ? "" : `\n${safe(view.note, 200)}`;
  return message({
    title: `Backup of ${safe(view.serverName, 100)}`,
    description: `${code(view.name, 60)} of ${time(view.at, "f")}\n${stays}${tags}${note}`,
    color: COLOURS.success,
  });
}

/** `/backup undelete`. */
export function undeletedMessage(view: UndeletedView): MessageBody {
  const description =
    view.names.length === 0
      ? "That was done already."
      : lines([
          `${plural(view.names.length, "backup")} can be restored again. Each is pinned, so that retention does not take it again: \`/backup unpin\` lets it go.`,
          ...view.names.map((name) => code(name, 60)),
        ]);
  return message({ title: `Brought back: ${safe(view.serverName, 100)}`, description, color: COLOURS.success });
}

/** Told once, when the brake goes on; edited when somebody lets retention go on. */
export function frozenMessage(notice: Extract<Notice, { kind: "retention-frozen" }>, tables: Tables, format: Format): MessageBody {
  const { server, reasons, at, overAt, by } = notice;
  const name = safe(tables.servers.byId(server)?.name ?? server, 100);
  const why = `${reasonsText(reasons, format)}, ${time(at, "f")}.`;
  if (overAt !== null) {
    const who = by === null ? "" : ` by <@${by}>`;
    return message({
      title: `Retention of ${name} goes on`,
      description: `Let go on${who}, ${time(overAt, "f")}. It had stopped: ${why}`,
      color: COLOURS.success,
    });
  }
  const description = [
    `**${why}**`,
    "No backup of it is removed any more, and what waited for its removal stays. New backups are made as before.",
    `Look at the world and at \`/backup list server:${server}\`. If something is wrong, restore an earlier backup. If all is well: \`/backup retention resume server:${server}\`.`,
  ];
  return message({
    title: `Retention of ${name} has stopped`,
    description: description.join("\n\n"),
    color: COLOURS.warning,
    footer: { text: "retention-frozen" },
  });
}

function frozenLines(frozen: { at: Instant; reasons: FrozenReason[] } | null, format: Format): string[] {
  if (frozen === null) return [];
  return [
    `🧊 **Stopped since ${time(frozen.at, "f")}**: ${reasonsText(frozen.reasons, format)}. \`/backup retention resume\` lets it go on.`,
  ];
}

function reasonsText(reasons: readonly FrozenReason[], format: Format): string {
  return reasons.map((reason) => reasonText(reason, format)).join("; ");
}

function reasonText({ what, way, now, usual }: FrozenReason, format: Format): string {
  const { bytes, count } = formatter(format);
  const percent = (share: number) => `${Math.round(share * 100)} %`;
  switch (what) {
    case "size":
      return `the newest backup's size has ${way}: ${bytes(now)}, where ${bytes(Math.round(usual))} are usual`;
    case "files":
      return `the newest backup's number of files has ${way}: ${count(now)}, where ${count(Math.round(usual))} are usual`;
    case "new content":
      return `nearly everything in the newest backup is new: ${percent(now)}, where ${percent(usual)} are usual`;
    case "plan":
      return `${count(now)} of ${count(usual)} backups would go at once`;
    case "packs":
      return `a prune would take ${count(now)} of ${count(usual)} packs with nearly all that the repository holds`;
    case "host":
      return `its host was cut off while ${plural(now, "backup")} waited for ${now === 1 ? "its" : "their"} removal`;
  }
}

function some(rows: readonly RetainedView[], lineOf: (row: RetainedView) => string): string[] {
  const more = rows.length - SHOWN_MAX;
  return [...rows.slice(0, SHOWN_MAX).map(lineOf), ...(more > 0 ? [`and ${more} more`] : [])];
}
