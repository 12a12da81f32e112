import type { BackupRef, RestoreChange, RestorePlan, RestoreResult } from "../../schemas/index.ts";
import { backupName } from "../../schemas/index.ts";
import { LATE_PHASES } from "../guild/restore-rules.ts";
import type { RestoreJobView, RestoreView } from "../guild/restore-view.ts";
import { lines } from "./lines.ts";
import type { ActionRow, MessageBody } from "./message.ts";
import { button, COLOURS, LIMITS, message, row } from "./message.ts";
import { runningLines } from "./render-backup.ts";
import { aboutBackup, by, limits, people, planFields, warnings } from "./restore-fields.ts";
import { code, formatter, safe, time } from "./text.ts";

/** Ids of buttons: the prefix, a slash and the restore's id. */
export const RESTORE_CONFIRM = "restorego";
export const RESTORE_CANCEL = "restorestop";
export const RESTORE_UNDO = "restoreundo";

/** Of what a finished restore says above its fields: Discord takes 6,000 characters in all (Discord's documentation, Embed Limits). */
const RESULT_LENGTH_MAX = 2000;

/** A restore from the question to the result, in one message. */
export function restoreMessage(view: RestoreView): MessageBody {
  switch (view.stage) {
    case "planning":
      return planning(view);
    case "unplanned":
      return unplanned(view);
    case "refused":
      return preview(view, { title: `${what(view)} is not possible now`, color: COLOURS.error, first: refusedLines(view) });
    case "asking":
      return asking(view);
    case "declined":
      return closed(view, `${what(view)} was cancelled`, `${by(view.declinedBy)} cancelled it. Nothing was changed.`);
    case "lapsed":
      return closed(view, `${what(view)} was not confirmed in time`, `Nothing was changed. Run ${again(view)} for a fresh preview.`);
    case "gone":
      return closed(
        view,
        `${what(view)}: the backup is gone`,
        `It is no longer kept. Nothing was changed. Run ${again(view)} and choose another.`,
      );
    case "restoring":
      return restoring(view);
    case "restored":
      return view.result === null ? closed(view, `${what(view)} is done`, "") : restored(view, view.result);
    case "not-restored":
      return notRestored(view);
  }
}

function planning(view: RestoreView): MessageBody {
  const { job } = view;
  const title = job?.cancelling === true ? `${what(view)}: cancelling` : `${what(view)}: comparing`;
  const told = job === null ? [] : job.state === "queued" ? [waiting(view)] : runningLines(job, view.format);
  const description = [...told, "Nothing is changed yet: the preview comes first."].join("\n");
  return message(
    { title, description, color: COLOURS.info, fields: [...aboutBackup(view), ...limits(view), ...people(view)], ...footer(view) },
    [...stop(view, job)],
  );
}

function unplanned(view: RestoreView): MessageBody {
  const { job } = view;
  if (job?.state === "cancelled") return closed(view, `${what(view)} was cancelled`, "Nothing was changed.");
  const why = job?.error == null ? [] : [safe(job.error.message, 800), `Code: ${code(job.error.code)}`];
  const description = [...why, `Nothing was changed. Run ${again(view)} to try once more.`].join("\n\n");
  const title = `${what(view)} could not be prepared`;
  return message({ title, description, color: COLOURS.error, fields: [...aboutBackup(view), ...people(view)], ...footer(view) });
}

function asking(view: RestoreView): MessageBody {
  const buttons = row(
    button("danger", view.chosen.by === "undo" ? "Undo it" : "Restore", `${RESTORE_CONFIRM}/${view.id}`),
    button("secondary", "Cancel", `${RESTORE_CANCEL}/${view.id}`),
  );
  const who = view.approval === "second-person" ? `Somebody else than ${by(view.askedBy)} has to confirm` : "Confirm";
  const until = view.confirmUntil === null ? [] : [`${who} until ${time(view.confirmUntil, "f")} (${time(view.confirmUntil)}).`];
  const body = preview(view, { title: `${what(view)}?`, color: COLOURS.warning, first: [...askingLines(view), ...until] });
  return { ...body, components: [buttons] };
}

/** What happens when it is confirmed, in the order in which it happens. */
function askingLines({ chosen, to, plan, paths, player }: RestoreView): string[] {
  if (to !== null) return [`It goes into the new folder ${code(to, 64)}. The server and its files are left alone.`];
  const only = paths.length > 0 || player !== null ? " Only what was chosen is touched." : "";
  if (chosen.by === "undo") {
    return [
      `This takes back the restore that ended ${time(chosen.at)}: what was there before it comes back.${only} What was written since goes, and is kept in a safety backup.`,
    ];
  }
  return [`First, what is there now is kept in a safety backup. ${serverWords(plan)}${only} Undo works for 24 hours.`];
}

