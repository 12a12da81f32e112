import type { APIAttachment } from "discord-api-types/v10";
import { type Form, isRecord, type Path, records, text } from "./form.ts";

/** Discord's code 30015, "Maximum number of attachments in a message reached". */
export const ATTACHMENTS_MAX = 10;

/** A file that came in a form, as `files[index]`. */
export interface Upload {
  index: string;
  filename: string;
  /** MIME type. */
  contentType: string;
  bytes: Uint8Array<ArrayBuffer>;
}

/** What is known besides the body: the files that came along, and the message that is edited. */
export interface MessageContext {
  uploads?: readonly Upload[];
  flags?: number;
  attachments?: readonly APIAttachment[];
}

/** One attachment that a message has after a call: one of before or a new one, with what the body says of it. */
export type NextAttachment = { kept: APIAttachment; about: Record<string, unknown> } | { added: Upload; about: Record<string, unknown> };

/**
 * The attachments that a body leaves a message with. A list names all of them, those of before by their ids and new ones by the index of
 * their file; what it does not name is gone. Without a list everything stays and every file is added.
 *
 * Source: Discord's reference, "Uploading Files", "Editing Message Attachments".
 */
export function nextAttachments(body: unknown, { uploads = [], attachments = [] }: MessageContext): NextAttachment[] {
  const listed = isRecord(body) ? body.attachments : undefined;
  if (listed === undefined) {
    return [...attachments.map((kept) => ({ kept, about: {} })), ...uploads.map((added) => ({ added, about: {} }))];
  }
  return records(listed).flatMap((about): NextAttachment[] => {
    const id = String(about.id);
    const kept = attachments.find((one) => one.id === id);
    if (kept !== undefined) return [{ kept, about }];
    const added = uploads.find((one) => one.index === id);
    return added === undefined ? [] : [{ added, about }];
  });
}

/** Each listed attachment must be one of the message or a file that came along, and only once. */
export function checkAttachments(form: Form, body: Record<string, unknown>, at: Path, context: MessageContext): void {
  const known = new Set([...(context.attachments ?? []).map((one) => one.id), ...(context.uploads ?? []).map((one) => one.index)]);
  for (const [index, about] of records(body.attachments).entries()) {
    const here = [...at, "attachments", index, "id"];
    form.expect(known.delete(String(about.id)), here, "ATTACHMENT_NOT_FOUND", `There is no file and no attachment "${about.id}".`);
  }
  const fits = nextAttachments(body, context).length <= ATTACHMENTS_MAX;
  form.expect(fits, [...at, "attachments"], "BASE_TYPE_MAX_LENGTH", `Must be ${ATTACHMENTS_MAX} or fewer in length.`);
}

/** Discord's documentation writes the placeholders of new files as numbers, its specification takes text only. */
export function withTextIds(body: unknown): unknown {
  if (!isRecord(body) || !Array.isArray(body.attachments)) return body;
  const attachments = body.attachments.map((one) => (isRecord(one) && typeof one.id === "number" ? { ...one, id: String(one.id) } : one));
  return { ...body, attachments };
}

/** A file's name as Discord keeps it: ASCII letters and digits, `.`, `_` and `-`. What is left of nothing is called `file`. */
export function safeFilename(filename: string): string {
  const words = filename
    .normalize("NFKD")
    .replace(/[/\\]/gu, " ")
    .split(/\s+/u)
    .filter((word) => word !== "")
    .join("_");
  return words.replace(/[^A-Za-z0-9_.-]/gu, "").replace(/^[._]+|[._]+$/gu, "") || "file";
}

/** Name under which a new file is kept: the one of the list wins over that of the form. */
export function filenameOf({ added, about }: { added: Upload; about: Record<string, unknown> }): string {
  return text(about.filename) || added.filename;
}
