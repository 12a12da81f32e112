import { archiveOfPartial } from "./names.ts";
import { isCopiesFolder } from "./repository/backup/copies.ts";

/** How the folder of a restore at work is called. Its name ends with the id of the restore. */
const STAGE = /^\.(?:.{1,180}\.)?reconsync-restore-[0-9a-z]{16}$/;

/** True for names that ReconSync gives to its own work, which no backup holds and no restore removes. */
export function isOurs(name: string): boolean {
  return archiveOfPartial(name) !== null || isCopiesFolder(name) || isStage(name);
}

/** True for the folder of a restore at work. */
export function isStage(name: string): boolean {
  return STAGE.test(name);
}

/** Beside the folder that it will replace, or inside of it. */
export function stageName(id: string, folder?: string): string {
  return folder === undefined ? `.reconsync-restore-${id}` : `.${folder.slice(0, 180)}.reconsync-restore-${id}`;
}
