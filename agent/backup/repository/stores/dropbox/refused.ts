import { AgentError, EXIT } from "../../../../errors.ts";
import type { HttpAnswer } from "../http/attempt.ts";
import { toldBy } from "../http/judge.ts";
import { refusalOf } from "../http/refusal.ts";

/** What Dropbox refuses. */
export interface Refused {
  /** The tags of the error, outermost first: `path/not_found`, `path/conflict/file`; empty when it has none. */
  tags: string;
  answer: HttpAnswer;
}

/** Tags lie no deeper than this in what we ask for. */
const DEPTH_MAX = 8;
/** Words of WriteError that mean no room, or none in this month (the SDK's types). */
const FULL = /(?:^|\/)(?:(?:team_folder_|member_folder_)?insufficient_space|insufficient_quota|upload_traffic_limit_reached)$/;
/** Words of its errors that mean that we may not, as the SDK's types have them. */
const NO_RIGHT = /(?:^|\/)(?:missing_scope|no_permission|no_write_permission|access_restricted|restricted_content|operation_suppressed)$/;

/**
 * The tags of an error: of a union, or in the `reason` of an upload or of a limit. `error_summary` says the same in one line, but its form is not
 * promised. Dropbox's OAuth server has one word instead.
 */
export function tagsOf(body: unknown): string {
  const error = fieldOf(body, "error");
  if (typeof error === "string") return error;
  const tags: string[] = [];
  let at = error;
  while (at !== undefined && tags.length < DEPTH_MAX) {
    const tag = fieldOf(at, ".tag");
    if (typeof tag === "string") tags.push(tag);
    at = (typeof tag === "string" ? fieldOf(at, tag) : undefined) ?? fieldOf(at, "reason");
  }
  return tags.join("/");
}

/** The same, of an answer's bytes. */
export function tagsIn({ body }: HttpAnswer): string {
  try {
    return tagsOf(JSON.parse(body.toString("utf8")));
  } catch {
    // Some of its errors are plain text.
    return "";
  }
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}

/** Words of its OAuth server for a grant, a key or a secret that is no good (RFC 6749 section 5.2). */
const NO_GRANT = /^(?:invalid_grant|invalid_client|unauthorized_client)/;

/** What a refusal means, as the stores' error codes have it. @param what names the file or the folder */
export function dropboxRefusal({ tags, answer }: Refused, place: string, what: string): AgentError {
  const told = tags === "" ? toldBy(answer) : tags;
  if (FULL.test(tags)) {
    return new AgentError("store-full", `${place} has no space for ${what} (${told}). Free some at Dropbox, then try again.`);
  }
  if (answer.status === 401 || NO_GRANT.test(tags) || NO_RIGHT.test(tags)) {
    const text = `${place} does not let us do this for ${what} (${told}). Give the app a valid token, with the right to read and write files.`;
    return new AgentError("store-refused", text, { exitCode: EXIT.refused });
  }
  if (tags === "content_hash_mismatch") {
    return new AgentError("store-failed", `${what} arrives damaged at ${place}, each time. Check the network and this host's memory.`);
  }
  if (answer.status !== 409) return refusalOf(answer, place, what);
  return new AgentError("store-failed", `${place} cannot do this for ${what} (${told}). Look at it there, then try again.`);
}
