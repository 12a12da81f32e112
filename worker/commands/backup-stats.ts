import type { MessageBody } from "../discord/message.ts";
import { COLOURS, message } from "../discord/message.ts";
import { formatter, safe } from "../discord/text.ts";
import type { BackupStatsView } from "../guild/backup-stats.ts";
import { isRefusal } from "../refusals.ts";
import { command } from "./command.ts";
import { serverOption } from "./options.ts";

/** Widest bar of the chart, in characters: with the rest of the line it fits onto a phone. */
const BAR_WIDTH = 8;

/** `/backup stats`: how the backups of one server grew. */
export const backupStats = command({
  name: "backup stats",
  description: "Show how the backups of a game server grow",
  help: "What each backup, or each day, added to the store, what of it was reused, and what all take.",
  tier: "admin",
  rate: "query",
  options: { server: serverOption(true) },
  async run({ guild, ask }, { server }) {
    const view = await guild.backupStats(ask, server);
    return isRefusal(view) ? view : { kind: "message", ephemeral: true, body: statsMessage(view) };
  },
});

export function statsMessage(view: BackupStatsView): MessageBody {
  const { bytes, plural } = formatter(view.format);
  const title = `Backups of ${safe(view.serverName, 100)} over time`;
  if (view.count === 0) {
    return message({ title, description: `There are none yet. Make one with \`/backup now server:${view.server}\`.`, color: COLOURS.info });
  }
  const ratio =
    view.bytes > 0 ? ` They take ${bytes(view.bytes)} in the store, ${times(view.sourceBytes / view.bytes, view.format.locale)}.` : "";
  const day = view.bytesPerDay === null ? "" : ` A day adds ${bytes(view.bytesPerDay)}.`;
  const whole = `${plural(view.count, "backup")} of ${bytes(view.sourceBytes)} in all.${ratio}${day}`;
  const chart = ["```", ...chartLines(view), "```"].join("\n");
  const what = view.byDay ? "Each line is a day" : "Each line is a backup";
  return message({
    title,
    description: `${whole}\n${chart}`,
    color: COLOURS.info,
    footer: { text: `${what}: what it added to the store, the size of the files, and how much was there already. ${zoneOf(view)}` },
  });
}

/** `1 : 12.3`: as short in every language. */
function times(ratio: number, locale: string): string {
  return `1 : ${ratio.toLocaleString(locale, { minimumFractionDigits: 1, maximumFractionDigits: 1 })}`;
}

function chartLines({ lines, byDay, format }: BackupStatsView): string[] {
  const { bytes } = formatter(format);
  const most = Math.max(0, ...lines.map((line) => line.bytes));
  const clock = new Intl.DateTimeFormat(format.locale, {
    timeZone: format.timeZone,
    day: "2-digit",
    month: "short",
    ...(byDay ? {} : { hour: "2-digit", minute: "2-digit", hourCycle: "h23" }),
  });
  const cells = lines.map((line) => [
    clock.format(line.at),
    textBar(line.bytes, most, BAR_WIDTH).padEnd(BAR_WIDTH),
    `+${bytes(line.bytes)}`,
    bytes(line.sourceBytes),
    `${Math.floor(line.reused * 100)} %`,
    ...(byDay ? [`×${line.backups}`] : []),
  ]);
  const widths = cells.reduce<number[]>((widest, row) => row.map((cell, column) => Math.max(cell.length, widest[column] ?? 0)), []);
  // Times and bars to the left, numbers to the right.
  return cells.map((row) =>
    row
      .map((cell, column) => (column < 2 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join(" ")
      .trimEnd(),
  );
}

/** What is more than nothing shows. */
function textBar(value: number, most: number, width: number): string {
  if (value <= 0 || most <= 0) return "";
  return "█".repeat(Math.max(1, Math.round((value / most) * width)));
}

const zoneOf = ({ format }: BackupStatsView) => `Times of ${format.timeZone}.`;
