import type { MessageBody } from "../discord/message.ts";
import { button, COLOURS, message, row } from "../discord/message.ts";
import { markWords } from "../discord/render-verification.ts";
import { code, formatter, safe, time } from "../discord/text.ts";
import type { BackupListView } from "../guild/views.ts";
import { isRefusal } from "../refusals.ts";
import type { Component } from "./command.ts";
import { command } from "./command.ts";
import { serverOption } from "./options.ts";

/** `/backup list`: the backups of one server, newest first. */
export const backupList = command({
  name: "backup list",
  description: "Show the backups of a game server",
  help: "Newest first, with size, place, consistency (quiesced, stable or torn), and a mark on the one that a restore drill proved. 🛟 marks what was there before a restore.",
  tier: "admin",
  rate: "query",
  options: { server: serverOption(true) },
  async run({ guild, ask }, { server }) {
    const list = await guild.backupList(ask, server, 0);
    return isRefusal(list) ? list : { kind: "message", ephemeral: true, body: listMessage(list) };
  },
});

/** "Newer" and "Older" under the list. */
export const backupListPage: Component = {
  prefix: "backups",
  tier: "admin",
  rate: "query",
  command: "backup list",
  async run({ guild, ask }, argument) {
    const [server = "", page = "0"] = argument.split("/");
    const list = await guild.backupList(ask, server, Number.parseInt(page, 10) || 0);
    return isRefusal(list) ? list : { kind: "update", body: listMessage(list) };
  },
};

function listMessage(list: BackupListView): MessageBody {
  const { bytes, plural } = formatter(list.format);
  const title = `Backups of ${safe(list.serverName, 100)}`;
  if (list.count === 0) {
    return message({ title, description: `There are none yet. Make one with \`/backup now server:${list.server}\`.`, color: COLOURS.info });
  }
  const lines = list.backups.map((backup) => {
    const place = backup.store === "r2" ? "R2" : backup.store === "local" ? "on the host" : safe(backup.place, 100);
    const size = backup.format === "zip" ? bytes(backup.bytes) : `${bytes(backup.sourceBytes)}, ${bytes(backup.bytes)} of it stored anew`;
    const pin = backup.pinned ? "📌 " : "";
    const tags = backup.tags.map((tag) => ` ${code(`#${tag}`, 40)}`).join("");
    const safety =
      backup.safetyUntil === null
        ? ""
        : `\n  🛟 Safety backup: what was there before a restore, kept until ${time(backup.safetyUntil, "f")} at least`;
    const note = backup.note === null ? "" : `\n  ${safe(backup.note, 100)}`;
    return `${pin}**${time(backup.at, "f")}** (${time(backup.at)})\n  ${size}, ${plural(backup.files, "file")}, ${backup.consistency}, ${place}: ${backup.format === "zip" ? "" : "snapshot "}${code(backup.name, 60)}${tags}${safety}${note}${markWords(backup.mark)}`;
  });
  const reused = list.backups.some(({ format }) => format === "repository") ? ` for ${bytes(list.sourceBytes)} of files` : "";
  const pages = list.pages > 1 ? ` · page ${list.page + 1} of ${list.pages}` : "";
  const newer = { ...button("secondary", "Newer", `backups/${list.server}/${list.page - 1}`), disabled: list.page === 0 };
  const older = { ...button("secondary", "Older", `backups/${list.server}/${list.page + 1}`), disabled: list.page >= list.pages - 1 };
  return message(
    {
      title,
      description: lines.join("\n"),
      color: COLOURS.info,
      footer: { text: `${plural(list.count, "backup")}, ${bytes(list.bytes)} in all${reused}${pages}` },
    },
    list.pages > 1 ? [row(newer, older)] : [],
  );
}
