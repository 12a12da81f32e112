import { agentList } from "./agent-list.ts";
import { agentRegister } from "./agent-register.ts";
import { agentRevoke, agentRevokeForm } from "./agent-revoke.ts";
import { backupList, backupListPage } from "./backup-list.ts";
import { backupAgain, backupCancel, backupNow } from "./backup-now.ts";
import type { Command, Component } from "./command.ts";
import { helpOn } from "./help.ts";
import { status } from "./status.ts";

/** Every slash command, in the order in which `/help` shows them. */
export const COMMANDS: readonly Command[] = [status, backupNow, backupList, agentRegister, agentList, agentRevoke, helpOn(() => COMMANDS)];

/** Every button. */
export const BUTTONS: readonly Component[] = [backupCancel, backupAgain, backupListPage];

/** Every form. */
export const FORMS: readonly Component[] = [agentRevokeForm];

/** What Discord shows of the words that several commands share. */
export const GROUPS: Record<string, string> = {
  agent: "Game hosts and their access",
  backup: "Backups of the game servers",
};
