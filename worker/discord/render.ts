import type { Instant } from "../../schemas/index.ts";
import { isEnd } from "../guild/job-rules.ts";
import type { MessageRecord } from "../guild/messages.ts";
import type { Tables } from "../guild/tables.ts";
import type { Viewer } from "../guild/viewer.ts";
import type { MessageBody } from "./message.ts";
import { backupMessage } from "./render-backup.ts";
import { statusMessage } from "./render-status.ts";

/** What a message of the outbox shows now. Null when what it showed is no longer kept. */
export function renderSubject({ subject }: MessageRecord, tables: Tables, viewer: Viewer, now: Instant): MessageBody | null {
  switch (subject.kind) {
    case "backup": {
      const job = tables.jobs.byId(subject.job);
      return job === null ? null : backupMessage(viewer.backupJob(job, now));
    }
    case "status": {
      const servers = subject.servers.map((id) => tables.servers.byId(id)).filter((server) => server !== null);
      const jobs = subject.jobs.map((id) => tables.jobs.byId(id)).filter((job) => job !== null);
      const refreshing = jobs.some((job) => !isEnd(job.state));
      return servers.length === 0 ? null : statusMessage(viewer.status(servers, refreshing, now));
    }
  }
}
