import type { RunResultView, RunView, ScheduleJobView, ScheduleListView, ScheduleView } from "../guild/schedule-view.ts";
import { lines } from "./lines.ts";
import type { MessageBody } from "./message.ts";
import { COLOURS, LIMITS, message } from "./message.ts";
import { proofFields, resultFields, resultLines } from "./render-backup.ts";
import { code, plural, safe, time } from "./text.ts";

/** `/schedule list`: every schedule, when it comes next and how the last run went. */
export function scheduleListMessage({ count, servers }: ScheduleListView): MessageBody {
  if (count === 0) {
    return message({
      title: "No schedules yet",
      description: "Schedules are written in the host's config.yaml, under the server that they back up.",
      color: COLOURS.info,
    });
  }
  const blocks = servers.flatMap(({ name, hostName, hostOnline, hostSeenAt, schedules }) => {
    const seen = hostSeenAt === null ? "never seen" : `last seen ${time(hostSeenAt)}`;
    const head = `**${safe(name, 100)}**${hostOnline ? "" : ` · ${safe(hostName, 60)} is offline, ${seen}`}`;
    return schedules.map((schedule, index) => (index === 0 ? [head, scheduleLines(schedule)] : [scheduleLines(schedule)]).join("\n"));
  });
  const missed = servers.some((server) => server.schedules.some((schedule) => schedule.missed > 0));
  const color = missed ? COLOURS.warning : COLOURS.info;
  return message({ title: plural(count, "schedule"), description: whole(blocks, count), color });
}

/** Room for the line that counts the rest. */
const REST_LENGTH = 80;

/** As many whole blocks as fit; the rest of `count` is counted. */
function whole(blocks: readonly string[], count: number): string {
  const ends = blocks.map((_, index) => blocks.slice(0, index + 1).join("\n").length);
  const shown = blocks.filter((_, index) => (ends[index] ?? 0) <= LIMITS.description - REST_LENGTH);
  const rest = count === shown.length ? [] : [`and ${plural(count - shown.length, "more schedule")}: name a server to see them`];
  return [...shown, ...rest].join("\n");
}

function scheduleLines(schedule: ScheduleView): string {
  const { name, cron, zone, last, missed, problem } = schedule;
  const rows = [
    `${schedule.paused ? "⏸️" : missed > 0 ? "🔴" : "🟢"} ${code(name)} · ${code(cron, 100)} · ${safe(zone, 64)}`,
    problem === null ? `  ${nextWords(schedule)}` : `  It cannot be read: ${safe(problem)}`,
    `  ${last === null ? "No run yet" : `Last: ${runWords(last)}`}`,
    ...(missed > 0 ? [`  **${plural(missed, "backup")} missed**`] : []),
  ];
  return rows.join("\n");
}

function nextWords({ next, paused, pausedUntil }: Pick<ScheduleView, "next" | "paused" | "pausedUntil">): string {
  const then = next === null ? "" : `next ${time(next, "f")} (${time(next)})`;
  if (!paused) return then === "" ? "It never comes again" : `N${then.slice(1)}`;
  return pausedUntil === null
    ? "Paused until somebody resumes it"
    : `Paused until ${time(pausedUntil, "f")}${then === "" ? "" : `, ${then}`}`;
}

function runWords({ nominal, state, catchUp, startedAt, endedAt, problem, reason }: RunView): string {
  const due = catchUp ? ` (caught up; was due ${time(nominal, "f")})` : "";
  switch (state) {
    case "started":
      return `began ${time(startedAt)}${due}`;
    case "succeeded":
      return `✅ succeeded ${time(endedAt ?? startedAt)}${due}`;
    case "failed":
      return `❌ failed ${time(endedAt ?? startedAt)}${due}: ${code(problem?.code ?? "unknown", 64)}`;
    case "skipped":
      return reason === "unchanged"
        ? `✅ skipped ${time(endedAt ?? startedAt)}${due}: nothing has changed since the last backup`
        : `⚠️ skipped ${time(endedAt ?? startedAt)}${due}: another backup was running`;
  }
}

const DOING = { pause: "Pausing", resume: "Resuming" } as const;
const DONE = { pause: "paused", resume: "resumed" } as const;

/** The answer to `/schedule pause` and `/schedule resume`, from its first to its last state. */
export function scheduleJobMessage(view: ScheduleJobView): MessageBody {
  const what = view.schedule === null ? "The schedules" : `The schedule ${safe(view.schedule, 40)}`;
  const name = `${what[0]?.toLowerCase()}${what.slice(1)} of ${safe(view.serverName, 100)}`;
  const base = {
    fields: [
      { name: "Host", value: safe(view.hostName, 60), inline: true },
      { name: "Asked by", value: `<@${view.requestedBy}>`, inline: true },
    ],
    footer: { text: view.job },
  };
  const until = view.until === null ? [] : [`Until ${time(view.until, "f")} (${time(view.until)}).`];
  switch (view.state) {
    case "queued":
    case "leased":
    case "running": {
      const description = [...until, waitingWords(view)].join("\n");
      return message({ title: `${DOING[view.action]} ${name}`, description, color: COLOURS.info, ...base });
    }
    case "succeeded": {
      const after = view.after.map((one) => `${code(one.name)}: ${nextWords(one)}`);
      const title = `${what} of ${safe(view.serverName, 100)} ${view.schedule === null ? "are" : "is"} ${DONE[view.action]}`;
      return message({ title, description: lines(after), color: COLOURS.success, ...base });
    }
    case "cancelled":
    case "failed":
    case "expired": {
      const why = view.error === null ? [] : [safe(view.error.message, 800), `Code: ${code(view.error.code)}`];
      const description = [...why, "Nothing was changed."].join("\n\n");
      const title = `${what} of ${safe(view.serverName, 100)} could not be ${DONE[view.action]}`;
      return message({ title, description, color: COLOURS.error, ...base });
    }
  }
}

function waitingWords({ state, hostOnline, hostSeenAt, deadline }: ScheduleJobView): string {
  if (state !== "queued") return "The host has it.";
  if (hostOnline) return "The host does it in a moment.";
  const since = hostSeenAt === null ? "has not been seen yet" : `was last seen ${time(hostSeenAt)}`;
  return `The host is offline: it ${since}. This takes effect when it is back, and is given up ${time(deadline)}.`;
}

/** A scheduled backup that succeeded, for the channel that a guild has set for these. */
export function runResultMessage({ proof, format, serverName, hostName, run, result }: RunResultView): MessageBody {
  const torn = result.consistency === "torn";
  const caughtUp = run.catchUp ? ["Caught up: the host was not there when it was due."] : [];
  const description = [...caughtUp, ...resultLines(result, format)].join("\n").slice(0, LIMITS.description);
  return message({
    title: `Scheduled backup of ${safe(serverName, 100)} is done`,
    ...(description === "" ? {} : { description }),
    color: torn ? COLOURS.warning : COLOURS.success,
    fields: [
      ...resultFields(result, format),
      ...proofFields(proof),
      { name: "Schedule", value: code(run.schedule), inline: true },
      { name: "Was due", value: time(run.nominal, "f"), inline: true },
      { name: "Host", value: safe(hostName, 60), inline: true },
    ],
  });
}
