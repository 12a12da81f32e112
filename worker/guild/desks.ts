import type { Instant, PollRequest, ScheduleResult } from "../../schemas/index.ts";
import type { Env } from "../env.ts";
import type { Refusal } from "../refusals.ts";
import { ArchiveDesk } from "./archive-desk.ts";
import { AuditDesk } from "./audit-desk.ts";
import { CredentialDesk } from "./credential-desk.ts";
import type { HostCall } from "./host-call.ts";
import { HostDesk } from "./host-desk.ts";
import type { IncidentKind } from "./incident-rules.ts";
import { JobDesk } from "./job-desk.ts";
import { JobViewer } from "./job-viewer.ts";
import type { JobRecord } from "./jobs.ts";
import { KeyDesk } from "./key-desk.ts";
import { MemberDesk } from "./member-desk.ts";
import { PollDesk } from "./poll-desk.ts";
import { Presence } from "./presence.ts";
import { PruneDesk } from "./prune-desk.ts";
import { RepositoryDesk } from "./repository-desk.ts";
import { RequestDesk } from "./request-desk.ts";
import { RestoreDesk } from "./restore-desk.ts";
import { RetentionDesk } from "./retention-desk.ts";
import { ordersFor } from "./retention-orders.ts";
import { RightsDesk } from "./rights-desk.ts";
import { RunDesk } from "./run-desk.ts";
import { ScheduleDesk } from "./schedule-desk.ts";
import { ScheduleWatch } from "./schedule-watch.ts";
import { SecurityDesk } from "./security-desk.ts";
import type { Tables } from "./tables.ts";
import { tablesOf } from "./tables.ts";
import { TroubleDesk } from "./trouble-desk.ts";
import { VerificationDesk } from "./verification-desk.ts";
import { Viewer } from "./viewer.ts";

/** Everything that a guild's object decides and shows with, put together. */
export interface Desks {
  tables: Tables;
  viewer: Viewer;
  jobViewer: JobViewer;
  polls: PollDesk;
  members: MemberDesk;
  requests: RequestDesk;
  restores: RestoreDesk;
  rights: RightsDesk;
  audit: AuditDesk;
  hosts: HostDesk;
  outcomes: JobDesk;
  schedules: ScheduleDesk;
  runs: RunDesk;
  watch: ScheduleWatch;
  troubles: TroubleDesk;
  archives: ArchiveDesk;
  repositories: RepositoryDesk;
  credentials: CredentialDesk;
  keys: KeyDesk;
  security: SecurityDesk;
  retention: RetentionDesk;
  verifications: VerificationDesk;
  prunes: PruneDesk;
}

export interface DesksGiven {
  state: DurableObjectState;
  env: Env;
  now: () => Instant;
  /** Why a host may not act, or null. */
  cutOff: (from: HostCall) => Refusal | null;
}

/** Some desks tell others of what they did: those ways are closures, since no desk knows another. */
export function openDesks({ state, env, now, cutOff }: DesksGiven): Desks {
  const { storage } = state;
  const tables = tablesOf(storage.sql);
  const presence = new Presence(tables.hosts, (host) => state.getWebSockets(host));
  const viewer = new Viewer(tables, presence);
  const jobViewer = new JobViewer(tables, presence, viewer);
  const security = new SecurityDesk({ tables, storage, now });
  const watch = new ScheduleWatch({ storage, tables, presence, now });
  const troubles = new TroubleDesk({ tables, now });
  const note = (kind: IncidentKind, who: string) => security.note(kind, who);
  const polls = new PollDesk({
    ...tables,
    state,
    presence,
    now,
    cutOff,
    touched: (from: HostCall, jobs: readonly string[]) => security.touched(from, { jobs }),
    announced: (host: string) => watch.announced(host),
    orders: (host: string) => ordersFor(tables, host, now()),
    troubles: (host: string, request: PollRequest) => troubles.heed(host, request),
  });
  const wake = (host: string) => polls.wake(host);
  const wakeAfter = (jobs: JobRecord[]) => outcomes.wakeAfter(jobs);
  const requests = new RequestDesk({ storage, tables, presence, viewer, jobViewer, now, wake, wakeAfter });
  const schedules = new ScheduleDesk({ storage, tables, viewer, watch, requests, now, wake });
  const scheduled = (host: string, result: ScheduleResult) => schedules.changed(host, result);
  const credentials = new CredentialDesk({ tables, storage, now });
  const guild = () => state.id.name ?? tables.settings.guild();
  const prunes = new PruneDesk({ storage, tables, bucket: env.BACKUPS, guild, now });
  const outcomes = new JobDesk({ storage, tables, presence, now, wake, scheduled, prunes });
  return {
    tables,
    viewer,
    jobViewer,
    polls,
    members: new MemberDesk({ tables, storage, now, refused: (who) => note("refused-permission", who) }),
    requests,
    restores: new RestoreDesk({ storage, tables, presence, viewer, requests, now, wake, wakeAfter }),
    rights: new RightsDesk({ tables, storage, now }),
    audit: new AuditDesk({ tables, storage, secret: env.TOKEN_SECRET, now }),
    hosts: new HostDesk({ storage, tables, now }),
    outcomes,
    schedules,
    runs: new RunDesk({ storage, tables, watch, now }),
    watch,
    troubles,
    archives: new ArchiveDesk({ ...tables, bucket: env.BACKUPS, now }),
    repositories: new RepositoryDesk({ storage, tables, credentials, prunes, now, cutOff }),
    credentials,
    keys: new KeyDesk({ storage, tables, now, cutOff, note }),
    security,
    verifications: new VerificationDesk({ storage, tables, now }),
    prunes,
    retention: new RetentionDesk({ storage, tables, viewer, prunes, now, supersede: (host) => polls.supersede(host) }),
  };
}
