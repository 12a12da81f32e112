import type { Form } from "../check/form.ts";
import type { FormErrors } from "../types.ts";

/** A refusal in Discord's shape. Codes are Discord's own: reference, "JSON Error Codes". */
export class RestError extends Error {
  readonly status: number;
  readonly code: number;
  readonly errors: FormErrors | undefined;

  constructor(status: number, code: number, message: string, errors?: FormErrors) {
    super(message);
    this.status = status;
    this.code = code;
    this.errors = errors;
  }

  toJSON(): Record<string, unknown> {
    return { message: this.message, code: this.code, ...(this.errors === undefined ? {} : { errors: this.errors }) };
  }
}

export const refusals = {
  routeNotFound: () => new RestError(404, 0, "404: Not Found"),
  methodNotAllowed: () => new RestError(405, 0, "405: Method Not Allowed"),
  unauthorized: () => new RestError(401, 0, "401: Unauthorized"),
  unknownApplication: () => new RestError(404, 10002, "Unknown Application"),
  unknownChannel: () => new RestError(404, 10003, "Unknown Channel"),
  unknownGuild: () => new RestError(404, 10004, "Unknown Guild"),
  unknownMessage: () => new RestError(404, 10008, "Unknown Message"),
  unknownWebhook: () => new RestError(404, 10015, "Unknown Webhook"),
  unknownInteraction: () => new RestError(404, 10062, "Unknown interaction"),
  tooManyAttachments: (most: number) => new RestError(400, 30015, `Maximum number of attachments in a message reached (${most})`),
  tooLarge: () => new RestError(413, 40005, "Request entity too large"),
  alreadyAcknowledged: () => new RestError(400, 40060, "Interaction has already been acknowledged."),
  missingAccess: () => new RestError(403, 50001, "Missing Access"),
  notTheAuthor: () => new RestError(403, 50005, "Cannot edit a message authored by another user"),
  emptyMessage: () => new RestError(400, 50006, "Cannot send an empty message"),
  cannotMessageYourself: () => new RestError(400, 50007, "Cannot send messages to this user"),
  cannotMessageUser: () => new RestError(403, 50007, "Cannot send messages to this user"),
  missingPermissions: () => new RestError(403, 50013, "Missing Permissions"),
  invalidWebhookToken: () => new RestError(401, 50027, "Invalid Webhook Token"),
  invalidJson: () => new RestError(400, 50109, "The request body contains invalid JSON."),
  invalidRecipients: () => new RestError(400, 50033, "Invalid Recipient(s)"),
  invalidForm: (errors: FormErrors | undefined) => new RestError(400, 50035, "Invalid Form Body", errors),
};

/** @throws RestError 50035 when the form found anything. */
export function requireForm(form: Form): void {
  if (!form.ok) throw refusals.invalidForm(form.errors());
}
