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
  "permission-missing": [403, "You need the Discord permission **{permission}** for `/{command}`. Ask somebody who manages this server."],
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
  "name-mismatch": [400, "The name that you typed is not the name of the host, so nothing was revoked."],
  "code-invalid": [401, "This enrolment code is not valid. Copy it whole from the answer to `/agent register`."],
  "code-used": [401, "This enrolment code was used already. Get a new one with `/agent register`."],
  "code-expired": [401, "This enrolment code is older than 10 minutes. Get a new one with `/agent register`."],
  "proof-invalid": [401, "The request is not signed by the key that it brings. Check the host's clock, then run `reconsync enroll` again."],
  // tokens
  "token-missing": [401, "The request has no access token."],
  "token-invalid": [401, "The access token is not valid here."],
  "token-expired": [401, "The access token has run out."],
  "assertion-invalid": [
    401,
    "The client assertion is not valid. Check that the host's clock is right (it may be off by a minute at most).",
  ],
  "grant-unsupported": [400, "Only grant_type=client_credentials with a JWT client assertion is supported."],
  // servers and jobs
  "server-unknown": [404, "There is no server called **{server}**. `/status` shows the servers; hosts are added with `/agent register`."],
  "server-not-yours": [403, "The server {server} does not belong to this host."],
  "server-taken": [409, "The server id {server} is used by the host {host} already. Give this server another id in config.yaml."],
  "backup-active": [409, "A backup of **{server}** is already {state}. Wait for it, or cancel it with the button under its message."],
  "queue-full": [409, "There are {limit} jobs waiting, which is the most that ReconSync keeps. Wait for some to end, or cancel them."],
  "job-unknown": [404, "There is no such job."],
  "job-ended": [409, "This job has ended already: {state}."],
  "lease-stale": [409, "This job was given to somebody else or has ended; its result is not taken."],
  // archives
  "upload-unknown": [404, "There is no such upload."],
  "upload-closed": [409, "This upload is complete or was aborted."],
  "archive-exists": [409, "There is already an archive called {name}. It was not touched."],
  "archive-in-use": [409, "This archive belongs to a recorded backup. It was not touched."],
  "archive-incomplete": [422, "The parts do not make up the archive that was announced. Nothing was stored under its name."],
  "part-invalid": [400, "The part's number or size is not valid."],
  "hash-mismatch": [422, "The body does not have the SHA-256 that was announced. Send it again."],
  // requests
  "not-found": [404, "There is nothing at this address."],
  "body-too-large": [413, "The body is larger than the {limit} bytes that are taken here."],
  "body-invalid": [400, "The body is not what is expected here: {reason}"],
  "agent-too-old": [426, "This agent speaks protocol {theirs}; {ours} is needed. Update the agent on this host, then start it again."],
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
