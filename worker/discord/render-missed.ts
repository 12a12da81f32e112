import type { LateRun, Miss, MissedCause, MissedNotice } from "../guild/missed-rules.ts";
import type { Tables } from "../guild/tables.ts";
import type { MessageBody } from "./message.ts";
import { button, COLOURS, LIMITS, message, row } from "./message.ts";
import { backupAgainId } from "./render-backup.ts";
import { code, plural, safe, time } from "./text.ts";

/** Scheduled backups that did not come in, from the first one until it is settled. */
export function missedMessage(notice: MissedNotice, tables: Tables): MessageBody {
  const server = safe(tables.servers.byId(notice.server)?.name ?? notice.server, 100);
  const host = safe(tables.hosts.byId(notice.host)?.name ?? notice.host, 60);
  const count = notice.missed.length + notice.more;
  const late = notice.late.map(lateLine);
  const fields = [
    { name: "Schedule", value: code(notice.schedule), inline: true },
    { name: "Host", value: host, inline: true },
  ];
  const over = notice.end;
  if (over === null) {
    const lines = [...missLines(notice), ...late, "", cause(notice.cause, host)];
    const again = row(button("primary", "Back up now", backupAgainId(notice.server)));
    return message(
      { title: `${plural(count, "scheduled backup")} of ${server} missed`, description: cut(lines), color: COLOURS.error, fields },
      [again],
    );
  }
  switch (over.how) {
    case "back": {
      const what = count === 0 ? [] : [`${plural(count, "nominal time")} missed:`, ...missLines(notice)];
      const lines = [`Back since ${time(over.at, "f")}: a run has succeeded.`, "", ...what, ...late];
      return message({ title: `Scheduled backups of ${server} are back`, description: cut(lines), color: COLOURS.success, fields });
    }
    case "settled": {
      const made = notice.late.every(({ how }) => how === "succeeded");
      const title = made ? `Scheduled backups of ${server} were made after all` : `The missed backups of ${server} are accounted for`;
      return message({ title, description: cut(late), color: made ? COLOURS.success : COLOURS.warning, fields });
    }
    case "paused":
    case "gone": {
      const why = over.how === "paused" ? "The schedule is paused now" : "The schedule, its server or its host is gone";
      const lines = [`${why}, so nobody waits for it any more.`, "", ...missLines(notice), ...late];
      const title = `${plural(count, "scheduled backup")} of ${server} missed`;
      return message({ title, description: cut(lines), color: COLOURS.warning, fields });
    }
  }
}

function missLines({ missed, more, first }: MissedNotice): string[] {
  const older = more === 0 ? [] : [`• ${plural(more, "earlier one")}, from ${time(first, "f")} on`];
  return [...older, ...missed.map(missLine)];
}

function missLine({ nominal, startedAt }: Miss): string {
  const what = startedAt === null ? "no run began" : `a run began ${time(startedAt, "f")} and has not ended`;
  return `• ${time(nominal, "f")} (${time(nominal)}): ${what}`;
}

const LATE: Record<LateRun["how"], string> = { succeeded: "was made", failed: "was tried and failed", skipped: "was skipped" };

function lateLine({ nominal, how, at, inTime }: LateRun): string {
  return `• ${time(nominal, "f")}: ${LATE[how]} at ${time(at, "f")}, ${inTime ? "reported late" : "later than it should"}`;
}

function cause(why: MissedCause, host: string): string {
  switch (why.kind) {
    case "host-offline": {
      const since = why.seenAt === null ? "has not been seen yet" : `has been offline since ${time(why.seenAt, "f")} (${time(why.seenAt)})`;
      return `**${host}** ${since}. Check the machine and that the agent runs there. What its agent did meanwhile is told when it is back.`;
    }
    case "agent-started-later":
      return `The agent on **${host}** was started only ${time(why.startedAt, "f")}. Unless its config says otherwise, it makes up for the newest one by one run.`;
    case "pause-over":
      return `It was paused until ${time(why.until, "f")}, and the agent on **${host}** has not gone on. Run \`/schedule resume\`.`;
    case "clock-skew":
      return `The clock of **${host}** is wrong, and schedules go by it. Set it right.`;
    case "not-ended":
      return `A run began on **${host}** and takes longer than the schedule allows. See the agent's log; is the disk or the line slower than before?`;
    case "under-way":
      return `A run has begun on **${host}** after all. This message says how it ends.`;
    case "silent":
      return `**${host}** is online, but its agent has told of no run. See the agent's log there.`;
  }
}

function cut(lines: string[]): string {
  return lines.join("\n").trim().slice(0, LIMITS.description);
}
