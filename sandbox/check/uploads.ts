import { type RestError, refusals } from "../rest/rest-error.ts";
import { ATTACHMENTS_MAX, type Upload } from "./attachments.ts";
import { Form } from "./form.ts";

const MIB = 1024 * 1024;
/**
 * Largest file in a server without boosts, which interactions tell as `attachment_size_limit`. Discord's reference, "Uploading Files",
 * says 20 MiB since September 2026 and said 10 MiB before; what keeps to the smaller is taken under both.
 */
export const FILE_BYTES_MAX = 10 * MIB;
/** Largest form with files. Discord documents none; it was the limit of a whole request until limits came to hold for each file. */
export const FORM_BYTES_MAX = 25 * MIB;

const FILE_FIELD = /^files\[(0|[1-9]\d{0,9})\]$/u;

export interface FormBody {
  /** Parsed `payload_json`, or the other fields when there is none. */
  json: unknown;
  uploads: Upload[];
}

export function isForm(contentType: string | null | undefined): boolean {
  return contentType?.toLowerCase().startsWith("multipart/form-data") === true;
}

/**
 * Reads a `multipart/form-data` body as Discord takes it: `payload_json` and `files[n]`.
 *
 * @throws RestError 413 for too large files, 30015 for too many, 50035 for a broken form, 50109 when `payload_json` is not JSON
 */
export async function readFormBody(body: Uint8Array<ArrayBuffer>, contentType: string): Promise<FormBody> {
  if (body.length > FORM_BYTES_MAX) throw refusals.tooLarge();
  const fields = await new Response(body, { headers: { "Content-Type": contentType } }).formData().catch(() => null);
  if (fields === null) throw wrong([], "The form cannot be read.");
  const uploads: Upload[] = [];
  const others: Record<string, string> = {};
  for (const [name, value] of fields) {
    if (typeof value === "string") others[name] = value;
    else uploads.push(await uploadOf(name, value));
  }
  if (uploads.length > ATTACHMENTS_MAX) throw refusals.tooManyAttachments(ATTACHMENTS_MAX);
  if (new Set(uploads.map((one) => one.index)).size < uploads.length) throw wrong(["files"], "Each file has a number of its own.");
  return { json: jsonOf(others), uploads };
}

async function uploadOf(name: string, file: File): Promise<Upload> {
  const index = FILE_FIELD.exec(name)?.[1];
  if (index === undefined) throw wrong([name], "Files are named files[0], files[1] and so on.");
  if (file.size > FILE_BYTES_MAX) throw refusals.tooLarge();
  if (file.name === "") throw wrong([name], "A file has a name.");
  const contentType = file.type === "" ? "application/octet-stream" : file.type;
  return { index, filename: file.name, contentType, bytes: new Uint8Array(await file.arrayBuffer()) };
}

function jsonOf({ payload_json: payload, ...others }: Record<string, string>): unknown {
  if (payload === undefined) return others;
  try {
    return JSON.parse(payload);
  } catch {
    throw refusals.invalidJson();
  }
}

function wrong(path: readonly string[], message: string): RestError {
  const form = new Form();
  form.add(path, "BASE_TYPE_INVALID", message);
  return refusals.invalidForm(form.errors());
}
