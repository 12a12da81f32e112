import type { ArchiveBackup, BackupResult, Consistency, Progress, SnapshotBackup } from "../../schemas/index.ts";
import { backupName } from "../../schemas/index.ts";
import { KIND_RULES } from "../guild/job-rules.ts";
import type { ProofView } from "../guild/verification-view.ts";
import type { BackupJobView } from "../guild/views.ts";
import type { Embed, MessageBody } from "./message.ts";
import { button, COLOURS, LIMITS, message, row } from "./message.ts";
import { proofWords } from "./render-verification.ts";
import type { Format } from "./text.ts";
import { bar, code, formatter, safe, time } from "./text.ts";

const PHASES: Record<Progress["phase"], string> = {
  scanning: "Looking at the files",
  archiving: "Copying the files",
  uploading: "Uploading the rest",
  finishing: "Finishing",
  comparing: "Comparing with what is there",
  staging: "Writing the backup beside the world",
  stopping: "Stopping the server",
  saving: "Making the safety backup",
  swapping: "Putting it in place",
  starting: "Starting the server",
  probing: "Waiting until the server is up",
  "rolling-back": "Putting back what was there before",
};

const CONSISTENCY: Record<Consistency, string> = {
  quiesced: "Quiesced: saves were held",
  stable: "Stable: no file changed while it was read",
  torn: "Torn: some files changed while they were read",
};

/** Of one text that speaks for a consistency, in characters; the field has 1,024 for all. */
const EVIDENCE_SHOWN_MAX = 180;

export function cancelId(job: string): string {
  return `cancel/${job}`;
}

export function backupAgainId(server: string): string {
  return `backup/${server}`;
}

/** A backup from its first to its last state. */
export function backupMessage(view: BackupJobView): MessageBody {
  const name = safe(view.serverName, 100);
  const footer = { text: view.job };
  const fields = [
    { name: "Host", value: safe(view.hostName, 60), inline: true },
    { name: "Asked by", value: `<@${view.requestedBy}>`, inline: true },
    ...(view.note === null ? [] : [{ name: "Note", value: safe(view.note), inline: false }]),
  ];
  const cancel = row(button("danger", "Cancel", cancelId(view.job)));
  switch (view.state) {
    case "queued":
      return message({ title: `Backup of ${name} is waiting`, description: waiting(view), color: COLOURS.info, fields, footer }, [cancel]);
    case "leased":
    case "running": {
      const title = view.cancelling ? `Cancelling the backup of ${name}` : `Backing up ${name}`;
      const embed: Embed = { title, description: running(view), color: view.cancelling ? COLOURS.warning : COLOURS.info, fields, footer };
      return message(embed, view.cancelling ? [] : [cancel]);
    }
    case "succeeded":
      return message(
        view.result === null ? { title: `Backup of ${name} is done`, color: COLOURS.success, footer } : done(view, view.result),
      );
    case "cancelled":
      return message({
        title: `Backup of ${name} was cancelled`,
        description: "No backup was made. Earlier ones are as they were.",
        color: COLOURS.warning,
        fields,
        footer,
      });
    case "failed":
    case "expired": {
      const what = view.error === null ? "No reason was given." : `${safe(view.error.message, 800)}\n\nCode: ${code(view.error.code)}`;
      const description = `${what}\n\nEarlier backups are as they were.`;
      const again = row(button("primary", "Try again", backupAgainId(view.server)));
      return message(
        { title: `Backup of ${name} failed`, description, color: COLOURS.error, fields, footer },
        view.server === "" ? [] : [again],
      );
    }
  }
}

/** What the interaction's answer says once the bot's own message has taken over. */
export function movedMessage(): MessageBody {
  return message({ description: "This goes on in a newer message below.", color: COLOURS.info });
}

function waiting(view: BackupJobView): string {
  const lines = view.notice === null ? [] : [safe(view.notice)];
  if (view.hostOnline) lines.push("The host takes it up in a moment.");
  else {
    const since = view.hostSeenAt === null ? "it has not been seen yet" : `it was last seen ${time(view.hostSeenAt)}`;
    const hours = KIND_RULES.backup.queueMs / 3_600_000;
    lines.push(
      `The host is offline: ${since}. The backup starts when it is back. It waits up to ${hours} hours, and is given up ${time(view.deadline)}.`,
    );
  }
  return lines.join("\n");
}

function running(view: BackupJobView): string {
  return runningLines(view, view.format).join("\n");
}

/** How far a job is that a host works on. */
export function runningLines(view: Pick<BackupJobView, "progress" | "startedAt" | "notice" | "attempt">, format: Format): string[] {
  const { bytes, duration, plural } = formatter(format);
  const lines: string[] = [];
  const { progress } = view;
  if (progress === null) lines.push("The host has it.");
  else {
    if (progress.total > 0) {
      const share = Math.min(1, progress.done / progress.total);
      lines.push(`${bar(share)} **${Math.floor(share * 100)} %**`);
    }
    const parts = [PHASES[progress.phase]];
    if (progress.total > 0) parts.push(`${bytes(progress.done)} of ${bytes(progress.total)}`);
    else if (progress.files !== undefined && progress.files > 0) parts.push(plural(progress.files, "file"));
    if (progress.bytesPerSecond !== undefined && progress.bytesPerSecond > 0) parts.push(`${bytes(progress.bytesPerSecond)}/s`);
    if (progress.etaSeconds !== undefined) parts.push(`about ${duration(Math.max(1, progress.etaSeconds) * 1000)} left`);
    lines.push(parts.join(" · "));
  }
  if (view.startedAt !== null) lines.push(`Started ${time(view.startedAt)}`);
  if (view.notice !== null) lines.push(safe(view.notice));
  if (view.attempt > 1) lines.push(`Attempt ${view.attempt}`);
  return lines;
}

