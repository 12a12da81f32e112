import { RESTORE_CANCEL, RESTORE_CONFIRM, RESTORE_UNDO, restoreMessage } from "../discord/render-restore.ts";
import type { RestoreView } from "../guild/restore-view.ts";
import type { Refusal } from "../refusals.ts";
import { isRefusal } from "../refusals.ts";
import type { Component, Reply } from "./command.ts";
import { command } from "./command.ts";
import type { Given } from "./options.ts";
import { completed, serverOption, text } from "./options.ts";

const NAME = "restore";
/** Keys of backups and events: a name and what stands behind it. */
const KEY = /^[a-z]+(?:[_/][A-Za-z0-9_/.-]{1,90})?$/;
const PATHS_LENGTH_MAX = 1000;
const TIME_LENGTH_MAX = 40;
/** As the schema of the job has it: schemas/restore.ts. */
const NAME_LENGTH_MAX = 64;

/** `/restore`: show what a restore would do, and do it when that is confirmed. */
export const restore = command({
  name: NAME,
  description: "Bring back a backup of a game server, after a preview",
  help: "The host compares first and changes nothing. The preview says what would be added, changed and removed, and has the button that does it. What is there now is backed up before, and Undo brings it back for 24 hours. Without `backup`, `time` or `before` it is the newest backup.",
  tier: "admin",
  rate: "act",
  options: {
    server: serverOption(true),
    backup: completed("Which backup; the newest when nothing is given", false, KEY, ({ guild, ask }, typed, given) =>
      guild.restorableChoices(ask, serverIn(given), typed),
    ),
    time: text("The newest backup from then or before: 2026-11-22 14:30, yesterday 18:00, 2h ago", false, TIME_LENGTH_MAX),
    before: completed("The newest backup before this happened", false, KEY, ({ guild, ask }, typed, given) =>
      guild.eventChoices(ask, serverIn(given), typed),
    ),
    paths: text("Only these files or folders: globs, separated by commas, such as world/region/**", false, PATHS_LENGTH_MAX),
    player: text("Only the files of this player: a Steam id, a UUID or a name", false, NAME_LENGTH_MAX),
    to: text("Into a new folder of this name; the server is left alone", false, NAME_LENGTH_MAX),
  },
  async run({ guild, ask }, { server, ...wanted }) {
    return shown(await guild.planRestore(ask, server, wanted), "message");
  },
});

/** "Restore" under a preview, and under the question of an Undo. */
export const restoreConfirm: Component = {
  prefix: RESTORE_CONFIRM,
  tier: "admin",
  rate: "act",
  command: NAME,
  run: async ({ guild, ask }, id) => shown(await guild.confirmRestore(ask, id), "update"),
};

/** "Cancel" in every stage. */
export const restoreCancel: Component = {
  prefix: RESTORE_CANCEL,
  tier: "admin",
  // Nobody may be kept from stopping a restore.
  rate: "query",
  command: NAME,
  run: async ({ guild, ask }, id) => shown(await guild.cancelRestore(ask, id), "update"),
};

/** "Undo" under a restore that succeeded. The question is a message of its own. */
export const restoreUndo: Component = {
  prefix: RESTORE_UNDO,
  tier: "admin",
  rate: "act",
  command: NAME,
  run: async ({ guild, ask }, id) => shown(await guild.undoRestore(ask, id), "message"),
};

function shown(view: RestoreView | Refusal, kind: "message" | "update"): Reply {
  return isRefusal(view) ? view : { kind, body: restoreMessage(view) };
}

/** The server that was chosen before; empty when none was. */
function serverIn({ server }: Given): string {
  return typeof server === "string" ? server : "";
}
