import { AgentError, EXIT } from "../../../../errors.ts";
import { fileMissing } from "../errors.ts";
import type { HttpAnswer } from "./attempt.ts";
import { toldBy } from "./judge.ts";

export function isOk({ status }: HttpAnswer): boolean {
  return status >= 200 && status < 300;
}

/** What an answer means that is no success, as the stores' error codes have it. @param what names the file or the folder */
export function refusalOf(answer: HttpAnswer, place: string, what: string): AgentError {
  const told = toldBy(answer);
  switch (answer.status) {
    case 404:
      return fileMissing(place, what, told);
    case 401:
      return new AgentError("store-refused", `${place} does not take these credentials (${told}). Give it valid ones.`, REFUSED);
    case 403:
    case 405:
    case 409:
      return new AgentError("store-refused", `${place} refuses this for ${what} (${told}). Ask whoever runs it for the right to.`, REFUSED);
    case 413:
    case 507:
      return new AgentError("store-full", `${place} has no space for ${what} (${told}). Free some or raise the quota, then try again.`);
    default:
      if (answer.status >= 300 && answer.status < 400) return redirected(answer, place);
      return new AgentError("store-failed", `${place} cannot do this for ${what} (${told}). Check the service, then try again.`);
  }
}

const REFUSED = { exitCode: EXIT.refused };

function redirected({ headers }: HttpAnswer, place: string): AgentError {
  const location = headers.get("location") ?? "";
  const origin = URL.canParse(location) ? ` to ${new URL(location).origin}` : "";
  return new AgentError("store-failed", `${place} sends us elsewhere${origin}, which is not followed. Use the address it really has.`);
}