function serverWords(plan: RestorePlan | null): string {
  const control = plan?.control === undefined ? null : safe(plan.control, 200);
  switch (plan?.running) {
    case "running":
      return control === null
        ? "The server runs, and nobody may stop it."
        : `The server runs: it is stopped and started again (${control}).`;
    case "stopped":
      return "The server is stopped, and stays so.";
    default:
      return control === null
        ? "Whether the server runs is not known, and nobody may stop it."
        : `Whether the server runs is not known: it is stopped and started again (${control}).`;
  }
}

function refusedLines({ plan }: RestoreView): string[] {
  const refused = plan?.refused;
  return refused === undefined
    ? ["Nothing was changed."]
    : [safe(refused.message, 800), `Code: ${code(refused.code)}`, "Nothing was changed."];
}

/** What a restore would do. */
function preview(view: RestoreView, { title, color, first }: { title: string; color: number; first: string[] }): MessageBody {
  const { plan } = view;
  const fields = [
    ...aboutBackup(view),
    ...limits(view),
    ...(plan === null ? [] : planFields(view, plan)),
    ...warnings(view),
    ...people(view),
  ];
  return message({ title, description: lines(first), color, fields: fields.slice(0, LIMITS.fields), ...footer(view) });
}

function restoring(view: RestoreView): MessageBody {
  const { job } = view;
  if (job === null) return closed(view, what(view), "");
  // Asked too late, it goes on all the same; the agent says so.
  const cancelling = job.cancelling && !(job.progress !== null && LATE_PHASES.includes(job.progress.phase));
  const doing = job.silent ? "the host is silent" : cancelling ? "cancelling" : null;
  const state = job.state === "queued" ? "is waiting" : "goes on";
  const title = doing === null ? `${what(view)} ${state}` : `${what(view)}: ${doing}`;
  const told = job.silent ? [silence(view, job)] : job.state === "queued" ? [waiting(view)] : runningLines(job, view.format);
  const color = job.silent || cancelling ? COLOURS.warning : COLOURS.info;
  const fields = [...aboutBackup(view), ...limits(view), ...people(view)];
  return message({ title, description: told.join("\n"), color, fields, footer: { text: job.id } }, stop(view, job));
}

function restored(view: RestoreView, result: RestoreResult): MessageBody {
  const { bytes, plural, duration } = formatter(view.format);
  const { undo } = view;
  const change = ({ files, bytes: size }: RestoreChange) => `${plural(files, "file")}, ${bytes(size)}`;
  const downtime = result.downMs > 0 ? [{ name: "Server was down", value: duration(result.downMs), inline: true }] : [];
  const safety = result.safety === undefined ? [] : [{ name: "Safety backup", value: refWords(result.safety), inline: false }];
  const notes = view.job?.notice == null ? [] : [safe(view.job.notice)];
  const description = lines([stateWords(result), ...undoLines(view), ...notes, ...result.warnings.map((one) => safe(one, 300))], {
    max: RESULT_LENGTH_MAX,
  });
  const undoable = undo?.state === "open" || undo?.state === "asked";
  return message(
    {
      title: view.chosen.by === "undo" ? `The restore of ${safe(view.serverName, 100)} is undone` : `${what(view)} is done`,
      description,
      color: undo?.state === "done" || result.warnings.length > 0 ? COLOURS.warning : COLOURS.success,
      fields: [
        ...aboutBackup(view),
        ...limits(view),
        { name: "Restored", value: `${plural(result.files, "file")}, ${bytes(result.bytes)}`, inline: true },
        ...(result.inPlace ? [{ name: "Removed", value: change(result.removed), inline: true }] : []),
        { name: "Took", value: duration(result.durationMs), inline: true },
        ...downtime,
        { name: "Where", value: code(result.place), inline: false },
        ...safety,
        ...people(view),
      ],
      footer: { text: view.job?.id ?? view.id },
    },
    undoable ? [row(button("secondary", "Undo", `${RESTORE_UNDO}/${view.id}`))] : [],
  );
}

/** How the server is now. */
function stateWords({ inPlace, stopped, started, proof }: RestoreResult): string {
  if (!inPlace) return "The server and its files were left alone.";
  if (started) return proof === undefined ? "The server was started again." : `The server is up again: ${safe(proof, 300)}`;
  return stopped ? "The server was stopped, and was not started again." : "The server was not started: it had been stopped before.";
}

