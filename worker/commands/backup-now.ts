import { backupMessage } from "../discord/render-backup.ts";
import { jobMessage } from "../discord/render-jobs.ts";
import { isRefusal } from "../refusals.ts";
import type { Component, Context, Reply } from "./command.ts";
import { command } from "./command.ts";
import { serverOption, text } from "./options.ts";

/** `/backup now`: queue a backup of one server and show its progress in place. */
export const backupNow = command({
  name: "backup now",
  description: "Back up a game server now",
  help: "The answer shows the progress and has a Cancel button. If the host is offline, the backup waits for it up to a day.",
  tier: "admin",
  rate: "act",
  options: { server: serverOption(true), note: text("Shown with the backup, such as 'before the update'", false, 200) },
  run: (context, { server, note }) => start(context, server, note),
});

/** "Try again" under a failed backup. */
export const backupAgain: Component = {
  prefix: "backup",
  tier: "admin",
  rate: "act",
  command: "backup now",
  run: (context, server) => start(context, server, undefined),
};

/** "Cancel" under a running backup. */
export const backupCancel: Component = {
  prefix: "cancel",
  tier: "admin",
  // Who starts three backups by mistake can stop them all.
  rate: "query",
  command: "backup now",
  async run({ guild, ask }, job) {
    const view = await guild.cancelJob(ask, job);
    if (isRefusal(view)) return view;
    return { kind: "update", body: view.backup === null ? jobMessage(view) : backupMessage(view.backup) };
  },
};

async function start({ guild, ask }: Context, server: string, note: string | undefined): Promise<Reply> {
  const view = await guild.enqueueBackup(ask, server, note);
  return isRefusal(view) ? view : { kind: "message", body: backupMessage(view) };
}
