import type { Instant, JobKind } from "../../schemas/index.ts";
import { backupName } from "../../schemas/index.ts";
import type { TimelineEntry } from "../guild/job-record.ts";
import { isEnd } from "../guild/job-rules.ts";
import type { JobLine, JobListView, JobView, JobWork, RunLine } from "../guild/job-views.ts";
import { lines } from "./lines.ts";
import type { Embed, MessageBody } from "./message.ts";
import { button, COLOURS, LIMITS, message, row } from "./message.ts";
import { backupAgainId } from "./render-backup.ts";
import type { Format } from "./text.ts";
import { code, formatter, safe, time } from "./text.ts";

/** Ids of buttons: `jobs/PAGE/SERVER/STATE`, with empty parts for what is not filtered by, and `jobcancel/JOB`. */
export const JOBS_PAGE = "jobs";
export const JOB_CANCEL = "jobcancel";

const KINDS: Record<JobKind, string> = {
  backup: "Backup",
  status: "Look",
  schedule: "Schedule change",
  "restore-plan": "Restore preview",
  restore: "Restore",
  prune: "Prune",
};

const SIGNS: Record<JobLine["state"], string> = {
  queued: "⏳",
  leased: "▶️",
  running: "▶️",
  succeeded: "✅",
  failed: "❌",
  cancelled: "🚫",
  expired: "❌",
};

const STATES: Record<TimelineEntry["to"], string> = {
  queued: "waiting",
  leased: "given to the host",
  running: "running",
  cancelling: "asked to stop",
  succeeded: "done",
  failed: "failed",
  cancelled: "cancelled",
  expired: "given up before it began",
};

const COLOUR_OF: Record<JobLine["state"], number> = {
  queued: COLOURS.info,
  leased: COLOURS.info,
  running: COLOURS.info,
  succeeded: COLOURS.success,
  failed: COLOURS.error,
  cancelled: COLOURS.warning,
  expired: COLOURS.error,
};

const RUN_SIGNS: Record<RunLine["state"], string> = { started: "▶️", succeeded: "✅", failed: "❌", skipped: "⏭️" };
const RUN_STATES: Record<RunLine["state"], string> = { started: "running", succeeded: "done", failed: "failed", skipped: "skipped" };

/** Servers named in one line. */
const SERVERS_NAMED = 3;

/** One page of `/jobs list`. */
export function jobListMessage(view: JobListView): MessageBody {
  const { plural } = formatter(view.format);
  const about = [view.filter.server, view.filter.state].filter((part) => part !== undefined).map((part) => safe(part, 40));
  const title = about.length === 0 ? "Jobs" : `Jobs: ${about.join(", ")}`;
  const scheduled = view.runs.length === 0 ? [] : [scheduledEmbed(view.runs)];
  if (view.count === 0) return message([{ title, description: "There are none.", color: COLOURS.info }, ...scheduled]);
  const description = lines(
    view.jobs.map((job) => listed(job, view.format)),
    { what: "more job" },
  );
  const id = (page: number) => `${JOBS_PAGE}/${page}/${view.filter.server ?? ""}/${view.filter.state ?? ""}`;
  const newer = { ...button("secondary", "Back", id(view.page - 1)), disabled: view.page === 0 };
  const older = { ...button("secondary", "More", id(view.page + 1)), disabled: view.page >= view.pages - 1 };
  const pages = view.pages > 1 ? ` · page ${view.page + 1} of ${view.pages}` : "";
  const footer = { text: `${plural(view.count, "job")}${pages}` };
  return message([{ title, description, color: COLOURS.info, footer }, ...scheduled], view.pages > 1 ? [row(newer, older)] : []);
}

/** What the hosts did by their schedules, without being asked. */
function scheduledEmbed(runs: readonly RunLine[]): Embed {
  const told = runs.map(({ server, schedule, hostName, state, nominal, endedAt, why }) => {
    const reason = why === null ? "" : `: ${code(why)}`;
    const ended = endedAt === null ? "" : ` · ended ${time(endedAt)}`;
    return `${RUN_SIGNS[state]} **${safe(server, 40)}**, ${safe(schedule, 40)}, on ${safe(hostName, 40)}: ${RUN_STATES[state]}${reason} · due ${time(nominal)}${ended}`;
  });
  return { title: "Newest scheduled backups", description: lines(told), color: COLOURS.info };
}

function listed(job: JobLine, format: Format): string {
  const when = job.endedAt === null ? `asked for ${time(job.createdAt)}` : `ended ${time(job.endedAt)}`;
  const attempt = job.attempt > 1 ? ` · attempt ${job.attempt} of ${job.attemptsMax}` : "";
  const why = job.code === null ? "" : ` · ${code(job.code)}`;
  return `${SIGNS[job.state]} **${nameOf(job, format)}** on ${safe(job.hostName, 40)}: ${stateOf(job)}${why}\n  ${when} by ${personOf(job.requestedBy)}${attempt} · ${code(job.job)}`;
}

