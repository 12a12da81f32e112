import { Backups } from "./backups.ts";
import { EnrolmentCodes } from "./enrolment-codes.ts";
import { Hosts } from "./hosts.ts";
import { Jobs } from "./jobs.ts";
import { Messages } from "./messages.ts";
import { Servers } from "./servers.ts";
import { Uploads } from "./uploads.ts";

/** All tables of a guild, over one database. */
export interface Tables {
  hosts: Hosts;
  codes: EnrolmentCodes;
  servers: Servers;
  jobs: Jobs;
  backups: Backups;
  uploads: Uploads;
  messages: Messages;
}

export function tablesOf(sql: SqlStorage): Tables {
  return {
    hosts: new Hosts(sql),
    codes: new EnrolmentCodes(sql),
    servers: new Servers(sql),
    jobs: new Jobs(sql),
    backups: new Backups(sql),
    uploads: new Uploads(sql),
    messages: new Messages(sql),
  };
}
