import type { Verification } from "../../schemas/index.ts";
import { backupName } from "../../schemas/index.ts";
import type { Tables } from "../guild/tables.ts";
import type { FailedCheckNotice, UnprovenNotice } from "../guild/verification-rules.ts";
import { endOf, UNPROVEN_MS } from "../guild/verification-rules.ts";
import type { BackupMark, ProofView, VerifiedView } from "../guild/verification-view.ts";
import type { MessageBody } from "./message.ts";
import { COLOURS, message } from "./message.ts";
import { code, duration, plural, safe, time } from "./text.ts";

/** What is said of whether backups can be restored. */

const CHECKS: Record<Verification["check"], string> = { daily: "daily check", drill: "restore drill" };
/** Problems in one notice. */
const PROBLEMS_SHOWN = 5;

/** For `/status`: what was proven last, and what is wrong since. */
export function verifiedField({ proof, troubles }: VerifiedView): string {
  // Short: several servers share one message, and Discord takes 6,000 characters.
  const lines = [proof === null ? "none yet" : `the backup of ${time(proof.madeAt, "f")}, proven ${time(proof.provenAt)}`];
  for (const { check, outcome, at, what } of troubles) {
    const how = outcome === "failed" ? `**${CHECKS[check]} failed**` : `${CHECKS[check]} put off`;
    lines.push(`${how} ${time(at)}${what === "" ? "" : `: ${safe(what, 80)}`}`);
  }
  return lines.join("\n");
}

/** With what was looked at. */
export function proofWords({ madeAt, provenAt, checks }: ProofView): string {
  const looked = checks.map(({ kind, files }) => `${files} ${KINDS[kind]}`).join(", ");
  return `the backup of ${time(madeAt, "f")}, restored as a drill ${time(provenAt)}${looked === "" ? "" : `; looked at: ${looked}`}`;
}

const KINDS: Record<NonNullable<Verification["checks"]>[number]["kind"], string> = {
  sqlite: "SQLite",
  region: "region",
  nbt: "NBT",
  json: "JSON",
  gzip: "gzip",
  zip: "zip",
};

/** For `/backup list`. */
export function markWords(mark: BackupMark): string {
  if (mark === null) return "";
  return mark.kind === "proven" ? `\n  ✅ proven restorable ${time(mark.at)}` : `\n  ⚠️ did not pass its restore drill ${time(mark.at)}`;
}

export function failedCheckMessage({ host, verification, first, count, overAt }: FailedCheckNotice, tables: Tables): MessageBody {
  const { server, check, backup, madeAt, problems, problemCount } = verification;
  const name = safe(tables.servers.byId(server)?.name ?? server, 100);
  const about =
    backup === undefined
      ? []
      : [{ name: "Backup", value: `${code(backupName(backup), 60)}${madeAt === undefined ? "" : `, made ${time(madeAt, "f")}`}` }];
  const fields = [{ name: "Host", value: safe(tables.hosts.byId(host)?.name ?? host, 60) }, ...about].map((one) => ({
    ...one,
    inline: true,
  }));
  const named = problems.slice(0, PROBLEMS_SHOWN).map(({ path, detail, torn }) => {
    const where = path === undefined ? "" : `${code(path, 120)}: `;
    return `${where}${safe(detail, 200)}${torn === true ? " (the backup says that it changed while it was read)" : ""}`;
  });
  const more = problemCount - named.length;
  const list = [...named, ...(more > 0 ? [`and ${plural(more, "more problem")}`] : [])].join("\n");
  const times = count === 1 ? [] : [`It failed ${plural(count, "time")} in a row, the first time ${time(first, "f")}.`];
  if (overAt !== null) {
    const lines = [
      `The ${CHECKS[check]} passed ${time(overAt, "f")}.`,
      ...times,
      `The last failure was ${time(endOf(verification), "f")}:`,
      list,
    ];
    return message({
      title: `Backups of ${name} pass their ${CHECKS[check]} again`,
      description: lines.join("\n\n"),
      color: COLOURS.success,
      fields,
    });
  }
  const lines = [list, ...times, ADVICE[check]];
  const footer = { text: check === "drill" ? "drill-failed" : "backups-damaged" };
  return message({
    title: `Backups of ${name} did not pass their ${CHECKS[check]}`,
    description: lines.join("\n\n"),
    color: COLOURS.error,
    fields,
    footer,
  });
}

const ADVICE: Record<Verification["check"], string> = {
  daily:
    "What is whole can still be restored. Make a new backup now, keep the damaged ones as they are, and look at the disk or the place that they lie at.",
  drill:
    "The newest backup came out like this, and nothing of the server was touched. Look whether the server itself has these files whole; older backups may have them.",
};

export function unprovenMessage({ host, server, since, ever, reason, at, overAt, off }: UnprovenNotice, tables: Tables): MessageBody {
  const name = safe(tables.servers.byId(server)?.name ?? server, 100);
  const fields = [{ name: "Host", value: safe(tables.hosts.byId(host)?.name ?? host, 60), inline: true }];
  if (overAt !== null && off === true) {
    const description = `The host makes no restore drills any more, ${time(overAt, "f")}.`;
    return message({ title: `No backup of ${name} was proven restorable`, description, color: COLOURS.info, fields });
  }
  if (overAt !== null) {
    return message({
      title: `Backups of ${name} are proven again`,
      description: `Since ${time(overAt, "f")}.`,
      color: COLOURS.success,
      fields,
    });
  }
  const last = ever
    ? `The last restore drill that passed was ${time(since, "f")}.`
    : `Restore drills are on since ${time(since, "f")}, and none has passed.`;
  const why = reason === null ? [] : [`The last one was put off: ${safe(reason, 500)}`];
  const advice = `Nobody knows whether the backups could be restored. \`reconsync drill ${server}\` on the host tries it now. Seen ${time(at)}.`;
  return message({
    title: `No backup of ${name} was proven restorable for ${duration(UNPROVEN_MS)}`,
    description: [last, ...why, advice].join("\n\n"),
    color: COLOURS.warning,
    fields,
    footer: { text: "unproven" },
  });
}
