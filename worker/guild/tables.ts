import { Absences } from "./absences.ts";
import { Acted } from "./acted.ts";
import { Audit } from "./audit.ts";
import { Backups } from "./backups.ts";
import { EnrolmentCodes } from "./enrolment-codes.ts";
import { Grants } from "./grants.ts";
import { Hosts } from "./hosts.ts";
import { Incidents } from "./incidents.ts";
import { auditEntryOf } from "./job-record.ts";
import { Jobs } from "./jobs.ts";
import { MemberHits } from "./member-hits.ts";
import { Messages } from "./messages.ts";
import { Notices } from "./notices.ts";
import { RepositoryCredentials } from "./repository-credentials.ts";
import { RepositoryFiles } from "./repository-files.ts";
import { RepositoryPrunes } from "./repository-prunes.ts";
import { Restores } from "./restores.ts";
import { RetentionTable } from "./retention-table.ts";
import { Runs } from "./runs.ts";
import { Servers } from "./servers.ts";
import { SettingsTable } from "./settings.ts";
import { Uploads } from "./uploads.ts";
import { Verifications } from "./verifications.ts";

/** All tables of a guild, over one database. */
export interface Tables {
  hosts: Hosts;
  codes: EnrolmentCodes;
  servers: Servers;
  jobs: Jobs;
  backups: Backups;
  uploads: Uploads;
  messages: Messages;
  grants: Grants;
  hits: MemberHits;
  settings: SettingsTable;
  notices: Notices;
  audit: Audit;
  runs: Runs;
  incidents: Incidents;
  acted: Acted;
  repositoryFiles: RepositoryFiles;
  credentials: RepositoryCredentials;
  restores: Restores;
  absences: Absences;
  retention: RetentionTable;
  verifications: Verifications;
  prunes: RepositoryPrunes;
}

export function tablesOf(sql: SqlStorage): Tables {
  const messages = new Messages(sql);
  const settings = new SettingsTable(sql);
  const audit = new Audit(sql);
  const restores = new Restores(sql);
  // Every transition of a job is in the audit, and its message follows.
  const jobs = new Jobs(sql, (step, now) => {
    const entry = auditEntryOf(step);
    if (entry !== null) audit.write(entry, now);
    if (step.from !== null && step.job.message !== null) messages.touch(step.job.message, now);
    // The message of a restore that is taken back says so.
    const origin = step.job.kind === "restore" ? (restores.byJob(step.job.id)?.undoOf ?? null) : null;
    const message = origin === null ? null : (restores.byId(origin)?.message ?? null);
    if (message !== null) messages.touch(message, now);
  });
  return {
    hosts: new Hosts(sql),
    codes: new EnrolmentCodes(sql),
    servers: new Servers(sql),
    jobs,
    backups: new Backups(sql),
    uploads: new Uploads(sql),
    messages,
    grants: new Grants(sql),
    hits: new MemberHits(sql),
    settings,
    notices: new Notices(sql, messages, settings),
    audit,
    runs: new Runs(sql),
    incidents: new Incidents(sql),
    acted: new Acted(sql),
    repositoryFiles: new RepositoryFiles(sql),
    credentials: new RepositoryCredentials(sql),
    restores,
    absences: new Absences(sql),
    retention: new RetentionTable(sql),
    verifications: new Verifications(sql),
    prunes: new RepositoryPrunes(sql),
  };
}