function undoLines({ undo }: RestoreView): string[] {
  switch (undo?.state) {
    case "open":
      return [`Undo works until ${time(undo.until, "f")} (${time(undo.until)}).`];
    case "asked":
      return [`${by(undo.by)} asked for an Undo: it waits to be confirmed.`];
    case "running":
      return [`${by(undo.by)} asked for an Undo: it goes on now.`];
    case "done":
      return [`**It was undone**; ${by(undo.by)} asked for it.`];
    default:
      return [];
  }
}

function notRestored(view: RestoreView): MessageBody {
  const { job, aftermath } = view;
  const base = { fields: [...aboutBackup(view), ...limits(view), ...people(view)], footer: { text: job?.id ?? view.id } };
  if (job?.state === "cancelled") {
    return message({ title: `${what(view)} was cancelled`, description: UNTOUCHED, color: COLOURS.warning, ...base });
  }
  const why = job?.error == null ? "No reason was given." : `${safe(job.error.message, 800)}\n\nCode: ${code(job.error.code)}`;
  switch (aftermath) {
    case "rolled-back": {
      const next = `What was there before is back. Nothing is lost: look at why, then run ${again(view)} once more, or choose another backup.`;
      const title = `${what(view)} was rolled back`;
      return message({ title, description: `↩️ ${next}\n\n${why}`, color: COLOURS.warning, ...base });
    }
    case "stuck":
      return message({ title: `${what(view)} failed late`, description: `${why}\n\n${STUCK}`, color: COLOURS.error, ...base });
    case "unknown": {
      const title = `${what(view)}: its end is not known`;
      const description = `${why}\n\n${UNKNOWN}`;
      return message({ title, description, color: COLOURS.error, ...base });
    }
    default:
      return message({ title: `${what(view)} failed`, description: `${why}\n\n${UNTOUCHED}`, color: COLOURS.error, ...base });
  }
}

const UNTOUCHED = "Nothing of the server was touched: it is as it was.";
const STUCK =
  "Nothing is lost: what was there before is kept on the host, and in the safety backup. Do what the message says before anybody starts the server; `reconsync restore --recover` on the host goes on from there.";
const UNKNOWN =
  "The host went silent in the middle of it. When its agent is back, it finishes the restore or puts back what was there before, by itself. Look at the host before you do anything else; `/status` shows the server. The safety backup, if it was made by then, is in `/backup list`.";

/** One that is over without having done anything. */
function closed(view: RestoreView, title: string, description: string): MessageBody {
  const fields = [...aboutBackup(view), ...limits(view), ...people(view)];
  return message({ title, ...(description === "" ? {} : { description }), color: COLOURS.warning, fields, ...footer(view) });
}

function waiting({ job, hostOnline, hostSeenAt, behindBackup, server }: RestoreView): string {
  const until = job === null ? "" : ` It is given up ${time(job.deadline)}.`;
  const notice = job?.notice == null ? "" : `${safe(job.notice)}\n`;
  if (behindBackup) {
    return `${notice}A backup of this server is under way; the restore begins when it has ended. Do you not want to wait, cancel the backup with \`/jobs cancel\`.${until}`;
  }
  if (hostOnline) return `${notice}The host takes it up in a moment.${until}`;
  const seen = hostSeenAt === null ? "has not been seen yet" : `was last seen ${time(hostSeenAt)}`;
  return `${notice}The host is offline: it ${seen}. It goes on when the host is back.${until} \`/status server:${server}\` shows more.`;
}

function silence({ hostSeenAt }: RestoreView, { notice, deadline }: RestoreJobView): string {
  const seen = hostSeenAt === null ? "" : ` It was last seen ${time(hostSeenAt)}.`;
  return [
    ...(notice === null ? [] : [`${safe(notice)}${seen}`]),
    "When its agent is back, it goes on with the restore, or puts back what was there before.",
    `Nobody waits for it any more ${time(deadline)}. Is the host gone for good, take away its access with \`/agent revoke\`.`,
  ].join("\n");
}

function stop(view: RestoreView, job: RestoreJobView | null): ActionRow[] {
  return job?.stoppable === true ? [row(button("danger", "Cancel", `${RESTORE_CANCEL}/${view.id}`))] : [];
}

function what({ serverName, chosen }: RestoreView): string {
  return `${chosen.by === "undo" ? "Undo of the restore" : "Restore"} of ${safe(serverName, 100)}`;
}

function again({ server }: RestoreView): string {
  return `\`/restore server:${server}\``;
}

function footer({ id, job }: RestoreView): { footer: { text: string } } {
  return { footer: { text: job?.id ?? id } };
}

function refWords(ref: BackupRef): string {
  return ref.format === "zip" ? code(backupName(ref)) : `snapshot ${code(backupName(ref))}`;
}
