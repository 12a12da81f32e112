import type { RestoreChange, RestorePlan } from "../../schemas/index.ts";
import type { RestoreView } from "../guild/restore-view.ts";
import { lines } from "./lines.ts";
import type { Embed } from "./message.ts";
import { LIMITS } from "./message.ts";
import { code, formatter, safe, time } from "./text.ts";

/** The fields of a restore's message. */

type Fields = NonNullable<Embed["fields"]>;

/** Paths shown of a plan's sample. */
const SAMPLE_SHOWN = 10;
const PATH_LENGTH_MAX = 80;

const SIGNS: Record<RestorePlan["sample"][number]["change"], string> = { added: "`+`", changed: "`~`", removed: "`-`" };

/** What it is limited to. */
export function limits({ paths, player, to }: RestoreView): Fields {
  const globs = paths.map((path) => code(path, PATH_LENGTH_MAX));
  return [
    ...(globs.length === 0 ? [] : [{ name: "Only", value: lines(globs, { max: LIMITS.fieldValue }), inline: false }]),
    ...(player === null ? [] : [{ name: "Only the player", value: code(player, 64), inline: true }]),
    ...(to === null ? [] : [{ name: "Into the new folder", value: code(to, 64), inline: true }]),
  ];
}

export function aboutBackup({ backup, chosen, format }: RestoreView): Fields {
  const { bytes } = formatter(format);
  const facts = [
    `${time(backup.madeAt, "f")} (${time(backup.madeAt)})`,
    `${backup.format === "zip" ? "" : "snapshot "}${code(backup.name, 60)}${backup.safety ? ", a safety backup" : ""}`,
    [
      ...(backup.sourceBytes === null ? [] : [bytes(backup.sourceBytes)]),
      ...(backup.consistency === null ? [] : [backup.consistency]),
    ].join(", "),
    ...(backup.note === null ? [] : [safe(backup.note, 200)]),
  ];
  const how = chosenWords(chosen);
  return [
    { name: "Backup", value: facts.filter((fact) => fact !== "").join("\n"), inline: false },
    ...(how === null ? [] : [{ name: "Chosen as", value: how, inline: false }]),
  ];
}

function chosenWords(chosen: RestoreView["chosen"]): string | null {
  switch (chosen.by) {
    case "latest":
      return "the newest backup";
    case "time":
      return `the newest from ${safe(chosen.text, 40)} or before, read in ${safe(chosen.zone, 64)}: ${time(chosen.at, "f")}`;
    case "before":
      return `the newest before this: ${safe(chosen.words, 120)}, ${time(chosen.at, "f")}`;
    case "backup":
    case "undo":
      return null;
  }
}

export function warnings({ backup, plan }: RestoreView): Fields {
  const torn =
    backup.consistency !== "torn"
      ? []
      : [
          "The backup is torn: some files changed while they were read, and may not fit together.",
          ...(backup.wholeAt === undefined ? [] : [`The newest before it that is not torn was made ${time(backup.wholeAt, "f")}.`]),
        ];
  const all = [...torn, ...(plan?.warnings ?? []).map((warning) => safe(warning, 300))];
  return all.length === 0 ? [] : [{ name: "⚠ Mind", value: lines(all, { max: LIMITS.fieldValue }), inline: false }];
}

export function planFields({ format, to }: RestoreView, plan: RestorePlan): Fields {
  const { bytes, plural } = formatter(format);
  const change = ({ files, bytes: size }: RestoreChange) => (files === 0 ? "nothing" : `${plural(files, "file")}, ${bytes(size)}`);
  const room = plan.freeBytes < plan.needBytes ? " ⚠" : "";
  const sample = plan.sample
    .slice(0, SAMPLE_SHOWN)
    .map((one) => `${SIGNS[one.change]} ${code(one.path, PATH_LENGTH_MAX)} ${bytes(one.bytes)}`);
  const touched = plan.added.files + plan.changed.files + plan.removed.files;
  const more = touched - sample.length;
  if (sample.length > 0 && more > 0) sample.push(`and ${plural(more, "more file")}`);
  return [
    { name: "Added", value: change(plan.added), inline: true },
    { name: "Changed", value: change(plan.changed), inline: true },
    { name: "Removed", value: to === null ? change(plan.removed) : "nothing", inline: true },
    { name: "Stays the same", value: change(plan.same), inline: true },
    { name: "Room", value: `needs ${bytes(plan.needBytes)}, ${bytes(plan.freeBytes)} free${room}`, inline: true },
    ...(sample.length === 0 ? [] : [{ name: "Such as", value: lines(sample, { max: LIMITS.fieldValue }), inline: false }]),
  ];
}

export function people({ hostName, askedBy, confirmedBy }: RestoreView): Fields {
  return [
    { name: "Host", value: safe(hostName, 60), inline: true },
    { name: "Asked by", value: by(askedBy), inline: true },
    ...(confirmedBy === null || confirmedBy === askedBy ? [] : [{ name: "Confirmed by", value: by(confirmedBy), inline: true }]),
  ];
}

export function by(member: string | null): string {
  return member === null ? "Somebody" : `<@${member}>`;
}
