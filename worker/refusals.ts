import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { Problem } from "../schemas/index.ts";

/**
 * Every refusal of the control plane: its code, its HTTP status towards agents, and the words that people read. The words say what to
 * do next. `{name}` is filled from the refusal's parameters.
 */
const REFUSALS = {
  // interactions
  "guild-only": [403, "ReconSync works inside a Discord server. Use this command in one of its channels."],
  "unknown-command": [404, "ReconSync does not know this command. It may have been renamed: use `/help` to see what there is."],
  "unknown-component": [404, "This button belongs to an older message and does nothing any more. Run the command again."],
  "unknown-modal": [404, "This form is no longer known. Run the command again."],
  "unknown-interaction": [400, "ReconSync does not understand this kind of interaction. Use `/help` to see the commands."],
  "permission-missing": [
    403,
    "`/{command}` needs the tier **{tier}**: the Discord permission **{permission}**, or a grant by `/access grant`. Ask somebody who manages this Discord server.",
  ],
  "permission-missing-on": [
    403,
    "`/{command}` on **{server}** needs the tier **{tier}** there: the Discord permission **{permission}**, or a grant by `/access grant`. Ask somebody who manages this Discord server.",
  ],
  "rate-limited": [
    429,
    "You have used commands of this kind ({kind}) {limit}, which is all that this Discord server allows. `/{command}` works again <t:{until}:R>.",
  ],
  "grant-limit": [409, "There are {limit} grants, which is the most that ReconSync keeps. Take one away with `/access revoke` first."],
  "grant-unknown": [404, "There is no such grant. `/access list` shows them."],
  "command-unknown": [400, "There is no command `/{command}`. Choose one of those that Discord offers while you type."],
  "setting-invalid": [400, "`{setting}` cannot be that: {reason}. Nothing was changed."],
  "file-not-brought": [502, "Discord did not take the file. Try again in a minute."],
  "settings-empty": [400, "Give at least one option of what to change. `/config view` shows how things are."],
  "option-invalid": [400, "The option `{option}` is not valid: {reason}."],
  internal: [500, "Something went wrong in ReconSync. Try again in a minute; nothing that was there before is lost."],
  // hosts
  "host-unknown": [401, "This host is not known here. Enrol it: run `/agent register` in Discord, then `reconsync enroll` on the host."],
  "host-not-found": [404, "There is no host called **{host}**. `/agent list` shows the hosts."],
  "host-revoked": [
    401,
    "The access of this host was revoked. To use it again run `/agent register` in Discord, then `reconsync enroll` on the host.",
  ],
  "host-name-taken": [409, "There is already a host called **{host}**. Choose another name, or revoke the old one with `/agent revoke`."],
  "host-limit": [
    409,
    "This Discord server has {limit} hosts, which is the most that ReconSync takes. Revoke one with `/agent revoke` first.",
  ],
  "address-invalid": [400, "**{entry}** is neither an IPv4 or IPv6 address nor a range such as `203.0.113.0/24`. Nothing was changed."],
  "address-limit": [400, "These are {count} addresses and ranges; a host may have {limit}. Nothing was changed."],
  "name-mismatch": [400, "The name that you typed is not the name of the host, so nothing was revoked."],
  "code-invalid": [401, "This enrolment code is not valid. Copy it whole from the answer to `/agent register`."],
  "code-used": [401, "This enrolment code was used already. Get a new one with `/agent register`."],
  "code-expired": [401, "This enrolment code is older than 10 minutes. Get a new one with `/agent register`."],
  "proof-invalid": [
    401,
    "The request is not signed by the key that it names, or it was signed for another address. Use the Worker's own URL, then try again.",
  ],
  // tokens
  "token-missing": [401, "The request has no access token."],
  "token-invalid": [401, "The access token is not valid here."],
  "token-expired": [401, "The access token has run out."],
  "assertion-invalid": [
    401,
    "The client assertion is not signed by this host's key, or it was signed for another address. If the key was lost, revoke the host with `/agent revoke` and enrol it again.",
  ],
  "assertion-replayed": [
    401,
    "This client assertion was used before. Each is good for one token request: sign another one. If the agent did not send it twice, somebody else has it.",
  ],
  "clock-skew": [
    401,
    "The clock of this host is {by} {way}. Schedules go by it, and with more than a minute the host is not let in. Set it right and let it be kept so (Linux: `timedatectl set-ntp true`, Windows: `w32tm /resync`).",
  ],
  "address-not-allowed": [
    403,
    "This host may not call from {address}. Call from an address on its list, or let an administrator change the list with `/agent allow` in Discord.",
  ],
  "grant-unsupported": [400, "Only grant_type=client_credentials with a JWT client assertion is supported."],
  // servers and jobs
  "server-unknown": [404, "There is no server called **{server}**. `/status` shows the servers; hosts are added with `/agent register`."],
  "server-not-yours": [403, "The server {server} does not belong to this host."],
  "server-taken": [409, "The server id {server} is used by the host {host} already. Give this server another id in config.yaml."],
  "backup-active": [409, "A backup of **{server}** is already {state}. Wait for it, or cancel it with the button under its message."],
  "queue-full": [
    409,
    "This Discord server has {limit} open jobs, which is the most that ReconSync takes; {waiting} of them wait for their hosts. `/jobs list` shows them. Wait for some to end, or cancel some with `/jobs cancel`.",
  ],
  "host-queue-full": [
    409,
    "The host **{host}** has {limit} open jobs, which is the most that ReconSync takes for one; {waiting} of them wait for it. `/jobs list` shows them. Wait for some to end, or cancel some with `/jobs cancel`.",
  ],
  "job-unknown": [404, "There is no such job, or it is too old to be kept. `/jobs list` shows those that are known."],
  "job-ended": [409, "This job has ended already: {state}. `/jobs show` tells how."],
  "lease-stale": [409, "This job was given to somebody else or has ended; its result is not taken."],
  // schedules
  "schedule-none": [404, "**{server}** has no schedules. They are written in the host's config.yaml."],
  "schedule-unknown": [404, "**{server}** has no schedule called {schedule}. `/schedule list` shows them."],
  "schedule-ambiguous": [400, "**{server}** has several schedules: {schedules}. Name one of them."],
  // restores
  "restore-pick-one": [400, "Give one of `backup`, `time` and `before`, or none for the newest backup."],
  "restore-paths-or-player": [400, "Give either `paths` or `player`. To restore more than one thing, restore one after the other."],
  "restore-not-offered": [
    409,
    "The host of **{server}** lets Discord restore nothing: its agent is older than restores. Update the agent on the host; `/agent list` shows its version. Until then `reconsync` on the host can restore by hand.",
  ],
  "restore-not-in-place": [
    403,
    "The host of **{server}** lets nobody restore it in place from Discord. To allow it, write `restore: {in_place: true}` below this server in the host's config.yaml. Without it, `to` restores into a new folder where the host allows that, and `reconsync restore` on the host can do both.",
  ],
  "restore-no-folder": [
    403,
    "The host of **{server}** has no folder for restores. To use `to`, write `restore: {folder: /srv/restored}` below this server in the host's config.yaml, with a folder that exists and is not the server's.",
  ],
  "restore-host-offline": [
    409,
    "The host **{host}** is offline: it was last seen <t:{seen}:R>. A restore needs it. Start the agent there (`reconsync service status` says how it is), then try again; `reconsync restore` on the host works without Discord.",
  ],
  "restore-active": [409, "A restore of **{server}** goes on. Wait for it to end; `/jobs list` shows it. Nothing else was started."],
  "restore-no-backup": [404, "There is no backup of **{server}** that its host can restore. Make one with `/backup now server:{id}`."],
  "restore-none-by-then": [
    404,
    "There is no backup of **{server}** from <t:{when}:f> or before. `/backup list` shows those that are kept.",
  ],
  "restore-backup-gone": [
    404,
    "This backup is no longer kept, or its host cannot reach it. `/backup list server:{server}` shows those that are.",
  ],
  "restore-event-unknown": [
    404,
    "This event is no longer known. Choose one of those that Discord offers while you type, or give a `time`.",
  ],
  "restore-unknown": [404, "This restore is too old to be known. Run `/restore` again."],
  "restore-second-person": [
    403,
    "In this Discord server a restore needs a second person (`/config set restore_approval`). <@{asker}> asked for it, so somebody else with the right to `/restore` has to press the button.",
  ],
  "restore-since": [409, "**{server}** was restored since this preview was made, so that it is no longer true. Run `/restore` again."],
  "restore-server-moved": [409, "**{server}** belongs to another host now than when this preview was made. Run `/restore` again."],
  "restore-too-late": [
    409,
    "It is too late to cancel: the folders are being exchanged. The restore goes on to its end, or puts back by itself what was there before. When it is done, Undo takes it back.",
  ],
  "restore-silent": [
    409,
    "The host went silent in the middle of this restore, so that it cannot be cancelled. When it is back, its agent goes on or puts back what was there before. Is it gone for good, take away its access with `/agent revoke`.",
  ],
  "restore-not-done": [409, "Only a restore that succeeded can be undone. Nothing was changed."],
  "restore-undo-none": [409, "This restore touched nothing of the server, so there is nothing to undo."],
  "restore-undo-used": [
    409,
    "This restore was undone already, or that goes on now. `/restore server:{server}` restores any backup that is kept.",
  ],
  "restore-undo-asked": [
    409,
    "Somebody was asked already whether to undo this restore. Answer there, or wait until that question has lapsed.",
  ],
  "restore-undo-late": [
    409,
    "Undo works for 24 hours. What was there before is kept for longer, as the safety backup {backup}: run `/restore server:{server}` and choose it under `backup`.",
  ],
  // retention
  "retention-empty": [400, "Give at least one rule, such as `daily:14`. `/backup retention set reset:True` takes the policy away."],
  "backup-unknown": [404, "There is no such backup. Choose one of those that Discord offers while you type."],
  "backup-removed": [409, "This backup is out of the lists. `/backup undelete` brings it back, as long as it is there."],
  "backup-gone": [
    404,
    "This backup of {server} cannot come back any more: its time is over, or it is back already. `/backup list` shows those there are.",
  ],
  "nothing-to-undelete": [404, "Nothing of {server} waits for its removal. `/backup list` shows the backups there are."],
  "mark-limit": [
    409,
    "{limit} backups of this server are pinned or tagged, which is the most that ReconSync keeps. Take a pin or a tag away first.",
  ],
  // archives
  "upload-unknown": [404, "There is no such upload."],
  "upload-closed": [409, "This upload is complete or was aborted."],
  "archive-exists": [409, "There is already an archive called {name}. It was not touched."],
  "archive-in-use": [409, "This archive belongs to a recorded backup. It was not touched."],
  "archive-incomplete": [422, "The parts do not make up the archive that was announced. Nothing was stored under its name."],
  "part-invalid": [400, "The part's number or size is not valid."],
  "hash-mismatch": [422, "The body does not have the SHA-256 that was announced. Send it again."],
  // repositories
  "repository-file-unknown": [404, "There is no such file in this repository."],
  "repository-file-exists": [
    403,
    "The repository has a file of this name with other bytes. It was not touched: files of a repository are never overwritten.",
  ],
  "repository-file-mismatch": [400, "The name is not the SHA-256 of the body. Nothing was stored. Send it again."],
  "repository-file-busy": [503, "The same file is being stored by another request. Try again in a few seconds."],
  "repository-append-only": [
    403,
    "Nothing but locks can be removed from a repository here, so that nobody who breaks into a host can remove its backups.",
  ],
  "repository-quota": [
    507,
    "The repositories of this Discord server hold {used} of the {quota} that its owners allow, so {more} more do not fit. Everything that is there stays. Let an owner raise `/config set repository_quota`.",
  ],
  "range-invalid": [416, "The file is shorter than the range that was asked for."],
  "credential-invalid": [401, "This credential is not valid here. Copy the whole line from the answer to `/backup credentials`."],
  "credential-expired": [401, "This credential has run out. An owner of the Discord server makes a new one with `/backup credentials`."],
  "credential-revoked": [401, "This credential was taken back. An owner of the Discord server makes a new one with `/backup credentials`."],
  "credential-other-server": [403, "This credential is for the repository of another server."],
  "credential-read-only": [
    403,
    "This credential may only read. An owner of the Discord server makes one that may write with `/backup credentials write:True`.",
  ],
  "credential-unknown": [404, "There is no such credential, or it has run out. `/backup credentials-list` shows those that work."],
  "credential-limit": [
    409,
    "There are {limit} credentials that work, which is the most that ReconSync keeps. Take one back with `/backup credentials-revoke` first.",
  ],
  // requests
  "not-found": [404, "There is nothing at this address."],
  "too-many-requests": [429, "There were too many requests like this from your address. Try again in {seconds} seconds."],
  "body-too-large": [413, "The body is larger than the {limit} bytes that are taken here."],
  "body-invalid": [400, "The body is not what is expected here: {reason}"],
  "agent-too-old": [
    426,
    "This agent is too old: it is {theirs}, and {ours} or newer is needed. Run `npm pack` where the Worker was deployed from, then on this host `sudo sh install.sh --from reconsync-VERSION.tgz` (on Windows install.ps1), and start it again.",
  ],
} as const satisfies Record<string, readonly [ContentfulStatusCode, string]>;

export type RefusalCode = keyof typeof REFUSALS;

/** A "no" as a value: it crosses from the guild object to the Worker, which errors with fields would not. */
export interface Refusal {
  refused: RefusalCode;
  params?: Record<string, string>;
}

export function refuse(refused: RefusalCode, params?: Record<string, string>): Refusal {
  return params === undefined ? { refused } : { refused, params };
}

export function isRefusal(value: unknown): value is Refusal {
  return typeof value === "object" && value !== null && "refused" in value;
}

/** What people read. `escape` makes the parameters safe for where the words go. */
export function wordsOf({ refused, params = {} }: Refusal, safe: (text: string) => string = (text) => text): string {
  return REFUSALS[refused][1].replace(/\{(\w+)\}/g, (_, name: string) => safe(params[name] ?? ""));
}

/** What an agent gets: the HTTP status and the body. */
export function problemOf(refusal: Refusal): { status: ContentfulStatusCode; body: Problem } {
  return { status: REFUSALS[refusal.refused][0], body: { code: refusal.refused, message: wordsOf(refusal).replaceAll("**", "") } };
}
