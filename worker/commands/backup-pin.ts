import { backupTag, TAGS_MAX } from "../../schemas/index.ts";
import { markedMessage, undeletedMessage } from "../discord/render-retention.ts";
import { isRefusal, refuse } from "../refusals.ts";
import { tagsOf } from "./backup-retention.ts";
import { command } from "./command.ts";
import { completed, serverOption, text } from "./options.ts";

/** Longest note of a pin, in characters. */
const NOTE_LENGTH_MAX = 200;
/** `TAGS_MAX` tags of 32 characters, with commas and spaces. */
const TAGS_LENGTH_MAX = 340;

const ID = /^backup_[0-9a-z]{16}$/;

function backupOption<R extends boolean>(description: string, required: R, which: "listed" | "pinned" | "doomed") {
  return completed(description, required, ID, ({ guild, ask }, typed) => guild.backupChoices(ask, typed, which));
}

/** `/backup pin`: this backup stays. */
export const backupPin = command({
  name: "backup pin",
  description: "Keep a backup for good, whatever retention says",
  help: "It stays until `/backup unpin`. The host hears of it at once when the backup lies there.",
  tier: "admin",
  rate: "act",
  options: { backup: backupOption("Which backup", true, "listed"), note: text("Why, such as 'before the wipe'", false, NOTE_LENGTH_MAX) },
  async run({ guild, ask }, { backup, note }) {
    const view = await guild.markBackup(ask, backup, { kind: "pin", note });
    return isRefusal(view) ? view : { kind: "message", body: markedMessage(view) };
  },
});

/** `/backup unpin`: retention decides again. */
export const backupUnpin = command({
  name: "backup unpin",
  description: "Let retention decide about a pinned backup again",
  help: "It may go with the next good backup, if no rule keeps it: `/backup retention preview` shows that.",
  tier: "admin",
  rate: "act",
  options: { backup: backupOption("Which backup", true, "pinned") },
  async run({ guild, ask }, { backup }) {
    const view = await guild.markBackup(ask, backup, { kind: "unpin" });
    return isRefusal(view) ? view : { kind: "message", body: markedMessage(view) };
  },
});

/** `/backup tag`: words by which retention may keep it. */
export const backupTagging = command({
  name: "backup tag",
  description: "Give a backup tags, by which retention can keep it",
  help: `At most ${TAGS_MAX}, apart by commas; they replace those that it had, and without any it has none. The rule \`tags\` of \`/backup retention set\` keeps backups by them.`,
  tier: "admin",
  rate: "act",
  options: { backup: backupOption("Which backup", true, "listed"), tags: text("Such as release, season-3", false, TAGS_LENGTH_MAX) },
  async run({ guild, ask }, { backup, tags = "" }) {
    const wanted = tagsOf(tags);
    const wrong = wanted.map((tag) => backupTag.safeParse(tag)).find(({ success }) => !success);
    if (wrong !== undefined)
      return refuse("option-invalid", { option: "tags", reason: wrong.error?.issues[0]?.message ?? "it is not a tag" });
    const view = await guild.markBackup(ask, backup, { kind: "tag", tags: wanted });
    return isRefusal(view) ? view : { kind: "message", body: markedMessage(view) };
  },
});

/** `/backup undelete`: bring back what retention took away. */
export const backupUndelete = command({
  name: "backup undelete",
  description: "Bring back backups that retention took away in the last 7 days",
  help: "Those in R2 only: what a host removed from its own disk is gone. Without `backup` all of the server come back. Each comes back pinned.",
  tier: "admin",
  rate: "act",
  options: { server: serverOption(true), backup: backupOption("Which backup; without it all of the server", false, "doomed") },
  async run({ guild, ask }, { server, backup }) {
    const view = await guild.undelete(ask, server, backup);
    return isRefusal(view) ? view : { kind: "message", body: undeletedMessage(view) };
  },
});
