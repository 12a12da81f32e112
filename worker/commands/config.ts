import type { Embed } from "../discord/message.ts";
import { COLOURS, message } from "../discord/message.ts";
import { formatter } from "../discord/text.ts";
import { rateLimitText } from "../guild/rate-rules.ts";
import type { SettingKey, Settings } from "../guild/settings-rules.ts";
import { QUOTA_GB_MAX } from "../guild/settings-rules.ts";
import type { Choice } from "../guild/views.ts";
import { isRefusal } from "../refusals.ts";
import { command } from "./command.ts";
import { channel, choice, completed, integer, text } from "./options.ts";

const CHOICES_MAX = 25;
/** A few languages to choose from; any other tag can be typed. */
const LOCALES = [
  "en-US",
  "en-GB",
  "de-DE",
  "fr-FR",
  "es-ES",
  "it-IT",
  "nl-NL",
  "pl-PL",
  "pt-BR",
  "ru-RU",
  "sv-SE",
  "tr-TR",
  "ja-JP",
  "ko-KR",
  "zh-CN",
];
const LIMIT_LENGTH_MAX = 20;

/** `/config view`: how this Discord server has set ReconSync. There is nothing secret among it. */
export const configView = command({
  name: "config view",
  description: "Show ReconSync's settings here",
  help: "Channels, time zone, language of numbers and times, who confirms a restore, and rate limits. What a host works on stands in its own config file.",
  tier: "admin",
  rate: "query",
  options: {},
  async run({ guild, ask }) {
    const settings = await guild.settings(ask);
    if (isRefusal(settings)) return settings;
    const usage = await guild.repositoryUsage(ask, null);
    return isRefusal(usage) ? usage : { kind: "message", ephemeral: true, body: message(view("Settings", settings, usage)) };
  },
});

/** `/config set`: any of the settings at once. */
export const configSet = command({
  name: "config set",
  description: "Change ReconSync's settings here",
  help: "Give any of the options; all of them change, or none. `reset` takes one back to its default.",
  tier: "owner",
  rate: "act",
  options: {
    notices: channel("Where to tell of missed backups and trouble with hosts", false),
    backups: channel("Where to post the results of scheduled backups", false),
    timezone: completed("Time zone of this Discord server", false, /^[\w+/-]{1,64}$/, async (_, typed) => zoneChoices(typed)),
    language: completed("How numbers and times are written", false, /^[A-Za-z0-9-]{2,35}$/, async (_, typed) => localeChoices(typed)),
    looking: text("How often a member may look: COUNT/SECONDS, such as 5/30", false, LIMIT_LENGTH_MAX),
    acting: text("How often a member may act: COUNT/SECONDS, such as 3/60", false, LIMIT_LENGTH_MAX),
    danger: text("How often for what cannot be taken back: COUNT/SECONDS, such as 1/120", false, LIMIT_LENGTH_MAX),
    repository_quota: integer("GB that all repositories together may hold in R2", false, 1, QUOTA_GB_MAX),
    restore_approval: choice("Who has to confirm a restore", false, {
      one: "One: whoever asked may confirm",
      "second-person": "Second person: somebody else with the right has to confirm",
    }),
    reset: choice("Take one setting back to its default", false, {
      "notice-channel": "Notices channel",
      "backup-channel": "Backups channel",
      "time-zone": "Time zone",
      locale: "Language",
      "limit-query": "Limit for looking",
      "limit-act": "Limit for acting",
      "limit-danger": "Limit for danger",
      "repository-quota": "Quota of the repositories",
      "restore-approval": "Who confirms a restore",
    }),
  },
  async run({ guild, ask }, given) {
    const changes: [SettingKey, string | null | undefined][] = [
      ["notice-channel", given.notices],
      ["backup-channel", given.backups],
      ["time-zone", given.timezone],
      ["locale", given.language],
      ["limit-query", given.looking],
      ["limit-act", given.acting],
      ["limit-danger", given.danger],
      ["repository-quota", given.repository_quota?.toString()],
      ["restore-approval", given.restore_approval],
    ];
    if (given.reset !== undefined) changes.push([given.reset, null]);
    const settings = await guild.setSettings(ask, Object.fromEntries(changes.filter(([, value]) => value !== undefined)));
    return isRefusal(settings) ? settings : { kind: "message", ephemeral: true, body: message(view("Settings changed", settings)) };
  },
});

function view(title: string, settings: Settings, usage?: { bytes: number }): Embed {
  const format = formatter(settings);
  const where = (id: string | null, otherwise: string) => (id === null ? otherwise : `<#${id}>`);
  const { query, act, danger } = settings.limits;
  return {
    title,
    color: COLOURS.info,
    fields: [
      { name: "Notices", value: where(settings.noticeChannel, "the channel in which `/agent register` was used last"), inline: true },
      { name: "Results of scheduled backups", value: where(settings.backupChannel, "not posted"), inline: true },
      { name: "Time zone", value: settings.timeZone, inline: true },
      { name: "Language", value: `${settings.locale}, such as ${format.count(1234.5)} and ${format.dateTime(EXAMPLE)}`, inline: true },
      { name: "Restores are confirmed by", value: CONFIRMED_BY[settings.restoreApproval], inline: true },
      { name: "Repositories in R2", value: repositoriesText(settings, usage) },
      {
        name: "A member may use commands so often",
        value: `looking ${rateLimitText(query)}, acting ${rateLimitText(act)}, what cannot be taken back ${rateLimitText(danger)}`,
      },
    ],
  };
}

const CONFIRMED_BY: Record<Settings["restoreApproval"], string> = {
  one: "anybody who may restore",
  "second-person": "somebody else than the one who asked",
};

/** `5.1 GB stored, at most 100.0 GB`. */
function repositoriesText(settings: Settings, usage: { bytes: number } | undefined): string {
  const { bytes } = formatter(settings);
  const { repositoryQuota: quota } = settings;
  const bound = quota === null ? "no quota" : `at most ${bytes(quota)}`;
  return usage === undefined ? bound : `${bytes(usage.bytes)} stored, ${bound}`;
}

/** Any time at which day, month and hour differ. */
const EXAMPLE = Date.UTC(2026, 10, 22, 15, 4);

function zoneChoices(typed: string): Choice[] {
  const wanted = typed.trim().toLowerCase().replaceAll(" ", "_");
  const zones = ["UTC", ...Intl.supportedValuesOf("timeZone")];
  return zones
    .filter((zone) => zone.toLowerCase().includes(wanted))
    .slice(0, CHOICES_MAX)
    .map((zone) => ({ name: zone, value: zone }));
}

function localeChoices(typed: string): Choice[] {
  const names = new Intl.DisplayNames("en", { type: "language" });
  return LOCALES.map((tag) => ({ name: `${names.of(tag) ?? tag} (${tag})`, value: tag }))
    .filter(({ name }) => name.toLowerCase().includes(typed.trim().toLowerCase()))
    .slice(0, CHOICES_MAX);
}
