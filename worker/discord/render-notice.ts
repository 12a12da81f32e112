import type { Notice } from "../guild/notices.ts";
import type { Tables } from "../guild/tables.ts";
import type { MessageBody } from "./message.ts";
import { button, COLOURS, message, row } from "./message.ts";
import { backupAgainId } from "./render-backup.ts";
import { missedMessage } from "./render-missed.ts";
import { frozenMessage } from "./render-retention.ts";
import { securityMessage } from "./render-security.ts";
import { failedCheckMessage, unprovenMessage } from "./render-verification.ts";
import type { Format } from "./text.ts";
import { code, duration, plural, safe, time } from "./text.ts";

/** What the guild says unasked. */
export function noticeMessage(notice: Notice, tables: Tables): MessageBody {
  switch (notice.kind) {
    case "security":
      return securityMessage(notice, tables);
    case "config-problem":
      return configMessage(notice, tables);
    case "clock-skew":
      return clockMessage(notice, tables);
    case "backup-missed":
      return missedMessage(notice, tables);
    case "run-failed":
      return failedMessage(notice, tables);
    case "retention-frozen":
      return frozenMessage(notice, tables, formatIn(tables));
    case "verification-failed":
      return failedCheckMessage(notice, tables);
    case "unproven":
      return unprovenMessage(notice, tables);
    case "held-back":
      return message({
        title: "There is more of this",
        description: `${HELD_BACK[notice.of]}: so many came today that no more are posted until ${time(notice.until, "f")}. The Worker's log has them all.`,
        color: COLOURS.warning,
      });
  }
}

const HELD_BACK: Record<Extract<Notice, { kind: "held-back" }>["of"], string> = {
  "backup-done": "Results of scheduled backups",
  "backup-missed": "Missed backups",
  "clock-skew": "Clocks that are wrong",
  "config-problem": "Configs that are not taken",
  "held-back": "Notices",
  "retention-frozen": "Retention that has stopped",
  "run-failed": "Scheduled backups that failed",
  security: "Security incidents",
  unproven: "Backups that no drill has proven",
  "verification-failed": "Backups that did not pass a check",
};

type Of<K extends Notice["kind"]> = Extract<Notice, { kind: K }>;

function configMessage({ host, problem, at, overAt, gone }: Of<"config-problem">, tables: Tables): MessageBody {
  const name = hostName(host, tables);
  const footer = { text: problem.code };
  if (overAt !== null) {
    const why = gone === true ? "The host has no access any more" : "The host has taken another config, or found another mistake";
    const description = `${why}, ${time(overAt, "f")}. It was:\n\n${safe(problem.message, 1500)}`;
    return message({ title: `A mistake in the config of ${name} is gone`, description, color: COLOURS.success, footer });
  }
  const description = `${safe(problem.message, 1500)}\n\nThe host goes on with the config that it had before. Repair the file; it is read again when it changes. Seen ${time(at)}.`;
  return message({ title: `The new config of ${name} is not taken`, description, color: COLOURS.warning, footer });
}

function clockMessage({ host, offMs, at, overAt, gone }: Of<"clock-skew">, tables: Tables): MessageBody {
  const name = hostName(host, tables);
  const off = `${duration(Math.abs(offMs))} ${offMs > 0 ? "ahead" : "behind"}`;
  if (overAt !== null) {
    if (gone === true) {
      const description = `It was ${off}. The host has no access any more, ${time(overAt, "f")}.`;
      return message({ title: `The clock of ${name} was wrong`, description, color: COLOURS.info });
    }
    const description = `It was ${off} when that was seen, ${time(at, "f")}, and is right since ${time(overAt, "f")}.`;
    return message({ title: `The clock of ${name} is right again`, description, color: COLOURS.success });
  }
  const description = `It is ${off}. Schedules go by the host's clock, and with more than a minute the host is not let in any more. Set the clock right and let it be kept so (NTP). Seen ${time(at)}.`;
  return message({ title: `The clock of ${name} is wrong`, description, color: COLOURS.warning, footer: { text: "clock-skew" } });
}

function failedMessage(
  { host, server, schedule, nominal, problem, at, count, first, overAt }: Of<"run-failed">,
  tables: Tables,
): MessageBody {
  const name = safe(tables.servers.byId(server)?.name ?? server, 100);
  const fields = [
    { name: "Schedule", value: code(schedule), inline: true },
    { name: "Host", value: hostName(host, tables), inline: true },
    { name: "Was due", value: time(nominal, "f"), inline: true },
  ];
  const times = count === 1 ? [] : [`It failed ${plural(count, "time")} in a row, the first time ${time(first, "f")}.`];
  const what = [`${safe(problem.message, 800)}`, `Code: ${code(problem.code)}`];
  if (overAt !== null) {
    const lines = [`A run succeeded ${time(overAt, "f")}.`, ...times, `The last failure was ${time(at, "f")}:`, ...what];
    return message({ title: `Scheduled backups of ${name} work again`, description: lines.join("\n\n"), color: COLOURS.success, fields });
  }
  const lines = [...times, ...what, "Earlier backups are as they were."];
  const again = row(button("primary", "Try again", backupAgainId(server)));
  return message({ title: `Scheduled backup of ${name} failed`, description: lines.join("\n\n"), color: COLOURS.error, fields }, [again]);
}

function formatIn(tables: Tables): Format {
  const { locale, timeZone } = tables.settings.get();
  return { locale, timeZone };
}

function hostName(host: string, tables: Tables): string {
  return safe(tables.hosts.byId(host)?.name ?? host, 60);
}
