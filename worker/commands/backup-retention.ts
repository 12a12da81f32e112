import { KEEP_COUNT_MAX, retentionPolicy } from "../../schemas/index.ts";
import { policyMessage, previewMessage } from "../discord/render-retention.ts";
import type { WantedPolicy } from "../guild/retention-desk.ts";
import { settingProblem } from "../guild/settings-rules.ts";
import type { Refusal } from "../refusals.ts";
import { isRefusal, refuse } from "../refusals.ts";
import { command } from "./command.ts";
import { flag, integer, serverOption, text } from "./options.ts";

/** Longest text of a duration, a list of tags and a time zone, in characters. */
const TEXT_LENGTH_MAX = 100;

const count = (what: string) => integer(`Keep ${what}`, false, 1, KEEP_COUNT_MAX);

const RULES = {
  last: count("so many of the newest backups"),
  hourly: count("the last backup of each of so many hours"),
  daily: count("the last backup of each of so many days"),
  weekly: count("the last backup of each of so many weeks"),
  monthly: count("the last backup of each of so many months"),
  yearly: count("the last backup of each of so many years"),
  within: text("Keep all that are younger than this, such as 7d, 36h or 1y6m", false, TEXT_LENGTH_MAX),
  tags: text("Keep all with one of these tags, apart by commas", false, TEXT_LENGTH_MAX),
  zone: text("Whose days and weeks count, such as Europe/Berlin; without it the zone of /config", false, TEXT_LENGTH_MAX),
  brake: integer("Stop when more than so many percent of the backups would go at once (50)", false, 1, 100),
} as const;

type Given = Partial<Record<"last" | "hourly" | "daily" | "weekly" | "monthly" | "yearly" | "brake", number>> &
  Partial<Record<"within" | "tags" | "zone", string>>;

/** `/backup retention show`: which backups stay. */
export const retentionShow = command({
  name: "backup retention show",
  description: "Show which backups of a game server are kept",
  help: "Of a server, or what holds for all that have no policy of their own. It also says whether the brake is on.",
  tier: "admin",
  rate: "query",
  options: { server: serverOption(false) },
  async run({ guild, ask }, { server }) {
    const view = await guild.retention(ask, server ?? null);
    return isRefusal(view) ? view : { kind: "message", ephemeral: true, body: policyMessage(view, "show") };
  },
});

/** `/backup retention set`: decide which backups stay. */
export const retentionSet = command({
  name: "backup retention set",
  description: "Decide which backups are kept, of one game server or of all",
  help: "A backup stays when any of the rules wants it, when it is pinned, or when nothing newer could be restored. Give all rules at once: they replace those that were set. Without `server` it holds for all servers without a policy of their own. `reset` takes the policy away.",
  tier: "owner",
  rate: "act",
  options: { server: serverOption(false), ...RULES, reset: flag("Take the policy away; the host's config decides again", false) },
  async run({ guild, ask }, { server, reset = false, ...given }) {
    const wanted = reset ? null : wantedOf(given);
    if (wanted !== null && isRefusal(wanted)) return wanted;
    const view = await guild.setRetention(ask, server ?? null, wanted);
    return isRefusal(view) ? view : { kind: "message", body: policyMessage(view, "set") };
  },
});

/** `/backup retention preview`: what would stay and why, and what would go. */
export const retentionPreview = command({
  name: "backup retention preview",
  description: "Show what retention keeps and why, and what it would remove",
  help: "With the policy that is in force, or with rules that you give to try them. Nothing is changed.",
  tier: "admin",
  rate: "query",
  options: { server: serverOption(true), ...RULES },
  async run({ guild, ask }, { server, ...given }) {
    const asked = Object.values(given).some((value) => value !== undefined) ? wantedOf(given) : null;
    if (asked !== null && isRefusal(asked)) return asked;
    const view = await guild.previewRetention(ask, server, asked);
    return isRefusal(view) ? view : { kind: "message", ephemeral: true, body: previewMessage(view) };
  },
});

/** `/backup retention resume`: let retention go on after the brake. */
export const retentionResume = command({
  name: "backup retention resume",
  description: "Let retention of a game server go on after the brake stopped it",
  help: "Look at the world and at `/backup retention preview` first. What the newest backup looks like is taken for usual from then on, and what the policy does not keep goes.",
  tier: "owner",
  rate: "act",
  options: { server: serverOption(true) },
  async run({ guild, ask }, { server }) {
    const view = await guild.resumeRetention(ask, server);
    return isRefusal(view) ? view : { kind: "message", body: policyMessage(view, "resume") };
  },
});

function wantedOf({ zone, brake, tags, within, ...counts }: Given): WantedPolicy | Refusal {
  const wrong = zone === undefined ? null : settingProblem("time-zone", zone);
  if (wrong !== null) return refuse("option-invalid", { option: "zone", reason: wrong });
  const rules = { ...counts, ...(within === undefined ? {} : { within }), ...(tags === undefined ? {} : { tags: tagsOf(tags) }) };
  const read = retentionPolicy.safeParse({ ...rules, zone: "UTC" });
  if (!read.success) {
    const [issue] = read.error.issues;
    return refuse("option-invalid", { option: String(issue?.path[0] ?? "rules"), reason: issue?.message ?? "it is not a rule" });
  }
  return { rules, zone, brake };
}

/** Words apart by commas or spaces, each once. */
export function tagsOf(typed: string): string[] {
  return [
    ...new Set(
      typed
        .toLowerCase()
        .split(/[,\s]+/)
        .filter((tag) => tag !== ""),
    ),
  ];
}