/** Everything about one job. */
export function jobMessage(view: JobView): MessageBody {
  const { format } = view;
  const description = lines([...situation(view), ...outcome(view.work, format)]);
  const embed: Embed = {
    title: `${nameOf(view, format)}: ${stateOf(view)}`,
    ...(description === "" ? {} : { description }),
    color: view.cancelling ? COLOURS.warning : COLOUR_OF[view.state],
    fields: [
      { name: "Host", value: hostOf(view), inline: true },
      { name: "Asked by", value: `${personOf(view.requestedBy)}, ${time(view.createdAt)}`, inline: true },
      { name: "Attempts", value: `${view.attempt} of ${view.attemptsMax}`, inline: true },
      ...limits(view),
      { name: "What happened", value: history(view), inline: false },
      ...(view.traceId === null ? [] : [{ name: "Trace", value: code(view.traceId), inline: false }]),
    ],
    footer: { text: view.job },
  };
  if (!isEnd(view.state)) return message(embed, !view.stoppable ? [] : [row(button("danger", "Cancel", `${JOB_CANCEL}/${view.job}`))]);
  const again = view.work.kind === "backup" && (view.state === "failed" || view.state === "expired");
  const server = view.work.kind === "backup" ? view.work.payload.server : "";
  return message(embed, again ? [row(button("primary", "Try again", backupAgainId(server)))] : []);
}

/** Why it waits, how far it is, or why it failed and what to do. */
function situation(view: JobView): string[] {
  const { bytes } = formatter(view.format);
  const { progress, error, notice } = view;
  const running = progress !== null && !isEnd(view.state);
  const far = running && progress.total > 0 ? `: ${bytes(progress.done)} of ${bytes(progress.total)}` : "";
  return [
    ...(error === null ? [] : [safe(error.message, 800), `Code: ${code(error.code)}`]),
    ...(running ? [`${progress.phase}${far}`] : []),
    ...(notice === null ? [] : [safe(notice)]),
    ...(view.state === "queued" && !view.hostOnline ? ["The host is offline. The job begins when it is back."] : []),
    ...(view.state === "queued" && view.hostOnline ? ["The host is there. The job begins when its turn has come."] : []),
  ];
}

function outcome(work: JobWork, format: Format): string[] {
  const { bytes, plural, duration } = formatter(format);
  if (work.result === null) return [];
  switch (work.kind) {
    case "backup": {
      const { result } = work;
      const place = result.store === "r2" ? "R2" : code(result.place);
      const size = `${bytes(result.bytes)}${result.format === "zip" ? "" : ` new of ${bytes(result.sourceBytes)}`}, ${plural(result.files, "file")}, ${result.consistency}, in ${duration(result.durationMs)}`;
      return [size, `${place}: ${code(backupName(result))}`, ...result.warnings.map((warning) => safe(warning, 300))];
    }
    case "status":
      return [`The host looked at ${plural(work.result.servers.length, "server")}. \`/status\` shows what it saw.`];
    case "restore-plan": {
      const { added, changed, removed } = work.result;
      const files = `${plural(added.files, "file")} added, ${changed.files} changed, ${removed.files} removed`;
      return [work.result.refused === undefined ? files : `${files}; refused: ${safe(work.result.refused.message, 300)}`];
    }
    case "restore": {
      const { files, bytes: size, place, durationMs, warnings } = work.result;
      return [
        `${plural(files, "file")}, ${bytes(size)}, in ${duration(durationMs)}`,
        code(place),
        ...warnings.map((one) => safe(one, 300)),
      ];
    }
    case "prune": {
      const { snapshots, packs, more } = work.result;
      const rest = more ? " There was more: the next prune goes on." : "";
      return [
        `${plural(snapshots.length, "snapshot")} and ${plural(packs.length, "pack")} are not needed any more.${rest} \`/audit\` says what became of it.`,
      ];
    }
    case "schedule":
      return work.result.schedules.map(({ name, paused }) => `${safe(name)}: ${paused ? "paused" : "on"}`);
  }
}

function limits({ state, deadline, leaseUntil, startedAt }: JobView): { name: string; value: string; inline: boolean }[] {
  const field = (name: string, at: Instant) => ({ name, value: time(at), inline: true });
  const started = startedAt === null ? [] : [field("Started", startedAt)];
  if (isEnd(state)) return started;
  if (state === "queued") return [...started, field("Waits until", deadline)];
  return [...started, field("Has to end", deadline), ...(leaseUntil === null ? [] : [field("Silence is borne until", leaseUntil)])];
}

function history({ timeline }: JobView): string {
  const told = timeline.map(({ at, to, by, attempt, why }) => {
    const who = by === "guild" ? "by time" : `by ${actorOf(by)}`;
    const count = to === "leased" ? ` (attempt ${attempt})` : "";
    return `${time(at)} ${STATES[to]}${count} ${who}${why === undefined ? "" : `: ${safe(why, 120)}`}`;
  });
  // The newest are worth more than the oldest.
  return lines(told.toReversed(), { what: "earlier line", max: LIMITS.fieldValue }) || "nothing yet";
}

function hostOf({ hostName, hostOnline, hostSeenAt }: JobView): string {
  const seen = hostSeenAt === null ? "not seen yet" : `offline since ${time(hostSeenAt, "f")}`;
  return `${safe(hostName, 60)}, ${hostOnline ? "online" : seen}`;
}

function nameOf({ kind, servers }: JobLine, format: Format): string {
  const { plural } = formatter(format);
  const named = servers.slice(0, SERVERS_NAMED).map((name) => safe(name, 40));
  const more = servers.length - named.length;
  const about = [...named, ...(more > 0 ? [`${plural(more, "more server")}`] : [])].join(", ");
  return about === "" ? KINDS[kind] : `${KINDS[kind]} of ${about}`;
}

function stateOf({ state, cancelling }: JobLine): string {
  return cancelling ? "asked to stop" : STATES[state];
}

function actorOf(by: string): string {
  const [what, ...name] = by.split(" ");
  return what === "member" ? personOf(name.join(" ")) : safe(by, 60);
}

/** Members are named by their id, which Discord shows as a name. */
function personOf(id: string): string {
  return /^[0-9]{1,20}$/.test(id) ? `<@${id}>` : safe(id, 60);
}
