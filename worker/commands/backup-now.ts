import { backupMessage } from "../discord/render-backup.ts";
import { isRefusal } from "../refusals.ts";
import type { Component, Context, Reply } from "./command.ts";
import { command, serverOption, text } from "./command.ts";

/** `/backup now`: queue a backup of one server and show its progress in place. */
export const backupNow = command({
  name: "backup now",
  description: "Back up a game server now",
  help: "The answer shows the progress and has a Cancel button. If the host is offline, the backup waits for it up to a day.",
  tier: "manage-guild",
  options: { server: serverOption(true), note: text("Shown with the backup, such as 'before the update'", false, 200) },
  run: (context, { server, note }) => start(context, server, note),
});

/** "Try again" under a failed backup. */
export const backupAgain: Component = {
  prefix: "backup",
  tier: "manage-guild",
  command: "backup now",
  run: (context, server) => start(context, server, undefined),
};

/** "Cancel" under a running backup. */
export const backupCancel: Component = {
  prefix: "cancel",
  tier: "manage-guild",
  command: "backup now",
  async run({ guild, member }, job) {
    const view = await guild.cancelJob(job, member.id);
    return isRefusal(view) ? view : { kind: "update", body: backupMessage(view) };
  },
};

async function start({ guild, asker }: Context, server: string, note: string | undefined): Promise<Reply> {
  const view = await guild.enqueueBackup(server, note, asker);
  return isRefusal(view) ? view : { kind: "message", body: backupMessage(view) };
}
