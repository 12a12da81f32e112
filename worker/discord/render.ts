import type { Instant } from "../../schemas/index.ts";
import { isEnd } from "../guild/job-rules.ts";
import type { MessageRecord } from "../guild/messages.ts";
import type { Tables } from "../guild/tables.ts";
import type { Viewer } from "../guild/viewer.ts";
import type { MessageBody } from "./message.ts";
import { backupMessage } from "./render-backup.ts";
import { noticeMessage } from "./render-notice.ts";
import { restoreMessage } from "./render-restore.ts";
import { runResultMessage, scheduleJobMessage } from "./render-schedules.ts";
import { statusMessage } from "./render-status.ts";

/** What a message of the outbox shows now. Null when what it showed is no longer kept. */
export function renderSubject({ subject }: MessageRecord, tables: Tables, viewer: Viewer, now: Instant): MessageBody | null {
  switch (subject.kind) {
    case "backup": {
      const job = tables.jobs.byId(subject.job);
      return job === null ? null : backupMessage(viewer.backupJob(job, now));
    }
    case "notice":
      return noticeMessage(subject.notice, tables);
    case "schedule": {
      const job = tables.jobs.byId(subject.job);
      return job === null ? null : scheduleJobMessage(viewer.scheduleJob(job, now));
    }
    case "run": {
      const view = viewer.runResult(subject.run);
      return view === null ? null : runResultMessage(view);
    }
    case "restore": {
      const view = viewer.restore(subject.restore, now);
      return view === null ? null : restoreMessage(view);
    }
    case "status": {
      const servers = subject.servers.map((id) => tables.servers.byId(id)).filter((server) => server !== null);
      const jobs = subject.jobs.map((id) => tables.jobs.byId(id)).filter((job) => job !== null);
      const refreshing = jobs.some((job) => !isEnd(job.state));
      return servers.length === 0 ? null : statusMessage(viewer.status(servers, refreshing, now));
    }
  }
}
