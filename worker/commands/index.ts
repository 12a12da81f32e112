import { access } from "./access.ts";
import { agentAllow } from "./agent-allow.ts";
import { agentList } from "./agent-list.ts";
import { agentRegister } from "./agent-register.ts";
import { agentRevoke, agentRevokeForm } from "./agent-revoke.ts";
import { audit, auditExport, auditPage } from "./audit.ts";
import { backupCredentials, backupCredentialsList, backupCredentialsRevoke } from "./backup-credentials.ts";
import { backupList, backupListPage } from "./backup-list.ts";
import { backupAgain, backupCancel, backupNow } from "./backup-now.ts";
import { backupPin, backupTagging, backupUndelete, backupUnpin } from "./backup-pin.ts";
import { retentionPreview, retentionResume, retentionSet, retentionShow } from "./backup-retention.ts";
import { backupStats } from "./backup-stats.ts";
import type { Command, Component } from "./command.ts";
import { configSet, configView } from "./config.ts";
import { helpOn } from "./help.ts";
import { jobsCancel, jobsCancelButton } from "./jobs-cancel.ts";
import { jobsList, jobsListPage } from "./jobs-list.ts";
import { jobsShow } from "./jobs-show.ts";
import { restore, restoreCancel, restoreConfirm, restoreUndo } from "./restore.ts";
import { scheduleList } from "./schedule-list.ts";
import { schedulePause, scheduleResume } from "./schedule-pause.ts";
import { scheduleRun } from "./schedule-run.ts";
import { status } from "./status.ts";

/** Every slash command, in the order in which `/help` shows them. */
export const COMMANDS: readonly Command[] = [
  status,
  backupNow,
  backupList,
  backupPin,
  backupUnpin,
  backupTagging,
  backupUndelete,
  retentionShow,
  retentionSet,
  retentionPreview,
  retentionResume,
  backupStats,
  backupCredentials,
  backupCredentialsList,
  backupCredentialsRevoke,
  restore,
  scheduleList,
  scheduleRun,
  schedulePause,
  scheduleResume,
  jobsList,
  jobsShow,
  jobsCancel,
  agentRegister,
  agentList,
  agentAllow,
  agentRevoke,
  ...access(() => COMMANDS),
  configView,
  configSet,
  audit,
  helpOn(() => COMMANDS),
];

/** Every button. */
export const BUTTONS: readonly Component[] = [
  backupCancel,
  backupAgain,
  backupListPage,
  restoreConfirm,
  restoreCancel,
  restoreUndo,
  jobsListPage,
  jobsCancelButton,
  auditPage,
  auditExport,
];

/** Every form. */
export const FORMS: readonly Component[] = [agentRevokeForm];

/** What Discord shows of the words that several commands share. */
export const GROUPS: Record<string, string> = {
  access: "Who may do what",
  agent: "Game hosts and their access",
  config: "ReconSync's settings in this Discord server",
  backup: "Backups of the game servers",
  "backup retention": "Which backups of the game servers are kept",
  schedule: "Scheduled backups of the game servers",
  jobs: "What waits, runs and has ended",
};
