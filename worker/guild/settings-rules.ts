import type { RateLimits } from "./rate-rules.ts";
import { parseRateLimit, RATE_LIMITS_DEFAULT } from "./rate-rules.ts";
import type { Approval } from "./restore-rules.ts";
import { APPROVALS } from "./restore-rules.ts";

/** What a guild can set about itself with `/config set`. */
export interface Settings {
  /** Channel for what nobody asked for: missed backups, trouble with a host. Null: where `/agent register` was used last. */
  noticeChannel: string | null;
  /** Channel for the results of scheduled backups that succeed; null: they are not posted. */
  backupChannel: string | null;
  /** IANA zone in which times are written where Discord cannot show each reader's own. */
  timeZone: string;
  /** BCP 47 tag: how numbers and such times are written. */
  locale: string;
  limits: RateLimits;
  /** Bytes that all repositories together may hold in R2; null for no bound. */
  repositoryQuota: number | null;
  /** Who has to confirm a restore. */
  restoreApproval: Approval;
}

export const SETTINGS_DEFAULT: Settings = {
  noticeChannel: null,
  backupChannel: null,
  timeZone: "UTC",
  locale: "en-US",
  limits: RATE_LIMITS_DEFAULT,
  repositoryQuota: null,
  restoreApproval: "one",
};

/** As Discord messages count: 1 GB is 1,000 MB. */
const BYTES_PER_GB = 1_000_000_000;
/** Largest quota, in GB: a petabyte, so that a typing error shows. */
export const QUOTA_GB_MAX = 1_000_000;

/** Every setting as it is stored: its key, and how its text is read. A string says what is wrong with it. */
export const SETTING_KEYS = [
  "notice-channel",
  "backup-channel",
  "time-zone",
  "locale",
  "limit-query",
  "limit-act",
  "limit-danger",
  "repository-quota",
  "restore-approval",
] as const;
export type SettingKey = (typeof SETTING_KEYS)[number];

/** Stored texts by key. */
export type StoredSettings = Partial<Record<SettingKey, string>>;

/** Why a text cannot be the value of a setting; null when it can. */
export function settingProblem(key: SettingKey, text: string): string | null {
  switch (key) {
    case "notice-channel":
    case "backup-channel":
      return /^[0-9]{1,20}$/.test(text) ? null : "it must be a channel";
    case "time-zone":
      return isTimeZone(text) ? null : "it must be an IANA time zone, such as Europe/Berlin";
    case "locale":
      return isLocale(text) ? null : "it must be a language tag, such as en-US or de-DE";
    case "limit-query":
    case "limit-act":
    case "limit-danger":
      return parseRateLimit(text) === null ? "write it as COUNT/SECONDS, such as 5/30: at most 50 uses, at most 3600 seconds" : null;
    case "repository-quota":
      return quotaOf(text) === null ? `it must be a whole number of GB, from 1 to ${QUOTA_GB_MAX}` : null;
    case "restore-approval":
      return approvalOf(text) === null ? `it must be one of ${APPROVALS.join(", ")}` : null;
  }
}

export function settingsOf(stored: StoredSettings): Settings {
  const limit = (key: "query" | "act" | "danger") => parseRateLimit(stored[`limit-${key}`] ?? "") ?? RATE_LIMITS_DEFAULT[key];
  return {
    noticeChannel: stored["notice-channel"] ?? SETTINGS_DEFAULT.noticeChannel,
    backupChannel: stored["backup-channel"] ?? SETTINGS_DEFAULT.backupChannel,
    timeZone: stored["time-zone"] ?? SETTINGS_DEFAULT.timeZone,
    locale: stored.locale ?? SETTINGS_DEFAULT.locale,
    limits: { query: limit("query"), act: limit("act"), danger: limit("danger") },
    repositoryQuota: quotaOf(stored["repository-quota"] ?? ""),
    restoreApproval: approvalOf(stored["restore-approval"] ?? "") ?? SETTINGS_DEFAULT.restoreApproval,
  };
}

function approvalOf(text: string): Approval | null {
  return APPROVALS.find((one) => one === text) ?? null;
}

/** Bytes of a number of GB; null when it is none, or out of bounds. */
function quotaOf(text: string): number | null {
  if (!/^[1-9]\d{0,6}$/.test(text)) return null;
  const gigabytes = Number(text);
  return gigabytes <= QUOTA_GB_MAX ? gigabytes * BYTES_PER_GB : null;
}

function isTimeZone(text: string): boolean {
  // Offsets such as +01:00 are understood too, but know no summer time.
  return /^[A-Za-z][A-Za-z0-9_+/-]{0,63}$/.test(text) && works(() => new Intl.DateTimeFormat("en-US", { timeZone: text }));
}

function isLocale(text: string): boolean {
  return text.length <= 35 && works(() => Intl.getCanonicalLocales(text)) && Intl.NumberFormat.supportedLocalesOf(text).length === 1;
}

function works(make: () => unknown): boolean {
  try {
    make();
    return true;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}