function done(view: BackupJobView, result: BackupResult): Embed {
  const warnings = view.cancelling ? { ...result, warnings: [] } : result;
  const description = [...resultLines(warnings, view.format), ...(view.notice === null ? [] : [safe(view.notice)])];
  return {
    title: `Backup of ${safe(view.serverName, 100)} is done`,
    ...(description.length === 0 ? {} : { description: description.join("\n").slice(0, LIMITS.description) }),
    color: result.consistency === "torn" ? COLOURS.warning : COLOURS.success,
    fields: [
      ...resultFields(result, view.format),
      ...proofFields(view.proof),
      { name: "Asked by", value: `<@${view.requestedBy}>`, inline: true },
      ...(view.note === null ? [] : [{ name: "Note", value: safe(view.note), inline: false }]),
    ],
    footer: { text: view.job },
  };
}

/** What is not quite right about a finished backup: warnings, and files that were torn. */
export function resultLines(result: BackupResult, format: Format): string[] {
  const torn = result.consistency === "torn" ? [tornLines(result, format)] : [];
  return [...result.warnings.map((warning) => safe(warning, 300)), ...torn];
}

/** The facts of a finished backup. */
export function resultFields(result: BackupResult, format: Format): NonNullable<Embed["fields"]> {
  const { count, duration } = formatter(format);
  const name = result.format === "zip" ? code(result.archive) : `Snapshot ${code(backupName(result))}`;
  return [
    ...(result.format === "zip" ? archiveFields(result, format) : snapshotFields(result, format)),
    { name: "Files", value: count(result.files), inline: true },
    { name: "Took", value: duration(result.durationMs), inline: true },
    { name: "Where", value: `${result.store === "r2" ? "R2" : code(result.place)}\n${name}`, inline: false },
    { name: "Consistency", value: consistencyText(result), inline: false },
    { name: "Made", value: time(result.startedAt, "f"), inline: true },
  ];
}

/** The label, and what it rests on besides what it says itself. */
function consistencyText({ consistency, evidence = [] }: BackupResult): string {
  const label = CONSISTENCY[consistency];
  const lines = [label, ...evidence.filter((text) => !label.includes(text)).map((text) => `- ${safe(text, EVIDENCE_SHOWN_MAX)}`)];
  while (lines.join("\n").length > LIMITS.fieldValue) lines.pop();
  return lines.join("\n");
}

/** Nothing is said where no drill has told of anything. */
export function proofFields(proof: ProofView | null): NonNullable<Embed["fields"]> {
  return proof === null ? [] : [{ name: "Last proven restorable", value: proofWords(proof), inline: false }];
}

function archiveFields({ bytes: stored, sourceBytes }: ArchiveBackup, format: Format): NonNullable<Embed["fields"]> {
  const { bytes } = formatter(format);
  const ratio = sourceBytes > 0 ? ` (${percent(stored, sourceBytes)} of ${bytes(sourceBytes)})` : "";
  return [{ name: "Size", value: `${bytes(stored)}${ratio}`, inline: true }];
}

/** What had to be stored, and what was there already. */
function snapshotFields(result: SnapshotBackup, format: Format): NonNullable<Embed["fields"]> {
  const { bytes, count } = formatter(format);
  const { sourceBytes, newBytes, bytes: stored, repositoryBytes } = result;
  // Folders that changed are new content too, beyond what the files hold.
  const fresh = Math.min(newBytes, sourceBytes);
  const ratio = newBytes > 0 ? ` (dedup ${count(Math.max(1, Math.round(sourceBytes / newBytes)))} : 1)` : "";
  return [
    { name: "Size", value: bytes(sourceBytes), inline: true },
    { name: "New", value: `${bytes(newBytes)}, stored as ${bytes(stored)}`, inline: true },
    { name: "Reused", value: `${bytes(sourceBytes - fresh)}, ${percent(sourceBytes - fresh, sourceBytes)}${ratio}`, inline: true },
    { name: "Repository", value: `${bytes(repositoryBytes)} in all`, inline: true },
  ];
}

function percent(part: number, whole: number): string {
  return `${whole > 0 ? Math.floor((part / whole) * 100) : 0} %`;
}

/** Torn files named in a message; the rest is counted. */
const TORN_SHOWN = 5;

function tornLines(result: BackupResult, format: Format): string {
  const { count, plural } = formatter(format);
  const named = result.torn.slice(0, TORN_SHOWN).map((file) => `${code(file.path, 120)} ${file.reason}`);
  const more = result.tornCount - named.length;
  const lines = [
    `**${plural(result.tornCount, "file")}** could not be read in one stable piece:`,
    ...named,
    ...(more > 0 ? [`and ${count(more)} more`] : []),
  ];
  return lines.join("\n");
}
